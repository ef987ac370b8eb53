//! Slack: a token for each agent, refusals with HTTP 200, and `auto`, which forces nothing.

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
    let desk = Desk::of("slack").await;
    let ana = desk.product().add_agent(0);
    desk.tell(&desk.driver(), &ana, Shown::Invisible).await;
    assert_eq!(
        desk.last(),
        "POST /users.setPresence\n\
         authorization: …\n\
         content-type: application/x-www-form-urlencoded\n\
         presence=away"
    );
    assert_eq!(desk.driver().read(&[&ana], desk.now()).await.failed, None);
    assert_eq!(
        desk.last(),
        "GET /users.getPresence?user=U024BE000\nauthorization: …\n"
    );
    let description = desk.options().description;
    assert_eq!(description.url.as_deref(), Some("https://slack.com/api"));
}

#[tokio::test]
async fn each_agent_is_set_with_its_own_token() {
    let desk = Desk::of("slack").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let driver = desk.driver();
    desk.tell(&driver, &ana, Shown::Offline).await;
    desk.tell(&driver, &bea, Shown::Online).await;
    let shown = [&ana, &bea].map(|id| desk.product().shown(id).unwrap());
    assert_eq!(shown, ["away", "auto"]);
    // Nobody is active: what counts is whether somebody is held away.
    let read = driver.read(&[&ana, &bea], desk.now()).await.shown;
    assert_eq!((&read[&ana], &read[&bea]), (&json!(true), &json!(false)));
    desk.product().set_there(&bea, "away");
    let read = driver.read(&[&bea], desk.now()).await.shown;
    assert!(!driver.description().means(&read[&bea], Shown::Online));
}

#[tokio::test]
async fn a_refusal_with_200_is_the_agents_own() {
    let desk = Desk::of("slack").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let driver = desk.driver();
    desk.product().arrange("off", &ana);
    let rows = [
        (
            desk.tell(&driver, &ana, Shown::Online).await,
            "account_inactive",
        ),
        (
            desk.tell(&driver, "U0UNKNOWN", Shown::Online).await,
            "no_token_of_this_agent",
        ),
        (
            {
                desk.product().arrange("off", "users:write");
                desk.tell(&driver, &bea, Shown::Online).await
            },
            "missing_scope",
        ),
    ];
    for (judgement, reason) in rows {
        assert_eq!(judgement.verdict, Verdict::Narrow, "{judgement:?}");
        assert_eq!(judgement.reason, reason);
    }
    // The others are read all the same.
    let read = driver.read(&[&ana, &bea], desk.now()).await.shown;
    assert_eq!(read.keys().collect::<Vec<_>>(), [&bea]);
}

#[tokio::test]
async fn a_wrong_word_is_our_configuration_and_an_unheard_one_passes() {
    let desk = Desk::of("slack").await;
    let ana = desk.product().add_agent(0);
    let mut options = desk.options();
    let form = [("presence".to_owned(), "active".to_owned())];
    options.description.set.form = Some(form.into());
    let judgement = desk
        .tell(&Driver::new(options).unwrap(), &ana, Shown::Online)
        .await;
    assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
    assert_eq!(judgement.reason, "invalid_presence");
    let mut options = desk.options();
    options.description.set.form = Some([].into());
    let judgement = desk
        .tell(&Driver::new(options).unwrap(), &ana, Shown::Online)
        .await;
    assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
    assert_eq!(judgement.reason, "invalid_arguments");
    let mut options = desk.options();
    options.description.set.path = "/users.setPresense".to_owned();
    let judgement = desk
        .tell(&Driver::new(options).unwrap(), &ana, Shown::Online)
        .await;
    assert_eq!(judgement.verdict, Verdict::Retry, "{judgement:?}");
    assert_eq!(judgement.reason, "unknown_method");
}

#[tokio::test]
async fn doctor_asks_with_each_token_whose_it_is() {
    let desk = Desk::of("slack").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let mut options = desk.options();
    let all = options.agent_tokens.len();
    // Bea's token under Ana's id would set Bea.
    let of_bea = options.agent_tokens[&bea].clone();
    options.agent_tokens.insert(ana.clone(), of_bea);
    let refused = Driver::new(options)
        .unwrap()
        .check(desk.now())
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        "Slack: agent U024BE000: not_applied /user_id (HTTP 200)"
    );
    assert_eq!(desk.product().record().all().len(), all);
    let request = desk.last();
    assert_eq!(request, "POST /auth.test\nauthorization: …\n");
}

#[tokio::test]
async fn all_tokens_share_one_limit() {
    let desk = Desk::of("slack").await;
    let ids: Vec<String> = (0..21).map(|n| desk.product().add_agent(n)).collect();
    let driver = desk.driver();
    desk.product().arrange("on", "limits");
    for id in &ids[..20] {
        let judgement = desk.tell(&driver, id, Shown::Offline).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    }
    desk.clock.advance(Duration::from_secs(30));
    let judgement = desk.tell(&driver, &ids[20], Shown::Offline).await;
    assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
    assert_eq!(judgement.http_status, Some(429));
    assert_eq!(judgement.reason, "ratelimited");
    assert_eq!(judgement.retry_after, Some(Duration::from_secs(30)));
    assert!(driver.description().max_per_minute <= 20);
}

#[test]
fn words_count_and_not_the_status_of_http() {
    use Refusal::{Agent, Later, Ours, Slow};
    let rows = [
        ("not_authed", Agent),
        ("invalid_auth", Agent),
        ("token_expired", Agent),
        ("token_revoked", Agent),
        ("account_inactive", Agent),
        ("missing_scope", Agent),
        ("not_allowed_token_type", Agent),
        ("org_login_required", Ours),
        ("ekm_access_denied", Ours),
        ("invalid_arguments", Ours),
        ("method_deprecated", Ours),
        ("ratelimited", Slow),
        ("rate_limited", Slow),
        ("internal_error", Later),
        ("fatal_error", Later),
        ("team_added_to_org", Later),
    ];
    for (word, expected) in rows {
        let body = format!(r#"{{"ok":false,"error":"{word}"}}"#);
        assert_eq!(refusal("slack", 200, &body), expected, "{word}");
    }
}
