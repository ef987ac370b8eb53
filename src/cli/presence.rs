//! `shiftbell presence sync`: compares what the chat platform shows with what was recorded, and mends it.
//!
//! A product that can be asked is asked, and told again what it never took. One that cannot (and the
//! presence API, which keeps the highest sequence) is told everybody's status again.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use super::{
    Context,
    output::{Output, Row},
    run,
};
use crate::{
    domain::driver::drift::{Found, Told},
    lifecycle::{Exit, Shutdown},
    store::Again,
    workers::{
        service::Engine,
        upkeep::{Look, Upkeep},
    },
};

/// What to do about presence.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Compare the platform's statuses with the recorded ones, and mend what differs.
    #[command(
        after_help = "Examples:\n  shiftbell presence sync\n  shiftbell presence sync --agent a-1 --dry-run\n  shiftbell presence sync --force"
    )]
    Sync(Args),
}

/// Options of `presence sync`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this agent; repeatable.
    #[arg(long)]
    agent: Vec<String>,
    /// Mend what was set on the platform itself, too.
    #[arg(long)]
    force: bool,
    /// Compare and tell, change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// One difference.
#[derive(Debug, Serialize)]
struct Difference {
    agent: String,
    recorded: &'static str,
    shown: Option<Value>,
    found: &'static str,
    mended: bool,
}

impl Row for Difference {
    const HEADINGS: &'static [&'static str] =
        &["agent", "recorded", "shown there", "found", "mended"];

    fn cells(&self) -> Vec<String> {
        let shown = match &self.shown {
            Some(Value::String(word)) => word.clone(),
            Some(other) => other.to_string(),
            None => "-".to_owned(),
        };
        let mended = if self.mended { "yes" } else { "no" };
        vec![
            self.agent.clone(),
            self.recorded.to_owned(),
            shown,
            self.found.to_owned(),
            mended.to_owned(),
        ]
    }
}

/// Does it; fails if the platform could not be asked.
pub async fn presence(context: &Context, action: &Action) -> anyhow::Result<Exit> {
    let Action::Sync(args) = action;
    let shutdown = Shutdown::on_signals().context("listening for signals")?;
    let config = context.config()?;
    if config.presence.is_none() && config.driver.is_none() {
        bail!("there is no [presence] section: nobody is told of statuses");
    }
    let engine = run::engine(context, &config, &run::Args::default()).await?;
    let work = async {
        match engine.upkeep().filter(|upkeep| upkeep.can_compare()) {
            Some(upkeep) => compare(context, &engine, upkeep, args).await,
            None => tell_all(context, &engine, args).await,
        }?;
        if !args.dry_run {
            engine.send_due(&shutdown.soft).await;
        }
        anyhow::Ok(())
    };
    let done = shutdown.run(work).await;
    engine.store().close().await;
    done.transpose().map(|done| {
        if done.is_some() {
            Exit::Done
        } else {
            Exit::Failed
        }
    })
}

async fn compare(
    context: &Context,
    engine: &Engine,
    upkeep: &Upkeep,
    args: &Args,
) -> anyhow::Result<()> {
    let mut differences = Vec::new();
    let mut counts: BTreeMap<Found, usize> = BTreeMap::new();
    let mut after = String::new();
    loop {
        let told = some(engine, args, &after, upkeep.step()).await?;
        let Some(last) = told.last() else { break };
        after.clone_from(&last.agent);
        upkeep.pass_at_pace().await;
        let looks = upkeep.compare(told, args.force, !args.dry_run).await?;
        let looks = looks.map_err(|judgement| {
            anyhow::anyhow!("the product tells no status: {}", judgement.reason)
        })?;
        for look in looks {
            *counts.entry(look.found).or_default() += 1;
            differences.extend(difference(look));
        }
        if !args.agent.is_empty() {
            break;
        }
    }
    let mut output = Output::stdout(context.json);
    if !differences.is_empty() {
        output.rows(differences)?;
    }
    let told = counts
        .iter()
        .map(|(found, count)| format!("{count} {}", found.as_str()));
    let told: Vec<String> = told.collect();
    output.note(&format!(
        "compared: {}",
        if told.is_empty() {
            "nobody".to_owned()
        } else {
            told.join(", ")
        }
    ))?;
    Ok(output.flush()?)
}

/// The next agents to look at.
async fn some(
    engine: &Engine,
    args: &Args,
    after: &str,
    limit: usize,
) -> anyhow::Result<Vec<Told>> {
    let (named, after) = (args.agent.clone(), after.to_owned());
    let told = engine.store().unit(move |store| async move {
        let mut tx = store.snapshot().await?;
        let told = if named.is_empty() {
            tx.told_after(&after, limit as i64).await?
        } else {
            tx.told_of(named.iter().map(String::as_str)).await?
        };
        tx.commit().await?;
        Ok(told)
    });
    let told = told.await?;
    let known = |agent: &&String| told.iter().any(|told| told.agent == **agent);
    if let Some(unknown) = args.agent.iter().find(|agent| !known(agent)) {
        bail!(
            "no status was recorded of agent {unknown}: `shiftbell import` it, then `run` or `tick`"
        );
    }
    Ok(told)
}

/// What is worth a line.
fn difference(look: Look) -> Option<Difference> {
    (look.found != Found::Agrees).then(|| Difference {
        agent: look.told.agent,
        recorded: look.told.shown.as_str(),
        shown: look.there,
        found: look.found.as_str(),
        mended: look.mended,
    })
}

/// Tells a platform that cannot be asked.
async fn tell_all(context: &Context, engine: &Engine, args: &Args) -> anyhow::Result<()> {
    let now = context.clock.now();
    let told = some_or_nobody(engine, args).await?;
    let (all, dry_run) = (args.agent.is_empty(), args.dry_run);
    let posted = engine.store().unit(move |store| async move {
        let mut tx = store.begin().await?;
        let posted = match (dry_run, all) {
            (true, _) => 0,
            (false, true) => store.post_all(&mut tx, now).await?,
            (false, false) => store.post_again(&mut tx, &told, now).await?.0.len(),
        };
        tx.commit().await?;
        Ok(posted)
    });
    let posted = posted.await?;
    let mut output = Output::stdout(context.json);
    output.line(&serde_json::json!({"posted_again": posted}), || {
        format!("the platform cannot be asked: {posted} statuses are posted again")
    })?;
    Ok(output.flush()?)
}

async fn some_or_nobody(engine: &Engine, args: &Args) -> anyhow::Result<Vec<Again>> {
    if args.agent.is_empty() {
        return Ok(Vec::new());
    }
    let told = some(engine, args, "", 0).await?;
    Ok(told.iter().map(Again::from).collect())
}
