//! On Postgres triggers hold what a foreign key would: slots are an agent's, and go with it. (`SQLite`
//! has the foreign key.)

use sqlx::Connection as _;

use crate::support::Database;

const SLOT: &str = "INSERT INTO operating_hours VALUES ('ana', 'tue', '09:00', '17:00')";

async fn ana() -> Database {
    let db = Database::postgres().await;
    db.hire("ana", "acme");
    db.sql("DELETE FROM operating_hours");
    db.sql(SLOT);
    db
}

fn slots(db: &Database) -> String {
    db.sql("SELECT agent_id, day FROM operating_hours")
}

#[tokio::test]
async fn slots_of_nobody_are_refused() {
    let db = ana().await;
    for edit in [
        "INSERT INTO operating_hours VALUES ('ana', 'wed', '09:00', '17:00'), ('bob', 'wed', '09:00', '17:00')",
        "UPDATE operating_hours SET agent_id = 'bob'",
        "UPDATE agents SET id = 'anna'",
    ] {
        assert!(db.try_sql(edit).is_err(), "{edit}");
    }
    assert_eq!(slots(&db), "ana|tue");
}

#[tokio::test]
async fn slots_go_with_their_agent() {
    for removal in ["DELETE FROM agents", "TRUNCATE agents CASCADE"] {
        let db = ana().await;
        db.sql(removal);
        assert_eq!(slots(&db), "", "{removal}");
    }
}

#[tokio::test]
async fn a_removal_waits_for_slots_under_way_and_takes_them_along() {
    let db = ana().await;
    let mut editor = sqlx::PgConnection::connect(&db.url).await.unwrap();
    let mut edit = editor.begin().await.unwrap();
    let slot = SLOT.replace("tue", "wed");
    sqlx::query(sqlx::AssertSqlSafe(slot))
        .execute(&mut *edit)
        .await
        .unwrap();
    let impatient = db.try_sql("SET lock_timeout = '100ms'; DELETE FROM agents");
    assert!(impatient.unwrap_err().contains("lock timeout"));
    let url = db.url.clone();
    let removal =
        std::thread::spawn(move || crate::support::outside(&url, "DELETE FROM agents").unwrap());
    edit.commit().await.unwrap();
    removal.join().unwrap();
    assert_eq!(slots(&db), "");
}

#[tokio::test]
async fn slots_wait_for_a_removal_under_way_and_are_refused() {
    let db = ana().await;
    let mut remover = sqlx::PgConnection::connect(&db.url).await.unwrap();
    let mut removal = remover.begin().await.unwrap();
    sqlx::query("DELETE FROM agents")
        .execute(&mut *removal)
        .await
        .unwrap();
    let slot = SLOT.replace("tue", "wed");
    let impatient = db.try_sql(&format!("SET lock_timeout = '100ms'; {slot}"));
    assert!(impatient.unwrap_err().contains("lock timeout"));
    removal.commit().await.unwrap();
    assert!(db.try_sql(&slot).unwrap_err().contains("not there"));
}
