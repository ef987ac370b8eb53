//! Front: an empty answer, a list without pages, and conversations that are unassigned.

use serde_json::json;
use shiftbell::{
    channels::driver::Driver,
    domain::{delivery::Verdict, driver::Shown},
};

use super::desk::Desk;

#[tokio::test]
async fn only_availability_is_sent_and_the_answer_is_empty() {
    let desk = Desk::of("front").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(
        desk.request(0),
        "PATCH /teammates/tea_6c55a0\n\
         accept: application/json\n\
         authorization: …\n\
         content-type: application/json\n\
         {\"is_available\":true}"
    );
    assert_eq!(desk.product().record().all()[0].answered, Some(204));
}

#[tokio::test]
async fn who_becomes_unavailable_loses_conversations() {
    let desk = Desk::of("front").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.tell(&driver, &ana, Shown::Online).await;
    desk.product().arrange("assigned", &ana);
    // Twice online changes nothing.
    desk.tell(&driver, &ana, Shown::Online).await;
    let shown = desk.product().shown(&ana);
    assert_eq!(shown.as_deref(), Some("available with 1 conversations"));
    desk.tell(&driver, &ana, Shown::Invisible).await;
    desk.tell(&driver, &ana, Shown::Online).await;
    assert_eq!(desk.product().shown(&ana).as_deref(), Some("available"));
}

#[tokio::test]
async fn everybody_is_read_at_once() {
    let desk = Desk::of("front").await;
    let driver = desk.driver();
    let ids: Vec<String> = (0..600).map(|n| desk.product().add_agent(n)).collect();
    desk.product().set_there(&ids[599], "available");
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let read = driver.read(&all, desk.now()).await.shown;
    assert_eq!(read.len(), 600);
    assert_eq!(
        [&read[&ids[0]], &read[&ids[599]]],
        [&json!(false), &json!(true)]
    );
    assert_eq!(desk.product().record().all().len(), 1);
}

#[tokio::test]
async fn refusals_are_the_agents_or_ours() {
    let desk = Desk::of("front").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    let unknown = (Verdict::Narrow, "Unknown teammate");
    desk.judged(&driver, ("tea_0", Shown::Online), unknown)
        .await;
    // The header counts in seconds, the message in milliseconds, another header in the time.
    desk.throttled(&ana, 5).await;
    desk.product().arrange("read_only", "");
    let scope = "Missing required scopes: [teammates:*:write]";
    let missing = (Verdict::Misconfigured, scope);
    desk.judged(&driver, (&ana, Shown::Online), missing).await;
    let mut options = desk.options();
    options.token = Some("no-web-token".into());
    let driver = Driver::new(options).unwrap();
    let wrong = (Verdict::Misconfigured, "JSON Web Token error");
    desk.judged(&driver, (&ana, Shown::Online), wrong).await;
}
