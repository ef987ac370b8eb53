//! An agent's shifts at a secret address.

use icalendar::Calendar;
use serde_json::{Value, json};
use shiftbell::{domain::access::Scope, http::Reach};

use crate::{
    desk::{Desk, Said, said},
    document::operations,
    support::{Database, on_both},
};

on_both!(
    a_feed_tells_an_agents_shifts,
    who_has_seen_it_is_told_so,
    a_feed_is_replaced_and_ended,
    a_feed_s_address_opens_nothing_else_and_nothing_else_opens_it,
    one_workspace_makes_no_feed_of_another,
    who_asks_too_often_waits,
);

async fn read(desk: &Desk, path: &str) -> Said {
    said(desk.request("GET", path)).await
}

fn path(made: &Value) -> String {
    made["path"].as_str().unwrap().to_owned()
}

async fn a_feed_tells_an_agents_shifts(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let ana = desk.holder(desk.token(Scope::Agent, None, Some("a-1")).await);
    let french = json!({"locale": "fr-FR", "name": "Ana, Ruiz\r\nX:1"});
    ana.patch("/v1/agents/a-1", french).await.ok(200);
    let made = ana.post("/v1/agents/a-1/feed", json!({})).await.ok(201);
    let feed = read(&desk, &path(&made)).await;
    assert_eq!(feed.status, 200, "{feed:#?}");
    assert_eq!(feed.header("content-type"), "text/calendar; charset=utf-8");
    assert_eq!(feed.header("cache-control"), "private");
    let lines: Vec<&str> = feed.text.split("\r\n").collect();
    for line in [
        "VERSION:2.0",
        "PRODID:-//shiftbell//shifts//EN",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
        "X-WR-CALNAME:Ana  Ruiz  X:1",
        "DTSTART:20260330T070000Z",
        "DTEND:20260330T150000Z",
        "DTSTAMP:20260330T000000Z",
        "SUMMARY:En service",
    ] {
        assert!(lines.contains(&line), "{line}: {}", feed.text);
    }
    assert!(!feed.text.replace("\r\n", "").contains(['\r', '\n']));
    // Another parser than the one that tests hours: Mondays from 23 March to 25 May.
    let calendar: Calendar = feed.text.parse().unwrap();
    assert_eq!(calendar.events().count(), 9);
    // Two days later a shift has the id it had.
    desk.clock.advance(std::time::Duration::from_hours(48));
    let later = read(&desk, &path(&made)).await;
    let uid = |text: &str| {
        let monday = text
            .split("BEGIN:VEVENT")
            .find(|e| e.contains("DTSTART:20260330T"));
        let uid = monday
            .unwrap()
            .lines()
            .find(|line| line.starts_with("UID:"));
        uid.unwrap().to_owned()
    };
    assert_eq!(uid(&feed.text), uid(&later.text));
    assert!(!later.text.contains("20260323"), "{later:?}");
    let acts = desk
        .db
        .sql("SELECT action, target FROM audit ORDER BY n DESC LIMIT 1");
    assert_eq!(acts, "feed.create|a-1");
}

async fn who_has_seen_it_is_told_so(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let made = platform
        .post("/v1/agents/a-1/feed", json!({}))
        .await
        .ok(201);
    let seen = read(&desk, &path(&made)).await;
    let again = || {
        let request = desk.request("GET", &path(&made));
        said(request.header("if-none-match", seen.header("etag")))
    };
    let same = again().await;
    assert_eq!((same.status, same.text.as_str()), (304, ""));
    assert_eq!(same.header("cache-control"), "private");
    platform
        .patch("/v1/agents/a-1", json!({"hours": []}))
        .await
        .ok(200);
    let changed = again().await;
    assert_eq!(changed.status, 200);
    assert!(!changed.text.contains("VEVENT"), "{changed:?}");
}

async fn a_feed_is_replaced_and_ended(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    platform.hire("a-2", "acme").await;
    let make = async |agent: &str| {
        let path = format!("/v1/agents/{agent}/feed");
        platform.post(&path, json!({})).await.ok(201)
    };
    let (first, other) = (make("a-1").await, make("a-2").await);
    let second = make("a-1").await;
    let open = async |made: &Value| read(&desk, &path(made)).await.status;
    assert_eq!((open(&first).await, open(&second).await), (404, 200));
    let secret = &path(&second)[36..];
    let stored = desk.db.sql("SELECT * FROM tokens; SELECT * FROM audit");
    assert!(!stored.contains(secret.trim_end_matches(".ics")));
    assert!(stored.contains(second["id"].as_str().unwrap()));
    let gone = platform.delete("/v1/agents/a-1/feed").await;
    assert_eq!((gone.status, open(&second).await), (204, 404));
    platform
        .delete("/v1/agents/a-1/feed")
        .await
        .refused(404, &[]);
    // As any token it is revoked by its id, and it goes with its agent.
    let third = make("a-1").await;
    let mut tx = desk.db.store.begin().await.unwrap();
    let id = third["id"].as_str().unwrap();
    assert!(tx.revoke_token(id, desk.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!((open(&third).await, open(&other).await), (404, 200));
    platform.delete("/v1/agents/a-2").await.ok(204);
    read(&desk, &path(&other)).await.refused(404, &[]);
    platform
        .post("/v1/agents/a-2/feed", json!({}))
        .await
        .refused(404, &[]);
}

async fn a_feed_s_address_opens_nothing_else_and_nothing_else_opens_it(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let made = platform
        .post("/v1/agents/a-1/feed", json!({}))
        .await
        .ok(201);
    let path = path(&made);
    let token = path
        .trim_start_matches("/v1/feeds/")
        .trim_end_matches(".ics");
    let holder = desk.holder(token.to_owned());
    for (method, route) in operations(&desk).await {
        if route.starts_with("/v1/feeds") {
            continue;
        }
        let route = route.replace("{id}", "a-1");
        let request = holder.request(&method, &route);
        let answer = said(request.json(&json!({}))).await;
        assert_eq!(answer.status, 403, "{method} {route}: {answer:?}");
    }
    let agent = desk.token(Scope::Agent, None, Some("a-1")).await;
    let wrong = format!("{}0{}", &path[..40], &path[41..]);
    let wrong = if wrong == path {
        path.replace('0', "1")
    } else {
        wrong
    };
    for address in [
        format!("/v1/feeds/{agent}.ics"),
        format!("/v1/feeds/{}.ics", platform.token),
        wrong,
        format!("{path}.ics"),
        path.trim_end_matches(".ics").to_owned(),
        "/v1/feeds/.ics".to_owned(),
    ] {
        let answer = read(&desk, &address).await;
        answer.refused(404, &[]);
        assert!(!answer.text.contains("shiftbell_"), "{answer:?}");
    }
    said(desk.request("POST", &path)).await.refused(405, &[]);
}

async fn one_workspace_makes_no_feed_of_another(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    platform.hire("b-1", "bolt").await;
    let made = platform
        .post("/v1/agents/b-1/feed", json!({}))
        .await
        .ok(201);
    let strangers = [
        desk.platform_of("acme").await,
        desk.holder(desk.token(Scope::Agent, None, Some("a-1")).await),
    ];
    for stranger in strangers {
        let path = "/v1/agents/b-1/feed";
        stranger.post(path, json!({})).await.refused(404, &[]);
        stranger.delete(path).await.refused(404, &[]);
    }
    let ops = desk.holder(desk.token(Scope::OpsWrite, None, None).await);
    ops.post("/v1/agents/b-1/feed", json!({}))
        .await
        .refused(403, &[]);
    assert_eq!(read(&desk, &path(&made)).await.status, 200);
}

async fn who_asks_too_often_waits(db: Database) {
    let desk = Desk::with(db, 2, Reach::Loopback).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let made = platform
        .post("/v1/agents/a-1/feed", json!({}))
        .await
        .ok(201);
    for _ in 0..4 {
        assert_eq!(read(&desk, &path(&made)).await.status, 200);
    }
    let waits = read(&desk, &path(&made)).await;
    waits.refused(429, &[]);
    assert_eq!(waits.header("retry-after"), "1");
    let guess = async || read(&desk, "/v1/feeds/guess.ics").await.status;
    assert_eq!(
        [guess().await, guess().await, guess().await],
        [404, 404, 429]
    );
}
