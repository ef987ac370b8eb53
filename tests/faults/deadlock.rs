//! Another session locks rows in the order opposite to the worker's, so that Postgres ends the
//! worker's transaction (40P01). And, beside it, every transaction is serializable while two workers
//! and an editor write the same rows, so that some cannot be serialized (40001).

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::{
    kit::{Base, Extent, Plan, Report, Theatre, ill_end, until},
    support::postgres::Cluster,
};

const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name LIKE 'shiftbell%' AND wait_event_type = 'Lock'";
const SERIALIZABLE: &str = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I \
                            SET default_transaction_isolation = serializable', current_database()); END $$";

pub(crate) async fn inject(extent: Extent) -> Report {
    let (deadlocks, conflicts) = tokio::join!(deadlocks(extent), conflicts(extent));
    deadlocks.and(conflicts)
}

async fn deadlocks(extent: Extent) -> Report {
    let turns = extent.pick(3, 12);
    let theatre = theatre(turns).await;
    let mut other = PgConnection::connect(&theatre.url).await.unwrap();
    let mut worker = theatre.worker();
    theatre.curtain().await;
    let mut found = Vec::new();
    for turn in 0..turns {
        found.extend(cross(&theatre, &mut other, turn).await.err());
    }
    found.extend(theatre.quiet().await.err());
    found.extend(ill_end(worker.stop().await));
    judge(&theatre, worker.times("deadlock detected"), found).await
}

async fn conflicts(extent: Extent) -> Report {
    let theatre = theatre(extent.pick(3, 12)).await;
    theatre.sql(SERIALIZABLE);
    let mut workers = [theatre.worker(), theatre.worker()];
    theatre.curtain().await;
    let mut found = Vec::new();
    while theatre.clock.now() < theatre.last {
        // An edit that changes nothing: it may itself be what cannot be serialized.
        let _ = theatre.try_sql("UPDATE operating_hours SET day = day");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    found.extend(theatre.quiet().await.err());
    let mut struck = 0;
    for worker in &mut workers {
        found.extend(ill_end(worker.stop().await));
        struck += worker.times("could not serialize");
    }
    judge(&theatre, struck, found).await
}

async fn theatre(turns: i64) -> Theatre {
    let plan = Plan {
        agents: 200,
        spread_s: 3 * turns,
        lead_s: 8,
    };
    Theatre::set(Base::Postgres(Cluster::shared()), plan).await
}

/// Each of the two must have struck.
async fn judge(theatre: &Theatre, struck: u64, mut found: Vec<String>) -> Report {
    if struck == 0 {
        found.push("one of the two never struck".to_owned());
    }
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    report
}

/// Holds what the worker needs last until it waits for it, then asks for what it took first. Postgres
/// makes a victim of whoever waits for a second first: the worker.
async fn cross(theatre: &Theatre, other: &mut PgConnection, turn: i64) -> Result<(), String> {
    let run = |sql: &str| sqlx::AssertSqlSafe(sql.replace('#', &(turn % 5).to_string()));
    let mut tx = other.begin().await.unwrap();
    let last = run("SELECT 1 FROM workspace_state WHERE workspace_id = 'w-#' FOR UPDATE");
    sqlx::raw_sql(last).execute(&mut *tx).await.unwrap();
    let waits = until("the worker to wait", Duration::from_secs(10), async || {
        theatre.number(WAITING) > 0
    });
    waits.await?;
    let first = run("UPDATE agent_state SET due_at = due_at WHERE workspace_id = 'w-#'");
    // It may be this session that Postgres ends.
    let _ = sqlx::raw_sql(first).execute(&mut *tx).await;
    tx.rollback().await.unwrap();
    Ok(())
}
