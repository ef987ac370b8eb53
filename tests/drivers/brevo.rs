//! Brevo: online is a lease, nothing says offline, nothing is read, and a hundred requests an hour are few.

use std::time::Duration;

use serde_json::json;
use shiftbell::domain::{delivery::Verdict, driver::Shown};

use super::desk::Desk;

#[tokio::test]
async fn a_ping_names_the_agent_and_nothing_else() {
    let desk = Desk::of("brevo").await;
    let ana = desk.product().add_agent(0);
    let accepted = (Verdict::Sent, "accepted");
    desk.judged(&desk.driver(), (&ana, Shown::Online), accepted)
        .await;
    assert_eq!(
        desk.request(0),
        "POST /v3/conversations/agentOnlinePing\n\
         accept: application/json\n\
         api-key: …\n\
         content-type: application/json\n\
         {\"agentId\":\"d9nKoegKSjmCtyK10\"}"
    );
    assert_eq!(desk.product().record().all()[0].answered, Some(201));
}

#[tokio::test]
async fn online_ends_by_the_clock_unless_it_is_renewed() {
    let desk = Desk::of("brevo").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    let lease = driver.description().lease.unwrap();
    let shown = || desk.product().shown(&ana).unwrap();
    for _ in 0..5 {
        desk.tell(&driver, &ana, Shown::Online).await;
        let every = lease.renew_every_seconds.into();
        desk.clock.advance(Duration::from_secs(every));
        assert_eq!(shown(), "online");
    }
    // It was renewed a minute ago; one renewal may fail.
    desk.clock.advance(Duration::from_secs(59));
    assert_eq!(shown(), "online");
    let let_go = (Verdict::Sent, "let_go");
    desk.judged(&driver, (&ana, Shown::Offline), let_go).await;
    desk.judged(&driver, (&ana, Shown::Invisible), let_go).await;
    assert_eq!(
        desk.product().record().all().len(),
        5,
        "offline is not said"
    );
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(shown(), "offline");
    assert_eq!(driver.reads(), 0);
}

#[tokio::test]
async fn a_general_account_keeps_one_agent_online_for_an_hour_and_not_two() {
    for (agents, kind, enough) in [
        (1, "general", true),
        (2, "general", false),
        (3, "advanced", true),
        (4, "advanced", false),
    ] {
        let desk = Desk::of("brevo").await;
        let driver = desk.driver();
        if kind == "advanced" {
            desk.product().arrange(kind, "");
        }
        let ids: Vec<String> = (0..agents).map(|n| desk.product().add_agent(n)).collect();
        let mut refused = None;
        for minute in 0..60 {
            for id in &ids {
                let judgement = desk.tell(&driver, id, Shown::Online).await;
                if judgement.verdict != Verdict::Sent && refused.is_none() {
                    refused = Some((minute, judgement));
                }
            }
            desk.clock.advance(Duration::from_mins(1));
        }
        assert_eq!(refused.is_none(), enough, "{agents} {kind}: {refused:?}");
        if let Some((minute, judgement)) = refused {
            assert_eq!(minute, 50);
            assert_eq!(judgement.verdict, Verdict::Slow);
            assert_eq!(judgement.reason, "too_many_requests");
            // To the end of the hour, in a header of Brevo's own.
            assert_eq!(judgement.retry_after, Some(Duration::from_mins(10)));
        }
    }
}

#[tokio::test]
async fn an_unknown_agent_is_not_made_up() {
    let desk = Desk::of("brevo").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    let unknown = (Verdict::Narrow, "document_not_found");
    desk.judged(&driver, ("nobody@example.com", Shown::Online), unknown)
        .await;
    assert_eq!(desk.product().shown("nobody@example.com"), None);
    // What would have happened otherwise.
    let by_mail = desk.driver_with(|description| {
        let body = json!({"agentEmail": "{agent}", "agentName": "N", "receivedFrom": "us"});
        description.set.json = Some(body);
    });
    desk.tell(&by_mail, "nobody@example.com", Shown::Online)
        .await;
    assert!(desk.product().shown("nobody@example.com").is_some());
    let half = desk.driver_with(|description| {
        description.set.json = Some(json!({"agentEmail": "{agent}"}));
    });
    let wanting = (Verdict::Misconfigured, "missing_parameter");
    desk.judged(&half, (&ana, Shown::Online), wanting).await;
    desk.product().arrange("no_plan", "");
    let denied = (Verdict::Misconfigured, "permission_denied");
    desk.judged(&driver, (&ana, Shown::Online), denied).await;
}
