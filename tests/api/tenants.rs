//! One workspace never sees another's rows: its token is tried on every route that is described, with
//! the ids of the other.

use serde_json::{Value, json};
use shiftbell::domain::access::Scope;

use crate::{
    deliveries::fill,
    desk::{Desk, said},
    document::operations,
    support::{Database, on_both},
};

on_both!(
    a_token_of_one_workspace_finds_nothing_of_another,
    a_token_of_one_agent_finds_nothing_of_another,
    nothing_is_moved_between_workspaces_by_one_of_them,
);

/// `path` with the ids of `bolt`'s rows.
fn of_bolt(path: &str) -> String {
    let id = if path.starts_with("/v1/workspaces") {
        "bolt"
    } else if path.starts_with("/v1/deliveries") {
        "00000000-0000-4000-8000-000000000004"
    } else {
        "b-1"
    };
    path.replace("{id}", id)
        .replace("{platform}", "android")
        .replace("{token}", "CANARY-b-1")
}

fn body(path: &str) -> Value {
    if path.contains("/devices/") {
        json!({})
    } else if path.ends_with("/status") {
        json!({"status": "offline"})
    } else if path.starts_with("/v1/workspaces") {
        json!({"name": "Mine"})
    } else if path.ends_with("/events") {
        json!({"events": [{"id": "e-1", "type": "conversation.assigned", "workspace": "bolt", "conversation": "c-1",
            "agent": "b-1", "at": "2026-03-30T06:00:00Z"}]})
    } else if path.ends_with(":preview") {
        json!({"agent": "b-1", "edit": {}})
    } else if path.starts_with("/v1/deliveries:") {
        json!({"filter": {"workspace": "bolt"}, "expected": 1})
    } else {
        json!({"workspace": "bolt", "name": "Mine", "timezone": "UTC"})
    }
}

async fn a_token_of_one_workspace_finds_nothing_of_another(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    desk.platform()
        .await
        .put("/v1/workspaces/bolt", json!({"name": "Bolt"}))
        .await
        .ok(200);
    let before = desk.db.sql("SELECT * FROM agents; SELECT * FROM workspaces; SELECT * FROM delivery_log; SELECT * FROM devices; SELECT * FROM conversations");
    let mut tried = 0;
    for scope in [Scope::Platform, Scope::OpsRead, Scope::OpsWrite] {
        let acme = desk.holder(desk.token(scope, Some("acme"), None).await);
        for (method, path) in operations(&desk).await {
            let mut address = of_bolt(&path);
            let is_list = address == path && method == "GET";
            if is_list && !path.starts_with("/v1/workspaces") {
                address += "?workspace=bolt";
            }
            let request = acme.request(&method, &address);
            let request = if method == "GET" {
                request
            } else {
                request.json(&body(&path))
            };
            let answer = said(request).await;
            let what = format!("{} {method} {address}: {answer:?}", scope.as_str());
            if scope == Scope::Platform || answer.status != 403 {
                let own_list = path == "/v1/workspaces" && answer.status == 200;
                assert!(answer.status == 404 || own_list, "{what}");
                tried += 1;
            }
            assert!(
                !answer.text.contains("b-1") && !answer.text.contains("Bolt"),
                "{what}"
            );
        }
    }
    assert!(tried >= 28 + 3 + 7, "{tried}");
    let after = desk.db.sql("SELECT * FROM agents; SELECT * FROM workspaces; SELECT * FROM delivery_log; SELECT * FROM devices; SELECT * FROM conversations");
    assert_eq!(before, after);
}

async fn a_token_of_one_agent_finds_nothing_of_another(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let ana = desk.holder(desk.token(Scope::Agent, None, Some("a-1")).await);
    let mut tried = 0;
    for (method, path) in operations(&desk).await {
        let request = ana.request(&method, &of_bolt(&path));
        let request = if method == "GET" {
            request
        } else {
            request.json(&body(&path))
        };
        let answer = said(request).await;
        assert!(
            [403, 404].contains(&answer.status),
            "{method} {path}: {answer:?}"
        );
        tried += u32::from(answer.status == 404);
    }
    assert_eq!(
        tried, 16,
        "pages, phones and their test, status, boundaries, preview, explain and feeds"
    );
}

async fn nothing_is_moved_between_workspaces_by_one_of_them(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let acme = desk.platform_of("acme").await;
    let moved = json!({"workspace": "bolt"});
    acme.patch("/v1/agents/a-1", moved)
        .await
        .refused(404, &["workspace"]);
    let new = json!({"workspace": "bolt", "name": "New", "timezone": "UTC"});
    acme.put("/v1/agents/new", new.clone())
        .await
        .refused(404, &["workspace"]);
    let draft = json!({"edit": new});
    acme.post("/v1/boundaries:preview", draft)
        .await
        .refused(404, &["workspace"]);
    assert_eq!(
        desk.db
            .sql("SELECT count(*) FROM agents WHERE workspace_id = 'bolt'"),
        "1"
    );
}
