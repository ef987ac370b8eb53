//! What leases are about, as it stands when it is sent.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::claim::Claimed;
use crate::{
    domain::{
        agent::Notify,
        delivery::AlertKind,
        device::{DeviceToken, Environment},
        presence::{Change, Event, Mode, Reason, Status},
    },
    store::{
        StoreError, Tx, instant,
        rows::{id, json, word},
        sql::{run, statements},
    },
};

statements! {
    PUSHES = "SELECT o.id, o.transition_id, o.kind, o.agent_id, o.boundary_at, o.counterpart_at,
                  a.timezone, a.locale, a.notify_start, a.notify_end, a.auto_offline_after_minutes, v.environment
              FROM outbox o
                  LEFT JOIN agents a ON a.id = o.agent_id
                  LEFT JOIN devices v ON v.token = o.receiver AND v.agent_id = o.agent_id AND v.state = 'active'
                      AND v.platform = CASE o.channel WHEN 'apns' THEN 'ios' ELSE 'android' END
              WHERE o.id {in_list}";
    EVENTS = "SELECT o.id, t.workspace_id, t.effective_at, t.sequence, t.agent_id, t.status, t.accepts, t.reason, t.mode
              FROM outbox o JOIN transitions t ON t.id = o.transition_id WHERE o.id {in_list}";
}

/// What a push is made of, as it stands at sending time.
#[derive(Debug, Clone)]
pub struct PushFacts {
    /// The phone.
    pub token: DeviceToken,
    /// Which of Apple's hosts knows it.
    pub environment: Environment,
    /// What it is about.
    pub event: AlertKind,
    /// The agent.
    pub agent: String,
    /// The agent's zone, an IANA name.
    pub timezone: String,
    /// The agent's language.
    pub locale: Option<String>,
    /// The transition that called for it.
    pub transition: Uuid,
    /// The boundary, UTC.
    pub at: Timestamp,
    /// When this shift ends, or the next starts, UTC.
    pub counterpart: Option<Timestamp>,
    /// How many minutes the agent may leave a visitor without a reply, if it is about that.
    pub minutes: i64,
}

impl Tx {
    /// The pushes of these leases as they stand now, in the same order; `Err` says why one must not
    /// ring any more.
    pub async fn pushes(
        &mut self,
        claimed: &[Claimed],
    ) -> Result<Vec<Result<PushFacts, &'static str>>, StoreError> {
        type Row = (
            String,
            String,
            String,
            String,
            i64,
            Option<i64>,
            Option<String>,
            Option<String>,
            Option<bool>,
            Option<bool>,
            Option<i64>,
            Option<String>,
        );
        let rows: Vec<Row> = run!(self, all PUSHES, id_list(claimed))?;
        let mut found = HashMap::with_capacity(rows.len());
        for (
            key,
            transition,
            kind,
            agent,
            at,
            counterpart,
            zone,
            locale,
            on_start,
            on_end,
            minutes,
            environment,
        ) in rows
        {
            let event = word("outbox", "kind", &key, &kind, AlertKind::from_word)?;
            let notify = Notify {
                start: on_start.unwrap_or_default(),
                end: on_end.unwrap_or_default(),
            };
            let told = event != AlertKind::NoReply || minutes.is_some();
            let facts = match (zone, notify.wants(event) && told, environment) {
                (None, ..) => Err("agent_removed"),
                (_, false, _) => Err("opted_out"),
                (.., None) => Err("phone_gone"),
                (Some(timezone), true, Some(environment)) => Ok(PushFacts {
                    token: DeviceToken::new(""),
                    environment: if environment == "sandbox" {
                        Environment::Sandbox
                    } else {
                        Environment::Production
                    },
                    event,
                    agent,
                    timezone,
                    locale,
                    transition: word("outbox", "transition_id", &key, &transition, |v| {
                        Uuid::parse_str(v).ok()
                    })?,
                    at: instant("outbox", "boundary_at", &key, at)?,
                    counterpart: counterpart
                        .map(|c| instant("outbox", "counterpart_at", &key, c))
                        .transpose()?,
                    minutes: minutes.unwrap_or_default(),
                }),
            };
            found.insert(id("outbox", &key)?, facts);
        }
        Ok(claimed
            .iter()
            .map(|c| {
                let facts = found.remove(&c.id).unwrap_or(Err("gone"))?;
                Ok(PushFacts {
                    token: c.receiver.clone(),
                    ..facts
                })
            })
            .collect())
    }

    /// The presence events of these leases, in the same order.
    pub async fn events(&mut self, claimed: &[Claimed]) -> Result<Vec<Event>, StoreError> {
        type Row = (
            String,
            String,
            i64,
            i64,
            Option<String>,
            Option<String>,
            bool,
            String,
            Option<String>,
        );
        let rows: Vec<Row> = run!(self, all EVENTS, id_list(claimed))?;
        let mut found = HashMap::with_capacity(rows.len());
        for (key, workspace, effective_at, sequence, agent, status, accepts, reason, mode) in rows {
            let missing = |_: &str| None;
            let change = match (agent, mode) {
                (Some(agent), _) => Change::Agent {
                    status: word(
                        "transitions",
                        "status",
                        &key,
                        status.as_deref().unwrap_or(""),
                        Status::from_word,
                    )?,
                    accepts_conversations: accepts,
                    reason: word("transitions", "reason", &key, &reason, Reason::from_word)?,
                    agent,
                },
                (None, Some(mode)) => Change::Workspace {
                    mode: word("transitions", "mode", &key, &mode, Mode::from_word)?,
                },
                (None, None) => return word("transitions", "mode", &key, "", missing),
            };
            let id = id("outbox", &key)?;
            let effective_at = instant("transitions", "effective_at", &key, effective_at)?;
            found.insert(
                id,
                Event {
                    id,
                    workspace,
                    effective_at,
                    sequence,
                    change,
                },
            );
        }
        claimed
            .iter()
            .map(|c| {
                found.remove(&c.id).ok_or_else(|| StoreError::Corrupt {
                    table: "outbox",
                    column: "transition_id",
                    row: c.id.to_string(),
                    problem: "its transition is gone".into(),
                })
            })
            .collect()
    }
}

fn id_list(claimed: &[Claimed]) -> String {
    json(&claimed.iter().map(|c| c.id).collect::<Vec<_>>())
}
