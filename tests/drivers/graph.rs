//! Microsoft Graph: a token from another address, a session that fades and ends, 404 for what is cleared
//! already, and a status that is the sum of several.

use std::time::Duration;

use shiftbell::{
    channels::driver::Driver,
    domain::{
        delivery::Verdict,
        driver::{Shown, Word},
    },
    sim::script::Fault,
};

use super::desk::Desk;

const TOKENS: &str = "/oauth2/v2.0/token";

fn mins(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

#[tokio::test]
async fn a_session_is_set_with_a_token_that_is_fetched_once() {
    let desk = Desk::of("graph").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    for shown in [Shown::Online, Shown::Offline] {
        desk.judged(&driver, (&ana, shown), (Verdict::Sent, "accepted"))
            .await;
    }
    assert_eq!(
        desk.request(0),
        "POST /9f4ebab6-520d-49c0-85cc-7b25c78d4a93/oauth2/v2.0/token\n\
         accept: */*\n\
         content-type: application/x-www-form-urlencoded\n\
         client_id=22553876-f5ab-4529-bffb-cfe50aa89f87&client_secret=graph-client-secret-q7Q8%7E\
         &grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    );
    assert_eq!(
        desk.request(1),
        "POST /v1.0/users/fa8bf3dc-eca7-46b7-bad1-db199b62afc3/presence/setPresence\n\
         accept: */*\n\
         authorization: …\n\
         content-type: application/json\n\
         {\"activity\":\"Available\",\"availability\":\"Available\",\"expirationDuration\":\"PT5M\",\
         \"sessionId\":\"22553876-f5ab-4529-bffb-cfe50aa89f87\"}"
    );
    assert_eq!(
        desk.request(2),
        "POST /v1.0/users/fa8bf3dc-eca7-46b7-bad1-db199b62afc3/presence/clearPresence\n\
         accept: */*\n\
         authorization: …\n\
         content-type: application/json\n\
         {\"sessionId\":\"22553876-f5ab-4529-bffb-cfe50aa89f87\"}"
    );
    assert_eq!(desk.count(TOKENS), 1);
}

#[tokio::test]
async fn without_a_token_url_the_descriptions_own_is_asked() {
    let desk = Desk::of("graph").await;
    let ana = desk.product().add_agent(0);
    let mut options = desk.options();
    options.token_url = None;
    let oauth = options.description.auth.oauth.as_mut().unwrap();
    assert_eq!(
        oauth.url,
        "https://login.microsoftonline.com/{account}/oauth2/v2.0/token"
    );
    oauth.url = "/{account}/oauth2/v2.0/token".to_owned();
    let driver = Driver::new(options).unwrap();
    desk.judged(&driver, (&ana, Shown::Online), (Verdict::Sent, "accepted"))
        .await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_fetched_anew_once() {
    let desk = Desk::of("graph").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.tell(&driver, &ana, Shown::Online).await;
    desk.product().arrange("revoked", "");
    desk.judged(&driver, (&ana, Shown::Online), (Verdict::Sent, "accepted"))
        .await;
    assert_eq!(desk.count(TOKENS), 2);
    let stale = r#"{"error":{"code":"InvalidAuthenticationToken","message":""}}"#;
    desk.product()
        .script()
        .whenever(&ana, Fault::answer(401, stale));
    let refused = (Verdict::Misconfigured, "InvalidAuthenticationToken");
    desk.judged(&driver, (&ana, Shown::Online), refused).await;
    assert_eq!(desk.count(TOKENS), 3);
}

#[tokio::test]
async fn available_is_a_lease_that_renewals_keep() {
    let desk = Desk::of("graph").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    let lease = driver.description().lease.unwrap();
    let shown = || desk.product().shown(&ana).unwrap();
    for _ in 0..10 {
        desk.tell(&driver, &ana, Shown::Online).await;
        let every = lease.renew_every_seconds.into();
        desk.clock.advance(Duration::from_secs(every));
        assert_eq!(shown(), "Available/Available");
    }
    let rest = lease.ends_after_seconds - lease.renew_every_seconds;
    desk.clock.advance(Duration::from_secs(u64::from(rest) - 1));
    assert_eq!(shown(), "Available/Available");
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(shown(), "Offline/Offline");
}

#[tokio::test]
async fn available_fades_however_long_it_was_asked_for() {
    let desk = Desk::of("graph").await;
    let ana = desk.product().add_agent(0);
    let long = desk.driver_with(|description| {
        description.set.json.as_mut().unwrap()["expirationDuration"] = "PT1H".into();
    });
    desk.tell(&long, &ana, Shown::Online).await;
    for (minutes, shown) in [
        (4, "Available/Available"),
        (1, "Available/AvailableInactive"),
        (5, "Away/Away"),
        (50, "Offline/Offline"),
    ] {
        desk.clock.advance(mins(minutes));
        assert_eq!(desk.product().shown(&ana).as_deref(), Some(shown));
    }
}

#[tokio::test]
async fn what_is_cleared_already_is_done() {
    let desk = Desk::of("graph").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.tell(&driver, &ana, Shown::Online).await;
    for answered in [200, 404] {
        let judgement = desk.tell(&driver, &ana, Shown::Invisible).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
        assert_eq!(judgement.http_status, Some(answered));
        assert_eq!(
            desk.product().shown(&ana).as_deref(),
            Some("Offline/Offline")
        );
    }
}

#[tokio::test]
async fn a_call_in_teams_is_still_online() {
    let desk = Desk::of("graph").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.tell(&driver, &ana, Shown::Online).await;
    for (word, online) in [("Busy", true), ("Away", true), ("Offline", true)] {
        desk.product().set_there(&ana, word);
        let read = driver.read(&[&ana], desk.now()).await.shown;
        let found = driver.description().means(&read[&ana], Shown::Online);
        assert_eq!(found, online, "{word}: {read:?}");
    }
    // Off duty with Teams open.
    desk.tell(&driver, &ana, Shown::Offline).await;
    desk.product().set_there(&ana, "Away");
    let read = driver.read(&[&ana], desk.now()).await.shown;
    assert!(
        driver.description().means(&read[&ana], Shown::Offline),
        "{read:?}"
    );
    assert!(
        !driver.description().means(&read[&ana], Shown::Online),
        "{read:?}"
    );
}

#[tokio::test]
async fn so_many_are_read_as_one_request_takes() {
    let desk = Desk::of("graph").await;
    let driver = desk.driver();
    let ids: Vec<String> = (0..700).map(|n| desk.product().add_agent(n)).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (first, rest) = all.split_at(driver.reads());
    assert_eq!((first.len(), rest.len()), (650, 50));
    assert_eq!(driver.read(first, desk.now()).await.shown.len(), 650);
    assert_eq!(desk.count("getPresencesByUserId"), 1);
    // More than it takes is refused, and read in halves.
    assert_eq!(driver.read(&all, desk.now()).await.shown.len(), 700);
    assert_eq!(desk.count("getPresencesByUserId"), 4);
    let unknown = driver.read(&["nobody", rest[0]], desk.now()).await.shown;
    assert_eq!(unknown.len(), 1);
    let asked = r#"{"ids":["nobody","fa8bf3dc-eca7-46b7-bad1-db199b62b24d"]}"#;
    assert_eq!(desk.bodies().last().unwrap(), asked);
}

#[tokio::test]
async fn refusals_are_the_agents_or_ours() {
    let desk = Desk::of("graph").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let driver = desk.driver();
    desk.product().arrange("no_teams", &bea);
    for id in [bea.as_str(), "ana@example.com"] {
        desk.judged(&driver, (id, Shown::Online), (Verdict::Narrow, "NotFound"))
            .await;
    }
    desk.throttled(&ana, 5).await;
    // A pair that belongs to another request.
    let busy = desk.driver_with(|description| {
        let json = description.set.json.as_mut().unwrap();
        (json["availability"], json["activity"]) = ("Busy".into(), "Busy".into());
    });
    let invalid = (Verdict::Narrow, "InvalidArgument");
    desk.judged(&busy, (&ana, Shown::Online), invalid).await;
    desk.product().arrange("no_permission", "");
    let forbidden = (Verdict::Misconfigured, "Forbidden");
    desk.judged(&driver, (&ana, Shown::Online), forbidden).await;
    desk.judged(&driver, (&ana, Shown::Offline), forbidden)
        .await;
    let told = driver.check(desk.now()).await.unwrap_err();
    assert!(told.contains("Forbidden"), "{told}");
    desk.product().arrange("expired_secret", "");
    let refused = (Verdict::Misconfigured, "token endpoint: invalid_client");
    desk.judged(&desk.driver(), (&ana, Shown::Online), refused)
        .await;
}

#[tokio::test]
async fn a_question_about_nobody_may_be_refused_as_such() {
    let desk = Desk::of("graph").await;
    let driver = desk.driver();
    driver.check(desk.now()).await.unwrap();
    let nobody = "getPresencesByUserId";
    for (status, fine) in [(400, true), (404, true), (403, false), (500, false)] {
        let rule = desk
            .product()
            .script()
            .whenever(nobody, Fault::answer(status, "{}"));
        assert_eq!(driver.check(desk.now()).await.is_ok(), fine, "{status}");
        desk.product().script().remove(&rule);
    }
    assert_eq!(
        desk.driver().description().words.get(Shown::Online),
        &Word::new("Available")
    );
}

#[tokio::test]
async fn a_token_url_is_for_products_whose_tokens_are_fetched() {
    let set = |url: &'static str| [("SHIFTBELL__PRESENCE__TOKEN_URL", url)];
    let desk = Desk::of("graph").await;
    let config = desk
        .configuration(&set("https://login.example.com/token"))
        .unwrap();
    let url = config.driver.unwrap().token_url.unwrap();
    assert_eq!(url.as_str(), "https://login.example.com/token");
    let problem = desk
        .configuration(&set("http://login.example.com/token"))
        .unwrap_err();
    assert!(
        problem.to_string().contains("must be https://"),
        "{problem}"
    );
    let desk = Desk::of("front").await;
    let problem = desk
        .configuration(&set("https://login.example.com/token"))
        .unwrap_err();
    let problem = problem.to_string();
    assert!(
        problem.contains("Front takes the token as it is"),
        "{problem}"
    );
}
