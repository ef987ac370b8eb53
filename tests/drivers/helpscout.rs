//! Help Scout: an access token comes first, answers are empty, and live chat is another status.

use std::time::Duration;

use serde_json::json;
use shiftbell::{
    domain::{delivery::Verdict, driver::Shown},
    sim::script::Fault,
};

use super::desk::Desk;

const TOKENS: &str = "/v2/oauth2/token";

#[tokio::test]
async fn a_token_is_fetched_once_and_the_answer_is_empty() {
    let desk = Desk::of("helpscout").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let driver = desk.driver();
    let accepted = (Verdict::Sent, "accepted");
    desk.judged(&driver, (&ana, Shown::Online), accepted).await;
    desk.judged(&driver, (&bea, Shown::Offline), accepted).await;
    assert_eq!(
        desk.request(0),
        "POST /v2/oauth2/token\n\
         accept: */*\n\
         content-type: application/x-www-form-urlencoded\n\
         client_id=73ab5c0d8f6e41f5&client_secret=help-scout-app-secret-9c41&grant_type=client_credentials"
    );
    assert_eq!(
        desk.request(1),
        "PUT /v2/users/4/status\n\
         accept: */*\n\
         authorization: …\n\
         content-type: application/json\n\
         {\"status\":\"active\"}"
    );
    assert_eq!(desk.product().record().all()[1].answered, Some(204));
    assert_eq!(desk.count(TOKENS), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew_once() {
    let desk = Desk::of("helpscout").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.tell(&driver, &ana, Shown::Offline).await;
    desk.product().arrange("revoked", "");
    let accepted = (Verdict::Sent, "accepted");
    desk.judged(&driver, (&ana, Shown::Online), accepted).await;
    assert_eq!(desk.product().shown(&ana).as_deref(), Some("active"));
    assert_eq!(desk.count(TOKENS), 2);
    // The second refusal in a row is no stale token.
    let refused = Fault::answer(401, r#"{"error":"invalid_token"}"#);
    desk.product().script().whenever(&ana, refused);
    let ours = (Verdict::Misconfigured, "invalid_token");
    desk.judged(&driver, (&ana, Shown::Online), ours).await;
    assert_eq!(desk.count(TOKENS), 3);
}

#[tokio::test]
async fn a_token_is_replaced_before_its_end() {
    let desk = Desk::of("helpscout").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    let mut hours = 0;
    while hours <= 49 {
        let judgement = desk.tell(&driver, &ana, Shown::Online).await;
        assert_eq!(
            judgement.verdict,
            Verdict::Sent,
            "after {hours} h: {judgement:?}"
        );
        desk.clock.advance(Duration::from_hours(7));
        hours += 7;
    }
    let all = desk.product().record().all();
    assert!(all.iter().all(|request| request.answered != Some(401)));
    assert!((2..=3).contains(&desk.count(TOKENS)));
}

#[tokio::test]
async fn what_is_read_is_not_live_chat() {
    let desk = Desk::of("helpscout").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.tell(&driver, &ana, Shown::Online).await;
    let read = driver.read(&[&ana, "999"], desk.now()).await.shown;
    assert_eq!(read, [(ana.clone(), json!("active"))].into());
    desk.product().set_there(&ana, "away");
    let read = driver.read(&[&ana], desk.now()).await.shown;
    assert!(!driver.description().means(&read[&ana], Shown::Online));
}

#[tokio::test]
async fn one_who_cannot_be_read_keeps_nobody_else_from_it() {
    let desk = Desk::of("helpscout").await;
    let driver = desk.driver();
    let ids: Vec<String> = (0..5).map(|n| desk.product().add_agent(n)).collect();
    for id in &ids {
        desk.tell(&driver, id, Shown::Online).await;
    }
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let odd = desk
        .product()
        .script()
        .whenever(&ids[1], Fault::status(500));
    let reading = driver.read(&all, desk.now()).await;
    assert_eq!(reading.failed, None);
    assert_eq!((reading.shown.len(), reading.asked), (4, 5));
    assert_eq!(reading.unread, [ids[1].clone()].into());
    desk.product().script().remove(&odd);
    // A product that is down is not asked for everybody.
    let down = desk.product().script().always(Fault::status(500));
    let reading = driver.read(&all, desk.now()).await;
    assert!(reading.failed.is_some() && reading.shown.is_empty());
    assert_eq!(reading.asked, 3);
    desk.product().script().remove(&down);
}

#[tokio::test]
async fn refusals_are_the_agents_or_ours() {
    let desk = Desk::of("helpscout").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    let unknown = (Verdict::Narrow, "Not found");
    desk.judged(&driver, ("999", Shown::Online), unknown).await;
    let odd = desk.driver_with(|description| {
        description.set.json = Some(json!({"status": "online"}));
    });
    let words = "Expected one of these: \\u{27}active\\u{27}, \\u{27}away\\u{27}";
    let wrong = (Verdict::Narrow, words);
    desk.judged(&odd, (&ana, Shown::Online), wrong).await;
    desk.throttled(&ana, 23).await;
    desk.product().arrange("not_admin", "");
    let denied = (Verdict::Misconfigured, "Access denied");
    desk.judged(&driver, (&ana, Shown::Online), denied).await;
}

#[tokio::test]
async fn a_wrong_secret_gets_no_token_and_reaches_nobody() {
    let desk = Desk::of("helpscout").await;
    let ana = desk.product().add_agent(0);
    let mut options = desk.options();
    options.token = Some("some-other-secret".into());
    let driver = shiftbell::channels::driver::Driver::new(options).unwrap();
    let refused = (Verdict::Misconfigured, "token endpoint: invalid_client");
    desk.judged(&driver, (&ana, Shown::Online), refused).await;
    assert_eq!(desk.product().record().all().len(), 1);
}
