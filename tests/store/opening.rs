//! Opening, versions, watching, and what survives the server.

use shiftbell::store::{OpenOptions, Store, StoreError, sql::Dialect};

use crate::{
    support::{Database, on_both, postgres::Cluster},
    world::{change, shift_starts},
};
use shiftbell::domain::{delivery::ChannelKind, presence::Status};

on_both!(
    a_newer_schema_is_refused,
    an_older_schema_is_refused_unless_migrated,
    opening_again_is_the_same_installation,
    several_open_an_empty_database_at_once,
    a_change_by_anybody_is_heard,
    units_outlive_their_callers,
    a_failed_statement_says_its_name,
);

fn options(db: &Database, migrate: bool) -> OpenOptions {
    OpenOptions {
        migrate,
        ..OpenOptions::new(db.url.clone())
    }
}

async fn a_newer_schema_is_refused(db: Database) {
    db.sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, 'x', 1)");
    for migrate in [true, false] {
        let error = Store::open(&options(&db, migrate)).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Newer { found: 9999, .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("9999"), "{error}");
    }
}

async fn an_older_schema_is_refused_unless_migrated(db: Database) {
    let mut options = options(&db, false);
    let dir = tempfile::tempdir().unwrap();
    options.url = match db.store.dialect() {
        Dialect::Sqlite => format!("sqlite://{}", dir.path().join("empty.db").display()),
        Dialect::Postgres => Cluster::shared().empty_database(),
    }
    .into();
    let error = Store::open(&options).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Older { found: 0, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("shiftbell migrate"), "{error}");
    options.migrate = true;
    Store::open(&options).await.unwrap();
    options.migrate = false;
    let store = Store::open(&options).await.unwrap();
    assert!(store.schema_version().await.unwrap() > 0);
}

async fn opening_again_is_the_same_installation(db: Database) {
    let installation = db.sql("SELECT value FROM meta WHERE key = 'installation'");
    assert_eq!(installation.len(), 32);
    let again = Store::open(&options(&db, true)).await.unwrap();
    assert_eq!(
        db.sql("SELECT value FROM meta WHERE key = 'installation'"),
        installation
    );
    let mut tx = again.begin().await.unwrap();
    assert_eq!(tx.meta("installation").await.unwrap(), Some(installation));
    assert_eq!(tx.meta("other").await.unwrap(), None);
    tx.set_meta("other", "one").await.unwrap();
    tx.set_meta("other", "two").await.unwrap();
    assert_eq!(tx.meta("other").await.unwrap().as_deref(), Some("two"));
}

async fn several_open_an_empty_database_at_once(db: Database) {
    let dir = tempfile::tempdir().unwrap();
    let url = match db.store.dialect() {
        Dialect::Sqlite => format!("sqlite://{}", dir.path().join("empty.db").display()),
        Dialect::Postgres => Cluster::shared().empty_database(),
    };
    let opening: Vec<_> = (0..4)
        .map(|_| {
            let options = OpenOptions::new(url.clone());
            tokio::spawn(async move { Store::open(&options).await })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

async fn a_change_by_anybody_is_heard(db: Database) {
    let mut watch = db.store.watch().await.unwrap();
    if !watch.waits() {
        assert!(!watch.changed().await.unwrap());
    }
    db.hire("ana", "acme");
    let heard = tokio::time::timeout(std::time::Duration::from_secs(30), watch.changed()).await;
    assert!(heard.unwrap().unwrap());
    if !watch.waits() {
        assert!(!watch.changed().await.unwrap());
    }
    // Our own store's writes are heard too: another part of the program made them.
    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana"])],
        "09:00:00",
    )
    .await;
    if !watch.waits() {
        assert!(watch.changed().await.unwrap());
    }
    assert_eq!(
        db.store.server_now().await.unwrap().is_some(),
        watch.waits()
    );
}

async fn units_outlive_their_callers(db: Database) {
    db.hire("ana", "acme");
    let (begun, wait) = tokio::sync::oneshot::channel();
    let (go_on, told) = tokio::sync::oneshot::channel::<()>();
    let (ended, end) = tokio::sync::oneshot::channel();
    let store = db.store.clone();
    let caller = tokio::spawn(async move {
        store
            .unit(|store| async move {
                let mut tx = store.begin().await?;
                begun.send(()).unwrap();
                told.await.unwrap();
                tx.set_meta("unit", "whole").await?;
                tx.commit().await?;
                ended.send(()).unwrap();
                Ok(())
            })
            .await
    });
    wait.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    end.await.unwrap();
    assert_eq!(db.sql("SELECT value FROM meta WHERE key = 'unit'"), "whole");
}

async fn a_failed_statement_says_its_name(db: Database) {
    db.sql("DROP TABLE audit; ALTER TABLE holidays RENAME TO feasts");
    let mut tx = db.store.begin().await.unwrap();
    let error = tx.workspaces().await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Statement {
                name: "WORKSPACES",
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_database_of_another_kind_is_refused() {
    let error = Store::open(&OpenOptions::new("mysql://secret@host/db"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Url(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn what_was_committed_survives_a_crash_of_postgres() {
    let cluster = Cluster::start(&[]);
    let db = Database::on(&cluster).await;
    db.hire("ana", "acme");
    db.record(&[change("ana", Status::Online, 1, "09:00:00")], "09:00:00")
        .await;
    cluster.ctl(&["stop", "-m", "immediate"]);
    assert!(db.store.begin().await.is_err());
    cluster.ctl(&["start"]);
    assert_eq!(db.claim(ChannelKind::Presence, "09:00:00").await.len(), 1);
}
