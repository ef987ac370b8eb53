//! What is to come: boundaries, what an edit would change, who is there, and when nobody is.

use serde_json::{Value, json};

use crate::{
    desk::{Desk, Holder},
    support::{Database, on_both},
};

on_both!(
    boundaries_come_with_local_time_and_clock_changes,
    a_preview_says_what_an_edit_would_change,
    coverage_is_where_nobody_is_on_duty,
    presence_is_what_was_recorded_last,
);

async fn hire(platform: &Holder<'_>, agent: &str, hours: Value) {
    let body =
        json!({"workspace": "acme", "name": agent, "timezone": "Europe/Paris", "hours": hours});
    platform
        .put(&format!("/v1/agents/{agent}"), body)
        .await
        .ok(201);
}

fn slot(day: &str, start: &str, end: &str) -> Value {
    json!({"day": day, "start": start, "end": end})
}

fn shown(list: &Value) -> Vec<String> {
    let one = |b: &Value| {
        let word = |name: &str| b[name].as_str().unwrap().to_owned();
        let mark = if b["clock_change"] == true { " !" } else { "" };
        format!("{} {} {}{mark}", word("kind"), word("at"), word("local"))
    };
    list.as_array().unwrap().iter().map(one).collect()
}

async fn boundaries_come_with_local_time_and_clock_changes(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    hire(
        &platform,
        "a-1",
        json!([slot("sun", "09:00", "17:00"), slot("mon", "09:00", "17:00")]),
    )
    .await;
    platform
        .put(
            "/v1/workspaces/acme",
            json!({"name": "Acme", "holidays": ["2026-03-30"]}),
        )
        .await
        .ok(200);
    let path = "/v1/agents/a-1/boundaries?from=2026-03-22T00:00:00Z&until=2026-04-06T15:00:00Z";
    let all = platform.get(path).await.ok(200);
    assert_eq!(
        shown(&all["items"]),
        [
            "start 2026-03-22T08:00:00Z 2026-03-22T09:00:00",
            "end 2026-03-22T16:00:00Z 2026-03-22T17:00:00",
            "start 2026-03-23T08:00:00Z 2026-03-23T09:00:00",
            "end 2026-03-23T16:00:00Z 2026-03-23T17:00:00",
            "start 2026-03-29T07:00:00Z 2026-03-29T09:00:00 !",
            "end 2026-03-29T15:00:00Z 2026-03-29T17:00:00 !",
            "start 2026-04-05T07:00:00Z 2026-04-05T09:00:00",
            "end 2026-04-05T15:00:00Z 2026-04-05T17:00:00",
            "start 2026-04-06T07:00:00Z 2026-04-06T09:00:00",
        ]
    );
    let first = platform.get(&format!("{path}&limit=7")).await.ok(200);
    assert_eq!(shown(&first["items"]), shown(&all["items"])[..7]);
    let next = first["next"].as_str().unwrap();
    let rest = platform
        .get(&format!("{path}&limit=7&cursor={next}"))
        .await
        .ok(200);
    assert_eq!(shown(&rest["items"]), shown(&all["items"])[7..]);
    // A week from now on, where nothing is said: Monday is a holiday, Sunday is not.
    let week = platform.get("/v1/agents/a-1/boundaries").await.ok(200);
    assert_eq!(shown(&week["items"]).len(), 2);
    for (status, query, field) in [
        (
            422,
            "from=2026-04-01T00:00:00Z&until=2026-03-01T00:00:00Z",
            "until",
        ),
        (
            422,
            "from=2026-04-01T00:00:00Z&until=2028-03-01T00:00:00Z",
            "until",
        ),
        (422, "cursor=x", "cursor"),
        (400, "from=yesterday", "from"),
        (400, "limit=0", "limit"),
    ] {
        let path = format!("/v1/agents/a-1/boundaries?{query}");
        platform.get(&path).await.refused(status, &[field]);
    }
}

async fn a_preview_says_what_an_edit_would_change(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    hire(
        &platform,
        "a-1",
        json!([slot("mon", "07:00", "12:00"), slot("tue", "09:00", "12:00")]),
    )
    .await;
    let edit = json!({"hours": [slot("mon", "10:00", "12:00"), slot("tue", "09:00", "12:00")]});
    let question = json!({"agent": "a-1", "edit": edit, "until": "2026-04-01T00:00:00Z"});
    let preview = platform
        .post("/v1/boundaries:preview", question)
        .await
        .ok(200);
    // It is eight in Paris.
    assert_eq!(preview["on_duty_now"], true);
    assert_eq!(preview["would_be_on_duty_now"], false);
    assert_eq!(
        shown(&preview["added"]),
        ["start 2026-03-30T08:00:00Z 2026-03-30T10:00:00"]
    );
    assert_eq!(shown(&preview["removed"]), [""; 0]);
    assert_eq!(preview["kept"], 3);
    let stored = platform.get("/v1/agents/a-1").await.ok(200);
    assert_eq!(stored["hours"][0]["start"], "07:00", "nothing is saved");
    let draft = json!({
        "edit": {"workspace": "acme", "name": "New", "timezone": "Europe/Paris", "hours": [slot("sun", "01:00", "02:30")]},
        "from": "2026-10-20T00:00:00Z", "until": "2026-10-30T00:00:00Z",
    });
    let preview = platform.post("/v1/boundaries:preview", draft).await.ok(200);
    assert_eq!(
        shown(&preview["added"]),
        [
            "start 2026-10-24T23:00:00Z 2026-10-25T01:00:00 !",
            "end 2026-10-25T01:30:00Z 2026-10-25T02:30:00 !"
        ]
    );
    assert_eq!(
        preview["clock_changes"],
        json!([{"at": "2026-10-25T01:00:00Z", "from": "2026-10-25T03:00:00", "to": "2026-10-25T02:00:00"}])
    );
    let wrong =
        json!({"agent": "a-1", "edit": {"timezone": "Berlin", "hours": [slot("mon", "1", "2")]}});
    let said = platform.post("/v1/boundaries:preview", wrong).await;
    said.refused(
        422,
        &["edit.timezone", "edit.hours[0].start", "edit.hours[0].end"],
    );
}

async fn coverage_is_where_nobody_is_on_duty(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    hire(&platform, "a-1", json!([slot("mon", "09:00", "13:00")])).await;
    hire(&platform, "a-2", json!([slot("mon", "12:00", "17:00")])).await;
    let path = "/v1/workspaces/acme/coverage?until=2026-03-31T00:00:00Z";
    let coverage = platform.get(path).await.ok(200);
    let span = |from: &str, until: &str| json!({"from": from, "until": until});
    assert_eq!(
        coverage["gaps"],
        json!([
            span("2026-03-30T06:00:00Z", "2026-03-30T07:00:00Z"),
            span("2026-03-30T15:00:00Z", "2026-03-31T00:00:00Z"),
        ])
    );
    desk.db
        .sql("UPDATE agents SET timezone = 'Europe/Nowhere' WHERE id = 'a-2'");
    let coverage = platform.get(path).await.ok(200);
    assert_eq!(coverage["unreadable"], json!(["a-2"]));
    assert_eq!(coverage["gaps"][1]["from"], "2026-03-30T11:00:00Z");
    platform
        .get("/v1/workspaces/none/coverage")
        .await
        .refused(404, &[]);
}

async fn presence_is_what_was_recorded_last(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    platform.hire("a-2", "acme").await;
    let path = "/v1/workspaces/acme/presence";
    let before = platform.get(path).await.ok(200);
    assert_eq!(before["mode"], json!(null));
    assert_eq!(before["agents"][0]["status"], json!(null));
    let at = desk.clock.now().as_millisecond();
    desk.db.sql(&format!(
        "UPDATE agent_state SET status = 'online', accepts = TRUE, sequence = 1, effective_at = {at},
             boundary_at = {at} + 3600000 WHERE agent_id = 'a-1';
         INSERT INTO workspace_state (workspace_id, mode, sequence, effective_at)
         VALUES ('acme', 'live_chat', 1, {at})"
    ));
    let presence = platform.get(path).await.ok(200);
    assert_eq!(
        (&presence["mode"], &presence["since"]),
        (&"live_chat".into(), &crate::desk::NOW.into())
    );
    assert_eq!(
        presence["agents"][0],
        json!({"agent": "a-1", "name": "a-1", "status": "online", "accepts_conversations": true,
               "reason": null, "since": crate::desk::NOW, "next_boundary": "2026-03-30T07:00:00Z"})
    );
    assert_eq!(presence["agents"][1]["accepts_conversations"], false);
}
