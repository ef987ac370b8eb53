//! `shiftbell preview`: the boundaries to come, from the database or straight from an import file.

use std::{collections::HashMap, path::PathBuf};

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::Serialize;

use super::{
    Context, import,
    output::{Output, Row},
};
use crate::{
    domain::{
        agent::{Agent, Workspace},
        preview::{Upcoming, preview as upcoming},
        zone::Zones,
    },
    lifecycle::Exit,
};

/// How far ahead to look where `--until` is not given.
const AHEAD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Options of `preview`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An agent's id; may be repeated. All agents where none is named.
    #[arg(long = "agent", value_name = "ID", conflicts_with = "all")]
    agents: Vec<String>,
    /// All agents.
    #[arg(long)]
    all: bool,
    /// From when on, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before when, RFC 3339 [default: a week after --from].
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Preview this import file instead of the database; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A line for people: the contract's, and the agent's local time.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    boundary: Upcoming<'a>,
    #[serde(skip)]
    local: String,
}

impl Row for Line<'_> {
    const HEADINGS: &'static [&'static str] = &["at", "agent", "kind", "local time"];

    fn cells(&self) -> Vec<String> {
        let Upcoming { agent, kind, at } = self.boundary;
        vec![
            at.to_string(),
            agent.to_owned(),
            kind.as_str().to_owned(),
            self.local.clone(),
        ]
    }
}

/// Prints the boundaries with from <= at < until, in order of time, then of the agent's id.
pub async fn preview(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let from = args.from.unwrap_or_else(|| context.clock.now());
    let until = match args.until {
        Some(until) => until,
        None => from.checked_add(AHEAD).context("--from is too far ahead")?,
    };
    let zones = context.zones()?;
    let (agents, workspaces) = match &args.file {
        Some(file) => {
            let roster = import::read(context, file, &zones)?;
            (roster.agents, roster.workspaces)
        }
        None => stored(context, &args.agents).await?,
    };
    let agents = chosen(agents, &args.agents)?;
    print(context, &agents, &workspaces, &zones, from, until)
}

fn print(
    context: &Context,
    agents: &[Agent],
    workspaces: &[Workspace],
    zones: &Zones,
    from: Timestamp,
    until: Timestamp,
) -> anyhow::Result<Exit> {
    let holidays: HashMap<&str, &[Date]> = workspaces
        .iter()
        .filter_map(|w| Some((w.id.as_str(), w.holidays.as_deref()?)))
        .collect();
    let mut hours = Vec::with_capacity(agents.len());
    let mut local = HashMap::with_capacity(agents.len());
    for agent in agents {
        let days = holidays
            .get(agent.workspace.as_str())
            .copied()
            .unwrap_or_default();
        let compiled = agent
            .operating_hours(zones, days)
            .with_context(|| format!("agent {}", agent.id))?;
        hours.push((agent.id.as_str(), compiled));
        local.insert(agent.id.as_str(), zones.get(&agent.timezone)?);
    }
    let mut output = Output::stdout(context.json);
    let lines = upcoming(hours, from, until)
        .into_iter()
        .map(|boundary| Line {
            local: local[boundary.agent]
                .to_datetime(boundary.at)
                .strftime("%a %Y-%m-%d %H:%M")
                .to_string(),
            boundary,
        });
    if context.json {
        for line in lines {
            output.line(&line.boundary, String::new)?;
        }
    } else {
        output.rows(lines)?;
    }
    output.flush()?;
    Ok(Exit::Done)
}

async fn stored(context: &Context, ids: &[String]) -> anyhow::Result<(Vec<Agent>, Vec<Workspace>)> {
    let store = context.store().await?;
    let mut tx = store.snapshot().await?;
    let workspaces = tx.workspaces().await?;
    let mut agents = Vec::new();
    if ids.is_empty() {
        let mut after = String::new();
        loop {
            let page = tx.agents_after(&after, 1000).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.id);
            agents.extend(page);
        }
    } else {
        agents = tx.agents(ids.iter().map(String::as_str)).await?;
    }
    tx.commit().await?;
    store.close().await;
    Ok((agents, workspaces))
}

/// The agents that were named, all if none was; a name nobody has is an error.
fn chosen(mut agents: Vec<Agent>, ids: &[String]) -> anyhow::Result<Vec<Agent>> {
    if ids.is_empty() {
        return Ok(agents);
    }
    for id in ids {
        if !agents.iter().any(|agent| agent.id == *id) {
            bail!("--agent {id}: there is no such agent");
        }
    }
    agents.retain(|agent| ids.contains(&agent.id));
    Ok(agents)
}
