//! The status that an agent sets by hand.

use serde_json::json;
use shiftbell::domain::access::Scope;

use crate::{
    desk::{Desk, NOW},
    support::{Database, on_both},
};

on_both!(
    a_status_set_by_hand_holds_until_the_hours_change,
    a_time_may_be_given_with_it,
    what_is_answered_is_what_is_stored,
    a_status_that_cannot_be_read_is_set_anew,
    agents_set_their_own,
);

const HOURS: &str = r#"[{"day":"mon","start":"09:00","end":"17:00"}]"#;

async fn hired(db: Database) -> Desk {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let hours: serde_json::Value = serde_json::from_str(HOURS).unwrap();
    let edit = json!({"timezone": "UTC", "hours": hours});
    platform.patch("/v1/agents/a-1", edit).await.ok(200);
    desk
}

async fn a_status_set_by_hand_holds_until_the_hours_change(db: Database) {
    let desk = hired(db).await;
    let platform = desk.platform().await;
    let path = "/v1/agents/a-1/status";
    let before = platform.get(path).await.ok(200);
    assert_eq!(before["by_hand"], json!(null));
    assert_eq!(before["status"], json!(null), "no worker has looked");
    let set = json!({"status": "invisible"});
    let set = platform.put(path, set).await.ok(200);
    let by_hand = json!({"status": "invisible", "set_at": NOW, "until": "2026-03-30T09:00:00Z"});
    assert_eq!(set["by_hand"], by_hand);
    assert_eq!(platform.get(path).await.ok(200), set);
    desk.clock.set("2026-03-30T09:00:00Z".parse().unwrap());
    let over = platform.get(path).await.ok(200);
    assert_eq!(over["by_hand"], json!(null));
    assert_eq!(
        desk.db
            .sql("SELECT action, target FROM audit ORDER BY n DESC LIMIT 1"),
        "agent.status|a-1"
    );
}

async fn a_time_may_be_given_with_it(db: Database) {
    let desk = hired(db).await;
    let platform = desk.platform().await;
    let path = "/v1/agents/a-1/status";
    let until = "2026-03-30T12:00:00Z";
    let set = json!({"status": "offline", "until": until});
    let set = platform.put(path, set).await.ok(200);
    assert_eq!(set["by_hand"]["until"], until);
    desk.clock.set("2026-03-30T11:59:59Z".parse().unwrap());
    let holds = platform.get(path).await.ok(200);
    assert_eq!(
        holds["by_hand"]["status"], "offline",
        "over the start at nine"
    );
    let past = json!({"status": "online", "until": "2026-03-30T11:00:00Z"});
    platform.put(path, past).await.refused(422, &["until"]);
    let asleep = json!({"status": "asleep"});
    platform.put(path, asleep).await.refused(422, &["status"]);
    platform.put(path, json!({})).await.refused(422, &[]);
    let nobody = "/v1/agents/nobody/status";
    platform.get(nobody).await.refused(404, &[]);
}

async fn what_is_answered_is_what_is_stored(db: Database) {
    let desk = hired(db).await;
    let platform = desk.platform().await;
    let path = "/v1/agents/a-1/status";
    desk.clock
        .set("2026-03-30T08:00:00.123456789Z".parse().unwrap());
    // The end of time is a time, too.
    for until in ["2026-03-30T08:30:00.987654321Z", "9999-12-30T22:00:00.999Z"] {
        let set = json!({"status": "online", "until": until});
        let set = platform.put(path, set).await.ok(200);
        assert_eq!(set["by_hand"]["set_at"], "2026-03-30T08:00:00.123Z");
        assert_eq!(platform.get(path).await.ok(200), set);
    }
}

async fn a_status_that_cannot_be_read_is_set_anew(db: Database) {
    let desk = hired(db).await;
    let platform = desk.platform().await;
    desk.db.sql(&format!(
        "INSERT INTO set_by_hand VALUES ('a-1', 'online', 0, {})",
        i64::MAX
    ));
    platform.get("/v1/agents/a-1").await.ok(200);
    platform.get("/v1/workspaces/acme/coverage").await.ok(200);
    let path = "/v1/agents/a-1/status";
    platform
        .put(path, json!({"status": "online"}))
        .await
        .ok(200);
    platform.get(path).await.ok(200);
}

async fn agents_set_their_own(db: Database) {
    let desk = hired(db).await;
    let ana = desk.holder(desk.token(Scope::Agent, None, Some("a-1")).await);
    let set = json!({"status": "online"});
    ana.put("/v1/agents/a-1/status", set.clone()).await.ok(200);
    ana.put("/v1/agents/a-2/status", set)
        .await
        .refused(404, &[]);
}
