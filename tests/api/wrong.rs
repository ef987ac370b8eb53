//! Wrong input, on every route: a problem that names the field, and never a 500.

use serde_json::json;

use crate::{
    deliveries::fill,
    desk::{Desk, said},
    document::operations,
    support::{Database, on_both},
};

on_both!(
    no_address_breaks_a_route,
    no_query_breaks_a_route,
    no_body_breaks_a_route,
    an_event_that_cannot_be_is_named,
    an_agent_is_refused_as_an_import_refuses_it,
    requests_have_bounds,
);

const IDS: [&str; 7] = [
    "%00",
    "%FF",
    "%0A",
    "a%E2%80%AEb",
    "..%2F..",
    "%20",
    "'%22;--",
];

fn sane(status: u16) -> bool {
    status < 500
}

fn filled(path: &str) -> String {
    path.replace("{id}", "a-1")
        .replace("{platform}", "android")
        .replace("{token}", "CANARY-a-1")
}

async fn no_address_breaks_a_route(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let platform = desk.platform().await;
    for (method, path) in operations(&desk).await {
        for id in IDS
            .map(str::to_owned)
            .into_iter()
            .chain(["x".repeat(8_000)])
        {
            for field in ["{id}", "{platform}", "{token}"] {
                if !path.contains(field) {
                    continue;
                }
                let address = filled(&path.replace(field, &id));
                let request = platform
                    .request(&method, &address)
                    .json(&json!({"name": "A", "workspace": "acme", "timezone": "UTC"}));
                let answer = said(request).await;
                assert!(sane(answer.status), "{method} {address}: {answer:?}");
            }
        }
    }
}

async fn no_query_breaks_a_route(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let platform = desk.platform().await;
    for (method, path) in operations(&desk).await {
        if method != "GET" {
            continue;
        }
        for query in [
            "nonsense=1",
            "limit=-1",
            "limit=1001",
            "limit=1&limit=2",
            "limit=",
            "cursor=%00",
            "cursor=e30",
            "cursor=IlwwIg",
            "cursor=IlxcdTAwMDAi",
            "from=9999-12-31T23:59:59Z",
            "from=-009999-01-02T01:59:59Z",
            "until=1",
            "since=%FF",
            "agent=%00",
            "workspace=%00",
            "reason=%00",
            "state=%00",
        ] {
            let address = format!("{}?{query}", filled(&path));
            let answer = said(platform.request(&method, &address)).await;
            assert!(sane(answer.status), "{address}: {answer:?}");
            if query == "nonsense=1" && answer.status == 400 {
                assert!(answer.text.contains("nonsense"), "{answer:?}");
            }
        }
    }
    platform
        .get("/v1/agents?limit=1001")
        .await
        .refused(400, &["limit"]);
}

async fn no_body_breaks_a_route(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let platform = desk.platform().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for (method, path) in operations(&desk).await {
        let verb = [":retry", ":cancel", ":test", "/feed"]
            .iter()
            .any(|verb| path.ends_with(&format!("}}{verb}")));
        if verb || !["PUT", "PATCH", "POST"].contains(&method.as_str()) {
            continue;
        }
        let send = |kind: &str, body: Vec<u8>| {
            let request = platform.request(&method, &filled(&path));
            said(request.header("content-type", kind).body(body))
        };
        for body in [
            "",
            "{",
            "[]",
            "null",
            "1",
            "\"\u{0}\"",
            r#"{"nonsense":1}"#,
            r#"{"name":1,"name":2}"#,
            &deep,
            r#"{"name":"\u0000","workspace":"\u0000","timezone":"\u0000","edit":"\u0000","filter":"\u0000"}"#,
            r#"{"filter":{"agent":"\u0000"},"expected":1,"agent":"\u0000","edit":{}}"#,
            r#"{"filter":{},"expected":-1}"#,
            r#"{"edit":{},"from":"x"}"#,
            "{} {}",
        ] {
            let answer = send("application/json", body.into()).await;
            assert_eq!(answer.status, 422, "{method} {path} {body}: {answer:?}");
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
        send("application/json", vec![0xff, b'{'])
            .await
            .refused(422, &[]);
        send("text/plain", b"{}".to_vec()).await.refused(415, &[]);
    }
    let order = json!({"filter": {"state": "odd"}, "expected": 1});
    platform
        .post("/v1/deliveries:retry", order)
        .await
        .refused(422, &["filter.state"]);
}

async fn an_event_that_cannot_be_is_named(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let platform = desk.platform().await;
    let fine = json!({"id": "e-1", "type": "visitor.message", "workspace": "acme", "conversation": "c-1",
        "at": "2026-03-30T06:00:00Z"});
    for (field, value, status, named) in [
        ("type", json!("agent.sleeps"), 422, "events[1].type"),
        (
            "type",
            json!("conversation.assigned"),
            422,
            "events[1].agent",
        ),
        ("at", json!("2026-03-30T06:06:00Z"), 422, "events[1].at"),
        ("at", json!("yesterday"), 422, "events[1].at"),
        ("id", json!("\u{0}"), 422, "events[1].id"),
        ("workspace", json!("nowhere"), 404, "events[1].workspace"),
    ] {
        let mut wrong = fine.clone();
        wrong[field] = value;
        let events = json!({"events": [fine, wrong]});
        platform
            .post("/v1/events", events)
            .await
            .refused(status, &[named]);
    }
    let many = json!({"events": vec![fine.clone(); 1001]});
    platform
        .post("/v1/events", many)
        .await
        .refused(422, &["events"]);
    assert_eq!(
        desk.db.sql("SELECT count(*) FROM reports"),
        "0",
        "all or nothing"
    );
    let heard = platform.post("/v1/events", json!({"events": [fine, fine]}));
    assert_eq!(heard.await.ok(200), json!({"received": 2, "new": 1}));
}

async fn an_agent_is_refused_as_an_import_refuses_it(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    for (field, value, named) in [
        ("timezone", json!("Berlin"), "timezone"),
        ("timezone", json!(null), "timezone"),
        (
            "hours",
            json!([{"day": "mon", "start": "25:00", "end": "10:00"}]),
            "hours[0].start",
        ),
        (
            "hours",
            json!([{"day": "mon", "start": "09:00", "end": "09:00"}]),
            "hours[0].end",
        ),
        (
            "overrides",
            json!([{"date": "2026-02-30", "slots": []}]),
            "overrides[0].date",
        ),
        (
            "away",
            json!([{"from": "2026-02-02T10:00", "until": "2026-02-01T10:00"}]),
            "away[0].until",
        ),
        (
            "devices",
            json!([{"platform": "ios", "token": "CANARY-no-hex"}]),
            "devices[0].token",
        ),
        ("photo_url", json!("javascript:alert(1)"), "photo_url"),
        ("locale", json!("\u{202e}"), "locale"),
        ("notify", json!({"begin": true}), "notify.begin"),
        ("leads", json!([{"minutes": 0}]), "leads[0].minutes"),
        ("leads", json!([{"day_before": "20:00"}, {}]), "leads[1]"),
        (
            "auto_offline_after_minutes",
            json!(0),
            "auto_offline_after_minutes",
        ),
        (
            "receive_when_invisible",
            json!("yes"),
            "receive_when_invisible",
        ),
        ("id", json!("other"), "id"),
        ("unknown", json!(1), "unknown"),
    ] {
        let mut body = json!({"workspace": "acme", "name": "Ana", "timezone": "UTC"});
        body[field] = value;
        let answer = platform.put("/v1/agents/a-1", body).await;
        let problem = answer.refused(422, &[named]);
        assert!(!answer.text.contains("CANARY"), "{problem}");
    }
    assert_eq!(desk.db.sql("SELECT count(*) FROM agents"), "0");
}

async fn requests_have_bounds(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    let long = json!({"name": "x".repeat(2 << 20)});
    platform
        .put("/v1/workspaces/acme", long)
        .await
        .refused(413, &[]);
    let many = platform.request("GET", "/v1/agents");
    let many = (0..100).fold(many, |request, n| request.header(format!("x-{n}"), "1"));
    assert_eq!(said(many).await.status, 431);
}
