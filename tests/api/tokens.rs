//! Who is let in, how often, and what is remembered of it.

use jiff::ToSpan;
use shiftbell::{domain::access::Scope, http::Reach};

use crate::{
    desk::{Desk, said},
    support::{Database, on_both},
};

on_both!(
    nobody_is_let_in_without_a_token_in_use,
    a_scope_reaches_so_far,
    who_asks_too_often_waits,
    acts_are_remembered_with_their_trace,
    metrics_take_a_token_where_a_network_reaches_them,
);

async fn nobody_is_let_in_without_a_token_in_use(db: Database) {
    let desk = Desk::at(db).await;
    let good = desk.token(Scope::Platform, None, None).await;
    let get = |value: Option<String>| {
        let request = desk.request("GET", "/v1/agents");
        said(match value {
            Some(value) => request.header("authorization", value),
            None => request,
        })
    };
    get(Some(format!("Bearer {good}"))).await.ok(200);
    get(Some(format!("bearer {good}"))).await.ok(200);
    let (start, end) = good.split_at(good.len() - 1);
    let wrong = format!("{start}{}", if end == "0" { "1" } else { "0" });
    let unknown = good.replace("shiftbell_", "shiftbell_0");
    for value in [
        None,
        Some(String::new()),
        Some(good.clone()),
        Some(format!("Basic {good}")),
        Some(format!("Bearer {wrong}")),
        Some(format!("Bearer {unknown}")),
        Some("Bearer \u{e9}".to_owned()),
    ] {
        let answer = get(value).await;
        answer.refused(401, &[]);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(!answer.text.contains(&good[25..]), "{answer:?}");
    }
    let id = good.split('_').nth(1).unwrap().to_owned();
    let mut tx = desk.db.store.begin().await.unwrap();
    assert!(tx.revoke_token(&id, desk.clock.now()).await.unwrap());
    assert!(!tx.revoke_token(&id, desk.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    get(Some(format!("Bearer {good}"))).await.refused(401, &[]);
    let stored = desk.db.sql("SELECT * FROM tokens");
    assert!(
        stored.contains(&id) && !stored.contains(&good[25..]),
        "{stored}"
    );
}

async fn a_scope_reaches_so_far(db: Database) {
    let desk = Desk::at(db).await;
    desk.platform().await.hire("a-1", "acme").await;
    let mut reached = Vec::new();
    for (scope, agent) in [
        (Scope::Platform, None),
        (Scope::Agent, Some("a-1")),
        (Scope::OpsRead, None),
        (Scope::OpsWrite, None),
    ] {
        let holder = desk.holder(desk.token(scope, None, agent).await);
        let status = [
            holder.get("/v1/workspaces/acme/presence").await.status,
            holder.get("/v1/agents/a-1").await.status,
            holder.get("/v1/deliveries").await.status,
            said(holder.request("POST", "/v1/deliveries/none:retry"))
                .await
                .status,
        ];
        reached.push((scope.as_str(), status));
    }
    assert_eq!(
        reached,
        [
            ("platform", [200, 200, 200, 404]),
            ("agent", [403, 200, 403, 403]),
            ("ops:read", [403, 403, 200, 403]),
            ("ops:write", [403, 403, 200, 404]),
        ]
    );
}

async fn who_asks_too_often_waits(db: Database) {
    let desk = Desk::with(db, 1, Reach::Loopback).await;
    let (busy, calm) = (desk.platform().await, desk.platform().await);
    // Two seconds' worth at once.
    busy.get("/v1/agents").await.ok(200);
    busy.get("/v1/agents").await.ok(200);
    let late = busy.get("/v1/agents").await;
    late.refused(429, &[]);
    assert_eq!(late.header("retry-after"), "2");
    calm.get("/v1/agents").await.ok(200);
    desk.clock.advance(std::time::Duration::from_secs(1));
    busy.get("/v1/agents").await.ok(200);
    let statuses = async |count| {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(said(desk.request("GET", "/v1/agents")).await.status);
        }
        statuses
    };
    assert_eq!(statuses(3).await, [401, 401, 429]);
    // A flood of strangers keeps out nobody who holds a token.
    calm.get("/v1/agents").await.ok(200);
}

async fn acts_are_remembered_with_their_trace(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let request = platform
        .request("PUT", "/v1/workspaces/acme")
        .json(&serde_json::json!({"name": "Acme"}))
        .header("traceparent", &parent);
    let answer = said(request).await;
    answer.ok(201);
    let own = answer.header("traceparent");
    assert!(
        own.starts_with(&format!("00-{trace}-")) && own != parent,
        "{own}"
    );
    let other = platform.get("/v1/workspaces").await;
    assert_eq!(other.header("traceparent").len(), parent.len());
    let ops = desk.holder(desk.token(Scope::OpsRead, None, None).await);
    let log = ops.get("/v1/audit").await.ok(200);
    let act = &log["items"][0];
    let id = platform.token.split('_').nth(1).unwrap();
    assert_eq!(act["actor"], format!("token:{id}"));
    assert_eq!(act["action"], "workspace.put");
    assert_eq!(
        (&act["target"], &act["workspace"], &act["trace"]),
        (&"acme".into(), &"acme".into(), &trace.into())
    );
    platform
        .put("/v1/workspaces/bolt", serde_json::json!({"name": "Bolt"}))
        .await
        .ok(201);
    let bolt = desk.holder(desk.token(Scope::OpsRead, Some("bolt"), None).await);
    let log = bolt.get("/v1/audit").await.ok(200);
    assert_eq!(log["items"].as_array().unwrap().len(), 1);
    assert_eq!(log["items"][0]["target"], "bolt");
    let first = ops.get("/v1/audit?limit=1").await.ok(200);
    let next = first["next"].as_str().unwrap();
    let second = ops
        .get(&format!("/v1/audit?limit=1&cursor={next}"))
        .await
        .ok(200);
    assert_eq!(second["items"][0]["target"], "acme");
    assert!(second["next"].is_null());
}

async fn metrics_take_a_token_where_a_network_reaches_them(db: Database) {
    let desk = Desk::with(db, 100, Reach::Network).await;
    said(desk.request("GET", "/livez")).await.ok(200);
    said(desk.request("GET", "/readyz")).await.ok(200);
    said(desk.request("GET", "/metrics"))
        .await
        .refused(401, &[]);
    for (scope, workspace, status) in [
        (Scope::OpsRead, None, 200),
        (Scope::OpsRead, Some("acme"), 403),
        (Scope::Agent, None, 403),
    ] {
        let agent = (scope == Scope::Agent).then_some("a-1");
        let holder = desk.holder(desk.token(scope, workspace, agent).await);
        assert_eq!(holder.get("/metrics").await.status, status, "{scope:?}");
    }
    let late = desk.token(Scope::OpsRead, None, None).await;
    let id = late.split('_').nth(1).unwrap();
    let end = (desk.clock.now() + 1.hour()).as_millisecond();
    desk.db.sql(&format!(
        "UPDATE tokens SET expires_at = {end} WHERE id = '{id}'"
    ));
    let late = desk.holder(late);
    assert_eq!(late.get("/metrics").await.status, 200);
    desk.clock.advance(std::time::Duration::from_hours(1));
    assert_eq!(late.get("/metrics").await.status, 401);
}
