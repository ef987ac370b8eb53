//! A workspace's mode follows its agents, without a flicker.

use shiftbell::domain::{
    delivery::{ChannelKind, DeliveryState},
    plan::Decision,
    presence::Status,
};

use crate::{
    support::{Database, on_both},
    world::{change, decision, ms, settlement},
};

on_both!(
    the_first_to_come_and_the_last_to_go_change_the_mode,
    a_hand_over_makes_no_event,
    the_mode_waits_until_nobody_is_due,
    an_agent_who_moves_is_missed_where_it_left,
);

fn mode(db: &Database) -> String {
    db.sql("SELECT workspace_id, mode, sequence FROM workspace_state WHERE dirty_at IS NULL ORDER BY 1")
}

/// Settles modes at `time`, sends every event, and tells the modes posted, oldest first.
async fn posted(db: &Database, time: &str) -> String {
    db.settle_modes(time).await;
    let leases = db.claim(ChannelKind::Presence, time).await;
    let settlements: Vec<_> = leases
        .iter()
        .map(|l| settlement(l, DeliveryState::Sent, time))
        .collect();
    db.settle(&settlements).await;
    db.sql(
        "SELECT t.workspace_id, t.mode, t.sequence, t.effective_at FROM transitions t
         JOIN deliveries d ON d.transition_id = t.id WHERE t.mode IS NOT NULL AND d.state = 'sent' ORDER BY t.recorded_at, 1",
    )
}

async fn the_first_to_come_and_the_last_to_go_change_the_mode(db: Database) {
    for agent in ["ana", "ben"] {
        db.hire(agent, "acme");
    }
    db.record(
        &[
            change("ana", Status::Offline, 1, "08:00:00"),
            change("ben", Status::Offline, 1, "08:00:00"),
        ],
        "08:00:00",
    )
    .await;
    let closed = format!("acme|messaging|1|{}", ms("08:00:00"));
    assert_eq!(posted(&db, "08:00:00").await, closed);
    db.record(&[change("ana", Status::Online, 2, "09:00:00")], "09:00:00")
        .await;
    let open = format!("{closed}\nacme|live_chat|2|{}", ms("09:00:00"));
    assert_eq!(posted(&db, "09:00:00").await, open);
    db.record(&[change("ben", Status::Online, 2, "10:00:00")], "10:00:00")
        .await;
    assert_eq!(posted(&db, "10:00:00").await, open);
    db.record(&[change("ana", Status::Offline, 3, "11:00:00")], "11:00:00")
        .await;
    assert_eq!(posted(&db, "11:00:00").await, open);
    db.record(
        &[change("ben", Status::Invisible, 3, "12:00:00")],
        "12:00:00",
    )
    .await;
    assert_eq!(
        posted(&db, "12:00:00").await,
        format!("{open}\nacme|messaging|3|{}", ms("12:00:00"))
    );
    assert_eq!(db.settle_modes("12:00:00").await, 0);
}

async fn a_hand_over_makes_no_event(db: Database) {
    for agent in ["ana", "ben"] {
        db.hire(agent, "acme");
    }
    db.record(
        &[
            change("ana", Status::Online, 1, "09:00:00"),
            change("ben", Status::Offline, 1, "09:00:00"),
        ],
        "09:00:00",
    )
    .await;
    let open = posted(&db, "09:00:00").await;
    db.record(&[change("ana", Status::Offline, 2, "17:00:00")], "17:00:00")
        .await;
    db.record(&[change("ben", Status::Online, 2, "17:00:00")], "17:00:00")
        .await;
    assert_eq!(posted(&db, "17:00:00").await, open);
    assert_eq!(mode(&db), "acme|live_chat|1");
}

async fn the_mode_waits_until_nobody_is_due(db: Database) {
    for agent in ["ana", "ben"] {
        db.hire(agent, "acme");
    }
    db.record(&[change("ana", Status::Offline, 1, "09:00:00")], "09:00:00")
        .await;
    assert_eq!(db.settle_modes("09:00:00").await, 0);
    db.record(&[change("ben", Status::Online, 1, "09:00:00")], "09:00:00")
        .await;
    assert_eq!(db.settle_modes("09:00:00").await, 1);
    assert_eq!(mode(&db), "acme|live_chat|1");
}

async fn an_agent_who_moves_is_missed_where_it_left(db: Database) {
    db.hire("ana", "acme");
    db.record(&[change("ana", Status::Online, 1, "09:00:00")], "09:00:00")
        .await;
    db.settle_modes("09:00:00").await;
    db.sql("INSERT INTO workspaces (id, name) VALUES ('other', 'Other'); UPDATE agents SET workspace_id = 'other'");
    let moved = Decision {
        left_workspace: Some("acme".into()),
        ..decision("ana", "other")
    };
    db.record(&[moved], "10:00:00").await;
    assert_eq!(db.settle_modes("10:00:00").await, 2);
    assert_eq!(mode(&db), "acme|messaging|2\nother|live_chat|1");
}
