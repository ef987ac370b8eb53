//! A throw-away database, what runs SQL in it, and what it says of its own work.

use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use crate::{
    process,
    support::{Database, postgres::Cluster},
};

/// With the settings of a fresh installation: fsync is on, every commit waits for the disc.
const SETTINGS: [&str; 3] = [
    "shared_preload_libraries = 'pg_stat_statements'",
    "pg_stat_statements.track = all",
    "track_wal_io_timing = on",
];

/// After so long every backend has reported how many transactions it had: Postgres has an idle one
/// wait for ten seconds.
pub(crate) const REPORTED: Duration = Duration::from_secs(11);

/// Where to run.
pub(crate) enum Server {
    /// A cluster, and its first process.
    Postgres(Box<Cluster>, u32),
    /// Files.
    Sqlite,
}

impl Server {
    /// Starts Postgres with further settings; `planning`: what it takes to plan is counted, too.
    pub(crate) async fn postgres(further: &[String], planning: bool) -> anyhow::Result<Self> {
        let planning = planning.then_some("pg_stat_statements.track_planning = on");
        let settings: Vec<&str> = SETTINGS
            .into_iter()
            .chain(planning)
            .chain(further.iter().map(String::as_str))
            .collect();
        let cluster = Cluster::start(&settings);
        let probe = Database::on(&cluster).await;
        let folder = probe.sql("SHOW data_directory");
        let pid = std::fs::read_to_string(format!("{folder}/postmaster.pid"))?;
        let pid = pid.lines().next().context("postmaster.pid is empty")?;
        Ok(Self::Postgres(Box::new(cluster), pid.parse()?))
    }

    /// A new, migrated database.
    pub(crate) async fn database(&self) -> Database {
        match self {
            Self::Postgres(cluster, _) => {
                let database = Database::on(cluster).await;
                database.sql("CREATE EXTENSION pg_stat_statements");
                database
            }
            Self::Sqlite => Database::sqlite().await,
        }
    }

    /// CPU seconds so far of the database's own processes; none where it is a library.
    pub(crate) fn cpu(&self) -> Option<f64> {
        match self {
            Self::Postgres(_, pid) => Some(process::cpu_of_family(*pid)),
            Self::Sqlite => None,
        }
    }

    /// Memory of the database's own processes, in MiB.
    pub(crate) fn memory(&self) -> Option<f64> {
        match self {
            Self::Postgres(_, pid) => Some(process::memory_of_family(*pid)),
            Self::Sqlite => None,
        }
    }
}

/// What Postgres counts.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Counters {
    pub(crate) statements: f64,
    pub(crate) transactions: f64,
    pub(crate) wal_bytes: f64,
    /// How often the log was made to reach the disc, and how long that took in sum; 0 where this
    /// Postgres says it elsewhere (from 18 on).
    pub(crate) wal_syncs: f64,
    pub(crate) wal_sync_ms: f64,
}

/// A statement and what it cost in sum.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Statement {
    /// To run it, what it calls for by triggers and foreign keys included.
    pub(crate) total_ms: f64,
    pub(crate) plan_ms: f64,
    pub(crate) calls: u64,
    pub(crate) rows: u64,
    pub(crate) wal_bytes: u64,
    /// Called for by another one, in whose time its own is.
    pub(crate) nested: bool,
    pub(crate) text: String,
}

impl Statement {
    /// Planned and run.
    pub(crate) fn ms(&self) -> f64 {
        self.total_ms + self.plan_ms
    }
}

/// Ours are marked; the rest of this database is the worker's.
const THEIRS: &str = "dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                      AND query NOT LIKE '%pg_stat_%' AND query NOT LIKE '%/* bench */%'";

/// Begins to count afresh; `None` on `SQLite`, which counts nothing.
pub(crate) fn begin(database: &Database) -> Option<Counters> {
    if !is_postgres(database) {
        return None;
    }
    database.sql("SELECT pg_stat_statements_reset()");
    count(database)
}

/// The counters now. A backend that fell idle reports its transactions after [`REPORTED`].
pub(crate) fn count(database: &Database) -> Option<Counters> {
    if !is_postgres(database) {
        return None;
    }
    let row = database.sql(&format!(
        "SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE toplevel AND {THEIRS}),
                (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
                pg_current_wal_lsn() - '0/0',
                coalesce((to_jsonb(w) ->> 'wal_sync')::float8, 0), coalesce((to_jsonb(w) ->> 'wal_sync_time')::float8, 0)
         FROM pg_stat_wal w"
    ));
    let mut numbers = row.split('|').filter_map(|number| number.parse().ok());
    Some(Counters {
        statements: numbers.next()?,
        transactions: numbers.next()?,
        wal_bytes: numbers.next()?,
        wal_syncs: numbers.next()?,
        wal_sync_ms: numbers.next()?,
    })
}

/// The statements that took longest in sum, since [`begin`].
pub(crate) fn top(database: &Database, most: Option<u32>) -> Vec<Statement> {
    let Some(most) = most.filter(|_| is_postgres(database)) else {
        return Vec::new();
    };
    let rows = database.sql(&format!(
        "SELECT round(total_exec_time::numeric, 1), round(total_plan_time::numeric, 1), calls, rows, wal_bytes,
                NOT toplevel, left(regexp_replace(query, '\\s+', ' ', 'g'), {LENGTH})
         FROM pg_stat_statements WHERE {THEIRS}
         ORDER BY total_exec_time + total_plan_time DESC LIMIT {most}"
    ));
    rows.lines().filter_map(statement).collect()
}

/// So much of a statement tells which one it is.
const LENGTH: u32 = 150;

fn statement(row: &str) -> Option<Statement> {
    let mut parts = row.splitn(7, '|');
    Some(Statement {
        total_ms: parts.next()?.parse().ok()?,
        plan_ms: parts.next()?.parse().ok()?,
        calls: parts.next()?.parse().ok()?,
        rows: parts.next()?.parse().ok()?,
        wal_bytes: parts.next()?.parse().ok()?,
        nested: parts.next()? == "t",
        text: parts.next()?.to_owned(),
    })
}

pub(crate) fn is_postgres(database: &Database) -> bool {
    database.url.starts_with("postgres")
}

/// One number.
pub(crate) fn number(database: &Database, sql: &str) -> anyhow::Result<u64> {
    let text = database.sql(sql);
    text.parse().with_context(|| format!("{sql}: {text}"))
}
