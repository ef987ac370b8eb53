//! No statement of the service's daily round reads a whole table: with 10,000 agents and 10,000
//! deliveries the plan of every statement is asked for, on both engines.

use serde_json::Value;
use shiftbell::store::{
    all_statements,
    sql::{Dialect, Sql},
};
use sqlx::{AssertSqlSafe, Connection};

use crate::{
    support::{Database, on_both},
    world::ms,
};

on_both!(no_statement_reads_a_whole_table);

/// They read everything: that is what they are for, and nothing the service does every second. (Here
/// everybody is on duty, of whom leases are made.)
const READ_ALL: [&str; 10] = [
    "ADD_LEASES",
    "ACCEPTING",
    "UNPOSTED_MODES",
    "COUNT_AGENTS",
    "DEVICE_COUNTS",
    "REPLAN_ALL",
    "REPLAN_AHEAD",
    "WORKSPACES",
    "TOKENS",
    "USABLE_TOKENS",
];

const BIG: [&str; 13] = [
    "agents",
    "agent_state",
    "operating_hours",
    "leads",
    "devices",
    "external_ids",
    "transitions",
    "deliveries",
    "attempts",
    "holidays",
    "conversations",
    "unanswered",
    "reports",
];

/// They look up in the outbox what a whole batch is about.
const OF_A_BATCH: [&str; 11] = [
    "OPEN",
    "MISSED",
    "PRECEDED",
    "END",
    "END_LEASES",
    "GONE",
    "LEASED",
    "HELD",
    "FINISH",
    "DOOMED",
    "PENDING",
];

/// Indices that hold only what is due or open: reading one from end to end is reading the work.
const OPEN_ONLY: [&str; 3] = [
    "agent_state_problem",
    "agent_state_due",
    "workspace_state_dirty",
];

async fn no_statement_reads_a_whole_table(db: Database) {
    fill(&db);
    let mut faults = Vec::new();
    for statement in all_statements().filter(|s| !READ_ALL.contains(&s.name)) {
        let text = with_samples(statement, db.store.dialect(), 1);
        let plan = match db.store.dialect() {
            Dialect::Postgres => postgres_plan(&db, &text),
            Dialect::Sqlite => sqlite_plan(&db, &text).await,
        };
        if plan.lines().any(reads_a_whole_table) {
            faults.push(format!("{}:\n{plan}\n", statement.name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A quiet afternoon: everybody planned, a long log, little of it open.
fn fill(db: &Database) {
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)";
    let now = ms("12:00:00");
    for insert in [
        "INSERT INTO workspaces (id, name) {n} SELECT 'w-' || i, 'w' FROM n WHERE i <= 100",
        "INSERT INTO holidays {n} SELECT 'w-' || (1 + i % 100), '20' || (10 + i / 100 % 90) || '-01-01' FROM n WHERE TRUE ON CONFLICT DO NOTHING",
        "INSERT INTO agents (id, workspace_id, name, timezone) {n} SELECT 'a-' || i, 'w-' || (1 + i % 100), 'a', 'UTC' FROM n",
        "INSERT INTO operating_hours {n} SELECT 'a-' || i, 'mon', '09:00', '17:00' FROM n",
        "INSERT INTO leads {n} SELECT 'a-' || i, 15, '' FROM n",
        "INSERT INTO devices (platform, token, agent_id) {n} SELECT 'ios', 't-' || i, 'a-' || i FROM n",
        "INSERT INTO external_ids {n} SELECT 'a-' || i, 'chatwoot', i FROM n",
        "INSERT INTO transitions (id, workspace_id, agent_id, reason, status, sequence, effective_at, recorded_at)
         {n} SELECT 't-' || i, 'w-' || (1 + i % 100), 'a-' || i, 'sync', 'online', 1, 1, 1 FROM n",
        "INSERT INTO deliveries (id, transition_id, channel, workspace_id, agent_id, kind, receiver, sequence, state, due_at, settled_at, created_at, tries, epoch, worker, started_at, outcome)
         {n} SELECT 'd-' || i, 't-' || i, 'presence', 'w-' || (1 + i % 100), 'a-' || i, 'agent.status_changed', 'agent:a-' || i, 1,
             'sent', {now} + i, 1, i, 1, 1, 'w', 1, 'sent' FROM n",
        "INSERT INTO outbox (id, transition_id, channel, workspace_id, agent_id, kind, receiver, sequence, due_at, created_at)
         {n} SELECT 'o-' || i, 't-' || i, 'presence', 'w-' || (1 + i % 100), 'a-' || i, 'agent.status_changed', 'agent:a-' || i, 2,
             {now} + i, i FROM n WHERE i <= 100",
        "INSERT INTO attempts (delivery_id, epoch, worker, started_at, finished_at, outcome) {n} SELECT 'd-' || i, 1, 'w', 1, 1, 'sent' FROM n",
        "INSERT INTO conversations (workspace_id, id, agent_id, assigned_at, answered_at, heard_at)
         {n} SELECT 'w-' || (1 + i % 100), 'c-' || i, 'a-' || i, 1, 1, {now} + i FROM n",
        "INSERT INTO unanswered {n} SELECT 'w-' || (1 + i % 100), 'c-' || i, 2 FROM n",
        "INSERT INTO reports {n} SELECT 'w-' || (1 + i % 100), 'e-' || i, {now} + i FROM n",
        "UPDATE workspaces SET ask_invisible_after_seconds = 60",
        "INSERT INTO workspace_state (workspace_id, mode, sequence) {n} SELECT 'w-' || i, 'live_chat', 1 FROM n WHERE i <= 100",
    ] {
        db.sql(&insert.replace("{n}", numbers).replace("{now}", &now.to_string()));
    }
    db.sql(&format!("UPDATE agent_state SET status = 'online', sequence = 1, stale_at = NULL, due_at = {now} + length(agent_id) * 1000"));
    // Postgres does so by itself in the background; SQLite does not, and must do without.
    if db.store.dialect() == Dialect::Postgres {
        db.sql("ANALYZE");
    }
}

/// Postgres counts a table now and then, and takes the outbox of a quiet hour for an empty one. At the
/// next boundary what is in it is looked up all the same, be it for a whole batch.
#[tokio::test]
async fn an_outbox_that_was_counted_empty_is_not_read_whole() {
    let db = Database::postgres().await;
    db.sql("ALTER TABLE outbox SET (autovacuum_enabled = false)");
    fill(&db);
    // All but one that stands last: the pages stay.
    let event = |kind: &str| {
        format!(
            "INSERT INTO outbox (id, transition_id, channel, workspace_id, agent_id, kind, receiver, sequence, due_at, created_at)
             SELECT '{kind}-' || i, 't-' || i, 'presence', 'w-1', 'a-' || i, 'agent.status_changed', '{kind}:a-' || i, 2, 1, 1
             FROM generate_series(1, 10000) AS n(i)"
        )
    };
    db.sql(&event("ended"));
    db.sql("DELETE FROM outbox WHERE id <> 'ended-10000'");
    db.sql("VACUUM ANALYZE outbox");
    db.sql(&event("agent"));
    let mut looked_at = 0;
    for statement in all_statements().filter(|s| OF_A_BATCH.contains(&s.name)) {
        let text = with_samples(statement, Dialect::Postgres, 500);
        let plan = postgres_plan(&db, &text);
        let lines: Vec<&str> = plan.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if line.contains("Scan") && line.contains("outbox") {
                let by = lines.get(at + 1).unwrap_or(&"");
                let by_key = ["(id =", "(receiver =", "(agent_id ="];
                assert!(
                    by.contains("Index Cond") && by_key.iter().any(|key| by.contains(key)),
                    "{}:\n{plan}",
                    statement.name
                );
                looked_at += 1;
            }
        }
    }
    assert!(looked_at >= 10, "{looked_at} looks at the outbox");
}

/// The statement with values of a usual round instead of binds: so many rows, where it takes some.
fn with_samples(statement: &'static Sql, dialect: Dialect, rows: usize) -> String {
    let now = ms("12:00:00").to_string();
    let now = now.as_str();
    let samples = match statement.name {
        "DUE" | "DIRTY_NOW" => vec![now, "100"],
        "CLAIM" => vec!["'presence'", now, "100", now, "0", "0", "'w'"],
        "OLDER" => vec![r#"'[{"receiver":"agent:a-1","sequence":2}]'"#],
        "NEXT_SEND" => vec!["'presence'"],
        "ADD_LEASES"
        | "FORGET_REPLIES"
        | "FORGET_REPORTS"
        | "FORGET_CONVERSATIONS"
        | "USABLE_TOKENS"
        | "LAPSED"
        | "EXPIRED"
        | "REPLAN_AHEAD"
        | "DUE_AHEAD"
        | "DISPATCHES_AHEAD"
        | "LEASED_AHEAD" => vec![now],
        "UNKNOWN" | "REAP" | "REVISIT" | "NEW_MODES" => {
            vec![r#"'["d-1"]'"#, now]
        }
        "STATE" => vec![r#"'[{"agent_id":"a-1"}]'"#, "'d-1'"],
        "DISPATCH" => vec!["'d-1'", "'w'", now, now, now, "1", "'[]'"],
        "TO_UNPACK" => vec![now, "4"],
        "OPEN" => vec![r#"'[{"id":"d-1"}]'"#, "'w'", now, now],
        "CLAIM_LEASES" => vec![now, now, "100"],
        "PULL_LEASES" => vec![now, now],
        "TOLD_LATELY" => vec![now, "500"],
        "STEP" => vec!["'a-1'", now, now],
        "LOOK_AGAIN" | "RENEW_SOONER" => vec![r#"'["a-1"]'"#, now],
        "EXTERNAL_IDS" => vec![r#"'["a-1"]'"#, "'chatwoot'"],
        "REVIVE" => vec![r#"'["d-1"]'"#, now],
        "ATTEMPTS_OF" | "ONE" | "READ_META" | "TOKEN" => vec!["'d-1'"],
        "KEEP_META" | "WRITE_META" => vec!["'key'", "'value'"],
        "PROBLEMS" => vec!["10"],
        "UNPOSTED" => vec!["'a-5000'", "500"],
        "SET" => vec!["'a-1'", "'offline'", now, "NULL"],
        "PAGE" | "TOLD_AFTER" => vec!["'a-5000'", "100"],
        "LIST" => vec!["NULL", "NULL", "NULL", "NULL", "0", "50", now, "''"],
        "LIST_OF_AGENT" => vec![
            "NULL", "NULL", "NULL", "NULL", "0", "50", now, "''", "'a-1'",
        ],
        "FAILED_MATCHING" | "OPEN_MATCHING" => {
            vec!["NULL", "NULL", "NULL", "NULL", "0", "NULL", "100"]
        }
        "WORKSPACE_PAGE" => vec!["'w-50'", "100"],
        "HOLD_WORKSPACE" | "REMOVE_WORKSPACE" | "TEAM_SIZE" | "MODE" | "STATUSES" => {
            vec!["'w-1'"]
        }
        "CHANGES_UNTIL" | "REVOKE_FEEDS" => vec!["'a-1'", now],
        "CHANGES_AFTER" => vec!["'a-1'", "1"],
        "THESE_RECORDED" => vec![r#"'["t-1"]'"#, "'a-1'"],
        "ALERTS_OF" | "LEADS_AROUND" => vec!["'a-1'", now, now, now, now],
        "EVENT_OF" => vec!["'agent:a-1'", "2"],
        "HOLD_AGENT" | "STATUS_OF" | "WORKSPACE_OF" | "PHONES_OF" | "EXPLAIN_STATE"
        | "FIRST_CHANGE" | "SILENCED" => vec!["'a-1'"],
        "TEAM_PAGE" => vec!["'w-1'", "'a-50'", "100"],
        "REGISTER" => vec!["'ios'", "'t-1'", "'a-1'", "'production'", now],
        "ONE_PHONE" | "UNREGISTER" => vec!["'a-1'", "'ios'", "'t-1'"],
        "CLAIM_KEY" => vec!["'token'", "'key'", "'hash'", now],
        "REPLY" => vec!["'token'", "'key'"],
        "KEEP_REPLY" => vec!["'token'", "'key'", "200", "'{}'"],
        "REVOKE_TOKEN" => vec!["'0'", now],
        "ADD_TOKEN" => vec!["'0'", "'t'", "'agent'", "NULL", "'a-1'", "'h'", now, "NULL"],
        "AUDIT_PAGE" => vec!["100", "50"],
        "AUDIT_PAGE_OF" => vec!["100", "50", "'w-1'"],
        _ if statement.binds(Dialect::Sqlite) == 0 => vec![],
        _ => vec![r#"'[{"id":"d-1"}]'"#],
    };
    assert_eq!(
        samples.len(),
        statement.binds(Dialect::Sqlite),
        "{}: give it samples",
        statement.name
    );
    let samples = match dialect {
        Dialect::Sqlite => samples.into_iter().map(str::to_owned).collect(),
        Dialect::Postgres => in_arrays(statement, &samples, rows),
    };
    let mut text = statement.on(dialect).to_owned();
    for (index, sample) in samples.iter().enumerate().rev() {
        text = text.replace(&format!("${}", index + 1), sample);
    }
    text
}

/// The samples for Postgres: of a row an array for each column, of a list one.
fn in_arrays(statement: &'static Sql, samples: &[&str], rows: usize) -> Vec<String> {
    let mut all: Vec<String> = samples.iter().map(|sample| (*sample).to_owned()).collect();
    let json = samples.first().and_then(|s| s.strip_prefix("'["));
    let Some(item) = json.and_then(|s| s.strip_suffix("]'")) else {
        return all;
    };
    let item: Value = serde_json::from_str(item).unwrap();
    let array = |value: Option<&Value>| {
        let cell = value.map_or_else(|| "NULL".to_owned(), Value::to_string);
        format!("'{{{}}}'", vec![cell; rows].join(","))
    };
    let columns = statement.columns().iter();
    let mut arrays = columns.map(|column| array(item.get(column.name)));
    let of_list = || array(item.get("id").or(Some(&item)));
    all[0] = arrays.next().unwrap_or_else(of_list);
    all.extend(arrays);
    all
}

/// As on the store's own connections.
fn postgres_plan(db: &Database, text: &str) -> String {
    db.sql(&format!("SET random_page_cost = 1.1; EXPLAIN {text}"))
}

async fn sqlite_plan(db: &Database, text: &str) -> String {
    let mut connection = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
    let lines: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    lines
        .into_iter()
        .map(|(.., line)| line)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Postgres says `Seq Scan on TABLE`, `SQLite` `SCAN ALIAS`, with the index if it goes along one.
fn reads_a_whole_table(line: &str) -> bool {
    if let Some((_, table)) = line.split_once("Seq Scan on ") {
        return BIG.contains(&table.split_whitespace().next().unwrap());
    }
    let Some(scanned) = line.strip_prefix("SCAN ") else {
        return false;
    };
    // An array in JSON.
    if scanned.contains(" VIRTUAL TABLE ") {
        return false;
    }
    let holds_values = [
        "picked",
        "phone",
        "sent",
        "known",
        "open",
        "dispatched",
        "CONSTANT",
        "ended",
        "delivery_log",
        "attempt_log",
    ]
    .iter()
    .any(|name| scanned.split(' ').next() == Some(name));
    // Dispatches are of the last half minute.
    let open_only = ["outbox", "dispatches", "outcomes"]
        .iter()
        .any(|of| scanned.starts_with(of))
        || scanned == "p"
        || ["presence_leases", "presence_walk"].contains(&scanned)
        || OPEN_ONLY.iter().any(|index| scanned.contains(index));
    !(holds_values || open_only)
}
