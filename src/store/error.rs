//! What can go wrong with the database, each error naming the operation.

use std::path::{Path, PathBuf};

use sqlx::error::DatabaseError;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A statement failed.
    #[error("database statement {name} failed")]
    Statement {
        /// The statement's name in the source.
        name: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// Connecting, beginning or committing failed.
    #[error("database: {what} failed")]
    Connection {
        /// What was tried.
        what: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// The `SQLite` file itself is at fault.
    #[error("{}: {trouble}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and what to do.
        trouble: &'static str,
        /// What failed for that.
        source: Box<Self>,
    },
    /// The URL is of no known kind.
    #[error("database.url: {0}")]
    Url(String),
    /// A migration failed.
    #[error("database migration failed")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The database was made by a newer shiftbell.
    #[error(
        "the database has schema version {found}, this program knows up to {known}: run a newer shiftbell"
    )]
    Newer {
        /// The database's version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// The schema is behind and this command was told not to migrate.
    #[error(
        "the database has schema version {found}, this program needs {known}: run `shiftbell migrate`"
    )]
    Older {
        /// The database's version; 0 for an empty database.
        found: i64,
        /// The version this program needs.
        known: i64,
    },
    /// The bundled `SQLite` could lose commits.
    #[error("SQLite {0} can lose commits in WAL mode; 3.51.3 or later is needed")]
    OldSqlite(String),
    /// A stored value cannot be read.
    #[error("{table}.{column} of row {row}: {problem}")]
    Corrupt {
        /// Its table.
        table: &'static str,
        /// Its column.
        column: &'static str,
        /// The row's key.
        row: String,
        /// What is wrong with it.
        problem: String,
    },
    /// An agent is to have an id in another product that belongs to somebody else.
    #[error(
        "agent {agent:?}: external.{product}: {id:?} belongs to agent {holder:?}: take it away there first, or in the same import"
    )]
    Taken {
        /// Who is to have it.
        agent: String,
        /// The product.
        product: String,
        /// The id there.
        id: String,
        /// Who has it.
        holder: String,
        /// The workspace of who has it.
        workspace: String,
    },
    /// A write touched another number of rows than it must.
    #[error("{name} changed {changed} rows, expected {expected}")]
    AffectedRows {
        /// The statement's name in the source.
        name: &'static str,
        /// How many it changed.
        changed: u64,
        /// How many it must.
        expected: u64,
    },
    /// Database work ended without an answer: it panicked, or the program is going down.
    #[error("database work was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl StoreError {
    /// Whether the database refuses these values for good; anything else may pass.
    pub fn is_refusal(&self) -> bool {
        self.database_error().is_some_and(|error| {
            // Class 22 of SQLSTATE: a value that its column cannot hold.
            let data = error
                .code()
                .is_some_and(|c| c.len() == 5 && c.starts_with("22"));
            data || error.kind() != sqlx::error::ErrorKind::Other
        })
    }

    /// Where this comes from the `SQLite` file `file` itself: the same, naming it and what to do.
    pub(super) fn about(self, file: &Path) -> Self {
        let code = self.database_error().and_then(DatabaseError::code);
        // The lowest byte of an extended code is the code itself.
        let code = code.and_then(|code| code.parse::<u32>().ok());
        let trouble = match code.map(|code| code & 0xff) {
            Some(8 | 14) => {
                "cannot be opened for writing: its folder must be there, and this user be able to \
                 write both, on a disk that is not read-only"
            }
            Some(10) => "the disk fails to read or write it: see the system's log",
            Some(11 | 26) => "is damaged: stop shiftbell and put a backup in its place",
            Some(13) => "the disk is full: make room",
            _ => return self,
        };
        Self::File {
            file: file.to_owned(),
            trouble,
            source: Box::new(self),
        }
    }

    fn database_error(&self) -> Option<&dyn DatabaseError> {
        let (Self::Statement { source, .. } | Self::Connection { source, .. }) = self else {
            return None;
        };
        source.as_database_error()
    }
}
