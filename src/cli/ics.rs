//! `shiftbell import --ics`: holidays of a workspace, or away spans of an agent, from a calendar.
//!
//! What the file gives replaces what was there, so that a holiday that was cancelled is gone; `--keep`
//! adds instead. All is read before anything is written, and nothing is written that is there already:
//! an hourly import of the same calendar has nobody planned afresh.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context as _, bail};
use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::{Context, complain, output::Output};
use crate::{
    domain::{
        agent::{Agent, Field, Named},
        calendar::{self, Found, LARGEST, Reading},
        hours::Away,
        zone::Zones,
    },
    lifecycle::Exit,
    store::{Store, StoreError},
};

/// Options of `import --ics`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// FILE is an iCalendar file: holidays of `--workspace`, or away spans of `--agent`, replacing those
    /// that are there.
    #[arg(long, requires = "owner")]
    ics: bool,
    /// Whose holidays they are: the days of all-day events.
    #[arg(long, value_name = "ID", group = "owner", requires = "ics")]
    workspace: Option<String>,
    /// Whose away spans they are, in the agent's local time.
    #[arg(long, value_name = "ID", group = "owner", requires = "ics")]
    agent: Option<String>,
    /// Adds to those that are there instead of replacing them.
    #[arg(long, requires = "ics")]
    keep: bool,
    /// Takes events marked as free (TRANSP:TRANSPARENT) too, as those of public holiday calendars often are.
    #[arg(long, requires = "ics")]
    transparent: bool,
}

#[derive(Serialize)]
struct Imported<'a> {
    #[serde(flatten)]
    owner: Owner<'a>,
    /// How many were there.
    before: usize,
    /// How many are there now.
    now: usize,
    left_out: usize,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Owner<'a> {
    Workspace(&'a str),
    Agent(&'a str),
}

impl Args {
    /// Imports `file` as a calendar; `None` where it is none.
    pub(super) async fn import(
        &self,
        context: &Context,
        file: &Path,
    ) -> anyhow::Result<Option<Exit>> {
        let owner = match (&self.workspace, &self.agent) {
            (Some(id), _) => Owner::Workspace(id),
            (_, Some(id)) => Owner::Agent(id),
            _ => return Ok(None),
        };
        let store = context.store().await?;
        let imported = match owner {
            Owner::Workspace(id) => self.holidays(context, &store, file, id).await?,
            Owner::Agent(id) => self.away(context, &store, file, id).await?,
        };
        store.close().await;
        let mut output = Output::stdout(context.json);
        output.line(&imported, || told(&imported))?;
        output.flush()?;
        Ok(Some(Exit::Done))
    }

    async fn holidays<'a>(
        &self,
        context: &Context,
        store: &Store,
        file: &Path,
        id: &'a str,
    ) -> anyhow::Result<Imported<'a>> {
        let zones = context.zones()?;
        let (name, bytes) = read(file)?;
        let found = calendar::holidays(&bytes, self.reading(&zones, context.clock.now()));
        let found = warned(&name, found.with_context(|| name.clone())?);
        let counts = put_holidays(store, id, found.items, self.keep).await?;
        let Some((before, now)) = counts else {
            bail!("there is no workspace {id:?}: import it first");
        };
        Ok(Imported {
            owner: Owner::Workspace(id),
            before,
            now,
            left_out: found.left_out,
        })
    }

    async fn away<'a>(
        &self,
        context: &Context,
        store: &Store,
        file: &Path,
        id: &'a str,
    ) -> anyhow::Result<Imported<'a>> {
        let (zones, now) = (context.zones()?, context.clock.now());
        let mut tx = store.snapshot().await?;
        let agent = tx.agent(id).await?;
        tx.commit().await?;
        let Some(agent) = agent else {
            bail!("there is no agent {id:?}: import it first");
        };
        let zone = zones
            .get(&agent.timezone)
            .with_context(|| format!("agent {id:?}"))?;
        let (name, bytes) = read(file)?;
        let found = calendar::away(&bytes, &zone, self.reading(&zones, now));
        let found = warned(&name, found.with_context(|| name.clone())?);
        let counts = put_away(store, &agent, found.items, self.keep, now).await?;
        let Some((before, now)) = counts else {
            bail!("agent {id:?} was moved to another time zone meanwhile: import again");
        };
        Ok(Imported {
            owner: Owner::Agent(id),
            before,
            now,
            left_out: found.left_out,
        })
    }

    fn reading<'a>(&self, zones: &'a Zones, now: Timestamp) -> Reading<'a> {
        Reading {
            zones,
            now,
            transparent: self.transparent,
        }
    }
}

fn told(imported: &Imported) -> String {
    let (id, what) = match imported.owner {
        Owner::Workspace(id) => (id, "holidays"),
        Owner::Agent(id) => (id, "away spans"),
    };
    format!(
        "{id}: {} {what}, {} before; {} events left out",
        imported.now, imported.before, imported.left_out
    )
}

/// The whole of a file, or of standard input for `-`, up to one byte more than is allowed; and its name.
fn read(file: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let (name, source): (String, Box<dyn Read>) = if file.as_os_str() == "-" {
        ("standard input".into(), Box::new(io::stdin()))
    } else {
        let name = file.display().to_string();
        let opened = File::open(file).with_context(|| name.clone())?;
        (name, Box::new(opened))
    };
    let mut bytes = Vec::new();
    source
        .take(LARGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| name.clone())?;
    Ok((name, bytes))
}

/// `found`, its warnings printed.
fn warned<T>(name: &str, found: Found<T>) -> Found<T> {
    if !found.warnings.is_empty() {
        for line in found.warnings.to_string().lines() {
            complain(&format!("warning: {name}: {line}"));
        }
    }
    found
}

/// How many there were and are; `None` if there is no such workspace.
async fn put_holidays(
    store: &Store,
    id: &str,
    dates: Vec<Date>,
    keep: bool,
) -> Result<Option<(usize, usize)>, StoreError> {
    let id = id.to_owned();
    let write = async move |store: Store| {
        let mut tx = store.begin().await?;
        let Some(mut workspace) = tx.hold_workspace(&id).await? else {
            return Ok(None);
        };
        let mut stored = workspace.holidays.take().unwrap_or_default();
        stored.sort_unstable();
        let wanted = joined(&stored, dates, keep);
        let counts = (stored.len(), wanted.len());
        if wanted != stored {
            workspace.holidays = Some(wanted);
            tx.put_workspaces(&[workspace]).await?;
        }
        tx.commit().await?;
        Ok(Some(counts))
    };
    store.unit(write).await
}

/// How many there were and are; `None` if the agent is in another zone than `seen` was, or gone.
async fn put_away(
    store: &Store,
    seen: &Agent,
    spans: Vec<Away>,
    keep: bool,
    now: Timestamp,
) -> Result<Option<(usize, usize)>, StoreError> {
    let (id, timezone) = (seen.id.clone(), seen.timezone.clone());
    let write = async move |store: Store| {
        let mut tx = store.begin().await?;
        let stored = tx.hold_agent(&id).await?;
        let Some(mut agent) = stored.filter(|agent| agent.timezone == timezone) else {
            return Ok(None);
        };
        let mut stored = std::mem::take(&mut agent.away);
        stored.sort_unstable();
        let wanted = joined(&stored, spans, keep);
        let counts = (stored.len(), wanted.len());
        if wanted != stored {
            agent.away = wanted;
            agent.named = Named::NONE;
            agent.named.insert(Field::Away);
            tx.put_agents(&[agent], now).await?;
        }
        tx.commit().await?;
        Ok(Some(counts))
    };
    store.unit(write).await
}

/// What is to be there: what the file gives, besides what is stored if that is kept; in order.
fn joined<T: Ord + Clone>(stored: &[T], given: Vec<T>, keep: bool) -> Vec<T> {
    let mut wanted = given;
    if keep {
        wanted.extend_from_slice(stored);
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
