//! The schema: bringing it up to date, and which version a database has.

use sqlx::{Row as _, migrate::Migrator, postgres::PgPoolOptions};

use super::{Db, StoreError};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Several may do so at once. Postgres has a lock for it; on `SQLite` all of it is one transaction
/// that begins as the writer.
pub(super) async fn migrate(db: &Db) -> Result<(), StoreError> {
    let failed = |source| StoreError::Connection {
        what: "migrating",
        source,
    };
    let done = match db {
        Db::Sqlite { write, .. } => {
            let mut tx = write.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            // `run` is the same, but would make this future unfit for `tokio::spawn`.
            let done = SQLITE.run_direct(None, &mut *tx, false).await;
            if done.is_ok() {
                tx.commit().await.map_err(failed)?;
            }
            done
        }
        Db::Postgres { pool, .. } => {
            // It takes as long as it takes, and so does waiting for another who is at it.
            let unlimited = [("statement_timeout", "0"), ("lock_timeout", "0")];
            let patient = (*pool.connect_options()).clone().options(unlimited);
            let pool = PgPoolOptions::new().max_connections(1);
            let pool = pool.connect_with(patient).await.map_err(failed)?;
            let done = POSTGRES.run(&pool).await;
            pool.close().await;
            done
        }
    };
    done.map_err(StoreError::Migration)
}

/// The newest version this program knows; the same for both engines.
pub(super) fn known_version() -> i64 {
    SQLITE.iter().map(|m| m.version).max().unwrap_or(0)
}

pub(super) async fn check_version(db: &Db) -> Result<(), StoreError> {
    let known = known_version();
    match version(db).await? {
        found if found > known => Err(StoreError::Newer { found, known }),
        found if found < known => Err(StoreError::Older { found, known }),
        _ => Ok(()),
    }
}

/// 0 where there is no schema yet.
pub(super) async fn version(db: &Db) -> Result<i64, StoreError> {
    const EXISTS_SQLITE: &str =
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')";
    const EXISTS_POSTGRES: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    const NEWEST: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
    let failed = |source| StoreError::Connection {
        what: "reading the schema's version",
        source,
    };
    macro_rules! ask {
        ($pool:expr, $exists:expr) => {{
            // As text: a pooler may give each of two round trips to another session.
            let exists = sqlx::raw_sql($exists).fetch_one($pool).await;
            if !exists
                .and_then(|row| row.try_get::<bool, _>(0))
                .map_err(failed)?
            {
                return Ok(0);
            }
            let newest = sqlx::raw_sql(NEWEST).fetch_one($pool).await;
            newest.and_then(|row| row.try_get(0)).map_err(failed)
        }};
    }
    match db {
        Db::Sqlite { write, .. } => ask!(write, EXISTS_SQLITE),
        Db::Postgres { pool, .. } => ask!(pool, EXISTS_POSTGRES),
    }
}
