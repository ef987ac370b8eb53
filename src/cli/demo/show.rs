//! What the demo prints: each push and presence event as it arrives, and the log at the end.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    cli::output::Output,
    sim::{
        World,
        product::Product,
        record::{ReceivedPush, Record, Verdict},
    },
    store::{DeliveryFilter, DeliveryRow, Store},
};

/// How often what arrived is looked through: for people, no faster.
const REFRESH: Duration = Duration::from_millis(100);

/// Where the demo prints.
#[derive(Debug)]
pub(super) struct Screen {
    output: Output<std::io::StdoutLock<'static>>,
    seen: [usize; 3],
    pushes: HashSet<String>,
}

/// One line of the demo.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: Timestamp,
    channel: &'a str,
    agent: &'a str,
    event: &'a str,
    text: String,
    answer: String,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        Self {
            output: Output::stdout(json),
            seen: [0; 3],
            pushes: HashSet::new(),
        }
    }

    /// Says what is about to happen.
    pub(super) fn opening(
        &mut self,
        folder: &Path,
        boundary: Timestamp,
        world: &World,
    ) -> anyhow::Result<()> {
        self.output.note(
            "shiftbell demo: the real worker, an SQLite file, stand-ins for everybody it talks to.",
        )?;
        self.output.note(&format!(
            "Everything is in {} while it runs.",
            super::shown(folder)
        ))?;
        let presence = match &world.product {
            Some(product) => format!("{} {}", product.name(), product.url()),
            None => format!("presence {}", world.presence.url()),
        };
        self.output.note(&format!(
            "APNs stand-in {}, FCM {}, {presence}",
            world.apns.endpoint(),
            world.fcm.endpoint(),
        ))?;
        self.output.note(&format!("Hours of nine agents in nine zones meet at {boundary} (the demo's clock). Ctrl-C ends it."))?;
        Ok(self.output.flush()?)
    }

    /// Prints what arrives, until `expected` different alerts were answered and nothing is open in the log;
    /// for ever without.
    pub(super) async fn follow(
        &mut self,
        world: &World,
        store: &Store,
        expected: Option<usize>,
    ) -> anyhow::Result<()> {
        let mut beat = tokio::time::interval(REFRESH);
        loop {
            beat.tick().await;
            self.news(world)?;
            let rung = expected.is_some_and(|expected| self.pushes.len() >= expected);
            if rung && is_settled(store).await? {
                return self.news(world);
            }
        }
    }

    /// Prints what arrived since the last time.
    fn news(&mut self, world: &World) -> anyhow::Result<()> {
        self.new_pushes("apns", 0, world.apns.record())?;
        self.new_pushes("fcm", 1, world.fcm.record())?;
        match &world.product {
            Some(product) => self.new_requests(product)?,
            None => self.new_events(world)?,
        }
        Ok(self.output.flush()?)
    }

    fn new_pushes(
        &mut self,
        channel: &str,
        place: usize,
        record: &Record<ReceivedPush>,
    ) -> anyhow::Result<()> {
        let all: Vec<Arc<ReceivedPush>> = record.all();
        for push in &all[self.seen[place].min(all.len())..] {
            let json = push.json();
            let (alert, data) = match channel {
                "apns" => (&json["aps"]["alert"], &json["shiftbell"]),
                _ => (&json["message"]["notification"], &json["message"]["data"]),
            };
            let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let (agent, event) = (word(&data["agent"]), word(&data["event"]));
            let text = format!("{} {}", word(&alert["title"]), word(&alert["body"]));
            let answer = match &push.verdict {
                Verdict::Accepted => "rang".to_owned(),
                Verdict::Refused { status, reason } => format!("{} {reason}", status.as_u16()),
                Verdict::Faulted(fault) => (*fault).to_owned(),
            };
            self.pushes
                .insert(format!("{agent} {event} {}", word(&data["at"])));
            self.line(&Line {
                at: push.at,
                channel,
                agent: &agent,
                event: &event,
                text,
                answer,
            })?;
        }
        self.seen[place] = all.len();
        Ok(())
    }

    fn new_events(&mut self, world: &World) -> anyhow::Result<()> {
        let all = world.presence.record().all();
        for batch in &all[self.seen[2].min(all.len())..] {
            let body: serde_json::Value = serde_json::from_slice(&batch.body).unwrap_or_default();
            for event in body["events"].as_array().into_iter().flatten() {
                let text_of = |name: &str| event[name].as_str().unwrap_or_default();
                let who = if event["agent"].is_string() {
                    text_of("agent")
                } else {
                    text_of("workspace")
                };
                let text = match event["status"].as_str() {
                    Some(status) => format!("{status}, {}", text_of("reason")),
                    None => text_of("mode").to_owned(),
                };
                let answer = format!("sequence {}", event["sequence"]);
                self.line(&Line {
                    at: batch.at,
                    channel: "presence",
                    agent: who,
                    event: text_of("type"),
                    text,
                    answer,
                })?;
            }
        }
        self.seen[2] = all.len();
        Ok(())
    }

    /// What a product was asked, as it came over the wire, secrets left out.
    fn new_requests(&mut self, product: &Product) -> anyhow::Result<()> {
        let all = product.record().all();
        let secrets = product.secrets();
        for request in &all[self.seen[2].min(all.len())..] {
            let body = String::from_utf8_lossy(&request.body);
            let text = format!("{} {} {body}", request.method, request.target);
            let text = secrets
                .iter()
                .fold(text, |text, secret| text.replace(secret, "…"));
            let answer = match request.answered {
                Some(status) => status.to_string(),
                None => "no answer".to_owned(),
            };
            self.line(&Line {
                at: request.at,
                channel: "presence",
                agent: "",
                event: product.name(),
                text: text.trim_end().to_owned(),
                answer,
            })?;
        }
        self.seen[2] = all.len();
        Ok(())
    }

    fn line(&mut self, line: &Line<'_>) -> anyhow::Result<()> {
        let at = line.at.strftime("%H:%M:%S%.3fZ");
        let text = format!(
            "{at}  {:<8}  {:<6}  {:<22}  {}  [{}]",
            line.channel, line.agent, line.event, line.text, line.answer
        );
        Ok(self.output.line(line, || text)?)
    }

    /// Prints the delivery log; `true` where every delivery reached a final state.
    pub(super) async fn summary(&mut self, store: &Store) -> anyhow::Result<bool> {
        let mut tx = store.snapshot().await?;
        let mut rows = tx
            .deliveries(&DeliveryFilter {
                limit: 1000,
                ..DeliveryFilter::default()
            })
            .await?;
        tx.commit().await?;
        rows.reverse();
        let open = rows
            .iter()
            .filter(|row| matches!(row.state.as_str(), "pending" | "leased"))
            .count();
        let count = |channel: &str, state: &str| {
            rows.iter()
                .filter(|row: &&DeliveryRow| {
                    (row.channel == "presence") == (channel == "presence") && row.state == state
                })
                .count()
        };
        let (rang, refused, posted) = (
            count("push", "sent"),
            count("push", "failed"),
            count("presence", "sent"),
        );
        self.output.note("")?;
        self.output.note("The delivery log:")?;
        self.output.rows(rows)?;
        self.output.note(&format!(
            "{rang} phones rang, {refused} refused, {posted} presence events accepted, {open} deliveries open."
        ))?;
        self.output.flush()?;
        Ok(open == 0)
    }
}

/// Whether nothing is open in the log.
async fn is_settled(store: &Store) -> anyhow::Result<bool> {
    let mut tx = store.snapshot().await?;
    let open = tx.open_counts().await?;
    tx.commit().await?;
    Ok(open.is_empty())
}
