//! The outbox: claiming what is due under a lease, and settling what it came to.
//!
//! - A claim raises the delivery's epoch and writes the attempt (delivery, epoch) in one
//!   transaction; a settlement changes the delivery only under `epoch AND state = 'leased'`. A
//!   holder whose lease was taken over marks its own attempt late and touches nothing else.
//! - A lease that ran out leaves its attempt's outcome `unknown`; a delivery that took its holder
//!   down three times has failed as `poison`. Once it has done so, it is leased alone, so that it
//!   takes nobody else with it.
//! - For one agent (or workspace) at most one presence event is under way, and none that a later
//!   one has overtaken.
//!
//! `tests/store/outbox.rs` holds both engines to it.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    About, Moved, StoreError, Tx, instant, ms,
    rows::{about, id, json, list, moved, word},
    sql::{run, statements},
};
use crate::domain::{
    delivery::{AlertKind, ChannelKind, DeliveryState, DeviceFate},
    device::{DeviceToken, Environment},
    presence::{Change, Event, Mode, Reason, Status},
};

/// Holders a delivery may take down before it is given up.
const CRASHES_TO_POISON: i64 = 3;

statements! {
    LAPSED = "SELECT id FROM deliveries WHERE state = 'leased' AND lease_until <= $1 {skip_locked}";
    UNKNOWN = "UPDATE attempts SET outcome = 'unknown', reason = 'lease_ran_out', finished_at = $2
               WHERE delivery_id {in_list} AND finished_at IS NULL";
    POISONED = "UPDATE deliveries SET state = 'failed', reason = 'poison', settled_at = $2, lease_until = NULL, crashes = crashes + 1
                WHERE id {in_list} AND crashes + 1 >= $3
                RETURNING id, channel, state, reason, transition_id, agent_id, kind, boundary_at";
    REAP = "UPDATE deliveries SET state = CASE WHEN revoked IS NULL THEN 'pending' ELSE 'cancelled' END,
                reason = coalesce(revoked, 'lease_ran_out'), due_at = $2, lease_until = NULL,
                settled_at = CASE WHEN revoked IS NULL THEN NULL ELSE CAST($2 AS BIGINT) END,
                crashes = crashes + 1, tries = tries + 1
            WHERE id {in_list} AND state = 'leased'";
    EXPIRE = "UPDATE deliveries SET state = 'expired', reason = coalesce(reason, 'deadline'), settled_at = $1
              WHERE id IN (SELECT id FROM deliveries WHERE state = 'pending' AND deadline_at <= $1 {skip_locked})
              RETURNING id, channel, state, reason, transition_id, agent_id, kind, boundary_at";
    SWEEP = "UPDATE deliveries SET state = 'superseded', reason = 'newer_sequence', settled_at = $1
             WHERE id IN (SELECT p.id FROM deliveries p WHERE p.state = 'pending' AND p.channel = 'presence' AND p.sequence < (
                 SELECT max(newest.sequence) FROM deliveries newest WHERE newest.receiver = p.receiver
                 AND newest.channel = 'presence') {skip_locked})
             RETURNING id, channel, state, reason, transition_id, agent_id, kind, boundary_at";
    OVERTAKEN = "UPDATE deliveries SET state = 'superseded', reason = 'newer_sequence', settled_at = $2
              WHERE id {in_list} AND state = 'pending' AND channel = 'presence' AND EXISTS (
                  SELECT 1 FROM deliveries newer WHERE newer.receiver = deliveries.receiver
                  AND newer.channel = 'presence' AND newer.sequence > deliveries.sequence)
              RETURNING id, channel, state, reason, transition_id, agent_id, kind, boundary_at";
    CLAIM = "WITH picked AS MATERIALIZED (
                 SELECT p.id FROM deliveries p WHERE p.state = 'pending' AND p.channel = $1 AND p.due_at <= $2
                     AND (p.deadline_at IS NULL OR p.deadline_at > $2) AND (p.crashes > 0) = $5
                     AND (p.channel <> 'presence' OR NOT EXISTS (
                         SELECT 1 FROM deliveries f WHERE f.receiver = p.receiver AND f.channel = 'presence'
                             AND (f.state = 'leased' OR f.sequence > p.sequence)))
                 ORDER BY p.due_at LIMIT $3 {skip_locked})
             UPDATE deliveries SET state = 'leased', lease_until = $4, epoch = epoch + 1
             WHERE id IN (SELECT id FROM picked)
             RETURNING id, epoch, tries, batch_cap, deadline_at, receiver, transition_id, agent_id, kind, boundary_at";
    ATTEMPTS = "INSERT INTO attempts (delivery_id, epoch, worker, started_at)
                SELECT id, epoch, worker, started_at FROM {rows(id TEXT, epoch BIGINT, worker TEXT, started_at BIGINT)}";
    PUSHES = "SELECT d.id, d.transition_id, d.kind, d.agent_id, d.boundary_at, t.counterpart_at,
                  a.timezone, a.locale, a.notify_start, a.notify_end, v.environment
              FROM deliveries d JOIN transitions t ON t.id = d.transition_id
                  LEFT JOIN agents a ON a.id = d.agent_id
                  LEFT JOIN devices v ON v.token = d.receiver AND v.agent_id = d.agent_id AND v.state = 'active'
                      AND v.platform = CASE d.channel WHEN 'apns' THEN 'ios' ELSE 'android' END
              WHERE d.id {in_list}";
    EVENTS = "SELECT d.id, t.workspace_id, t.effective_at, t.sequence, t.agent_id, t.status, t.accepts, t.reason, t.mode
              FROM deliveries d JOIN transitions t ON t.id = d.transition_id WHERE d.id {in_list}";
    SETTLE = "UPDATE deliveries SET lease_until = NULL, due_at = coalesce(v.due_at, deliveries.due_at),
                  tries = tries + v.cost, batch_cap = v.batch_cap, receipt = v.receipt,
                  state = CASE WHEN v.state = 'pending' AND revoked IS NOT NULL THEN 'cancelled' ELSE v.state END,
                  reason = CASE WHEN v.state = 'pending' AND revoked IS NOT NULL THEN revoked ELSE v.reason END,
                  settled_at = CASE WHEN v.state = 'pending' AND revoked IS NOT NULL THEN v.finished_at ELSE v.settled_at END
              FROM {rows(id TEXT, epoch BIGINT, state TEXT, reason TEXT, due_at BIGINT, cost BIGINT,
                  batch_cap BIGINT, receipt TEXT, settled_at BIGINT, finished_at BIGINT)}
              WHERE deliveries.id = v.id AND deliveries.epoch = v.epoch AND deliveries.state = 'leased'
              RETURNING deliveries.id, deliveries.epoch, deliveries.state, deliveries.reason";
    // Who comes late tells what the answer was; that nobody knew it in time stays on record. A
    // settlement that is written again, since the answer to its COMMIT was lost, is not late.
    FINISH = "UPDATE attempts SET finished_at = coalesce(attempts.finished_at, v.finished_at),
                  outcome = coalesce(attempts.outcome, v.outcome), http_status = v.http_status, retry_at = v.due_at,
                  reason = CASE WHEN attempts.outcome = 'unknown' AND v.late THEN v.outcome || ': ' || v.reason ELSE v.reason END,
                  late = v.late AND (attempts.late OR coalesce(attempts.outcome = 'unknown', FALSE))
              FROM {rows(id TEXT, epoch BIGINT, finished_at BIGINT, outcome TEXT, reason TEXT, http_status BIGINT,
                  due_at BIGINT, late BOOLEAN)}
              WHERE attempts.delivery_id = v.id AND attempts.epoch = v.epoch";
    DEVICES = "UPDATE devices SET state = v.state, state_reason = v.reason
               FROM {rows(id TEXT, state TEXT, reason TEXT, before BIGINT)} JOIN deliveries d ON d.id = v.id
               WHERE devices.token = d.receiver AND devices.agent_id = d.agent_id AND devices.state = 'active'
                 AND devices.platform = CASE d.channel WHEN 'apns' THEN 'ios' ELSE 'android' END
                 AND (v.before IS NULL OR devices.registered_at < v.before)";
}

/// What to claim.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The receiver.
    pub channel: ChannelKind,
    /// The instant it is, UTC.
    pub now: Timestamp,
    /// When (UTC) the leases run out.
    pub until: Timestamp,
    /// At most so many.
    pub limit: i64,
    /// Who claims, for the log.
    pub worker: &'a str,
    /// Those that took a worker down before, instead of the others.
    pub suspects: bool,
}

/// A delivery under lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The delivery's id.
    pub id: Uuid,
    /// This lease's number.
    pub epoch: i64,
    /// Tries it has cost so far.
    pub tries: i64,
    /// The largest batch it may travel in, once a batch with it was refused.
    pub batch_cap: Option<i64>,
    /// After which (UTC) it is of no use; presence has none.
    pub deadline: Option<Timestamp>,
    /// What it is about, for the log.
    pub about: About,
    /// The phone's token.
    receiver: DeviceToken,
}

/// What a push is made of, as it stands at sending time.
#[derive(Debug, Clone)]
pub struct PushFacts {
    /// The phone.
    pub token: DeviceToken,
    /// Which of Apple's hosts knows it.
    pub environment: Environment,
    /// Start or end.
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
}

/// What one lease came to.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The delivery's id.
    pub id: Uuid,
    /// The lease's number.
    pub epoch: i64,
    /// The delivery's next state, not `leased`.
    pub state: DeliveryState,
    /// Why, in a word.
    pub reason: String,
    /// When (UTC) it is due again, for `pending`.
    pub due_at: Option<Timestamp>,
    /// Whether it cost a try.
    pub cost: bool,
    /// The largest batch it may travel in from now on.
    pub batch_cap: Option<i64>,
    /// The receiver's id of what it accepted.
    pub receipt: Option<String>,
    /// The attempt's outcome: a verdict's word, or `released`.
    pub outcome: &'static str,
    /// The answer's HTTP status.
    pub http_status: Option<u16>,
    /// When (UTC) the answer came.
    pub finished_at: Timestamp,
    /// What becomes of the phone.
    pub device: DeviceFate,
}

#[derive(Serialize)]
struct AttemptStart<'a> {
    id: Uuid,
    epoch: i64,
    worker: &'a str,
    started_at: i64,
}

#[derive(Serialize)]
struct SettleRow<'a> {
    id: Uuid,
    epoch: i64,
    state: &'static str,
    reason: &'a str,
    due_at: Option<i64>,
    cost: i64,
    batch_cap: Option<i64>,
    receipt: Option<&'a str>,
    settled_at: Option<i64>,
    outcome: &'static str,
    http_status: Option<u16>,
    finished_at: i64,
    late: bool,
}

#[derive(Serialize)]
struct DeviceRow<'a> {
    id: Uuid,
    state: &'static str,
    reason: &'a str,
    before: Option<i64>,
}

/// A settlement that was written.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its place among those that were handed over.
    pub index: usize,
    /// The delivery's state now.
    pub state: DeliveryState,
    /// Why.
    pub reason: String,
}

/// What [`Tx::reap`] came to.
#[derive(Debug)]
pub struct Reaped {
    /// Leases that had run out.
    pub lapsed: usize,
    /// Deliveries that came to their end.
    pub ended: Vec<Moved>,
}

impl Tx {
    /// Takes back leases that ran out, expires pushes past their deadline and drops presence events
    /// that a later one overtook, as of `now` (UTC).
    ///
    /// Deliveries are locked before their attempts, as [`Tx::settle`] does, and what others hold is
    /// theirs: so the two never wait for each other in a circle.
    pub async fn reap(&mut self, now: Timestamp) -> Result<Reaped, StoreError> {
        let now = ms(now);
        let lapsed: Vec<(String,)> = run!(self, all LAPSED, now)?;
        let mut ended = Vec::new();
        if !lapsed.is_empty() {
            let ids = list(lapsed.iter().map(|(id,)| id.as_str()));
            run!(self, execute UNKNOWN, &ids, now)?;
            ended = moved(run!(self, all POISONED, &ids, now, CRASHES_TO_POISON)?)?;
            run!(self, execute REAP, &ids, now)?;
        }
        ended.extend(moved(run!(self, all EXPIRE, now)?)?);
        ended.extend(moved(run!(self, all SWEEP, now)?)?);
        let lapsed = lapsed.len();
        Ok(Reaped { lapsed, ended })
    }

    /// Leases due deliveries of a channel, earliest first, and begins their attempts.
    pub async fn claim(&mut self, order: &Order<'_>) -> Result<Vec<Claimed>, StoreError> {
        type Row = (
            String,
            i64,
            i64,
            Option<i64>,
            Option<i64>,
            String,
            String,
            Option<String>,
            String,
            Option<i64>,
        );
        let rows: Vec<Row> = run!(
            self, all CLAIM,
            order.channel.as_str(), ms(order.now), order.limit, ms(order.until), order.suspects
        )?;
        let claimed = rows
            .into_iter()
            .map(
                |(
                    key,
                    epoch,
                    tries,
                    batch_cap,
                    deadline,
                    receiver,
                    transition,
                    agent,
                    kind,
                    boundary,
                )| {
                    Ok(Claimed {
                        id: id("deliveries", &key)?,
                        epoch,
                        tries,
                        batch_cap,
                        deadline: deadline
                            .map(|d| instant("deliveries", "deadline_at", &key, d))
                            .transpose()?,
                        about: about(&key, transition, agent, kind, boundary)?,
                        receiver: DeviceToken::new(receiver),
                    })
                },
            )
            .collect::<Result<Vec<_>, StoreError>>()?;
        if !claimed.is_empty() {
            let started_at = ms(order.now);
            let attempts: Vec<_> = claimed
                .iter()
                .map(|c| AttemptStart {
                    id: c.id,
                    epoch: c.epoch,
                    worker: order.worker,
                    started_at,
                })
                .collect();
            run!(self, execute ATTEMPTS, json(&attempts))?;
        }
        Ok(claimed)
    }

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
            environment,
        ) in rows
        {
            let event = word("deliveries", "kind", &key, &kind, AlertKind::from_word)?;
            let wanted = match event {
                AlertKind::HoursStart => on_start,
                AlertKind::HoursEnd => on_end,
            };
            let facts = match (zone, wanted, environment) {
                (None, ..) => Err("agent_removed"),
                (_, Some(false) | None, _) => Err("opted_out"),
                (.., None) => Err("phone_gone"),
                (Some(timezone), Some(true), Some(environment)) => Ok(PushFacts {
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
                    transition: word("deliveries", "transition_id", &key, &transition, |v| {
                        Uuid::parse_str(v).ok()
                    })?,
                    at: instant("deliveries", "boundary_at", &key, at)?,
                    counterpart: counterpart
                        .map(|c| instant("transitions", "counterpart_at", &key, c))
                        .transpose()?,
                }),
            };
            found.insert(id("deliveries", &key)?, facts);
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
            let id = id("deliveries", &key)?;
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
                    table: "deliveries",
                    column: "transition_id",
                    row: c.id.to_string(),
                    problem: "its transition is gone".into(),
                })
            })
            .collect()
    }

    /// Writes what leases came to, each under its epoch; returns what was kept, and with which state
    /// and reason. The rest came late.
    pub async fn settle(&mut self, settlements: &[Settlement]) -> Result<Vec<Kept>, StoreError> {
        let mut rows: Vec<SettleRow> = settlements.iter().map(settle_row).collect();
        let kept: Vec<(String, i64, String, Option<String>)> = run!(self, all SETTLE, json(&rows))?;
        let mut kept: HashMap<(Uuid, i64), (DeliveryState, String)> = kept
            .into_iter()
            .map(|(key, epoch, state, reason)| {
                let state = word(
                    "deliveries",
                    "state",
                    &key,
                    &state,
                    DeliveryState::from_word,
                )?;
                let reason = reason.unwrap_or_default();
                Ok(((id("deliveries", &key)?, epoch), (state, reason)))
            })
            .collect::<Result<_, StoreError>>()?;
        for row in &mut rows {
            row.late = !kept.contains_key(&(row.id, row.epoch));
        }
        run!(self, execute FINISH, json(&rows))?;
        self.drop_overtaken(settlements, &mut kept).await?;
        let is_kept = |s: &&Settlement| kept.contains_key(&(s.id, s.epoch));
        let devices: Vec<_> = settlements
            .iter()
            .filter(is_kept)
            .filter_map(device_row)
            .collect();
        if !devices.is_empty() {
            run!(self, execute DEVICES, json(&devices))?;
        }
        Ok(settlements
            .iter()
            .enumerate()
            .filter_map(|(index, s)| {
                let (state, reason) = kept.get(&(s.id, s.epoch))?.clone();
                Some(Kept {
                    index,
                    state,
                    reason,
                })
            })
            .collect())
    }

    /// A presence event that goes back to wait, while a later one of its agent exists, is pointless.
    async fn drop_overtaken(
        &mut self,
        settlements: &[Settlement],
        kept: &mut HashMap<(Uuid, i64), (DeliveryState, String)>,
    ) -> Result<(), StoreError> {
        let waiting: Vec<String> = kept
            .iter()
            .filter(|(_, (state, _))| *state == DeliveryState::Pending)
            .map(|((id, _), _)| id.to_string())
            .collect();
        if let (false, Some(first)) = (waiting.is_empty(), settlements.first()) {
            let ids = list(waiting.iter().map(String::as_str));
            let rows = run!(self, all OVERTAKEN, ids, ms(first.finished_at))?;
            for gone in moved(rows)? {
                let entries = kept.iter_mut().filter(|((id, _), _)| *id == gone.id);
                for (_, kept) in entries {
                    *kept = (gone.state, gone.reason.clone());
                }
            }
        }
        Ok(())
    }

    /// Drops presence events that a later one has overtaken; returns them.
    pub async fn sweep(&mut self, now: Timestamp) -> Result<Vec<Moved>, StoreError> {
        moved(run!(self, all SWEEP, ms(now))?)
    }
}

fn id_list(claimed: &[Claimed]) -> String {
    json(&claimed.iter().map(|c| c.id).collect::<Vec<_>>())
}

fn settle_row(s: &Settlement) -> SettleRow<'_> {
    SettleRow {
        id: s.id,
        epoch: s.epoch,
        state: s.state.as_str(),
        reason: &s.reason,
        due_at: s.due_at.map(ms),
        cost: i64::from(s.cost),
        batch_cap: s.batch_cap,
        receipt: s.receipt.as_deref(),
        settled_at: (s.state != DeliveryState::Pending).then(|| ms(s.finished_at)),
        outcome: s.outcome,
        http_status: s.http_status,
        finished_at: ms(s.finished_at),
        late: false,
    }
}

fn device_row(s: &Settlement) -> Option<DeviceRow<'_>> {
    let (state, before) = match s.device {
        DeviceFate::Keep => return None,
        DeviceFate::Quarantine => ("quarantined", None),
        DeviceFate::Disable(before) => ("disabled", before.map(ms)),
    };
    Some(DeviceRow {
        id: s.id,
        state,
        reason: &s.reason,
        before,
    })
}
