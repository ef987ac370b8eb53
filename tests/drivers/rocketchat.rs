//! Rocket.Chat's omnichannel: a toggle, 200 with the old status, limits without `Retry-After`.

use std::time::Duration;

use shiftbell::{
    channels::driver::{Driver, Options},
    domain::{
        delivery::Verdict,
        driver::{Refusal, Shown},
    },
};

use super::desk::{Desk, refusal};

#[tokio::test]
async fn the_requests_as_they_are_sent() {
    let desk = Desk::of("rocketchat").await;
    let ana = desk.product().add_agent(0);
    desk.tell(&desk.driver(), &ana, Shown::Online).await;
    assert_eq!(
        desk.last(),
        "POST /api/v1/livechat/agent.status\n\
         content-type: application/json\n\
         x-auth-token: …\n\
         x-user-id: rbAXPnMktTFbNpwtJ\n\
         {\"agentId\":\"J6Q87AnWP5aNc0000\",\"status\":\"available\"}"
    );
    assert_eq!(desk.driver().read(&[&ana], desk.now()).await.failed, None);
    assert_eq!(
        desk.last(),
        "GET /api/v1/livechat/users/agent?count=100&offset=0\n\
         x-auth-token: …\n\
         x-user-id: rbAXPnMktTFbNpwtJ\n"
    );
}

#[tokio::test]
async fn what_is_set_twice_is_not_toggled() {
    let desk = Desk::of("rocketchat").await;
    let ana = desk.product().add_agent(0);
    let shown = || desk.product().shown(&ana);
    for _ in 0..2 {
        desk.tell(&desk.driver(), &ana, Shown::Online).await;
        assert_eq!(shown().as_deref(), Some("available"));
    }
    for _ in 0..2 {
        desk.tell(&desk.driver(), &ana, Shown::Invisible).await;
        assert_eq!(shown().as_deref(), Some("not-available"));
    }
    // What it does without `status`.
    let mut options = desk.options();
    options.description.set.json = Some(serde_json::json!({"agentId": "{agent}"}));
    let toggling = Driver::new(options).unwrap();
    let judgement = desk.tell(&toggling, &ana, Shown::Offline).await;
    assert_eq!(shown().as_deref(), Some("available"));
    assert_eq!(judgement.verdict, Verdict::Retry, "{judgement:?}");
}

#[tokio::test]
async fn closed_business_hours_are_no_success_and_nobodys_fault() {
    let desk = Desk::of("rocketchat").await;
    let ana = desk.product().add_agent(0);
    let (driver, options) = (desk.driver(), desk.options());
    desk.product().arrange("on", "business-hours-closed");
    // Another's: 200 and the old status. One's own: a refusal.
    let other = desk.tell(&driver, &ana, Shown::Online).await;
    let own = options.user.unwrap();
    let own = desk.tell(&driver, &own, Shown::Online).await;
    let rows = [
        (other, 200, "not_applied /status"),
        (own, 400, "error-business-hours-are-closed"),
    ];
    for (judgement, status, reason) in rows {
        assert_eq!(judgement.verdict, Verdict::Retry, "{judgement:?}");
        assert_eq!(judgement.http_status, Some(status));
        assert_eq!(judgement.reason, reason);
    }
    let off = desk.tell(&driver, &ana, Shown::Offline).await;
    assert_eq!(off.verdict, Verdict::Sent, "{off:?}");
    desk.product().arrange("off", "business-hours-closed");
    let on = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(on.verdict, Verdict::Sent, "{on:?}");
}

#[tokio::test]
async fn an_agents_own_fault_is_told_from_ours() {
    let desk = Desk::of("rocketchat").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let driver = desk.driver();
    let tell = async |agent: &str| {
        let judgement = desk.tell(&driver, agent, Shown::Online).await;
        (
            judgement.verdict,
            judgement.http_status.unwrap(),
            judgement.reason,
        )
    };
    let unknown = tell("nobody").await;
    assert_eq!(
        unknown,
        (Verdict::Narrow, 404, "Agent not found".to_owned())
    );
    desk.product().arrange("off", &ana);
    let gone = tell(&ana).await;
    assert_eq!(
        gone,
        (Verdict::Narrow, 400, "error-user-deactivated".to_owned())
    );
    desk.product().arrange("off", "manage-livechat-agents");
    let forbidden = tell(&bea).await;
    assert_eq!(
        forbidden,
        (Verdict::Misconfigured, 403, "unauthorized".to_owned())
    );
    desk.product().arrange("off", "view-l-room");
    let (verdict, status, _) = tell(&bea).await;
    assert_eq!((verdict, status), (Verdict::Misconfigured, 403));
}

#[tokio::test]
async fn a_wrong_word_or_field_or_address_is_our_configuration() {
    let desk = Desk::of("rocketchat").await;
    let ana = desk.product().add_agent(0);
    for body in [
        serde_json::json!({"agentId": "{agent}", "status": "online"}),
        serde_json::json!({"agentId": "{agent}", "status": "{status}", "message": ""}),
    ] {
        let mut options = desk.options();
        options.description.set.json = Some(body);
        let driver = Driver::new(options).unwrap();
        let judgement = desk.tell(&driver, &ana, Shown::Online).await;
        assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
        assert_eq!(judgement.reason, "invalid-params");
    }
    // JSON as well, in other words.
    let options = Options {
        url: Some(format!("{}/chat", desk.product().url()).parse().unwrap()),
        ..desk.options()
    };
    let judgement = desk
        .tell(&Driver::new(options).unwrap(), &ana, Shown::Online)
        .await;
    assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
    assert_eq!(judgement.http_status, Some(404));
}

#[tokio::test]
async fn doctor_sees_whether_the_token_may_manage_agents() {
    let desk = Desk::of("rocketchat").await;
    desk.product().arrange("off", "manage-livechat-agents");
    let refused = desk.driver().check(desk.now()).await.unwrap_err();
    assert!(refused.contains("HTTP 403"), "{refused}");
}

#[tokio::test]
async fn ten_a_minute_unless_the_token_is_exempt() {
    let desk = Desk::of("rocketchat").await;
    let ana = desk.product().add_agent(0);
    let driver = desk.driver();
    desk.product().arrange("off", "api-bypass-rate-limit");
    for _ in 0..10 {
        let judgement = desk.tell(&driver, &ana, Shown::Online).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    }
    desk.clock.advance(Duration::from_secs(18));
    let judgement = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
    assert_eq!(judgement.http_status, Some(429));
    // The reset's time in milliseconds, rounded up.
    assert_eq!(judgement.retry_after, Some(Duration::from_secs(43)));
    desk.clock.advance(Duration::from_secs(43));
    let judgement = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
}

#[tokio::test]
async fn everybody_is_read_whatever_the_number_of_pages() {
    let desk = Desk::of("rocketchat").await;
    let driver = desk.driver();
    // With the token's own user: 200, two full pages.
    let ids: Vec<String> = (0..199).map(|n| desk.product().add_agent(n)).collect();
    for id in &ids[..198] {
        desk.product().set_there(id, "available");
    }
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let reading = driver.read(&all, desk.now()).await;
    assert_eq!(reading.asked, 2, "each page is paid for");
    let read = reading.shown;
    // One was never set.
    assert_eq!(read.len(), 198);
    assert!(!read.contains_key(&ids[198]));
    assert_eq!(desk.product().record().all().len(), 2);
    assert!(
        desk.last()
            .starts_with("GET /api/v1/livechat/users/agent?count=100&offset=100\n")
    );
}

#[test]
fn refusals_of_all_versions() {
    use Refusal::{Agent, Later, Ours, Slow};
    let rows = [
        // A bad token, up to version 6 and as planned for 9.
        (
            401,
            r#"{"status":"error","message":"You must be logged in to do this."}"#,
            Ours,
        ),
        (
            401,
            r#"{"success":false,"error":"You must be logged in to do this."}"#,
            Ours,
        ),
        // No permission, in some builds of 7 and as planned for 9.
        (401, r#"{"success":false,"error":"unauthorized"}"#, Ours),
        (403, r#"{"success":false,"error":"forbidden"}"#, Ours),
        // An unknown agent, in the first versions.
        (400, r#"{"success":false,"error":"Agent not found"}"#, Agent),
        (
            400,
            r#"{"success":false,"errorType":"error-invalid-params","error":"must be"}"#,
            Ours,
        ),
        (
            429,
            r#"{"success":false,"error":"Error, too many requests. [error-too-many-requests]"}"#,
            Slow,
        ),
        (502, "<html>Bad gateway</html>", Later),
    ];
    for (status, body, expected) in rows {
        for driver in ["rocketchat", "rocketchat-user"] {
            if !body.contains("Agent not found") || driver == "rocketchat" {
                assert_eq!(
                    refusal(driver, status, body),
                    expected,
                    "{driver} {status} {body}"
                );
            }
        }
    }
}
