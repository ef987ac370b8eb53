//! One story, two databases: what tests of the store, and of what stands on it, share.
//!
//! `on_both!(story)` makes `story::sqlite` and `story::postgres` of `async fn story(db: Database)`.
//! A Postgres that is not installed is a failure, never a skip.

pub(crate) mod postgres;

use std::{path::PathBuf, process::Command};

use shiftbell::store::{OpenOptions, Store};

/// A fresh, migrated database, open, and gone after the test.
pub(crate) struct Database {
    /// The program's own view of it.
    pub(crate) store: Store,
    /// Where it is.
    pub(crate) url: String,
    _dir: Option<tempfile::TempDir>,
}

impl Database {
    /// In a file of its own.
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("shiftbell.db").display());
        Self::open(url, Some(dir)).await
    }

    /// In the server that this process' tests share.
    pub(crate) async fn postgres() -> Self {
        Self::on(postgres::Cluster::shared()).await
    }

    /// In a server of the test's own.
    pub(crate) async fn on(cluster: &postgres::Cluster) -> Self {
        Self::open(cluster.database(), None).await
    }

    async fn open(url: String, dir: Option<tempfile::TempDir>) -> Self {
        let store = Store::open(&OpenOptions::new(url.clone())).await.unwrap();
        Self {
            store,
            url,
            _dir: dir,
        }
    }

    /// Runs SQL as an outsider does, with `sqlite3` or `psql`; rows as lines, columns between `|`.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap()
    }

    /// Like [`Database::sql`]; what the program complained of, where it did.
    pub(crate) fn try_sql(&self, sql: &str) -> Result<String, String> {
        outside(&self.url, sql)
    }
}

/// Runs SQL on the database at `url` as an outsider does.
pub(crate) fn outside(url: &str, sql: &str) -> Result<String, String> {
    match url.strip_prefix("sqlite://") {
        Some(file) => sqlite3(&PathBuf::from(file), sql),
        None => psql(url, sql),
    }
}

/// Runs SQL with Debian's `sqlite3`.
fn sqlite3(file: &std::path::Path, sql: &str) -> Result<String, String> {
    output(
        Command::new("sqlite3")
            .args(["-batch", "-bail", "-cmd", ".timeout 10000"])
            .arg(file)
            .arg(sql),
        "apt-get install sqlite3",
    )
}

/// Runs SQL with `psql`.
fn psql(url: &str, sql: &str) -> Result<String, String> {
    output(
        Command::new("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]),
        "apt-get install postgresql",
    )
}

fn output(command: &mut Command, advice: &str) -> Result<String, String> {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{}: {e}: {advice}", command.get_program().display()));
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Makes two tests of each story, one for each engine.
macro_rules! on_both {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[tokio::test]
            async fn sqlite() {
                super::$story(crate::support::Database::sqlite().await).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::$story(crate::support::Database::postgres().await).await;
            }
        }
    )+};
}
pub(crate) use on_both;
