//! The only place with SQL. `SQLite` and Postgres, one behaviour, each statement written once.
//!
//! - A unit of work is one transaction ([`Store::begin`] … [`Tx::commit`]); none is open while a
//!   request to a receiver is under way.
//! - Units run in tasks of their own ([`Store::unit`]): a caller that is cancelled never leaves a
//!   connection inside a transaction.
//! - `SQLite` has one writer: write transactions begin with `BEGIN IMMEDIATE` on a pool of one, WAL
//!   with `synchronous=FULL`. Postgres locks the rows it picks and skips those of others.
//! - Instants are UTC epoch milliseconds in `BIGINT`.
//!
//! `tests/store` holds both engines to all of it.

mod audit;
mod bind;
mod by_hand;
mod columns;
mod conversations;
mod directory;
mod error;
mod explain;
mod facts;
mod log;
mod modes;
mod open;
mod outbox;
mod phones;
mod posting;
mod record;
mod replies;
mod roster;
mod rows;
mod schema;
pub mod sql;
mod tokens;
mod upkeep;
mod watch;

use std::{future::Future, sync::Arc};

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;

pub use audit::{Actor, AuditRow};
pub use directory::{ModeRow, StatusRow};
pub use error::StoreError;
pub use explain::Question;
pub use log::{AttemptRow, DeliveryFilter, DeliveryRow, Done, Matched};
pub use modes::Modes;
pub use open::OpenOptions;
pub use outbox::{
    Reaped,
    claim::{Claimed, Crashed, Order},
    dispatch::Lease,
    messages::PushFacts,
    settle::{Kept, Settled, Settlement},
};
pub use phones::PhoneRow;
pub use record::{Written, begin::Terms};
pub use replies::Before;
pub use roster::ImportCounts;
pub use tokens::TokenRow;
pub use upkeep::{Again, Seen, Stride, lease::LEASES_RENEWED};
pub use watch::{Due, Watch};

use sql::Dialect;

use crate::domain::delivery::{ChannelKind, DeliveryState};

/// Under which key of `meta` stands when a worker last evaluated anybody.
pub const LAST_EVALUATION: &str = "last_evaluation";

/// A database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    /// Distinguishes this installation's event ids from those of a database begun anew.
    installation: Arc<str>,
}

#[derive(Debug, Clone)]
enum Db {
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres {
        pool: PgPool,
        /// Whether a pooler stands before it, which keeps no session: nothing can be listened for.
        pooler: bool,
        /// What our sessions are called: by it we know our own notifications.
        name: Arc<str>,
    },
}

/// What holds in every session. Rows are picked by key; the default page cost is for discs that turn,
/// and makes the planner read tables of some ten thousand rows whole instead (`tests/store/plans.rs`).
/// No plan is kept: one that was made for the empty outbox of a quiet hour reads all of it, again and
/// again, when a shift starts (`benches/README.md`).
const LIMITS: [(&str, &str); 5] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("random_page_cost", "1.1"),
    ("plan_cache_mode", "force_custom_plan"),
];

/// A delivery that reached its final state without an attempt: nothing is to be sent any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its id.
    pub id: Uuid,
    /// The receiver.
    pub channel: ChannelKind,
    /// Its final state.
    pub state: DeliveryState,
    /// Why.
    pub reason: String,
    /// Leases it has had.
    pub epoch: i64,
    /// What it is about.
    pub about: About,
}

/// What a delivery is about, as the log names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The transition that called for it.
    pub transition: String,
    /// The agent; none for a workspace's mode.
    pub agent: Option<String>,
    /// What it says.
    pub kind: String,
    /// The boundary (UTC) an alert is about.
    pub boundary: Option<Timestamp>,
}

/// A transaction; rolled back unless committed.
#[derive(Debug)]
pub enum Tx {
    /// On `SQLite`.
    Sqlite(Transaction<'static, Sqlite>),
    /// On Postgres; and whether the session stays ours, so that statements may be prepared in it.
    Postgres(Transaction<'static, Postgres>, bool),
}

impl Store {
    /// Which engine this is.
    pub fn dialect(&self) -> Dialect {
        match self.db {
            Db::Sqlite { .. } => Dialect::Sqlite,
            Db::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// Whether transactions that write go on beside each other: `SQLite` has one writer.
    pub fn writes_side_by_side(&self) -> bool {
        self.dialect() == Dialect::Postgres
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match &self.db {
            Db::Sqlite { write, .. } => write.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite),
            Db::Postgres { pool, pooler, .. } => begin_on(pool, *pooler, "BEGIN").await,
        }
        .map_err(|source| StoreError::Connection {
            what: "beginning a transaction",
            source,
        })
    }

    /// Begins a transaction that only reads; on `SQLite` it waits for no writer.
    pub async fn snapshot(&self) -> Result<Tx, StoreError> {
        match &self.db {
            Db::Sqlite { read, .. } => read.begin().await.map(Tx::Sqlite),
            Db::Postgres { pool, pooler, .. } => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
                begin_on(pool, *pooler, begin).await
            }
        }
        .map_err(|source| StoreError::Connection {
            what: "beginning a read",
            source,
        })
    }

    /// Runs one unit of database work in a task that nobody cancels.
    pub async fn unit<T, F, W>(&self, work: W) -> Result<T, StoreError>
    where
        W: FnOnce(Self) -> F + Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send,
        T: Send + 'static,
    {
        let store = self.clone();
        tokio::spawn(async move { work(store).await })
            .await
            .map_err(StoreError::Interrupted)?
            .map_err(|error| self.name_file(error))
    }

    /// Where the `SQLite` file itself is at fault: the error naming it.
    fn name_file(&self, error: StoreError) -> StoreError {
        match &self.db {
            Db::Sqlite { write, .. } => error.about(write.connect_options().get_filename()),
            Db::Postgres { .. } => error,
        }
    }

    /// Closes all connections, after the work under way.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Db::Postgres { pool, .. } => pool.close().await,
        }
    }
}

/// Begins with the statement `begin`; behind a pooler, whose sessions are not ours to set, the limits
/// hold for this transaction. Connections that died since they served last are passed over: nothing
/// was asked of them yet.
async fn begin_on(pool: &PgPool, pooler: bool, begin: &str) -> Result<Tx, sqlx::Error> {
    let mut text = begin.to_owned();
    if pooler {
        text.extend(LIMITS.map(|(name, value)| format!("; SET LOCAL {name} = '{value}'")));
    }
    let begin = || pool.begin_with(AssertSqlSafe(text.clone()));
    let mut tx = begin().await;
    for _ in 0..pool.size() {
        if !matches!(tx, Err(sqlx::Error::Io(_))) {
            break;
        }
        tx = begin().await;
    }
    tx.map(|tx| Tx::Postgres(tx, !pooler))
}

impl Tx {
    /// Makes everything in it last.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx, _) => tx.commit().await,
        }
        .map_err(|source| StoreError::Connection {
            what: "committing",
            source,
        })
    }
}

/// Every statement there is, for the test that prepares them.
pub fn all_statements() -> impl Iterator<Item = &'static sql::Sql> {
    [
        audit::ALL,
        by_hand::ALL,
        conversations::ALL,
        conversations::waiting::ALL,
        directory::ALL,
        explain::ALL,
        facts::ALL,
        modes::ALL,
        open::ALL,
        outbox::ALL,
        outbox::claim::ALL,
        outbox::dispatch::ALL,
        outbox::end::ALL,
        outbox::give_back::ALL,
        outbox::messages::ALL,
        outbox::settle::ALL,
        outbox::unpack::ALL,
        phones::ALL,
        posting::ALL,
        record::ALL,
        replies::ALL,
        roster::ALL,
        roster::external::ALL,
        roster::leads::ALL,
        roster::slots::ALL,
        tokens::ALL,
        upkeep::ALL,
        upkeep::lease::ALL,
        watch::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
    .chain(log::statements())
}

/// In milliseconds, but for the very last second, whose milliseconds could not be read back.
fn ms(instant: Timestamp) -> i64 {
    instant
        .as_millisecond()
        .min(Timestamp::MAX.as_second() * 1000)
}

fn instant(
    table: &'static str,
    column: &'static str,
    row: &str,
    ms: i64,
) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(|e| StoreError::Corrupt {
        table,
        column,
        row: row.to_owned(),
        problem: e.to_string(),
    })
}
