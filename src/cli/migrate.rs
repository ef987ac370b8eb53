//! `shiftbell migrate`

use anyhow::Context as _;
use serde::Serialize;

use super::{Context, output::Output};
use crate::{
    lifecycle::Exit,
    store::{OpenOptions, Store},
};

#[derive(Serialize)]
struct Migrated {
    schema_version: i64,
}

/// Brings the schema up to date and prints its version.
pub async fn migrate(context: &Context) -> anyhow::Result<Exit> {
    let database = context.database()?;
    let store = Store::open(&OpenOptions::new(database.url.clone()))
        .await
        .with_context(|| format!("opening {}", database.shown))?;
    let schema_version = store.schema_version().await?;
    store.close().await;
    let mut output = Output::stdout(context.json);
    output.line(&Migrated { schema_version }, || {
        format!("{}: schema version {schema_version}", database.shown)
    })?;
    output.flush()?;
    Ok(Exit::Done)
}
