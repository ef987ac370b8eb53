//! Reading what is stored about one agent around one instant, for [`crate::domain::explain`].
//!
//! Everything is found by the agent and a time, along indices that are there for other reasons: changes
//! of status by the agent's sequence, alerts by agent and time, a boundary that changed no status by its
//! id, which is made of agent, kind and instant.

mod read;

use jiff::{SignedDuration, Timestamp};

use super::{Store, StoreError, Tx, sql::statements};
use crate::domain::{
    explain::{Facts, Timetable, meant, occasion::minute},
    hours::BoundaryKind,
    zone::Zones,
};

/// As far apart as the database tells instants.
const INSTANT: SignedDuration = SignedDuration::from_millis(1);
/// A change of the clock moves a boundary no further.
const CLOSE: SignedDuration = SignedDuration::from_hours(25);

/// What was recorded, in the columns of `read::Row`.
macro_rules! recorded {
    ($wanted:expr) => {
        concat!(
            "SELECT id, workspace_id, reason, status, accepts, cause, waiting_since, sequence, boundary_kind, boundary_at, effective_at,
                 recorded_at, missed
             FROM transitions WHERE ",
            $wanted
        )
    };
}

statements! {
    EXPLAIN_STATE = "SELECT workspace_id, evaluated_at, stale_at, problem FROM agent_state WHERE agent_id = $1";
    // The newest change before an instant and some before it.
    CHANGES_UNTIL = recorded!("agent_id = $1 AND sequence IS NOT NULL AND effective_at < $2 ORDER BY sequence DESC LIMIT 10");
    CHANGES_AFTER = recorded!("agent_id = $1 AND sequence > $2 ORDER BY sequence LIMIT 10");
    FIRST_CHANGE = "SELECT workspace_id, recorded_at FROM transitions WHERE agent_id = $1 AND sequence = 1";
    THESE_RECORDED = recorded!("id {in_list} AND agent_id = $2");
    ALERTS_OF = "SELECT id FROM outbox
                 WHERE agent_id = $1 AND channel <> 'presence' AND boundary_at >= $2 AND boundary_at < $3
                 UNION ALL SELECT id FROM deliveries
                 WHERE agent_id = $1 AND channel <> 'presence' AND boundary_at >= $2 AND boundary_at < $3
                     AND created_at >= $4 AND created_at < $5
                 UNION ALL SELECT id FROM dispatched
                 WHERE dispatch_id = (SELECT dispatch_id FROM agent_state WHERE agent_id = $1)
                     AND agent_id = $1 AND channel <> 'presence' AND boundary_at >= $2 AND boundary_at < $3
                 ORDER BY id";
    LEADS_AROUND = "SELECT transition_id FROM outbox
                    WHERE agent_id = $1 AND channel <> 'presence' AND kind = 'hours_start_lead'
                        AND boundary_at >= $2 AND boundary_at < $3
                    UNION SELECT transition_id FROM deliveries
                    WHERE agent_id = $1 AND channel <> 'presence' AND kind = 'hours_start_lead'
                        AND boundary_at >= $2 AND boundary_at < $3 AND created_at >= $4 AND created_at < $5
                    UNION SELECT transition_id FROM dispatched
                    WHERE dispatch_id = (SELECT dispatch_id FROM agent_state WHERE agent_id = $1)
                        AND agent_id = $1 AND channel <> 'presence' AND kind = 'hours_start_lead'
                        AND boundary_at >= $2 AND boundary_at < $3
                    ORDER BY transition_id";
    EVENT_OF = "SELECT id FROM outbox WHERE receiver = $1 AND sequence = $2
                UNION ALL SELECT id FROM deliveries WHERE receiver = $1 AND sequence = $2
                UNION ALL SELECT id FROM dispatched WHERE receiver = $1 AND sequence = $2";
    // When the receiver said what the phone's state is about.
    SILENCED = "SELECT d.token, max(p.settled_at) FROM devices d
                    JOIN deliveries p ON p.agent_id = d.agent_id AND p.channel <> 'presence'
                WHERE d.agent_id = $1 AND d.state <> 'active' AND p.receiver = d.token AND p.state = 'failed'
                    AND p.reason = d.state_reason AND p.settled_at >= d.registered_at
                GROUP BY d.token";
}

/// Whom a story is about, and what of it may be told.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The agent's id.
    pub agent: &'a str,
    /// The instant, UTC.
    pub at: Timestamp,
    /// Only what was recorded in this workspace; anywhere, where there is none.
    pub workspace: Option<&'a str>,
}

impl Question<'_> {
    fn sees(&self, workspace: &str) -> bool {
        self.workspace.is_none_or(|own| own == workspace)
    }
}

impl Store {
    /// What is stored about an agent around an instant; `None` for an agent that never was.
    pub async fn explain(
        &self,
        tx: &mut Tx,
        question: Question<'_>,
        zones: &Zones,
    ) -> Result<Option<Facts>, StoreError> {
        let Some(mut facts) = tx.explained(question).await? else {
            return Ok(None);
        };
        let (from, until) = minute(question.at);
        facts.transitions = tx.changes(question, until).await?;
        // The alerts of the very minute come first: they tell what is meant, whatever the hours are now.
        facts.deliveries = tx.alerts_of(question, from, until).await?;
        let schedule = facts.schedule.clone();
        let timetable = schedule.as_ref().ok().and_then(Option::as_ref);
        let timetable = timetable.and_then(|schedule| Timetable::new(schedule, zones).ok());
        let ids = self.boundary_ids(question, timetable.as_ref());
        tx.add_recorded(question, &mut facts, &ids).await?;
        tx.add_leads(question, &mut facts, from).await?;
        if let Some(occasion) = meant(&facts, timetable.as_ref()).occasion {
            let about = occasion.about;
            if !(from..until).contains(&about) {
                let end = about.saturating_add(INSTANT).unwrap_or(Timestamp::MAX);
                facts.deliveries = tx.alerts_of(question, about, end).await?;
            }
            let callers: Vec<String> = facts
                .deliveries
                .iter()
                .map(|d| d.transition.clone())
                .collect();
            tx.add_recorded(question, &mut facts, &callers).await?;
            tx.add_events(question, &mut facts, occasion.at).await?;
        }
        Ok(Some(facts))
    }

    /// Under which ids is recorded what changed no status: boundaries of this minute, those close to it and
    /// the last before it by the hours of now, and the leads since.
    fn boundary_ids(
        &self,
        question: Question<'_>,
        timetable: Option<&Timetable<'_>>,
    ) -> Vec<String> {
        let (from, until) = minute(question.at);
        let here = [BoundaryKind::Start, BoundaryKind::End].map(|kind| (kind, from));
        let mut all = here.to_vec();
        if let Some(timetable) = timetable {
            let around = |at: Timestamp, by| at.saturating_add(by).unwrap_or(at);
            let (start, end) = (around(from, -CLOSE), around(until, CLOSE));
            let close = timetable.hours().boundaries(start, end).into_iter();
            let last = timetable.last_before(until);
            all.extend(
                close
                    .chain(last)
                    .map(|boundary| (boundary.kind, boundary.at)),
            );
        }
        let id = |(kind, at)| self.boundary_id(question.agent, kind, at);
        let leads = timetable.map_or_else(Vec::new, |timetable| timetable.leads_before(until));
        let leads = leads
            .iter()
            .map(|ahead| self.lead_id(question.agent, ahead.lead, ahead.start));
        let ids = all.into_iter().map(id).chain(leads);
        ids.map(|id| id.to_string()).collect()
    }
}
