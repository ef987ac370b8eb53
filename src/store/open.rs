//! Opening a database: connection options, and the `SQLite` library's version.

use std::{str::FromStr, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    ConnectOptions, Connection as _,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    Db, LIMITS, Store, StoreError, Tx,
    schema::{check_version, known_version, migrate, version},
    sql::{run, statements},
};

/// A connection that was used so lately is not asked whether it is still there.
const TRUSTED: Duration = Duration::from_secs(1);

statements! {
    KEEP_META = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING";
    READ_META = "SELECT value FROM meta WHERE key = $1";
    WRITE_META = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
}

/// How to open a database.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// `sqlite://path` or `postgres://user@host/db`; it may hold a password.
    pub url: SecretString,
    /// Bring the schema up to date first; otherwise an old schema is refused.
    pub migrate: bool,
    /// Postgres is reached through a pooler that keeps no session (`PgBouncer` in transaction mode).
    pub pooler: bool,
    /// Most connections to Postgres.
    pub connections: u32,
}

impl OpenOptions {
    /// Opens `url` and brings its schema up to date.
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            migrate: true,
            pooler: false,
            connections: 8,
        }
    }
}

impl Store {
    /// Opens a database and checks, or brings up to date, its schema.
    ///
    /// # Errors
    /// A URL of another kind, no connection, a schema newer than this program, or an older one when
    /// `migrate` is off; a `SQLite` library that can lose commits.
    pub async fn open(options: &OpenOptions) -> Result<Self, StoreError> {
        let url = options.url.expose_secret();
        Self::ready(options).await.map_err(|error| {
            let sqlite = url.starts_with("sqlite:").then(|| sqlite_options(url));
            match sqlite {
                Some(Ok(sqlite)) => error.about(sqlite.get_filename()),
                _ => error,
            }
        })
    }

    async fn ready(options: &OpenOptions) -> Result<Self, StoreError> {
        let db = connect(options).await?;
        if options.migrate && version(&db).await? < known_version() {
            migrate(&db).await?;
        }
        check_version(&db).await?;
        let mut store = Self {
            db,
            installation: Arc::from(""),
        };
        store.installation = store
            .meta_or("installation", || {
                format!("{:032x}", rand::random::<u128>())
            })
            .await?
            .into();
        Ok(store)
    }

    /// The value kept under `key`; the first to ask decides it.
    async fn meta_or(
        &self,
        key: &str,
        value: impl FnOnce() -> String,
    ) -> Result<String, StoreError> {
        let mut tx = self.snapshot().await?;
        let known = tx.meta(key).await?;
        tx.commit().await?;
        if let Some(known) = known {
            return Ok(known);
        }
        let mut tx = self.begin().await?;
        run!(&mut tx, execute KEEP_META, key, value())?;
        let (kept,): (String,) = run!(&mut tx, one READ_META, key)?;
        tx.commit().await?;
        Ok(kept)
    }

    /// The schema's version, and that the database answers.
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        let version = version(&self.db).await;
        version.map_err(|error| self.name_file(error))
    }
}

impl Tx {
    /// The value kept under `key`.
    pub async fn meta(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        let row: Option<(String,)> = run!(self, optional READ_META, key)?;
        Ok(row.map(|(value,)| value))
    }

    /// Keeps `value` under `key`.
    pub async fn set_meta(&mut self, key: &str, value: &str) -> Result<(), StoreError> {
        run!(self, execute WRITE_META, key, value)?;
        Ok(())
    }
}

async fn connect(options: &OpenOptions) -> Result<Db, StoreError> {
    let failed = |source| StoreError::Connection {
        what: "connecting",
        source,
    };
    let url = options.url.expose_secret();
    if url.starts_with("sqlite:") {
        let connect = sqlite_options(url).map_err(failed)?;
        // To open it would be to make it, and whoever does not migrate was to change nothing.
        if !options.migrate && !connect.get_filename().exists() {
            let known = known_version();
            return Err(StoreError::Older { found: 0, known });
        }
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            // After a full disk or a failed fsync SQLite has rolled back by itself, which the driver does
            // not notice: such a connection would refuse every transaction from then on.
            .before_acquire(|connection, _| {
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            })
            .connect_with(connect.clone())
            .await
            .map_err(failed)?;
        refuse_old_sqlite(&write).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(4)
            .min_connections(0)
            .connect_lazy_with(connect);
        Ok(Db::Sqlite { write, read })
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let name = format!("shiftbell {:08x}", rand::random::<u32>());
        let mut connect = postgres_options(url, &name).map_err(failed)?;
        if !options.pooler {
            connect = connect.options(LIMITS);
        }
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(Duration::from_secs(10))
            // Not before each transaction: one that served a moment ago is there.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(
                    async move { Ok(about.idle_for < TRUSTED || connection.ping().await.is_ok()) },
                )
            })
            .connect_with(connect)
            .await
            .map_err(failed)?;
        Ok(Db::Postgres {
            pool,
            pooler: options.pooler,
            name: name.into(),
        })
    } else {
        let scheme = url.split(':').next().unwrap_or_default();
        Err(StoreError::Url(format!(
            "`{scheme}:` is not a database; write sqlite://FILE or postgres://USER@HOST/DB"
        )))
    }
}

fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, sqlx::Error> {
    Ok(SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(true)
        // A batch touches more pages than the usual two megabytes hold, and what does not fit is
        // written to the log twice; each checkpoint writes what the next would write again.
        .pragma("cache_size", "-32000")
        .pragma("wal_autocheckpoint", "8000")
        // The driver's thread hands a batch over at once, and is not stopped and woken in the middle of it.
        .row_buffer_size(1024)
        .disable_statement_logging())
}

fn postgres_options(url: &str, name: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let connect = PgConnectOptions::from_str(url)?
        .application_name(name)
        .disable_statement_logging();
    // No float is ever read, and poolers refuse parameters they do not know.
    Ok(connect.extra_float_digits(None))
}

/// `SQLite` 3.7.0–3.51.2 can lose commits in WAL mode when checkpoints race ("The WAL-reset bug",
/// sqlite.org/wal.html); 3.50.7 and 3.44.6 have the fix too.
async fn refuse_old_sqlite(pool: &sqlx::SqlitePool) -> Result<(), StoreError> {
    let (version,): (String,) = sqlx::query_as("SELECT sqlite_version()")
        .fetch_one(pool)
        .await
        .map_err(|source| StoreError::Connection {
            what: "asking SQLite's version",
            source,
        })?;
    if sqlite_keeps_commits(&version) {
        Ok(())
    } else {
        Err(StoreError::OldSqlite(version))
    }
}

fn sqlite_keeps_commits(version: &str) -> bool {
    let parts: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    match parts[..] {
        [3, 44, patch] => patch >= 6,
        [3, 50, patch] => patch >= 7,
        [3, minor, patch] => (minor, patch) >= (51, 3),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::sqlite_keeps_commits;

    #[test]
    fn only_sqlite_with_the_wal_reset_fix_is_taken() {
        for good in ["3.51.3", "3.52.0", "3.50.7", "3.44.6"] {
            assert!(sqlite_keeps_commits(good), "{good}");
        }
        for bad in ["3.51.2", "3.50.6", "3.44.5", "3.40.1", "3.46.0", "?"] {
            assert!(!sqlite_keeps_commits(bad), "{bad}");
        }
    }
}
