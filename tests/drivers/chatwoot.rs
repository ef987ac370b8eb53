//! Chatwoot: 200 though nothing changed, and 404 for an agent that it does not know.

use shiftbell::{
    channels::driver::{Driver, Options},
    domain::{delivery::Verdict, driver::Shown},
};

use super::desk::Desk;

#[tokio::test]
async fn hours_decide_and_no_browser() {
    let desk = Desk::of("chatwoot").await;
    let ana = desk.product().add_agent(0);
    desk.tell(&desk.driver(), &ana, Shown::Online).await;
    assert_eq!(desk.product().shown(&ana).as_deref(), Some("online"));
    let request = &desk.product().record().all()[0];
    assert_eq!(request.target, "/api/v1/accounts/3/agents/17");
    assert_eq!(
        desk.bodies(),
        [r#"{"agent":{"auto_offline":false,"availability":"online"}}"#]
    );
}

#[tokio::test]
async fn an_answer_that_shows_no_change_is_no_success() {
    let desk = Desk::of("chatwoot").await;
    let ana = desk.product().add_agent(0);
    let mut options = desk.options();
    // As the documentation had it until May 2026.
    let set = &mut options.description.set;
    set.json = Some(serde_json::json!({"availability_status": "{status}"}));
    let driver = Driver::new(options).unwrap();
    let judgement = desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(judgement.http_status, Some(200));
    assert_eq!(judgement.verdict, Verdict::Retry, "{judgement:?}");
    assert_eq!(judgement.reason, "not_applied /availability_status");
}

#[tokio::test]
async fn an_unknown_agent_is_its_own_fault_and_a_wrong_address_ours() {
    let desk = Desk::of("chatwoot").await;
    let judgement = desk.tell(&desk.driver(), "999", Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Narrow, "{judgement:?}");
    let url = format!("{}/chat", desk.product().url());
    let options = Options {
        url: Some(url.parse().unwrap()),
        ..desk.options()
    };
    let driver = Driver::new(options).unwrap();
    let judgement = desk.tell(&driver, "999", Shown::Online).await;
    assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
}
