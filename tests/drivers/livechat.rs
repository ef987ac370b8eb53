//! LiveChat: reading is a POST, refusals are told by their type, and a status lasts for a session.

use serde_json::json;
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
    let desk = Desk::of("livechat").await;
    let ana = desk.product().add_agent(0);
    desk.tell(&desk.driver(), &ana, Shown::Invisible).await;
    assert_eq!(
        desk.last(),
        "POST /v3.6/agent/action/set_routing_status\n\
         authorization: …\n\
         content-type: application/json\n\
         {\"agent_id\":\"smith0@example.com\",\"status\":\"not_accepting_chats\"}"
    );
    assert_eq!(desk.driver().read(&[&ana], desk.now()).await.failed, None);
    assert_eq!(
        desk.last(),
        "POST /v3.6/agent/action/list_routing_statuses\n\
         authorization: …\n\
         content-type: application/json\n\
         {}"
    );
    let description = desk.options().description;
    assert_eq!(
        description.url.as_deref(),
        Some("https://api.livechatinc.com")
    );
}

#[tokio::test]
async fn the_tokens_owner_is_never_set_by_mistake() {
    let desk = Desk::of("livechat").await;
    let ana = desk.product().add_agent(0);
    desk.tell(&desk.driver(), &ana, Shown::Offline).await;
    let shown = |id: &str| desk.product().shown(id).unwrap();
    assert_eq!(shown(&ana), "not_accepting_chats");
    assert_eq!(shown("owner@example.com"), "accepting_chats");
}

#[tokio::test]
async fn a_session_that_ends_takes_the_status_along() {
    let desk = Desk::of("livechat").await;
    let ana = desk.product().add_agent(0);
    let driver = desk.driver();
    let read = async || driver.read(&[&ana], desk.now()).await.shown[&ana].clone();
    desk.tell(&driver, &ana, Shown::Offline).await;
    desk.product().arrange("off", &ana);
    // Not logged in: nothing to contradict, and nobody to set.
    assert_eq!(read().await, json!("offline"));
    for shown in Shown::ALL {
        assert!(
            driver.description().means(&read().await, shown),
            "{shown:?}"
        );
    }
    let judgement = desk.tell(&driver, &ana, Shown::Offline).await;
    assert_eq!(judgement.verdict, Verdict::Narrow, "{judgement:?}");
    assert_eq!(judgement.reason, "agent_offline");
    desk.product().arrange("on", &ana);
    assert!(!driver.description().means(&read().await, Shown::Offline));
    let judgement = desk.tell(&driver, &ana, Shown::Offline).await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    assert!(driver.description().means(&read().await, Shown::Offline));
}

#[tokio::test]
async fn refusals_are_told_by_their_type() {
    let desk = Desk::of("livechat").await;
    let ana = desk.product().add_agent(0);
    let driver = desk.driver();
    let unknown = desk
        .tell(&driver, "nobody@example.com", Shown::Online)
        .await;
    assert_eq!(unknown.verdict, Verdict::Narrow, "{unknown:?}");
    assert_eq!(unknown.reason, "not_found");
    let mut options = desk.options();
    options.description.set.json = Some(json!({"status": "offline", "agent_id": "{agent}"}));
    let word = desk
        .tell(&Driver::new(options).unwrap(), &ana, Shown::Online)
        .await;
    desk.product().arrange("off", "agents--all:rw");
    let scope = desk.tell(&driver, &ana, Shown::Online).await;
    for (judgement, reason) in [(word, "validation"), (scope, "authorization")] {
        assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
        assert_eq!(judgement.reason, reason);
    }
    desk.product().arrange("off", "agents-bot--all:ro");
    let refused = driver.check(desk.now()).await.unwrap_err();
    assert_eq!(refused, "LiveChat: authorization (HTTP 403)");
}

#[tokio::test]
async fn its_limit_says_not_how_long() {
    let desk = Desk::of("livechat").await;
    let ana = desk.product().add_agent(0);
    desk.product().arrange("on", "limits-reached");
    let judgement = desk.tell(&desk.driver(), &ana, Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
    assert_eq!(judgement.http_status, Some(429));
    assert_eq!(judgement.reason, "too_many_requests");
    assert_eq!(judgement.retry_after, None);
}

#[tokio::test]
async fn an_account_may_stand_in_the_credentials() {
    let desk = Desk::of("livechat").await;
    let ana = desk.product().add_agent(0);
    let options = desk.options();
    let mut options = Options {
        account: options.user.clone(),
        user: None,
        ..options
    };
    options.description.auth.basic = Some("{account}:{token}".to_owned());
    let judgement = desk
        .tell(&Driver::new(options).unwrap(), &ana, Shown::Online)
        .await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
}

#[test]
fn the_type_counts_and_not_the_status_of_http() {
    use Refusal::{Agent, Later, Ours, Slow};
    let rows = [
        (401, "authentication", Ours),
        (421, "misdirected_request", Ours),
        (402, "license_expired", Ours),
        (400, "unsupported_version", Ours),
        (413, "entity_too_large", Ours),
        (403, "missing_access", Agent),
        (403, "agent_offline", Agent),
        (400, "limit_reached", Agent),
        (400, "too_many_requests", Slow),
        (400, "request_timeout", Later),
        (400, "service_unavailable", Later),
        (400, "internal", Later),
    ];
    for (status, kind, expected) in rows {
        let body = format!(r#"{{"error":{{"type":"{kind}","message":"…"}}}}"#);
        assert_eq!(refusal("livechat", status, &body), expected, "{kind}");
    }
}
