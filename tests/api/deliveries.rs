//! The delivery log: listed, looked into, retried and cancelled.

use serde_json::{Value, json};
use shiftbell::domain::access::Scope;

use crate::{
    desk::{Desk, said},
    support::{Database, on_both},
};

on_both!(
    the_log_is_filtered_and_paged,
    a_delivery_comes_with_its_attempts,
    what_failed_is_sent_again,
    what_is_open_is_cancelled,
    many_are_acted_on_if_they_are_as_many_as_expected,
    a_request_sent_again_is_answered_again_and_done_once,
);

/// Two failed pushes and a sent one of `acme`, a failed one of `bolt`, one pending and one under way.
pub(crate) async fn fill(desk: &Desk) {
    let platform = desk.platform().await;
    for (agent, workspace) in [("a-1", "acme"), ("a-2", "acme"), ("b-1", "bolt")] {
        platform.hire(agent, workspace).await;
        let path = format!("/v1/agents/{agent}/devices/android/CANARY-{agent}");
        platform.put(&path, json!({})).await.ok(201);
    }
    let now = desk.clock.now().as_millisecond();
    let id = |n: u32| format!("00000000-0000-4000-8000-00000000000{n}");
    let mut sql = format!(
        "INSERT INTO transitions (id, workspace_id, agent_id, reason, status, sequence, effective_at, recorded_at)
         VALUES ('{}', 'acme', 'a-1', 'sync', 'online', 1, 1, 1);",
        id(0)
    );
    for (n, agent, workspace, state) in [
        (1, "a-1", "acme", "failed"),
        (2, "a-2", "acme", "failed"),
        (3, "a-1", "acme", "sent"),
        (4, "b-1", "bolt", "failed"),
    ] {
        let columns = "id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at, deadline_at,
            created_at, due_at, state, reason, tries, epoch, settled_at,
            worker, started_at, outcome";
        let row = format!(
            "INSERT INTO deliveries ({columns}) VALUES ('{}', '{}', 'fcm', '{workspace}', '{agent}', 'hours_start',
             'CANARY-{agent}', {now} + {n}, {now} + 60000, {now} + {n}, {now}, '{state}', 'why', 1, 1, {now},
             'w', {now}, '{state}');",
            id(n), id(0)
        );
        sql.push_str(&row);
    }
    for (n, lease) in [
        (5, "NULL, NULL, NULL".to_owned()),
        (6, format!("{now} + 60000, 'w', {now}")),
    ] {
        let columns = "id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at, deadline_at,
            created_at, due_at, epoch, lease_until, worker, started_at";
        let row = format!(
            "INSERT INTO outbox ({columns}) VALUES ('{}', '{}', 'fcm', 'acme', 'a-1', 'hours_end', 'CANARY-a-1',
             {now} + {n}, {now} + 60000, {now} + {n}, {now}, 1, {lease});",
            id(n), id(0)
        );
        sql.push_str(&row);
    }
    desk.db.sql(&sql);
}

/// The last digits of ids.
fn numbers(items: &Value) -> Vec<&str> {
    let items = items.as_array().unwrap().iter();
    let last = |item: &'_ Value| {
        let id = item.as_str().or_else(|| item["id"].as_str());
        id.map(str::len)
    };
    items
        .map(|item| {
            let at = last(item).unwrap() - 1;
            &item.as_str().or_else(|| item["id"].as_str()).unwrap()[at..]
        })
        .collect()
}

fn path(n: u32, verb: &str) -> String {
    format!("/v1/deliveries/00000000-0000-4000-8000-00000000000{n}{verb}")
}

async fn the_log_is_filtered_and_paged(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let ops = desk.holder(desk.token(Scope::OpsRead, None, None).await);
    for (query, expected) in [
        ("", vec!["6", "5", "4", "3", "2", "1"]),
        ("?state=failed", vec!["4", "2", "1"]),
        ("?state=leased", vec!["6"]),
        ("?channel=apns", vec![]),
        ("?agent=a-1", vec!["6", "5", "3", "1"]),
        ("?workspace=bolt", vec!["4"]),
        ("?reason=why&agent=a-1", vec!["3", "1"]),
        ("?since=2026-03-30T06:00:00.003Z", vec!["6", "5", "4", "3"]),
    ] {
        let log = ops.get(&format!("/v1/deliveries{query}")).await;
        assert_eq!(numbers(&log.ok(200)["items"]), expected, "{query}");
        assert!(!log.text.contains("CANARY"), "{log:?}");
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ops
            .get(&format!("/v1/deliveries?limit=4{cursor}"))
            .await
            .ok(200);
        seen.push(numbers(&page["items"]).join(""));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["6543", "21"]);
    let bolt = desk.holder(desk.token(Scope::OpsRead, Some("bolt"), None).await);
    let log = bolt.get("/v1/deliveries").await.ok(200);
    assert_eq!(numbers(&log["items"]), ["4"]);
    let log = bolt.get("/v1/deliveries?agent=a-1").await.ok(200);
    assert_eq!(numbers(&log["items"]), [""; 0]);
    for (query, field) in [
        ("state=odd", "state"),
        ("channel=fax", "channel"),
        ("since=now", "since"),
    ] {
        ops.get(&format!("/v1/deliveries?{query}"))
            .await
            .refused(400, &[field]);
    }
}

async fn a_delivery_comes_with_its_attempts(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let ops = desk.holder(desk.token(Scope::OpsRead, None, None).await);
    let one = ops.get(&path(1, "")).await.ok(200);
    assert_eq!(
        (&one["state"], &one["agent"]),
        (&"failed".into(), &"a-1".into())
    );
    assert_eq!(one["attempt_log"][0]["outcome"], "failed");
    ops.get("/v1/deliveries/none").await.refused(404, &[]);
}

async fn what_failed_is_sent_again(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let ops = desk.holder(desk.token(Scope::OpsWrite, None, None).await);
    let done = said(ops.request("POST", &path(1, ":retry"))).await.ok(200);
    assert_eq!(numbers(&done["changed"]), ["1"]);
    let id = ops.token.split('_').nth(1).unwrap();
    assert_eq!(
        desk.db
            .sql("SELECT actor, action, workspace_id FROM audit WHERE action LIKE 'delivery%'"),
        format!("token:{id}|delivery.retry|acme")
    );
    for n in [1, 3, 5] {
        said(ops.request("POST", &path(n, ":retry")))
            .await
            .refused(409, &[]);
    }
    desk.db.sql("UPDATE devices SET state = 'disabled'");
    said(ops.request("POST", &path(2, ":retry")))
        .await
        .refused(409, &[]);
}

async fn what_is_open_is_cancelled(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let ops = desk.holder(desk.token(Scope::OpsWrite, None, None).await);
    let done = said(ops.request("POST", &path(5, ":cancel"))).await.ok(200);
    assert_eq!(
        (numbers(&done["changed"]), numbers(&done["revoked"])),
        (vec!["5"], vec![])
    );
    let under_way = said(ops.request("POST", &path(6, ":cancel"))).await.ok(200);
    assert_eq!(
        (
            numbers(&under_way["changed"]),
            numbers(&under_way["revoked"])
        ),
        (vec![], vec!["6"])
    );
    let reason = "cancelled_by_operator";
    assert_eq!(desk.db.sql("SELECT revoked FROM outbox"), reason);
    let one = ops.get(&path(5, "")).await.ok(200);
    assert_eq!(
        (&one["state"], &one["reason"]),
        (&"cancelled".into(), &reason.into())
    );
    for n in [1, 5] {
        said(ops.request("POST", &path(n, ":cancel")))
            .await
            .refused(409, &[]);
    }
    let acts = desk
        .db
        .sql("SELECT count(*) FROM audit WHERE action = 'delivery.cancel'");
    assert_eq!(acts, "2", "what was not done is not in the audit log");
    said(ops.request("POST", &path(1, "")))
        .await
        .refused(405, &[]);
    ops.get(&path(1, ":retry")).await.refused(405, &[]);
}

async fn many_are_acted_on_if_they_are_as_many_as_expected(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let acme = desk.holder(desk.token(Scope::OpsWrite, Some("acme"), None).await);
    let order =
        |expected| json!({"filter": {"channel": "fcm", "reason": "why"}, "expected": expected});
    let wrong = acme.post("/v1/deliveries:retry", order(3)).await;
    let problem = wrong.refused(409, &["expected"]);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("2 deliveries match"),
        "{problem}"
    );
    let done = acme.post("/v1/deliveries:retry", order(2)).await.ok(200);
    assert_eq!(
        (done["matched"].as_u64(), numbers(&done["changed"])),
        (Some(2), vec!["1", "2"])
    );
    assert_eq!(
        desk.db
            .sql("SELECT count(*) FROM deliveries WHERE state = 'failed'"),
        "1"
    );
    let open = json!({"filter": {"agent": "a-1"}, "expected": 3});
    let done = acme.post("/v1/deliveries:cancel", open).await.ok(200);
    assert_eq!(numbers(&done["changed"]).len(), 2);
    assert_eq!(numbers(&done["revoked"]), ["6"]);
    let none = json!({"filter": {"state": "sent"}, "expected": 1});
    acme.post("/v1/deliveries:retry", none)
        .await
        .refused(409, &["expected"]);
}

async fn a_request_sent_again_is_answered_again_and_done_once(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let ops = desk.holder(desk.token(Scope::OpsWrite, None, None).await);
    let retry = |n, key: &str| {
        said(
            ops.request("POST", &path(n, ":retry"))
                .header("idempotency-key", key.to_owned()),
        )
    };
    let first = retry(1, "once").await;
    assert_eq!(first.header("idempotency-replayed"), "");
    let again = retry(1, "once").await;
    assert_eq!(again.ok(200), first.ok(200));
    assert_eq!(again.header("idempotency-replayed"), "true");
    retry(2, "once").await.refused(422, &["Idempotency-Key"]);
    retry(2, &"x".repeat(256))
        .await
        .refused(400, &["Idempotency-Key"]);
    // What failed is tried afresh, and another's key is another key.
    retry(3, "twice").await.refused(409, &[]);
    desk.db.sql("UPDATE replies SET created_at = 0");
    retry(1, "once").await.refused(409, &[]);
    let other = desk.holder(desk.token(Scope::OpsWrite, None, None).await);
    let both = tokio::join!(
        said(
            other
                .request("POST", &path(2, ":retry"))
                .header("idempotency-key", "k")
        ),
        said(
            other
                .request("POST", &path(2, ":retry"))
                .header("idempotency-key", "k")
        ),
    );
    assert_eq!(both.0.ok(200), both.1.ok(200));
    assert_eq!(
        desk.db
            .sql("SELECT count(*) FROM audit WHERE action = 'delivery.retry'"),
        "2"
    );
}
