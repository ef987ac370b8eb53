//! The end of a delivery: out of the outbox, into the log.

use std::fmt::Display;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    domain::delivery::DeliveryState,
    store::{
        Moved, StoreError, Tx,
        columns::{list, table},
        ms,
        rows::moved,
        sql::{run, statements},
    },
};

/// Moves to the log what waits, or whose lease still holds.
macro_rules! end {
    () => {
        "INSERT INTO deliveries (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
             sequence, deadline_at, created_at, due_at, epoch, tries, state, reason, receipt, settled_at,
             worker, started_at, outcome, http_status)
         SELECT o.id, o.transition_id, o.channel, o.workspace_id, o.agent_id, o.kind, o.receiver, o.boundary_at,
             o.sequence, o.deadline_at, o.created_at, o.due_at, o.epoch, o.tries + v.cost, v.state, v.reason,
             v.receipt, v.settled_at, CASE WHEN v.outcome IS NULL THEN NULL ELSE o.worker END,
             CASE WHEN v.outcome IS NULL THEN NULL ELSE o.started_at END, v.outcome, v.http_status
         FROM {rows(id TEXT, epoch BIGINT, state TEXT, reason TEXT, cost BIGINT, receipt TEXT, settled_at BIGINT,
                 outcome TEXT, http_status BIGINT)}
             {each outbox o ON o.id = v.id}
         WHERE v.epoch IS NULL OR (o.epoch = v.epoch AND o.lease_until IS NOT NULL)
         {skip_locked o}
         RETURNING "
    };
}

statements! {
    END = concat!(end!(), "id, channel, state, reason, epoch, transition_id, agent_id, kind, boundary_at");
    // Whoever holds the leases knows what they are about.
    END_LEASES = concat!(end!(), "id, epoch");
    GONE = "DELETE FROM outbox WHERE id {in_list}";
}

/// How a delivery ends.
#[derive(Debug, Serialize)]
pub(in crate::store) struct End {
    /// The delivery's id.
    pub(in crate::store) id: String,
    /// The lease that ends it: if it is another's by now, nothing ends. None for what waits.
    pub(in crate::store) epoch: Option<i64>,
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
    /// What the attempt that ends it came to, if one does.
    pub(in crate::store) outcome: Option<&'static str>,
    /// The answer's HTTP status.
    pub(in crate::store) http_status: Option<u16>,
}

impl End {
    /// An end at `now` (UTC) that cost no try.
    pub(in crate::store) fn of(id: String, state: DeliveryState, now: Timestamp) -> Self {
        Self {
            id,
            epoch: None,
            state: state.as_str(),
            reason: None,
            cost: 0,
            receipt: None,
            settled_at: ms(now),
            outcome: None,
            http_status: None,
        }
    }
}

impl Tx {
    /// Moves deliveries to the log, and returns them: all that wait, which the transaction has locked,
    /// and those whose lease still holds and whose row no other session has locked.
    pub(in crate::store) async fn end(&mut self, ends: &[End]) -> Result<Vec<Moved>, StoreError> {
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let ended = moved(run!(self, all END, table(ends))?)?;
        self.forget(ended.iter().map(|end| end.id)).await?;
        Ok(ended)
    }

    /// As [`Tx::end`], by who holds the leases; returns the ids and the leases' numbers alone.
    pub(in crate::store) async fn end_leases(
        &mut self,
        ends: &[End],
    ) -> Result<Vec<(String, i64)>, StoreError> {
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let ended: Vec<(String, i64)> = run!(self, all END_LEASES, table(ends))?;
        self.forget(ended.iter().map(|(id, _)| id)).await?;
        Ok(ended)
    }

    /// Takes rows out of the outbox.
    pub(in crate::store) async fn forget(
        &mut self,
        ids: impl IntoIterator<Item: Display>,
    ) -> Result<(), StoreError> {
        let ids = list(ids);
        if !ids.is_empty() {
            run!(self, execute GONE, ids)?;
        }
        Ok(())
    }
}
