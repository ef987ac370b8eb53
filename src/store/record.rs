//! Writing decisions: the transition, every delivery it calls for, what it makes pointless and the
//! next due time, for a whole batch of agents in the transaction that read them.

pub(super) mod begin;
mod leads;
pub(super) mod write;

pub(super) use write::ALL;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use self::begin::Terms;
use super::{Claimed, Moved, Store, StoreError, Tx, ms};
use crate::domain::{
    delivery::ChannelKind,
    hours::BoundaryKind,
    plan::{Alert, Decision, Reached, StatusChange},
    presence::Reason,
};

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
    pub(super) cause: Option<&'a str>,
    pub(super) waiting_since: Option<i64>,
    pub(super) effective_at: i64,
    pub(super) recorded_at: i64,
}

/// A new delivery.
#[derive(Debug, Serialize)]
struct NewDelivery<'a> {
    id: Uuid,
    transition_id: Uuid,
    #[serde(serialize_with = "as_word")]
    channel: ChannelKind,
    workspace_id: &'a str,
    agent_id: Option<&'a str>,
    kind: &'static str,
    receiver: String,
    boundary_at: Option<i64>,
    counterpart_at: Option<i64>,
    sequence: Option<i64>,
    deadline_at: Option<i64>,
    created_at: i64,
    /// Why it is too late for it already.
    expired: Option<&'static str>,
    /// Whether it is leased as it is recorded.
    leased: bool,
    /// The dispatch that it is recorded in.
    #[serde(skip)]
    dispatch: Option<Uuid>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn as_word<S: serde::Serializer>(channel: &ChannelKind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(channel.as_str())
}

#[derive(Serialize)]
struct Superseded {
    receiver: String,
    sequence: i64,
}

#[derive(Serialize)]
struct StateRow<'a> {
    agent_id: &'a str,
    workspace_id: &'a str,
    next: Option<i64>,
    lead: Option<i64>,
    due: Option<i64>,
    now: i64,
    problem: Option<&'a str>,
    status: Option<&'static str>,
    accepts: Option<bool>,
    sequence: Option<i64>,
    effective_at: Option<i64>,
    no_reply_at: Option<i64>,
}

#[derive(Serialize)]
struct Dirty<'a> {
    workspace_id: &'a str,
    dirty_at: i64,
}

/// What recording a batch came to.
#[derive(Debug, Default)]
pub struct Written {
    /// Deliveries that came to their end by it.
    pub ended: Vec<Moved>,
    /// Deliveries that are leased already: they are to be sent once this is committed.
    pub begun: Vec<Claimed>,
    /// Whether other new ones wait to be claimed.
    pub waits: bool,
}

/// Rows to write, collected over a batch.
#[derive(Default)]
pub(super) struct Batch<'a> {
    transitions: Vec<TransitionRow<'a>>,
    opened: Vec<NewDelivery<'a>>,
    missed: Vec<NewDelivery<'a>>,
    superseded: Vec<Superseded>,
    cancelled: BTreeMap<String, &'static str>,
    removed: Vec<&'a str>,
    states: Vec<StateRow<'a>>,
    dirty: Vec<Dirty<'a>>,
}

impl Store {
    /// The stable id of the `sequence`-th change of an agent or workspace (`subject`).
    pub(super) fn event_id(&self, subject: &str, sequence: i64) -> Uuid {
        let name = format!("{}|{subject}|{sequence}", self.installation);
        Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
    }

    /// The id of the transition that records an agent's `sequence`-th change of status.
    pub fn change_id(&self, agent: &str, sequence: i64) -> Uuid {
        self.event_id(&format!("transition|{agent}"), sequence)
    }

    /// The id of the transition that records a boundary at which the agent's status does not change.
    pub(super) fn boundary_id(&self, agent: &str, kind: BoundaryKind, at: Timestamp) -> Uuid {
        self.event_id(&format!("boundary|{agent}|{}", kind.as_str()), ms(at))
    }

    /// Writes what was decided at `now` (UTC) in the transaction that locked those agents. With
    /// `post`, changes of status are posted to the presence API. With `terms`, what they have places for
    /// is leased to whoever records it.
    pub async fn record(
        &self,
        tx: &mut Tx,
        decisions: &[Decision],
        now: Timestamp,
        post: bool,
        terms: Option<Terms<'_>>,
    ) -> Result<Written, StoreError> {
        let mut batch = Batch::default();
        for decision in decisions {
            batch.decision(self, decision, ms(now), post);
        }
        batch.write(tx, now, terms).await
    }
}

impl<'a> Batch<'a> {
    fn decision(&mut self, store: &Store, decision: &'a Decision, now: i64, post: bool) {
        let mut change = decision.change.as_ref();
        for reached in &decision.boundaries {
            let mut transition = Self::boundary_of(store, decision, reached, now);
            // The alert and the event of one boundary share one transition; a change that rings by
            // itself has its own.
            let shared = change.take_if(|change| !reached.missed && change.alert.is_none());
            if let Some(shared) = shared {
                transition = TransitionRow {
                    boundary_kind: transition.boundary_kind,
                    boundary_at: transition.boundary_at,
                    counterpart_at: transition.counterpart_at,
                    ..Self::change_of(store, decision, shared, now)
                };
            }
            self.alert(decision, &reached.alert, transition.id, now);
            self.transition(transition, post, now);
        }
        self.leads(store, decision, post, now);
        if let Some(change) = change {
            let transition = Self::change_of(store, decision, change, now);
            if let Some(alert) = &change.alert {
                self.alert(decision, alert, transition.id, now);
            }
            self.transition(transition, post, now);
        }
        self.aftermath(decision, now);
    }

    fn change_of(
        store: &Store,
        decision: &'a Decision,
        change: &'a StatusChange,
        now: i64,
    ) -> TransitionRow<'a> {
        TransitionRow {
            id: store.change_id(&decision.agent, change.sequence),
            workspace_id: &decision.workspace,
            agent_id: Some(&decision.agent),
            reason: change.reason.as_str(),
            status: Some(change.status.as_str()),
            accepts: change.accepts,
            sequence: Some(change.sequence),
            cause: change.cause.as_ref().map(|w| w.conversation.as_str()),
            waiting_since: change.cause.as_ref().map(|w| ms(w.since)),
            effective_at: ms(change.effective_at),
            recorded_at: now,
            ..TransitionRow::default()
        }
    }

    fn boundary_of(
        store: &Store,
        decision: &'a Decision,
        reached: &Reached,
        now: i64,
    ) -> TransitionRow<'a> {
        let Alert {
            at, counterpart, ..
        } = reached.alert;
        TransitionRow {
            id: store.boundary_id(&decision.agent, reached.kind, at),
            workspace_id: &decision.workspace,
            agent_id: Some(&decision.agent),
            reason: Reason::from(reached.kind).as_str(),
            boundary_kind: Some(reached.kind.as_str()),
            boundary_at: Some(ms(at)),
            counterpart_at: counterpart.map(ms),
            missed: reached.missed,
            effective_at: ms(at),
            recorded_at: now,
            ..TransitionRow::default()
        }
    }

    /// Adds a transition and, where it takes a sequence and is to be posted, its event.
    pub(super) fn transition(&mut self, row: TransitionRow<'a>, post: bool, now: i64) {
        if let (true, Some(sequence)) = (post, row.sequence) {
            self.event(row.id, row.workspace_id, row.agent_id, sequence, now);
        }
        self.transitions.push(row);
    }

    /// Adds the event of a change of this agent, or of its workspace's mode.
    pub(super) fn event(
        &mut self,
        transition: Uuid,
        workspace: &'a str,
        agent: Option<&'a str>,
        sequence: i64,
        now: i64,
    ) {
        let (kind, receiver) = match agent {
            Some(agent) => ("agent.status_changed", format!("agent:{agent}")),
            None => ("workspace.mode_changed", format!("workspace:{workspace}")),
        };
        self.superseded.push(Superseded {
            receiver: receiver.clone(),
            sequence,
        });
        self.opened.push(NewDelivery {
            id: Uuid::new_v5(&transition, b"event"),
            transition_id: transition,
            channel: ChannelKind::Presence,
            workspace_id: workspace,
            agent_id: agent,
            kind,
            receiver,
            boundary_at: None,
            counterpart_at: None,
            sequence: Some(sequence),
            deadline_at: None,
            created_at: now,
            expired: None,
            leased: false,
            dispatch: None,
        });
    }

    fn alert(&mut self, decision: &'a Decision, alert: &Alert, transition_id: Uuid, now: i64) {
        let place = match alert.expired {
            Some(_) => &mut self.missed,
            None => &mut self.opened,
        };
        place.extend(alert.phones.iter().map(|to| NewDelivery {
            id: to.delivery,
            transition_id,
            channel: to.phone.channel,
            workspace_id: &decision.workspace,
            agent_id: Some(&decision.agent),
            kind: alert.kind.as_str(),
            receiver: to.phone.token.expose().to_owned(),
            boundary_at: Some(ms(alert.at)),
            counterpart_at: alert.counterpart.map(ms),
            sequence: None,
            deadline_at: Some(ms(alert.deadline)),
            created_at: now,
            expired: alert.expired,
            leased: false,
            dispatch: None,
        }));
    }

    fn aftermath(&mut self, decision: &'a Decision, now: i64) {
        let change = decision.change.as_ref();
        let cancelled = decision.cancel.iter();
        self.cancelled
            .extend(cancelled.map(|&(id, reason)| (id.to_string(), reason)));
        if decision.removed {
            self.removed.push(&decision.agent);
        }
        self.states.push(StateRow {
            agent_id: &decision.agent,
            workspace_id: &decision.workspace,
            next: decision.next.map(ms),
            lead: decision.next_lead.map(ms),
            due: decision.due.map(ms),
            now,
            problem: decision.problem.as_deref(),
            status: change.map(|c| c.status.as_str()),
            accepts: change.map(|c| c.accepts),
            sequence: change.map(|c| c.sequence),
            effective_at: change.map(|c| ms(c.effective_at)),
            no_reply_at: decision.no_reply_at.map(ms),
        });
        let dirty_at = change.map_or(now, |c| ms(c.effective_at));
        if change.is_some() || decision.left_workspace.is_some() {
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
}
