//! `shiftbell explain`: why an agent's phone rang at an instant, or why it did not.

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context,
    output::{Output, Row},
};
use crate::{
    domain::explain::{Setting, Step, Story, story},
    lifecycle::Exit,
    store::Question,
};

/// Options of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The agent's id.
    agent: String,
    /// When the phone should have rung, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// A step, as people read it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Line<'a>(&'a Step);

impl Row for Line<'_> {
    const HEADINGS: &'static [&'static str] = &["at", "local time", "what"];

    fn cells(&self) -> Vec<String> {
        let Step {
            at, local, text, ..
        } = self.0;
        let local = local.as_deref().unwrap_or_default();
        vec![format!("{at:.0}"), local.replace('T', " "), text.clone()]
    }
}

/// Tells the story.
pub async fn explain(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let now = context.clock.now();
    let (zones, receivers) = (context.zones()?, context.receivers()?);
    let store = context.store().await?;
    let question = Question {
        agent: &args.agent,
        at: args.at.unwrap_or(now),
        workspace: None,
    };
    let mut tx = store.snapshot().await?;
    let facts = store.explain(&mut tx, question, &zones).await?;
    tx.commit().await?;
    store.close().await;
    let Some(facts) = facts else {
        bail!(
            "there is no agent {}, nor was there; `shiftbell export` lists them",
            args.agent
        );
    };
    let setting = Setting {
        zones: &zones,
        receivers: &receivers,
        now,
    };
    print(context, &story(&facts, setting))?;
    Ok(Exit::Done)
}

fn print(context: &Context, story: &Story) -> std::io::Result<()> {
    let mut output = Output::stdout(context.json);
    output.line(story, || story.verdict.clone())?;
    if !context.json {
        output.note("")?;
        output.rows(story.steps.iter().map(Line))?;
    }
    output.flush()
}
