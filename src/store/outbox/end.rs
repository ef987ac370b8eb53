//! The end of a delivery: out of the outbox, into the log.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    domain::delivery::DeliveryState,
    store::{
        Moved, StoreError, Tx, ms,
        rows::{json, list, moved},
        sql::{run, statements},
    },
};

statements! {
    END = "INSERT INTO deliveries (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
               sequence, deadline_at, created_at, due_at, epoch, tries, state, reason, receipt, settled_at)
           SELECT o.id, o.transition_id, o.channel, o.workspace_id, o.agent_id, o.kind, o.receiver, o.boundary_at,
               o.sequence, o.deadline_at, o.created_at, o.due_at, o.epoch, o.tries + v.cost, v.state, v.reason,
               v.receipt, v.settled_at
           FROM {rows(id TEXT, state TEXT, reason TEXT, cost BIGINT, receipt TEXT, settled_at BIGINT)}
               JOIN outbox o ON o.id = v.id
           WHERE TRUE
           RETURNING id, channel, state, reason, transition_id, agent_id, kind, boundary_at";
    GONE = "DELETE FROM outbox WHERE id {in_list}";
}

/// How a delivery ends.
#[derive(Debug, Serialize)]
pub(in crate::store) struct End {
    /// The delivery's id.
    pub(in crate::store) id: String,
    /// Its final state's word.
    pub(in crate::store) state: &'static str,
    /// Why.
    pub(in crate::store) reason: Option<String>,
    /// Tries that this adds.
    pub(in crate::store) cost: i64,
    /// The receiver's id of what it accepted.
    pub(in crate::store) receipt: Option<String>,
    /// When, UTC epoch milliseconds.
    pub(in crate::store) settled_at: i64,
}

impl End {
    /// An end at `now` (UTC) that cost no try.
    pub(in crate::store) fn of(id: String, state: DeliveryState, now: Timestamp) -> Self {
        Self {
            id,
            state: state.as_str(),
            reason: None,
            cost: 0,
            receipt: None,
            settled_at: ms(now),
        }
    }
}

impl Tx {
    /// Moves deliveries, which the transaction has locked, to the log.
    pub(in crate::store) async fn end(&mut self, ends: &[End]) -> Result<Vec<Moved>, StoreError> {
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let ended = moved(run!(self, all END, json(ends))?)?;
        self.forget(ends.iter().map(|end| end.id.as_str())).await?;
        Ok(ended)
    }

    /// Takes rows out of the outbox.
    pub(in crate::store) async fn forget(
        &mut self,
        ids: impl Iterator<Item = &str>,
    ) -> Result<(), StoreError> {
        run!(self, execute GONE, list(ids))?;
        Ok(())
    }
}
