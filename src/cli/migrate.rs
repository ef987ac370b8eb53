//! `shiftbell migrate`

use serde::Serialize;

use super::{Context, open, output::Output};
use crate::lifecycle::Exit;

#[derive(Serialize)]
struct Migrated {
    schema_version: i64,
}

/// Brings the schema up to date and prints its version.
pub async fn migrate(context: &Context) -> anyhow::Result<Exit> {
    let database = context.database()?;
    let store = open(&database, true).await?;
    let schema_version = store.schema_version().await?;
    store.close().await;
    let mut output = Output::stdout(context.json);
    output.line(&Migrated { schema_version }, || {
        format!("{}: schema version {schema_version}", database.shown)
    })?;
    output.flush()?;
    Ok(Exit::Done)
}
