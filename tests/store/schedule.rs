//! The schedule tables are an interface: whoever writes them with plain SQL, exactly the agents
//! concerned are planned anew.

use shiftbell::store::sql::Dialect;
use sqlx::Connection as _;

use crate::{
    support::{Database, on_both},
    world::{at, change, ms, shift_starts},
};
use shiftbell::domain::presence::Status;

on_both!(
    a_new_agent_is_due,
    every_edit_marks_exactly_the_agents_concerned,
    what_does_not_move_boundaries_marks_nobody,
    the_first_edit_dates_the_staleness,
    a_deleted_agent_is_due_once_more,
    a_renamed_agent_is_two,
    impossible_schedules_are_refused,
    impossible_deliveries_are_refused,
    views_show_readable_time,
);

/// `ana` and `ben` in `acme`, `cem` in `other`, all planned, with one row in each table.
fn planned(db: &Database) {
    for (agent, workspace) in [("ana", "acme"), ("ben", "acme"), ("cem", "other")] {
        db.hire(agent, workspace);
        db.sql(&format!(
            "INSERT INTO overrides VALUES ('{agent}', '2026-12-31');
             INSERT INTO override_slots VALUES ('{agent}', '2026-12-31', '09:00', '12:00');
             INSERT INTO away VALUES ('{agent}', '2026-07-01T12:00', '2026-07-14T00:00');
             INSERT INTO leads (agent_id, minutes) VALUES ('{agent}', 15)"
        ));
    }
    db.sql("INSERT INTO holidays VALUES ('acme', '2026-12-25'), ('other', '2026-12-25')");
    plan(db);
}

/// As if the worker had just looked at everybody.
fn plan(db: &Database) {
    db.sql("UPDATE agent_state SET due_at = 9000000000000, stale_at = NULL");
}

/// Who is marked since.
fn stale(db: &Database) -> String {
    db.sql("SELECT agent_id FROM agent_state WHERE due_at = 0 AND stale_at > 0 ORDER BY 1")
        .replace('\n', " ")
}

async fn a_new_agent_is_due(db: Database) {
    db.hire("ana", "acme");
    assert_eq!(stale(&db), "ana");
    assert_eq!(
        db.sql("SELECT workspace_id, sequence, status FROM agent_state"),
        "acme|0|"
    );
}

/// Edits, and whose plan each makes stale.
const EDITS: &[(&str, &str)] = &[
    (
        "INSERT INTO operating_hours VALUES ('ana', 'tue', '09:00', '17:00')",
        "ana",
    ),
    (
        "UPDATE operating_hours SET end_time = '18:00' WHERE agent_id = 'ana'",
        "ana",
    ),
    (
        "UPDATE operating_hours SET agent_id = 'ben' WHERE agent_id = 'ana' AND day = 'tue'",
        "ana ben",
    ),
    ("DELETE FROM operating_hours WHERE agent_id = 'ben'", "ben"),
    ("DELETE FROM operating_hours", "ana cem"),
    ("INSERT INTO overrides VALUES ('ana', '2027-01-01')", "ana"),
    (
        "UPDATE overrides SET date = '2027-01-02' WHERE date = '2027-01-01'",
        "ana",
    ),
    (
        "UPDATE overrides SET agent_id = 'ben' WHERE date = '2027-01-02'",
        "ana ben",
    ),
    ("DELETE FROM overrides WHERE date = '2027-01-02'", "ben"),
    (
        "INSERT INTO override_slots VALUES ('ben', '2026-12-31', '13:00', '14:00')",
        "ben",
    ),
    (
        "UPDATE override_slots SET end_time = '15:00' WHERE start_time = '13:00'",
        "ben",
    ),
    (
        "UPDATE override_slots SET agent_id = 'cem' WHERE start_time = '13:00'",
        "ben cem",
    ),
    (
        "DELETE FROM override_slots WHERE start_time = '13:00'",
        "cem",
    ),
    (
        "INSERT INTO away VALUES ('cem', '2026-08-01T00:00', '2026-08-02T00:00')",
        "cem",
    ),
    (
        "UPDATE away SET until_local = '2026-08-03T00:00' WHERE from_local = '2026-08-01T00:00'",
        "cem",
    ),
    (
        "UPDATE away SET agent_id = 'ana' WHERE from_local = '2026-08-01T00:00'",
        "ana cem",
    ),
    (
        "DELETE FROM away WHERE from_local = '2026-08-01T00:00'",
        "ana",
    ),
    (
        "INSERT INTO leads (agent_id, day_before) VALUES ('cem', '20:00')",
        "cem",
    ),
    (
        "UPDATE leads SET day_before = '21:00' WHERE day_before = '20:00'",
        "cem",
    ),
    (
        "UPDATE leads SET agent_id = 'ana' WHERE day_before = '21:00'",
        "ana cem",
    ),
    ("DELETE FROM leads WHERE day_before = '21:00'", "ana"),
    (
        "INSERT INTO set_by_hand VALUES ('cem', 'invisible', 1, NULL)",
        "cem",
    ),
    ("UPDATE set_by_hand SET status = 'offline'", "cem"),
    ("UPDATE set_by_hand SET agent_id = 'ana'", "ana cem"),
    ("DELETE FROM set_by_hand", "ana"),
    (
        "INSERT INTO holidays VALUES ('acme', '2026-01-01')",
        "ana ben",
    ),
    (
        "UPDATE holidays SET date = '2026-01-02' WHERE date = '2026-01-01'",
        "ana ben",
    ),
    (
        "UPDATE holidays SET workspace_id = 'other' WHERE date = '2026-01-02'",
        "ana ben cem",
    ),
    ("DELETE FROM holidays WHERE date = '2026-01-02'", "cem"),
    (
        "UPDATE agents SET timezone = 'Europe/Paris' WHERE id = 'ana'",
        "ana",
    ),
    (
        "UPDATE agents SET notify_start = FALSE WHERE id = 'ana'",
        "ana",
    ),
    (
        "UPDATE agents SET notify_end = FALSE WHERE id <> 'ana'",
        "ben cem",
    ),
    (
        "UPDATE agents SET workspace_id = 'other' WHERE id = 'ben'",
        "ben",
    ),
];

async fn every_edit_marks_exactly_the_agents_concerned(db: Database) {
    planned(&db);
    for (edit, marked) in EDITS {
        db.sql(edit);
        assert_eq!(stale(&db), *marked, "{edit}");
        plan(&db);
    }
}

async fn what_does_not_move_boundaries_marks_nobody(db: Database) {
    planned(&db);
    db.sql(
        "UPDATE agents SET name = 'Ana', photo_url = 'https://example.com', locale = 'fr';
         UPDATE workspaces SET name = 'Acme';
         UPDATE devices SET state = 'disabled';
         DELETE FROM devices WHERE agent_id = 'ben';
         DELETE FROM operating_hours WHERE agent_id = 'nobody';
         INSERT INTO workspaces (id, name) VALUES ('empty', 'Empty');
         INSERT INTO holidays VALUES ('empty', '2026-12-25')",
    );
    assert_eq!(stale(&db), "");
}

async fn the_first_edit_dates_the_staleness(db: Database) {
    planned(&db);
    db.sql("UPDATE agent_state SET due_at = 0, stale_at = 5 WHERE agent_id = 'ana'");
    db.sql("UPDATE agents SET timezone = 'Europe/Paris'; DELETE FROM operating_hours");
    assert_eq!(
        db.sql("SELECT stale_at FROM agent_state WHERE agent_id = 'ana'"),
        "5"
    );
    let mut tx = db.store.begin().await.unwrap();
    assert_eq!(tx.due_agents(at("09:00:00"), 10).await.unwrap().len(), 3);
}

async fn a_deleted_agent_is_due_once_more(db: Database) {
    planned(&db);
    db.sql("INSERT INTO set_by_hand VALUES ('ana', 'offline', 1, NULL)");
    db.sql("DELETE FROM agents WHERE id = 'ana'");
    assert_eq!(stale(&db), "ana");
    for table in [
        "operating_hours",
        "overrides",
        "override_slots",
        "away",
        "leads",
        "set_by_hand",
        "devices",
    ] {
        assert_eq!(
            db.sql(&format!(
                "SELECT count(*) FROM {table} WHERE agent_id = 'ana'"
            )),
            "0",
            "{table}"
        );
    }
}

async fn a_renamed_agent_is_two(db: Database) {
    db.hire("ana", "acme");
    db.sql("DELETE FROM operating_hours; DELETE FROM devices");
    plan(&db);
    db.sql("UPDATE agents SET id = 'anna' WHERE id = 'ana'");
    assert_eq!(stale(&db), "ana anna");
}

async fn impossible_schedules_are_refused(db: Database) {
    planned(&db);
    for (what, values) in [
        ("operating_hours", "'ana', 'someday', '09:00', '17:00'"),
        ("operating_hours", "'ana', 'mon', '9:00', '17:00'"),
        ("operating_hours", "'ana', 'mon', ' 9:00', '17:00'"),
        ("operating_hours", "'ana', 'mon', '09:00', '17:00:00'"),
        ("operating_hours", "'ana', 'mon', '09:00', '09:00'"),
        ("operating_hours", "'ana', 'mon', '24:00', '09:00'"),
        ("operating_hours", "'ana', 'mon', '09:00', '24:01'"),
        ("operating_hours", "'ana', 'mon', '25:00', '17:00'"),
        ("overrides", "'ana', '24.12.2026'"),
        ("away", "'ana', '2026-07-01', '2026-07-02'"),
        ("away", "'ana', '2026-07-02T00:00', '2026-07-01T00:00'"),
        ("leads", "'ana', 0, ''"),
        ("leads", "'ana', 10081, ''"),
        ("leads", "'ana', -5, ''"),
        ("leads", "'ana', 5, '20:00'"),
        ("leads", "'ana', 0, '24:00'"),
        ("leads", "'ana', 0, '8:00'"),
        ("leads", "'ana', 0, '20:60'"),
        ("set_by_hand", "'ana', 'asleep', 1, NULL"),
        ("set_by_hand", "'ana', 'offline', 2, 1"),
        ("holidays", "'acme', 'Christmas'"),
    ] {
        let refusal = db
            .try_sql(&format!("INSERT INTO {what} VALUES ({values})"))
            .unwrap_err();
        let refusal = refusal.to_lowercase();
        let said = ["check constraint", "time field value out of range"];
        assert!(
            said.iter().any(|words| refusal.contains(words)),
            "{what} {values}: {refusal}"
        );
    }
    db.sql("INSERT INTO operating_hours VALUES ('ana', 'sun', '00:00', '24:00')");
}

async fn impossible_deliveries_are_refused(db: Database) {
    db.hire("ana", "acme");
    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana"])],
        "09:00:00",
    )
    .await;
    let refused = |edit: &str| {
        let refusal = db.try_sql(edit).unwrap_err().to_lowercase();
        assert!(refusal.contains("check constraint"), "{edit}: {refusal}");
    };
    for edit in [
        "lease_until = 1",
        "epoch = 1, worker = 'w'",
        "lease_until = 1, worker = 'w', started_at = 1",
        "revoked = 'test'",
        "sequence = 1, deadline_at = NULL",
        "tries = -1",
    ] {
        refused(&format!("UPDATE outbox SET {edit} WHERE channel = 'apns'"));
    }
    for (state, epoch) in [("pending", 0), ("leased", 1), ("asleep", 1), ("sent", 1)] {
        refused(&format!(
            "INSERT INTO deliveries (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                 due_at, deadline_at, created_at, tries, epoch, state, settled_at)
             SELECT id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                 due_at, deadline_at, created_at, 1, {epoch}, '{state}', 1 FROM outbox WHERE channel = 'apns'"
        ));
    }
}

async fn views_show_readable_time(db: Database) {
    db.hire("ana", "acme");
    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana"])],
        "09:00:01",
    )
    .await;
    db.record(&[change("ana", Status::Offline, 2, "09:02:00")], "09:02:00")
        .await;
    assert_eq!(
        db.sql("SELECT status, effective_at, evaluated_at FROM agent_status_readable"),
        "offline|2026-03-30T09:02:00.000Z|2026-03-30T09:02:00.000Z"
    );
    assert_eq!(
        db.sql("SELECT boundary_at, effective_at, recorded_at FROM transitions_readable WHERE sequence = 1"),
        "2026-03-30T09:00:00.000Z|2026-03-30T09:00:00.000Z|2026-03-30T09:00:01.000Z"
    );
    assert_eq!(
        db.sql("SELECT boundary_at, due_at, deadline_at, created_at, settled_at FROM deliveries_readable WHERE channel = 'apns'"),
        "2026-03-30T09:00:00.000Z|2026-03-30T09:00:01.000Z|2026-03-30T09:10:00.000Z|2026-03-30T09:00:01.000Z|"
    );
    // Exact to the millisecond, whatever the engine computes with.
    let odd = ms("09:00:00") + 7;
    db.sql(&format!("UPDATE agent_state SET effective_at = {odd}"));
    assert_eq!(
        db.sql("SELECT effective_at FROM agent_status_readable"),
        "2026-03-30T09:00:00.007Z"
    );
    let url = if db.store.dialect() == Dialect::Sqlite {
        "token"
    } else {
        "receiver"
    };
    assert!(
        db.try_sql(&format!("SELECT {url} FROM deliveries_readable"))
            .is_err(),
        "a view shows no token"
    );
}

/// `SQLite` has one writer, so nothing can happen between an edit and its commit. On Postgres an
/// edit that comes on top of another holds the scan off until it is committed: else the scan would
/// plan without it and take the mark away.
#[tokio::test]
async fn a_second_edit_under_way_keeps_the_scan_away() {
    let db = Database::postgres().await;
    db.hire("ana", "acme");
    assert_eq!(stale(&db), "ana", "the first edit");
    let mut editor = sqlx::PgConnection::connect(&db.url).await.unwrap();
    let mut edit = editor.begin().await.unwrap();
    sqlx::query("INSERT INTO operating_hours VALUES ('ana', 'tue', '09:00', '17:00')")
        .execute(&mut *edit)
        .await
        .unwrap();
    assert_eq!(due(&db).await, 0, "the second is not committed yet");
    edit.commit().await.unwrap();
    assert_eq!(due(&db).await, 1);
}

async fn due(db: &Database) -> usize {
    let mut tx = db.store.begin().await.unwrap();
    let facts = tx.due_agents(at("12:00:00"), 10).await.unwrap();
    tx.commit().await.unwrap();
    facts.len()
}
