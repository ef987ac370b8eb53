//! Recording leads: each a transition of its own, with the alerts it calls for.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Batch, TransitionRow};
use crate::{
    domain::{
        delivery::AlertKind,
        hours::BoundaryKind,
        lead::{Ahead, Lead},
        plan::{Announced, Decision},
    },
    store::{Store, ms},
};

impl Store {
    /// The id of the transition that records that `lead` announced the agent's start of hours at `start`.
    pub(in crate::store) fn lead_id(&self, agent: &str, lead: Lead, start: Timestamp) -> Uuid {
        self.event_id(&format!("lead|{agent}|{}", lead.key()), ms(start))
    }
}

impl<'a> Batch<'a> {
    /// Adds the leads that came.
    pub(super) fn leads(&mut self, store: &Store, decision: &'a Decision, post: bool, now: i64) {
        for announced in &decision.leads {
            let transition = Self::lead_of(store, decision, announced, now);
            self.alert(decision, &announced.alert, transition.id, now);
            self.transition(transition, post, now);
        }
    }

    /// A lead takes no sequence: it changes no status. What it is about is the start to come.
    fn lead_of(
        store: &Store,
        decision: &'a Decision,
        announced: &Announced,
        now: i64,
    ) -> TransitionRow<'a> {
        let Ahead { lead, at, start } = announced.ahead;
        TransitionRow {
            id: store.lead_id(&decision.agent, lead, start),
            workspace_id: &decision.workspace,
            agent_id: Some(&decision.agent),
            reason: AlertKind::HoursStartLead.as_str(),
            boundary_kind: Some(BoundaryKind::Start.as_str()),
            boundary_at: Some(ms(start)),
            missed: announced.missed,
            effective_at: ms(at),
            recorded_at: now,
            ..TransitionRow::default()
        }
    }
}
