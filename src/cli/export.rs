//! `shiftbell export`: what `import` reads, page by page from one snapshot.

use std::io::{self, BufWriter, Write};

use super::Context;
use crate::{lifecycle::Exit, store::Tx};

const PAGE: i64 = 1000;

/// Writes workspaces, then agents, as JSON Lines.
pub async fn export(context: &Context) -> anyhow::Result<Exit> {
    let store = context.store().await?;
    let mut tx = store.snapshot().await?;
    let written = write(&mut tx).await;
    tx.commit().await?;
    store.close().await;
    match written {
        Err(error)
            if error
                .downcast_ref::<io::Error>()
                .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(Exit::Done)
        }
        other => other.map(|()| Exit::Done),
    }
}

async fn write(tx: &mut Tx) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for workspace in tx.workspaces().await? {
        serde_json::to_writer(&mut out, &workspace)?;
        out.write_all(b"\n")?;
    }
    let mut after = String::new();
    loop {
        let page = tx.agents_after(&after, PAGE).await?;
        for agent in &page {
            writeln!(out, "{}", serde_json::to_string(agent)?)?;
        }
        match page.last() {
            Some(last) => after.clone_from(&last.id),
            None => return Ok(out.flush()?),
        }
    }
}
