//! Mattermost: the id twice, a list in any order, an id that spoils the whole list, and 404 for a setting.

use std::time::Duration;

use serde_json::json;
use shiftbell::{
    channels::driver::Driver,
    domain::{
        delivery::Verdict,
        driver::{Refusal, Shown},
    },
};

use super::desk::{Desk, refusal};

#[tokio::test]
async fn the_requests_as_they_are_sent() {
    let desk = Desk::of("mattermost").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    desk.tell(&desk.driver(), &ana, Shown::Invisible).await;
    assert_eq!(
        desk.last(),
        "PUT /api/v4/users/nt6jrbk1yjnp5n4z8nxmh1u000/status\n\
         authorization: …\n\
         content-type: application/json\n\
         {\"status\":\"away\",\"user_id\":\"nt6jrbk1yjnp5n4z8nxmh1u000\"}"
    );
    assert_eq!(
        desk.driver().read(&[&ana, &bea], desk.now()).await.failed,
        None
    );
    assert_eq!(
        desk.last(),
        "POST /api/v4/users/status/ids\n\
         authorization: …\n\
         content-type: application/json\n\
         [\"nt6jrbk1yjnp5n4z8nxmh1u000\",\"nt6jrbk1yjnp5n4z8nxmh1u001\"]"
    );
}

#[tokio::test]
async fn online_hands_back_to_the_automatic_and_all_else_is_held() {
    let desk = Desk::of("mattermost").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let driver = desk.driver();
    desk.tell(&driver, &ana, Shown::Online).await;
    desk.tell(&driver, &bea, Shown::Offline).await;
    let read = driver.read(&[&ana, &bea], desk.now()).await.shown;
    assert_eq!((&read[&ana], &read[&bea]), (&json!(false), &json!(true)));
    // On duty, and holds herself away; off duty, and came back.
    desk.product().set_there(&ana, "dnd");
    desk.product().set_there(&bea, "online");
    let read = driver.read(&[&ana, &bea], desk.now()).await.shown;
    assert!(!driver.description().means(&read[&ana], Shown::Online));
    assert!(!driver.description().means(&read[&bea], Shown::Offline));
}

#[tokio::test]
async fn the_answer_must_show_the_status() {
    let desk = Desk::of("mattermost").await;
    let ana = desk.product().add_agent(0);
    let mut options = desk.options();
    let set = &mut options.description.set;
    set.json = Some(json!({"user_id": "{agent}", "status": "dnd"}));
    let driver = Driver::new(options).unwrap();
    let judgement = desk.tell(&driver, &ana, Shown::Offline).await;
    assert_eq!(judgement.verdict, Verdict::Retry, "{judgement:?}");
    assert_eq!(judgement.reason, "not_applied /status");
}

#[tokio::test]
async fn an_id_that_is_none_is_its_agents_fault() {
    let desk = Desk::of("mattermost").await;
    let judgement = desk.tell(&desk.driver(), "ana", Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Narrow, "{judgement:?}");
    assert_eq!(judgement.reason, "api.context.invalid_url_param.app_error");
    // Looks like one and is nobody's: an admin's token is told nothing.
    let nobody = "zzzzzzzzzzzzzzzzzzzzzzzzzz";
    let judgement = desk.tell(&desk.driver(), nobody, Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
}

#[tokio::test]
async fn one_bad_id_hides_nobody_else() {
    let desk = Desk::of("mattermost").await;
    let mut ids: Vec<String> = (0..9).map(|n| desk.product().add_agent(n)).collect();
    ids.insert(4, "ana".to_owned());
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let read = desk.driver().read(&all, desk.now()).await.shown;
    assert_eq!(read.len(), 9);
    assert!(!read.contains_key("ana"));
    // Halves of halves, not one by one.
    assert!(desk.product().record().all().len() <= 9);
}

#[tokio::test]
async fn a_missing_permission_and_statuses_switched_off_are_our_configuration() {
    let desk = Desk::of("mattermost").await;
    let ana = desk.product().add_agent(0);
    let driver = desk.driver();
    desk.product().arrange("off", "manage_system");
    let judgement = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    desk.product().arrange("off", "EnableUserStatuses");
    let off = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(off.http_status, Some(404));
    assert_eq!(off.reason, "api.status.user_not_found.app_error");
    desk.product().arrange("off", "edit_other_users");
    let forbidden = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(forbidden.http_status, Some(403));
    assert_eq!(forbidden.reason, "api.context.permissions.app_error");
    for judgement in [off, forbidden] {
        assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
    }
}

#[tokio::test]
async fn its_limit_is_told_in_plain_text() {
    let desk = Desk::of("mattermost").await;
    let ana = desk.product().add_agent(0);
    let driver = desk.driver();
    desk.product().arrange("on", "RateLimitSettings.Enable");
    for _ in 0..100 {
        let judgement = desk.tell(&driver, &ana, Shown::Online).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    }
    let judgement = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
    assert_eq!(judgement.reason, "limit exceeded");
    assert_eq!(judgement.retry_after, Some(Duration::from_secs(1)));
    desk.clock.advance(Duration::from_secs(1));
    let judgement = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
}

#[test]
fn refusals_are_told_by_their_id() {
    let body = |id: &str| format!(r#"{{"id":"{id}","message":"Nein.","detailed_error":""}}"#);
    let rows = [
        (401, "api.context.session_expired.app_error", Refusal::Ours),
        (403, "api.context.mfa_required.app_error", Refusal::Ours),
        (
            400,
            "api.context.invalid_url_param.app_error",
            Refusal::Agent,
        ),
        (500, "app.status.get.app_error", Refusal::Later),
    ];
    for (status, id, expected) in rows {
        assert_eq!(refusal("mattermost", status, &body(id)), expected, "{id}");
    }
}
