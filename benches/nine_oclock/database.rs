//! A throw-away database, what runs SQL in it, and what it says of its own work.

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

/// Where to run.
pub(crate) enum Server {
    /// A cluster, and its first process.
    Postgres(Box<Cluster>, u32),
    /// Files.
    Sqlite,
}

impl Server {
    /// Starts Postgres with further settings.
    pub(crate) async fn postgres(further: &[String]) -> anyhow::Result<Self> {
        let settings: Vec<&str> = SETTINGS
            .into_iter()
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
}

/// A statement and what it cost.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Statement {
    pub(crate) total_ms: f64,
    pub(crate) calls: u64,
    pub(crate) rows: u64,
    pub(crate) text: String,
}

/// Ours, not the worker's.
const OURS: &str =
    "query NOT LIKE '%pg_stat_%' AND query NOT LIKE '%deliveries WHERE state IN (''pending''%'";

/// Begins to count afresh; `None` on `SQLite`, which counts nothing.
pub(crate) fn begin(database: &Database) -> Option<Counters> {
    if !is_postgres(database) {
        return None;
    }
    database.sql("SELECT pg_stat_statements_reset()");
    count(database)
}

/// The counters now. Each backend reports once a second at most, so wait before asking.
pub(crate) fn count(database: &Database) -> Option<Counters> {
    if !is_postgres(database) {
        return None;
    }
    let row = database.sql(&format!(
        "SELECT (SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s
                 WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND toplevel AND {OURS}),
                (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
                pg_current_wal_lsn() - '0/0'"
    ));
    let mut numbers = row.split('|').filter_map(|number| number.parse().ok());
    Some(Counters {
        statements: numbers.next()?,
        transactions: numbers.next()?,
        wal_bytes: numbers.next()?,
    })
}

/// The statements that took longest in sum, since [`begin`].
pub(crate) fn top(database: &Database, most: u32) -> Vec<Statement> {
    if !is_postgres(database) {
        return Vec::new();
    }
    let rows = database.sql(&format!(
        "SELECT round(total_exec_time), calls, rows, left(regexp_replace(query, '\\s+', ' ', 'g'), 90)
         FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
         AND {OURS} ORDER BY total_exec_time DESC LIMIT {most}"
    ));
    rows.lines().filter_map(statement).collect()
}

fn statement(row: &str) -> Option<Statement> {
    let mut parts = row.splitn(4, '|');
    Some(Statement {
        total_ms: parts.next()?.parse().ok()?,
        calls: parts.next()?.parse().ok()?,
        rows: parts.next()?.parse().ok()?,
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
