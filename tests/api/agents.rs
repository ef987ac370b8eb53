//! Agents: what an import sets, one at a time.

use serde_json::{Value, json};
use shiftbell::domain::access::Scope;

use crate::{
    desk::{Desk, said},
    support::{Database, on_both},
};

on_both!(
    what_is_put_is_what_is_read_and_exported,
    a_patch_changes_what_it_names,
    nobody_overwrites_what_they_have_not_seen,
    an_edit_has_the_agent_planned_afresh,
    an_agent_edits_their_own_page_alone,
    an_id_elsewhere_belongs_to_one_agent,
    an_agent_does_not_change_their_ids_elsewhere,
    agents_come_in_pages_of_one_workspace,
);

fn whole() -> Value {
    json!({
        "workspace": "acme", "name": "Ana Ruiz", "photo_url": "https://example.com/ana.png",
        "timezone": "Europe/Paris", "locale": "fr",
        "hours": [{"day": "mon", "start": "09:00", "end": "12:30"}, {"day": "fri", "start": "22:00", "end": "06:00"}],
        "overrides": [{"date": "2026-12-25", "slots": []}, {"date": "2026-12-31", "slots": [{"start": "09:00", "end": "12:00"}]}],
        "away": [{"from": "2026-07-01T12:00", "until": "2026-07-14T00:00"}],
        "notify": {"start": true, "end": true},
        "leads": [{"minutes": 15}, {"day_before": "20:00"}],
        "auto_offline_after_minutes": 10, "receive_when_invisible": true,
        "external": {"chatwoot": "17"},
    })
}

async fn what_is_put_is_what_is_read_and_exported(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    let mut body = whole();
    body["devices"] = json!([{"platform": "android", "token": "CANARY-token"}]);
    let made = platform.put("/v1/agents/a-1", body).await;
    assert_eq!(made.ok(201)["warnings"], json!([]));
    let read = platform.get("/v1/agents/a-1").await;
    let mut expected = whole();
    expected["id"] = "a-1".into();
    assert_eq!(read.ok(200), expected);
    assert_eq!(read.header("etag"), made.header("etag"));
    // What was read can be put again; phones, which it does not name, stay.
    platform.put("/v1/agents/a-1", read.ok(200)).await.ok(200);
    let mut tx = desk.db.store.snapshot().await.unwrap();
    let exported = tx.agents_after("", 10).await.unwrap().remove(0);
    let mut exported = serde_json::to_value(exported).unwrap();
    assert_eq!(exported["devices"][0]["token"], "CANARY-token");
    exported.as_object_mut().unwrap().remove("devices");
    assert_eq!(exported, expected);
    // A PUT that leaves the rest out empties it.
    let bare = json!({"workspace": "acme", "name": "Ana", "timezone": "UTC"});
    let bare = platform.put("/v1/agents/a-1", bare).await.ok(200);
    assert_eq!(
        (&bare["hours"], &bare["leads"], &bare["locale"]),
        (&json!([]), &json!([]), &Value::Null)
    );
    assert_eq!(desk.db.sql("SELECT count(*) FROM devices"), "1");
    let overlap = json!({"hours": [
        {"day": "mon", "start": "09:00", "end": "12:00"}, {"day": "mon", "start": "11:00", "end": "13:00"}]});
    let warned = platform.patch("/v1/agents/a-1", overlap).await.ok(200);
    assert_eq!(warned["warnings"][0]["field"], "hours[1]");
    for answer in [&made, &read] {
        assert!(!answer.text.contains("CANARY"), "{answer:?}");
    }
}

async fn a_patch_changes_what_it_names(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform
        .patch("/v1/agents/a-1", json!({}))
        .await
        .refused(404, &[]);
    platform.put("/v1/agents/a-1", whole()).await.ok(201);
    let before = platform.get("/v1/agents/a-1").await.ok(200);
    let patched = platform
        .patch(
            "/v1/agents/a-1",
            json!({"timezone": "America/New_York", "locale": null}),
        )
        .await
        .ok(200);
    let mut expected = before;
    expected["timezone"] = "America/New_York".into();
    expected["locale"] = Value::Null;
    expected["warnings"] = json!([]);
    assert_eq!(patched, expected);
    let request = platform
        .request("PATCH", "/v1/agents/a-1")
        .header("content-type", "application/merge-patch+json")
        .body(r#"{"hours":[]}"#);
    assert_eq!(said(request).await.ok(200)["hours"], json!([]));
}

async fn nobody_overwrites_what_they_have_not_seen(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    let made = platform.put("/v1/agents/a-1", whole()).await;
    let seen = made.header("etag").to_owned();
    let edit = |mark: &str, name: &str| {
        let request = platform
            .request("PATCH", "/v1/agents/a-1")
            .header("if-match", mark);
        said(request.json(&json!({"name": name})))
    };
    edit(&seen, "First").await.ok(200);
    let late = edit(&seen, "Second").await;
    late.refused(412, &[]);
    edit(late.header("etag"), "Second").await.ok(200);
    edit("*", "Third").await.ok(200);
    edit("W/\"weak\", \"other\"", "Fourth")
        .await
        .refused(412, &[]);
    let gone = platform
        .request("DELETE", "/v1/agents/a-1")
        .header("if-match", &seen);
    said(gone).await.refused(412, &[]);
    let new = platform
        .request("PUT", "/v1/agents/a-2")
        .header("if-match", "*");
    said(new.json(&whole())).await.refused(412, &[]);
    let read = platform.get("/v1/agents/a-1").await.ok(200);
    assert_eq!(read["name"], "Third");
}

async fn an_edit_has_the_agent_planned_afresh(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let planned = "SELECT due_at, stale_at FROM agent_state";
    desk.db
        .sql("UPDATE agent_state SET due_at = 5, stale_at = NULL");
    platform
        .patch("/v1/agents/a-1", json!({"name": "Ana"}))
        .await
        .ok(200);
    assert_eq!(desk.db.sql(planned), "5|", "a name is no plan");
    platform
        .patch("/v1/agents/a-1", json!({"hours": []}))
        .await
        .ok(200);
    let now = desk.clock.now().as_millisecond();
    assert_eq!(desk.db.sql(planned), format!("0|{now}"));
}

async fn an_agent_edits_their_own_page_alone(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    platform.hire("a-2", "acme").await;
    let ana = desk.holder(desk.token(Scope::Agent, None, Some("a-1")).await);
    ana.get("/v1/agents/a-1").await.ok(200);
    let edited = ana
        .patch("/v1/agents/a-1", json!({"notify": {"start": true}}))
        .await;
    assert_eq!(
        edited.ok(200)["notify"],
        json!({"start": true, "end": false})
    );
    let moved = ana
        .patch("/v1/agents/a-1", json!({"workspace": "bolt"}))
        .await;
    moved.refused(404, &["workspace"]);
    ana.get("/v1/agents/a-2").await.refused(404, &[]);
    ana.patch("/v1/agents/a-2", json!({}))
        .await
        .refused(404, &[]);
    ana.put("/v1/agents/a-3", whole()).await.refused(404, &[]);
    ana.delete("/v1/agents/a-1").await.refused(403, &[]);
    ana.get("/v1/agents").await.refused(403, &[]);
}

async fn an_id_elsewhere_belongs_to_one_agent(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.put("/v1/agents/a-1", whole()).await.ok(201);
    platform.hire("a-2", "acme").await;
    platform.hire("b-1", "bolt").await;
    let ids = |id: &str| json!({"external": {"chatwoot": id}});
    let taken = platform.patch("/v1/agents/a-2", ids("17")).await;
    taken.refused(409, &["external.chatwoot"]);
    assert!(taken.text.contains("a-1"), "{taken:?}");
    // Who has it is no business of another workspace.
    let bolt = desk.platform_of("bolt").await;
    let taken = bolt.patch("/v1/agents/b-1", ids("17")).await;
    taken.refused(409, &["external.chatwoot"]);
    assert!(!taken.text.contains("a-1"), "{taken:?}");
    let patched = platform.patch("/v1/agents/a-1", ids("18")).await.ok(200);
    assert_eq!(patched["external"], ids("18")["external"]);
    bolt.patch("/v1/agents/b-1", ids("17")).await.ok(200);
    let emptied = platform
        .patch("/v1/agents/a-1", json!({"external": null}))
        .await;
    assert_eq!(emptied.ok(200)["external"], json!({}));
    let wrong = platform.patch("/v1/agents/a-1", ids("")).await;
    wrong.refused(422, &["external.chatwoot"]);
}

async fn an_agent_does_not_change_their_ids_elsewhere(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.put("/v1/agents/a-1", whole()).await.ok(201);
    let ana = desk.holder(desk.token(Scope::Agent, None, Some("a-1")).await);
    let other = json!({"external": {"chatwoot": "18"}});
    ana.patch("/v1/agents/a-1", other)
        .await
        .refused(403, &["external"]);
    // What was read can be put again, and a PUT that does not speak of them leaves them.
    ana.put("/v1/agents/a-1", whole()).await.ok(200);
    let mut rest = whole();
    rest.as_object_mut().unwrap().remove("external");
    let put = ana.put("/v1/agents/a-1", rest.clone()).await.ok(200);
    assert_eq!(put["external"], whole()["external"]);
    let put = platform.put("/v1/agents/a-1", rest).await.ok(200);
    assert_eq!(put["external"], json!({}));
}

async fn agents_come_in_pages_of_one_workspace(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    for (agent, workspace) in [
        ("a-1", "acme"),
        ("a-2", "bolt"),
        ("a-3", "acme"),
        ("a-4", "acme"),
    ] {
        platform.hire(agent, workspace).await;
    }
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|agent| agent["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = platform.get("/v1/agents").await.ok(200);
    assert_eq!(ids(&all), ["a-1", "a-2", "a-3", "a-4"]);
    assert!(all["next"].is_null());
    let first = platform
        .get("/v1/agents?workspace=acme&limit=2")
        .await
        .ok(200);
    assert_eq!(ids(&first), ["a-1", "a-3"]);
    let next = first["next"].as_str().unwrap();
    let path = format!("/v1/agents?workspace=acme&limit=2&cursor={next}");
    assert_eq!(ids(&platform.get(&path).await.ok(200)), ["a-4"]);
    let own = desk
        .platform_of("bolt")
        .await
        .get("/v1/agents")
        .await
        .ok(200);
    assert_eq!(ids(&own), ["a-2"]);
}
