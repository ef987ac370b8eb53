//! Every statement is understood by both engines and binds what the code thinks it binds.

use sqlx::{Connection, Either, Executor, SqlSafeStr, Statement};

use shiftbell::store::{all_statements, sql::Dialect};

use crate::support::{Database, on_both};

on_both!(every_statement_prepares);

async fn every_statement_prepares(db: Database) {
    let mut faults = Vec::new();
    macro_rules! prepare_all {
        ($connection:ty, $dialect:ident) => {{
            let mut connection = <$connection>::connect(&db.url).await.unwrap();
            for statement in all_statements() {
                let text = statement.on(Dialect::$dialect);
                match connection.prepare(text.into_sql_str()).await {
                    Err(error) => faults.push(format!("{}: {error}", statement.name)),
                    Ok(prepared) => {
                        let binds = match prepared.parameters() {
                            Some(Either::Left(types)) => types.len(),
                            Some(Either::Right(count)) => count,
                            None => 0,
                        };
                        let meant = statement.binds(Dialect::$dialect);
                        if binds != meant {
                            faults.push(format!("{}: {binds} binds, not {meant}", statement.name));
                        }
                    }
                }
            }
        }};
    }
    match db.store.dialect() {
        Dialect::Sqlite => prepare_all!(sqlx::SqliteConnection, Sqlite),
        Dialect::Postgres => prepare_all!(sqlx::PgConnection, Postgres),
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
