//! Writing decisions: the transition, every delivery it calls for, what it makes pointless and the
//! next due time, for a whole batch of agents in the transaction that read them.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Store, StoreError, Tx, ms,
    rows::json,
    sql::{run, statements},
};
use crate::domain::{
    delivery::{AlertKind, ChannelKind, DeliveryState},
    hours::BoundaryKind,
    plan::{Decision, NewAlert, Reached},
    presence::Reason,
};

statements! {
    TRANSITIONS = "INSERT INTO transitions (id, workspace_id, agent_id, reason, status, accepts, mode, sequence,
                       boundary_kind, boundary_at, counterpart_at, missed, effective_at, recorded_at)
                   SELECT id, workspace_id, agent_id, reason, status, accepts, mode, sequence,
                       boundary_kind, boundary_at, counterpart_at, missed, effective_at, recorded_at
                   FROM {rows(id TEXT, workspace_id TEXT, agent_id TEXT, reason TEXT, status TEXT, accepts BOOLEAN,
                       mode TEXT, sequence BIGINT, boundary_kind TEXT, boundary_at BIGINT, counterpart_at BIGINT,
                       missed BOOLEAN, effective_at BIGINT, recorded_at BIGINT)}
                   WHERE TRUE ON CONFLICT (id) DO NOTHING";
    DELIVERIES = "INSERT INTO deliveries (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                      sequence, state, reason, due_at, deadline_at, created_at, settled_at)
                  SELECT id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                      sequence, state, reason, due_at, deadline_at, created_at, settled_at
                  FROM {rows(id TEXT, transition_id TEXT, channel TEXT, workspace_id TEXT, agent_id TEXT, kind TEXT,
                      receiver TEXT, boundary_at BIGINT, sequence BIGINT, state TEXT, reason TEXT, due_at BIGINT,
                      deadline_at BIGINT, created_at BIGINT, settled_at BIGINT)}
                  WHERE TRUE ON CONFLICT DO NOTHING";
    SUPERSEDE = "UPDATE deliveries SET state = 'superseded', reason = 'newer_sequence', settled_at = v.now
                 FROM {rows(receiver TEXT, sequence BIGINT, now BIGINT)}
                 WHERE deliveries.receiver = v.receiver AND deliveries.sequence < v.sequence
                   AND deliveries.state = 'pending'";
    CANCEL = "UPDATE deliveries SET state = 'cancelled', reason = v.reason, settled_at = v.now
              FROM {rows(id TEXT, reason TEXT, now BIGINT)}
              WHERE deliveries.id = v.id AND deliveries.state = 'pending'";
    CANCEL_AGENT = "UPDATE deliveries SET state = 'cancelled', reason = 'agent_removed', settled_at = v.now
              FROM {rows(agent_id TEXT, now BIGINT)}
              WHERE deliveries.agent_id = v.agent_id AND deliveries.state = 'pending' AND deliveries.channel <> 'presence'";
    STATE = "UPDATE agent_state SET workspace_id = v.workspace_id, boundary_at = v.next, due_at = v.next,
                 evaluated_at = v.now, stale_at = NULL, problem = v.problem,
                 status = coalesce(v.status, agent_state.status),
                 accepts = coalesce(v.status = 'online', agent_state.accepts),
                 sequence = coalesce(v.sequence, agent_state.sequence),
                 effective_at = coalesce(v.effective_at, agent_state.effective_at)
             FROM {rows(agent_id TEXT, workspace_id TEXT, next BIGINT, now BIGINT, problem TEXT, status TEXT,
                 sequence BIGINT, effective_at BIGINT)}
             WHERE agent_state.agent_id = v.agent_id";
    DIRTY = "INSERT INTO workspace_state (workspace_id, dirty_at)
             SELECT workspace_id, max(dirty_at) FROM {rows(workspace_id TEXT, dirty_at BIGINT)}
             WHERE TRUE GROUP BY workspace_id ORDER BY workspace_id
             ON CONFLICT (workspace_id) DO UPDATE SET dirty_at = excluded.dirty_at";
}

/// A row of `transitions`.
#[derive(Debug, Default, Serialize)]
pub(super) struct TransitionRow<'a> {
    pub(super) id: Uuid,
    pub(super) workspace_id: &'a str,
    pub(super) agent_id: Option<&'a str>,
    pub(super) reason: &'static str,
    pub(super) status: Option<&'static str>,
    pub(super) accepts: bool,
    pub(super) mode: Option<&'static str>,
    pub(super) sequence: Option<i64>,
    pub(super) boundary_kind: Option<&'static str>,
    pub(super) boundary_at: Option<i64>,
    pub(super) counterpart_at: Option<i64>,
    pub(super) missed: bool,
    pub(super) effective_at: i64,
    pub(super) recorded_at: i64,
}

/// A new row of `deliveries`.
#[derive(Debug, Serialize)]
struct NewDelivery<'a> {
    id: Uuid,
    transition_id: Uuid,
    channel: &'static str,
    workspace_id: &'a str,
    agent_id: Option<&'a str>,
    kind: &'static str,
    receiver: String,
    boundary_at: Option<i64>,
    sequence: Option<i64>,
    state: &'static str,
    reason: Option<&'static str>,
    due_at: i64,
    deadline_at: Option<i64>,
    created_at: i64,
    settled_at: Option<i64>,
}

#[derive(Serialize)]
struct Superseded {
    receiver: String,
    sequence: i64,
    now: i64,
}

#[derive(Serialize)]
struct Cancelled {
    id: Uuid,
    reason: &'static str,
    now: i64,
}

#[derive(Serialize)]
struct Removed<'a> {
    agent_id: &'a str,
    now: i64,
}

#[derive(Serialize)]
struct StateRow<'a> {
    agent_id: &'a str,
    workspace_id: &'a str,
    next: Option<i64>,
    now: i64,
    problem: Option<&'a str>,
    status: Option<&'static str>,
    sequence: Option<i64>,
    effective_at: Option<i64>,
}

#[derive(Serialize)]
struct Dirty<'a> {
    workspace_id: &'a str,
    dirty_at: i64,
}

/// Rows to write, collected over a batch.
#[derive(Default)]
pub(super) struct Batch<'a> {
    transitions: Vec<TransitionRow<'a>>,
    deliveries: Vec<NewDelivery<'a>>,
    superseded: Vec<Superseded>,
    cancelled: Vec<Cancelled>,
    removed: Vec<Removed<'a>>,
    states: Vec<StateRow<'a>>,
    dirty: Vec<Dirty<'a>>,
}

impl Store {
    /// The stable id of the `sequence`-th change of an agent or workspace (`subject`).
    pub(super) fn event_id(&self, subject: &str, sequence: i64) -> Uuid {
        let name = format!("{}|{subject}|{sequence}", self.installation);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }

    /// Writes what was decided at `now` (UTC) in the transaction that locked those agents. With
    /// `post`, changes of status are posted to the presence API.
    pub async fn record(
        &self,
        tx: &mut Tx,
        decisions: &[Decision],
        now: Timestamp,
        post: bool,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for decision in decisions {
            batch.decision(self, decision, ms(now), post);
        }
        batch.write(tx).await
    }
}

impl<'a> Batch<'a> {
    fn decision(&mut self, store: &Store, decision: &'a Decision, now: i64, post: bool) {
        let Some((last, passed)) = decision.boundaries.split_last() else {
            if let Some(transition) = Self::change_of(store, decision, now) {
                self.transition(transition, post.then_some(decision.agent.as_str()), now);
            }
            self.aftermath(decision, now);
            return;
        };
        for reached in passed {
            let transition = Self::boundary_of(store, decision, reached, now);
            self.alerts(decision, reached, transition.id, now);
            self.transition(transition, None, now);
        }
        let mut transition = Self::boundary_of(store, decision, last, now);
        if let Some(change) = Self::change_of(store, decision, now) {
            // The alert and the event of one boundary share one transition.
            transition = TransitionRow {
                boundary_kind: transition.boundary_kind,
                boundary_at: transition.boundary_at,
                counterpart_at: transition.counterpart_at,
                ..change
            };
        }
        self.alerts(decision, last, transition.id, now);
        self.transition(transition, post.then_some(decision.agent.as_str()), now);
        self.aftermath(decision, now);
    }

    fn change_of(store: &Store, decision: &'a Decision, now: i64) -> Option<TransitionRow<'a>> {
        let change = decision.change?;
        Some(TransitionRow {
            id: store.event_id(&format!("transition|{}", decision.agent), change.sequence),
            workspace_id: &decision.workspace,
            agent_id: Some(&decision.agent),
            reason: change.reason.as_str(),
            status: Some(change.status.as_str()),
            accepts: change.status == crate::domain::presence::Status::Online,
            sequence: Some(change.sequence),
            effective_at: ms(change.effective_at),
            recorded_at: now,
            ..TransitionRow::default()
        })
    }

    fn boundary_of(
        store: &Store,
        decision: &'a Decision,
        reached: &Reached,
        now: i64,
    ) -> TransitionRow<'a> {
        let (word, reason) = match reached.kind {
            BoundaryKind::Start => ("start", Reason::HoursStart),
            BoundaryKind::End => ("end", Reason::HoursEnd),
        };
        TransitionRow {
            id: store.event_id(
                &format!("boundary|{}|{word}", decision.agent),
                ms(reached.at),
            ),
            workspace_id: &decision.workspace,
            agent_id: Some(&decision.agent),
            reason: reason.as_str(),
            boundary_kind: Some(word),
            boundary_at: Some(ms(reached.at)),
            counterpart_at: reached.counterpart.map(ms),
            missed: reached.missed,
            effective_at: ms(reached.at),
            recorded_at: now,
            ..TransitionRow::default()
        }
    }

    /// Adds a transition and, where it takes a sequence and `post` names its subject, its event.
    pub(super) fn transition(&mut self, row: TransitionRow<'a>, post: Option<&'a str>, now: i64) {
        if let (Some(subject), Some(sequence)) = (post, row.sequence) {
            let kind = if row.agent_id.is_some() {
                "agent.status_changed"
            } else {
                "workspace.mode_changed"
            };
            let receiver = format!(
                "{}:{subject}",
                if row.agent_id.is_some() {
                    "agent"
                } else {
                    "workspace"
                }
            );
            self.superseded.push(Superseded {
                receiver: receiver.clone(),
                sequence,
                now,
            });
            self.deliveries.push(NewDelivery {
                id: Uuid::new_v5(&row.id, b"event"),
                transition_id: row.id,
                channel: ChannelKind::Presence.as_str(),
                workspace_id: row.workspace_id,
                agent_id: row.agent_id,
                kind,
                receiver,
                boundary_at: None,
                sequence: Some(sequence),
                state: DeliveryState::Pending.as_str(),
                reason: None,
                due_at: now,
                deadline_at: None,
                created_at: now,
                settled_at: None,
            });
        }
        self.transitions.push(row);
    }

    fn alerts(&mut self, decision: &'a Decision, reached: &Reached, transition_id: Uuid, now: i64) {
        let kind = match reached.kind {
            BoundaryKind::Start => AlertKind::HoursStart,
            BoundaryKind::End => AlertKind::HoursEnd,
        };
        self.deliveries
            .extend(reached.alerts.iter().map(|alert: &NewAlert| {
                NewDelivery {
                    id: alert.delivery,
                    transition_id,
                    channel: alert.phone.channel.as_str(),
                    workspace_id: &decision.workspace,
                    agent_id: Some(&decision.agent),
                    kind: kind.as_str(),
                    receiver: alert.phone.token.expose().to_owned(),
                    boundary_at: Some(ms(reached.at)),
                    sequence: None,
                    state: if alert.expired.is_some() {
                        DeliveryState::Expired
                    } else {
                        DeliveryState::Pending
                    }
                    .as_str(),
                    reason: alert.expired,
                    due_at: now,
                    deadline_at: Some(ms(alert.deadline)),
                    created_at: now,
                    settled_at: alert.expired.map(|_| now),
                }
            }));
    }

    fn aftermath(&mut self, decision: &'a Decision, now: i64) {
        self.cancelled
            .extend(
                decision
                    .cancel
                    .iter()
                    .map(|&(id, reason)| Cancelled { id, reason, now }),
            );
        if decision.removed {
            self.removed.push(Removed {
                agent_id: &decision.agent,
                now,
            });
        }
        self.states.push(StateRow {
            agent_id: &decision.agent,
            workspace_id: &decision.workspace,
            next: decision.next.map(ms),
            now,
            problem: decision.problem.as_deref(),
            status: decision.change.map(|c| c.status.as_str()),
            sequence: decision.change.map(|c| c.sequence),
            effective_at: decision.change.map(|c| ms(c.effective_at)),
        });
        let dirty_at = decision.change.map_or(now, |c| ms(c.effective_at));
        if decision.change.is_some() || decision.left_workspace.is_some() {
            self.dirty.push(Dirty {
                workspace_id: &decision.workspace,
                dirty_at,
            });
        }
        if let Some(left) = &decision.left_workspace {
            self.dirty.push(Dirty {
                workspace_id: left,
                dirty_at: now,
            });
        }
    }

    /// Writes everything collected; empty lists cost nothing.
    pub(super) async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        macro_rules! write {
            ($rows:expr, $sql:ident) => {
                if !$rows.is_empty() {
                    run!(tx, execute $sql, json(&$rows))?;
                }
            };
        }
        write!(self.transitions, TRANSITIONS);
        write!(self.cancelled, CANCEL);
        write!(self.removed, CANCEL_AGENT);
        write!(self.superseded, SUPERSEDE);
        write!(self.deliveries, DELIVERIES);
        if let (false, Tx::Postgres(c)) = (self.deliveries.is_empty(), &mut *tx) {
            // Other workers' lanes hear of it when this commits.
            sqlx::query("NOTIFY shiftbell_outbox")
                .execute(&mut **c)
                .await
                .map_err(|source| StoreError::Statement {
                    name: "NOTIFY",
                    source,
                })?;
        }
        write!(self.states, STATE);
        write!(self.dirty, DIRTY);
        Ok(())
    }
}
