//! Intercom: away instead of online, two fields that must both be there, seats and mandatory reasons.

use serde_json::json;
use shiftbell::domain::{
    delivery::Verdict,
    driver::{BUILT_IN, Description, Shown},
};
use shiftbell::sim::script::{Behaviour, Fault};

use super::desk::Desk;

#[tokio::test]
async fn online_is_not_away() {
    let desk = Desk::of("intercom").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    for (shown, there) in [
        (Shown::Offline, "away"),
        (Shown::Online, "active"),
        (Shown::Invisible, "away"),
    ] {
        desk.tell(&driver, &ana, shown).await;
        assert_eq!(desk.product().shown(&ana).as_deref(), Some(there));
    }
    assert_eq!(
        desk.request(1),
        "PUT /admins/991267460/away\n\
         accept: application/json\n\
         authorization: …\n\
         content-type: application/json\n\
         intercom-version: 2.15\n\
         {\"away_mode_enabled\":false,\"away_mode_reassign\":false}"
    );
}

#[tokio::test]
async fn an_answer_that_shows_no_change_is_no_success() {
    let desk = Desk::of("intercom").await;
    let ana = desk.product().add_agent(0);
    let away = Fault::answer(200, r#"{"type":"admin","away_mode_enabled":true}"#);
    let judgement = desk.meet(&desk.driver(), Behaviour::Accepted(away)).await;
    assert_eq!(judgement.verdict, Verdict::Retry, "{judgement:?}");
    assert_eq!(judgement.reason, "not_applied /away_mode_enabled");
    // One list has everybody, under ids that are texts.
    let read = desk.driver().read(&[&ana], desk.now()).await.shown;
    assert_eq!(read[&ana], json!(false));
    assert_eq!(desk.count("/admins"), 1);
}

#[tokio::test]
async fn both_fields_must_be_there() {
    let desk = Desk::of("intercom").await;
    let ana = desk.product().add_agent(0);
    let driver = desk.driver_with(|description| {
        description.set.json = Some(json!({"away_mode_enabled": "{status}"}));
    });
    let refused = (Verdict::Misconfigured, "parameter_not_found");
    desk.judged(&driver, (&ana, Shown::Online), refused).await;
}

#[tokio::test]
async fn an_agent_without_a_seat_does_not_stop_the_others() {
    let desk = Desk::of("intercom").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let driver = desk.driver();
    desk.product().arrange("no_seat", &ana);
    let no_seat = (Verdict::Narrow, "action_forbidden");
    desk.judged(&driver, (&ana, Shown::Online), no_seat).await;
    let accepted = (Verdict::Sent, "accepted");
    desk.judged(&driver, (&bea, Shown::Online), accepted).await;
    let unknown = (Verdict::Narrow, "admin_not_found");
    desk.judged(&driver, ("7", Shown::Online), unknown).await;
    // Of the token's owner `doctor` tells.
    driver.check(desk.now()).await.unwrap();
    desk.product().arrange("no_seat", "");
    let problem = driver.check(desk.now()).await.unwrap_err();
    assert!(problem.contains("/has_inbox_seat"), "{problem}");
    desk.product().arrange("restricted", "");
    let restricted = (Verdict::Misconfigured, "api_plan_restricted");
    desk.judged(&driver, (&bea, Shown::Online), restricted)
        .await;
}

#[tokio::test]
async fn a_mandatory_reason_is_added_as_the_file_says() {
    let desk = Desk::of("intercom").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.product().arrange("reason_mandatory", "");
    let wanting = (Verdict::Misconfigured, "away_status_reason_mandatory");
    desk.judged(&driver, (&ana, Shown::Offline), wanting).await;

    let (_, text) = BUILT_IN
        .iter()
        .find(|(name, _)| *name == "intercom")
        .unwrap();
    let added = text.lines().filter_map(|line| line.strip_prefix("#     "));
    let own: Vec<&str> = text.lines().chain(added).collect();
    let own = Description::read(&own.join("\n")).unwrap();
    let driver = desk.driver_with(|description| *description = own);
    let accepted = (Verdict::Sent, "accepted");
    desk.judged(&driver, (&ana, Shown::Offline), accepted).await;
    assert_eq!(
        desk.product().shown(&ana).as_deref(),
        Some("away for 12345")
    );
    // Coming back has none.
    desk.judged(&driver, (&ana, Shown::Online), accepted).await;
    assert_eq!(desk.product().shown(&ana).as_deref(), Some("active"));
}

#[tokio::test]
async fn the_window_ends_at_a_time_and_not_after_a_while() {
    let desk = Desk::of("intercom").await;
    let ana = desk.product().add_agent(0);
    desk.throttled(&ana, 10).await;
    desk.clock.advance(std::time::Duration::from_secs(7));
    desk.throttled(&ana, 3).await;
}
