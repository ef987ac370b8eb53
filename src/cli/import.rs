//! `shiftbell import`: the whole file is checked before the first row is written, and written in
//! one transaction.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::PathBuf,
};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Context, complain, output::Output};
use crate::{
    domain::{
        roster::{self, Roster},
        zone::Zones,
    },
    lifecycle::Exit,
    store::{Store, StoreError},
};

/// Agents in one statement.
const CHUNK: usize = 1000;

/// Options of `import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// JSON Lines, one agent or workspace a line; `-` for standard input.
    file: PathBuf,
}

#[derive(Serialize)]
struct Imported {
    agents: usize,
    workspaces: usize,
    warnings: usize,
}

/// Imports a file.
pub async fn import(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let store = context.store().await?;
    let roster = read(context, &args.file, &context.zones()?)?;
    let imported = Imported {
        agents: roster.agents.len(),
        workspaces: roster.workspaces.len(),
        warnings: roster.warnings.listed.len() + roster.warnings.more,
    };
    write(&store, roster, context).await?;
    store.close().await;
    let mut output = Output::stdout(context.json);
    output.line(&imported, || {
        format!(
            "{} agents and {} workspaces imported, {} warnings",
            imported.agents, imported.workspaces, imported.warnings
        )
    })?;
    output.flush()?;
    Ok(Exit::Done)
}

/// Reads a file, or standard input for `-`; warnings are printed.
pub(super) fn read(context: &Context, file: &PathBuf, zones: &Zones) -> anyhow::Result<Roster> {
    let (name, source): (String, Box<dyn Read>) = if file.as_os_str() == "-" {
        ("standard input".into(), Box::new(io::stdin()))
    } else {
        let name = file.display().to_string();
        let opened = File::open(file).with_context(|| name.clone())?;
        let bar = bar(
            opened.metadata().map(|m| m.len()).unwrap_or_default(),
            "reading",
            "{bytes}/{total_bytes}",
        );
        (name, Box::new(bar.wrap_read(opened)))
    };
    let roster = roster::read(
        BufReader::with_capacity(1 << 16, source),
        zones,
        context.clock.now(),
    )
    .with_context(|| name.clone())?;
    if !roster.warnings.is_empty() {
        for line in roster.warnings.to_string().lines() {
            complain(&format!("warning: {name}: {line}"));
        }
    }
    Ok(roster)
}

async fn write(store: &Store, mut roster: Roster, context: &Context) -> Result<(), StoreError> {
    // Who locks in one order waits for others, and not in a ring.
    roster.workspaces.sort_by(|a, b| a.id.cmp(&b.id));
    roster.agents.sort_by(|a, b| a.id.cmp(&b.id));
    let now = context.clock.now();
    let bar = bar(roster.agents.len() as u64, "writing", "{pos}/{len} agents");
    store
        .unit(move |store| async move {
            let mut tx = store.begin().await?;
            tx.put_workspaces(&roster.workspaces).await?;
            tx.release_external_ids(&roster.agents).await?;
            for chunk in roster.agents.chunks(CHUNK) {
                tx.put_agents(chunk, now).await?;
                bar.inc(chunk.len() as u64);
            }
            tx.commit().await?;
            bar.finish_and_clear();
            Ok(())
        })
        .await
}

/// A progress bar on standard error; on anything but a terminal it stays silent.
fn bar(length: u64, what: &'static str, count: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{what} [{{bar:40}}] {count} {{eta}}"));
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
