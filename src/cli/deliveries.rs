//! `shiftbell deliveries`: the log, one delivery with its attempts, and an operator's retry.

use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context, complain,
    output::{Output, Row},
};
use crate::{
    domain::delivery::{ChannelKind, DeliveryState},
    lifecycle::Exit,
    store::{Actor, AttemptRow, DeliveryFilter, DeliveryRow, Store},
};

/// Options of `deliveries`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    filter: Filter,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List deliveries, newest first.
    #[command(after_help = "Example:\n  shiftbell deliveries list --agent a-1")]
    List(Filter),
    /// Show one delivery with its attempts.
    #[command(after_help = "Example:\n  shiftbell deliveries show ID")]
    Show {
        /// The delivery's id.
        id: String,
    },
    /// Send failed deliveries again.
    #[command(after_help = "Example:\n  shiftbell deliveries retry ID ID")]
    Retry {
        /// The deliveries' ids.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// pending, leased, sent, failed, expired, superseded or cancelled.
    #[arg(long, value_parser = |word: &str| known(DeliveryState::from_word(word).map(DeliveryState::as_str)))]
    state: Option<&'static str>,
    /// apns, fcm or presence.
    #[arg(long, value_parser = |word: &str| known(ChannelKind::from_word(word).map(ChannelKind::as_str)))]
    channel: Option<&'static str>,
    /// An agent's id.
    #[arg(long)]
    agent: Option<String>,
    /// A workspace's id.
    #[arg(long)]
    workspace: Option<String>,
    /// The reason, whole, as the list prints it.
    #[arg(long)]
    reason: Option<String>,
    /// Recorded at or after this instant, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

fn known(word: Option<&'static str>) -> Result<&'static str, String> {
    word.ok_or_else(|| "no such word; see --help".to_owned())
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    delivery: &'a DeliveryRow,
    attempt_log: &'a [AttemptRow],
}

#[derive(Serialize)]
struct Retried<'a> {
    id: &'a str,
    retried: bool,
}

impl Row for DeliveryRow {
    const HEADINGS: &'static [&'static str] = &[
        "recorded", "channel", "agent", "kind", "boundary", "state", "reason", "attempts", "id",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.created_at.to_string(),
            self.channel.clone(),
            self.agent.clone().unwrap_or_else(|| self.workspace.clone()),
            self.kind.clone(),
            self.boundary.map(|at| at.to_string()).unwrap_or_default(),
            self.state.clone(),
            self.reason.clone().unwrap_or_default(),
            self.attempts.to_string(),
            self.id.clone(),
        ]
    }
}

impl Row for AttemptRow {
    const HEADINGS: &'static [&'static str] = &[
        "attempt", "started", "finished", "outcome", "status", "reason", "late", "retry at",
        "worker",
    ];

    fn cells(&self) -> Vec<String> {
        let at = |instant: Option<Timestamp>| instant.map(|at| at.to_string()).unwrap_or_default();
        vec![
            self.epoch.to_string(),
            self.started_at.to_string(),
            at(self.finished_at),
            self.outcome.clone().unwrap_or_else(|| "under way".into()),
            self.http_status
                .map(|status| status.to_string())
                .unwrap_or_default(),
            self.reason.clone().unwrap_or_default(),
            if self.late { "late" } else { "" }.into(),
            at(self.retry_at),
            self.worker.clone(),
        ]
    }
}

/// Lists, shows or retries.
pub async fn deliveries(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let store = context.store().await?;
    let done = match &args.action {
        None => list(context, &store, &args.filter).await,
        Some(Action::List(filter)) => list(context, &store, filter).await,
        Some(Action::Show { id }) => show(context, &store, id).await,
        Some(Action::Retry { ids }) => retry(context, &store, ids).await,
    };
    store.close().await;
    done
}

async fn list(context: &Context, store: &Store, filter: &Filter) -> anyhow::Result<Exit> {
    let filter = DeliveryFilter {
        state: filter.state.map(str::to_owned),
        channel: filter.channel.map(str::to_owned),
        agent: filter.agent.clone(),
        workspace: filter.workspace.clone(),
        reason: filter.reason.clone(),
        since: filter.since,
        limit: i64::from(filter.limit),
        after: None,
    };
    let mut tx = store.snapshot().await?;
    let rows = tx.deliveries(&filter).await?;
    tx.commit().await?;
    let mut output = Output::stdout(context.json);
    output.rows(rows)?;
    output.flush()?;
    Ok(Exit::Done)
}

async fn show(context: &Context, store: &Store, id: &str) -> anyhow::Result<Exit> {
    let mut tx = store.snapshot().await?;
    let row = tx.delivery(id).await?;
    let attempts = tx.attempts(id).await?;
    tx.commit().await?;
    let Some(row) = row else {
        bail!("there is no delivery {id}; `shiftbell deliveries` lists them");
    };
    let mut output = Output::stdout(context.json);
    if context.json {
        output.line(
            &Shown {
                delivery: &row,
                attempt_log: &attempts,
            },
            String::new,
        )?;
    } else {
        for (name, value) in serde_json::to_value(&row)?
            .as_object()
            .into_iter()
            .flatten()
        {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            output.note(&format!("{name:<12} {value}"))?;
        }
        output.note("")?;
        output.rows(attempts)?;
    }
    output.flush()?;
    Ok(Exit::Done)
}

async fn retry(context: &Context, store: &Store, ids: &[String]) -> anyhow::Result<Exit> {
    let actor = super::operator();
    let mut output = Output::stdout(context.json);
    let mut all = true;
    for id in ids {
        let (now, actor, target) = (context.clock.now(), Actor::user(&actor), id.clone());
        let unit = store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            let retried = tx.retry(&target, now, &actor).await?;
            tx.commit().await?;
            Ok(retried)
        });
        let retried = unit.await?;
        if retried {
            output.line(&Retried { id, retried }, || {
                format!("{id}: will be sent again")
            })?;
        } else {
            all = false;
            complain(&format!(
                "error: {id}: not retried; only a failed delivery can be whose deadline has not passed, whose phone is still active, and that no newer one has overtaken"
            ));
        }
    }
    output.flush()?;
    Ok(if all { Exit::Done } else { Exit::Failed })
}
