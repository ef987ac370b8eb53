//! What is due next, and how the worker hears of a change before then.
//!
//! Postgres tells (LISTEN), unless a pooler stands before it. On `SQLite` a look at a counter does:
//! `PRAGMA data_version` changes when another connection committed, and reads no table.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{Row as _, Sqlite, pool::PoolConnection, postgres::PgListener};

use super::{
    Db, Store, StoreError, Tx, instant,
    sql::{run, statements},
};
use crate::domain::delivery::ChannelKind;

statements! {
    NEXT_WORK = "SELECT (SELECT min(due_at) FROM agent_state WHERE due_at IS NOT NULL),
                     EXISTS (SELECT 1 FROM workspace_state WHERE dirty_at IS NOT NULL),
                     (SELECT min(coalesce(lease_until, deadline_at)) FROM outbox),
                     (SELECT min(unpack_at) FROM dispatches)";
    NEXT_SEND = "SELECT min(due_at) FROM outbox WHERE lease_until IS NULL AND channel = $1";
    // Of dispatches only those are read in which something is open.
    OPEN_COUNTS = "WITH sent AS MATERIALIZED (SELECT id FROM dispatches WHERE count >
                           (SELECT coalesce(sum(o.count), 0) FROM outcomes o WHERE o.dispatch_id = dispatches.id))
                   SELECT channel, CASE WHEN lease_until IS NULL THEN 'pending' ELSE 'leased' END AS state, count(*),
                       min(created_at)
                   FROM (SELECT channel, lease_until, created_at FROM outbox
                         UNION ALL SELECT channel, lease_until, created_at FROM dispatched
                         WHERE dispatch_id IN (SELECT id FROM sent) AND id NOT IN (SELECT o.id
                             FROM dispatched_outcomes o WHERE o.dispatch_id IN (SELECT id FROM sent))) AS open
                   GROUP BY 1, 2";
    STALE_COUNT = "SELECT count(*) FROM agent_state WHERE due_at = 0";
    PROBLEMS = "SELECT problem FROM agent_state WHERE problem <> '' ORDER BY agent_id LIMIT $1";
    DEVICE_COUNTS = "SELECT platform, state, count(*) FROM devices GROUP BY platform, state";
    REPLAN_ALL = "UPDATE agent_state SET due_at = 0, stale_at = coalesce(stale_at, $1)
                  WHERE status IS NOT NULL OR problem <> ''";
    REPLAN_AHEAD = "UPDATE agent_state SET due_at = 0 WHERE evaluated_at > $1";
    // Nothing is made to wait for longer than an hour, the longest `Retry-After` that is believed.
    DUE_AHEAD = "UPDATE outbox SET due_at = $1
                 WHERE lease_until IS NULL AND due_at > $1 AND (created_at > $1 OR due_at > $1 + 3600000)";
    // The outbox has what is open of them, and takes it back.
    DISPATCHES_AHEAD = "UPDATE dispatches SET unpack_at = $1,
                            lease_until = CASE WHEN started_at > $1 THEN $1 ELSE lease_until END
                        WHERE unpack_at > $1";
    LEASED_AHEAD = "UPDATE outbox SET lease_until = $1
                    WHERE lease_until > $1 AND (created_at > $1 OR lease_until > $1 + 3600000)";
}

/// When there is work next, UTC; `None`: never, unless something changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// A boundary, or a stale plan (then in the past).
    pub scan: Option<Timestamp>,
    /// A lease that runs out, a push whose deadline passes or a dispatch that is to be taken apart.
    pub reap: Option<Timestamp>,
}

/// Open deliveries of one channel in one state.
#[derive(Debug, Clone)]
pub struct OpenCount {
    /// The channel's word.
    pub channel: String,
    /// `pending` or `leased`.
    pub state: String,
    /// How many.
    pub count: i64,
    /// When (UTC) the oldest was recorded.
    pub oldest: Option<Timestamp>,
}

/// Hears that somebody changed the database.
#[derive(Debug)]
pub enum Watch {
    /// Postgres' notifications, and the name of those that are our own.
    Postgres(Box<PgListener>, Arc<str>),
    /// Nothing tells: ask again and again.
    Blind,
    /// A connection of its own on which to ask for `data_version`, and the last answer.
    Sqlite(Box<PoolConnection<Sqlite>>, i64),
}

impl Store {
    /// Begins to listen for changes.
    pub async fn watch(&self) -> Result<Watch, StoreError> {
        let failed = |source| StoreError::Connection {
            what: "listening for changes",
            source,
        };
        match &self.db {
            Db::Postgres { pooler: true, .. } => Ok(Watch::Blind),
            Db::Postgres { pool, name, .. } => {
                let mut listener = PgListener::connect_with(pool).await.map_err(failed)?;
                listener
                    .listen_all(["shiftbell_schedule", "shiftbell_outbox"])
                    .await
                    .map_err(failed)?;
                Ok(Watch::Postgres(Box::new(listener), Arc::clone(name)))
            }
            Db::Sqlite { read, .. } => {
                let mut connection = read.acquire().await.map_err(failed)?;
                let seen = data_version(&mut connection).await.map_err(failed)?;
                Ok(Watch::Sqlite(Box::new(connection), seen))
            }
        }
    }

    /// The instant it is by the database server's clock, UTC; `None` on `SQLite`, which has none.
    pub async fn server_now(&self) -> Result<Option<Timestamp>, StoreError> {
        const NOW: &str = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
        let Db::Postgres { pool, .. } = &self.db else {
            return Ok(None);
        };
        let row = sqlx::raw_sql(NOW).fetch_one(pool).await;
        let now = row
            .and_then(|row| row.try_get(0))
            .map_err(|source| StoreError::Connection {
                what: "asking the server's clock",
                source,
            })?;
        instant("clock", "now", "server", now).map(Some)
    }
}

impl Watch {
    /// Waits for the next notification, on Postgres, and tells whether it is another's; elsewhere answers at once whether another
    /// connection (may have) committed since it was asked last, and is to be asked again in a moment.
    pub async fn changed(&mut self) -> Result<bool, StoreError> {
        let failed = |source| StoreError::Connection {
            what: "listening for changes",
            source,
        };
        match self {
            // Without a notification it tells that the connection was lost and is there again: what
            // happened meanwhile was not heard.
            Self::Postgres(listener, name) => {
                let heard = listener.try_recv().await.map_err(failed)?;
                Ok(heard.is_none_or(|heard| heard.payload() != &**name))
            }
            Self::Blind => Ok(true),
            Self::Sqlite(connection, seen) => {
                let now = data_version(connection).await.map_err(failed)?;
                Ok(std::mem::replace(seen, now) != now)
            }
        }
    }

    /// Whether [`Watch::changed`] waits by itself.
    pub fn waits(&self) -> bool {
        matches!(self, Self::Postgres(..))
    }
}

impl Tx {
    /// Wakes other workers' lanes once this commits. On `SQLite` they see the commit itself.
    pub(super) async fn notify_outbox(&mut self) -> Result<(), StoreError> {
        self.notify("shiftbell_outbox").await
    }

    /// Wakes other workers' scans once this commits, as the triggers on the schedule's tables do.
    pub(super) async fn notify_schedule(&mut self) -> Result<(), StoreError> {
        self.notify("shiftbell_schedule").await
    }

    async fn notify(&mut self, channel: &str) -> Result<(), StoreError> {
        const NOTIFY: &str = "SELECT pg_notify($1, current_setting('application_name'))";
        if let Self::Postgres(c, keeps) = self {
            let sent = sqlx::query(NOTIFY).bind(channel).persistent(*keeps);
            let sent = sent.execute(&mut **c);
            sent.await.map_err(|source| StoreError::Statement {
                name: "NOTIFY",
                source,
            })?;
        }
        Ok(())
    }

    /// When there is work next for the scan.
    pub async fn next_due(&mut self) -> Result<Due, StoreError> {
        type Row = (Option<i64>, bool, Option<i64>, Option<i64>);
        let (scan, dirty, reap, unpack): Row = run!(self, one NEXT_WORK)?;
        let reap = reap.into_iter().chain(unpack).min();
        let at = |column, value: Option<i64>| {
            value
                .map(|v| instant("agent_state", column, "next", v))
                .transpose()
        };
        Ok(Due {
            scan: at("due_at", if dirty { Some(0) } else { scan })?,
            reap: at("lease_until", reap)?,
        })
    }

    /// When a channel has something to send next, UTC.
    pub async fn next_send(
        &mut self,
        channel: ChannelKind,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (due,): (Option<i64>,) = run!(self, one NEXT_SEND, channel.as_str())?;
        due.map(|d| instant("deliveries", "due_at", "next", d))
            .transpose()
    }

    /// Open deliveries by channel and state.
    pub async fn open_counts(&mut self) -> Result<Vec<OpenCount>, StoreError> {
        let rows: Vec<(String, String, i64, i64)> = run!(self, all OPEN_COUNTS)?;
        rows.into_iter()
            .map(|(channel, state, count, oldest)| {
                let oldest = Some(instant("deliveries", "created_at", &channel, oldest)?);
                Ok(OpenCount {
                    channel,
                    state,
                    count,
                    oldest,
                })
            })
            .collect()
    }

    /// How many plans are stale.
    pub async fn stale_count(&mut self) -> Result<i64, StoreError> {
        let (count,): (i64,) = run!(self, one STALE_COUNT)?;
        Ok(count)
    }

    /// Why agents could not be evaluated, at most `limit` of them.
    pub async fn problems(&mut self, limit: i64) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = run!(self, all PROBLEMS, limit)?;
        Ok(rows.into_iter().map(|(problem,)| problem).collect())
    }

    /// Phones by platform and state.
    pub async fn device_counts(&mut self) -> Result<Vec<(String, String, i64)>, StoreError> {
        run!(self, all DEVICE_COUNTS)
    }

    /// Has every plan made afresh at `now` (UTC): the time-zone data changed, which is an edit.
    pub async fn replan_all(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        run!(self, execute REPLAN_ALL, super::ms(now))
    }

    /// Has the plans made afresh that were made after `now` (UTC): the clock stepped back. What was
    /// recorded ahead of it waits no longer than that.
    pub async fn replan_ahead_of(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let now = super::ms(now);
        run!(self, execute DUE_AHEAD, now)?;
        run!(self, execute LEASED_AHEAD, now)?;
        run!(self, execute DISPATCHES_AHEAD, now)?;
        run!(self, execute REPLAN_AHEAD, now)
    }
}

async fn data_version(connection: &mut PoolConnection<Sqlite>) -> Result<i64, sqlx::Error> {
    let (version,): (i64,) = sqlx::query_as("PRAGMA data_version")
        .fetch_one(&mut **connection)
        .await?;
    Ok(version)
}
