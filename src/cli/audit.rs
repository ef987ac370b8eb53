//! `shiftbell audit`: who did what, newest first.

use super::{
    Context,
    output::{Output, Row},
};
use crate::{lifecycle::Exit, store::AuditRow};

/// Options of `audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what was done in this workspace.
    #[arg(long, value_name = "ID")]
    workspace: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

impl Row for AuditRow {
    const HEADINGS: &'static [&'static str] =
        &["at", "actor", "action", "target", "workspace", "trace"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.at.to_string(),
            self.actor.clone(),
            self.action.clone(),
            self.target.clone(),
            self.workspace.clone().unwrap_or_default(),
            self.trace.clone().unwrap_or_default(),
        ]
    }
}

/// Prints the audit log.
pub async fn audit(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let store = context.store().await?;
    let mut tx = store.snapshot().await?;
    let workspace = args.workspace.as_deref();
    let rows = tx
        .audit_log(workspace, i64::MAX, i64::from(args.limit))
        .await?;
    tx.commit().await?;
    store.close().await;
    let mut output = Output::stdout(context.json);
    output.rows(rows)?;
    output.flush()?;
    Ok(Exit::Done)
}
