//! Dispatches taken apart: what has ended goes into the log, what is open into the outbox, under its lease.
//!
//! Whoever does so holds the dispatch, and whoever writes an outcome into it keeps it from being taken apart
//! meanwhile: none is lost in between. Locks are taken in one order: agents' states, dispatches, the outbox.

use jiff::Timestamp;
use uuid::Uuid;

use crate::store::{
    StoreError, Tx,
    columns::{List, list},
    ms,
    rows::id,
    sql::{run, statements},
};

/// Dispatches that are taken apart in one transaction, when it is time.
const AT_ONCE: i64 = 4;

/// The deliveries of dispatches (`sent`), and what is `known` of their ends: as the views of the schema have them,
/// which anybody's `SQLite` can read, but three times as fast.
macro_rules! outcomes {
    () => {
        "WITH known AS MATERIALIZED (
             SELECT e.value->>0 AS id, e.value->>1 AS state, e.value->>2 AS reason, CAST(e.value->>3 AS BIGINT) AS cost,
                 e.value->>4 AS receipt, CAST(e.value->>5 AS BIGINT) AS settled_at, e.value->>6 AS outcome,
                 CAST(e.value->>7 AS BIGINT) AS http_status
             FROM outcomes CROSS JOIN {elements ended} AS e WHERE dispatch_id {in_list}),
         sent AS (
             SELECT worker, started_at, lease_until, m.value->>0 AS id, m.value->>1 AS transition_id,
                 m.value->>2 AS channel, m.value->>3 AS workspace_id, m.value->>4 AS agent_id, m.value->>5 AS kind,
                 m.value->>6 AS receiver, CAST(m.value->>7 AS BIGINT) AS boundary_at,
                 CAST(m.value->>8 AS BIGINT) AS counterpart_at, CAST(m.value->>9 AS BIGINT) AS sequence,
                 CAST(m.value->>10 AS BIGINT) AS deadline_at, CAST(m.value->>11 AS BIGINT) AS created_at
             FROM dispatches CROSS JOIN {elements deliveries} AS m WHERE dispatches.id {in_list})"
    };
}

statements! {
    HOLD_DISPATCHES = "SELECT id FROM dispatches WHERE id {in_list} ORDER BY id {lock}";
    UNPACK_ENDED = concat!(outcomes!(), "
                    INSERT INTO deliveries (id, transition_id, channel, workspace_id, agent_id, kind, receiver,
                        boundary_at, sequence, deadline_at, created_at, due_at, epoch, tries, state, reason, receipt,
                        settled_at, worker, started_at, outcome, http_status)
                    SELECT sent.id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                        sequence, deadline_at, created_at, created_at, 1, cost, state, reason, receipt, settled_at,
                        worker, started_at, outcome, http_status
                    FROM sent JOIN known ON known.id = sent.id WHERE TRUE
                    ON CONFLICT (id) DO NOTHING");
    DISPATCHED = "SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM dispatches WHERE id {in_list}";
    UNPACK_OPEN = concat!(outcomes!(), "
                   INSERT INTO outbox (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                       counterpart_at, sequence, deadline_at, created_at, due_at, epoch, worker, started_at, lease_until)
                   SELECT id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at, counterpart_at,
                       sequence, deadline_at, created_at, created_at, 1, worker, started_at, lease_until
                   FROM sent WHERE id NOT IN (SELECT id FROM known)");
    UNPACKED = "DELETE FROM dispatches WHERE id {in_list}";
    OUTCOMES_UNPACKED = "DELETE FROM outcomes WHERE dispatch_id {in_list}";
    DISPATCHES = "SELECT id FROM dispatches ORDER BY id";
    TO_UNPACK = "SELECT id FROM dispatches WHERE unpack_at <= $1 ORDER BY unpack_at LIMIT $2 {skip_locked}";
    DISPATCHES_OF = "SELECT DISTINCT dispatch_id FROM agent_state
                     WHERE agent_id {in_list} AND dispatch_id IS NOT NULL";
    DISPATCHES_WITH = "SELECT DISTINCT dispatch_id FROM dispatched WHERE id {in_list}";
}

impl Tx {
    /// Takes apart what these agents' deliveries are in, whose states the transaction holds.
    pub(in crate::store) async fn unpack_of(&mut self, agents: &List) -> Result<(), StoreError> {
        let ids: Vec<(String,)> = run!(self, all DISPATCHES_OF, agents)?;
        self.unpack(&list(ids.iter().map(|(id,)| id))).await
    }

    /// Takes apart what these deliveries are in.
    pub(in crate::store) async fn unpack_with(
        &mut self,
        deliveries: &List,
    ) -> Result<(), StoreError> {
        let ids: Vec<(String,)> = run!(self, all DISPATCHES_WITH, deliveries)?;
        self.unpack(&list(ids.iter().map(|(id,)| id))).await
    }

    /// Takes apart some of those whose time has come at `now` (UTC), unless others hold them.
    pub(super) async fn unpack_due(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let ids: Vec<(String,)> = run!(self, all TO_UNPACK, ms(now), AT_ONCE)?;
        self.unpack_held(&list(ids.iter().map(|(id,)| id))).await?;
        Ok(ids.len())
    }

    /// Takes apart all there are.
    pub(in crate::store) async fn unpack_all(&mut self) -> Result<(), StoreError> {
        let ids: Vec<(String,)> = run!(self, all DISPATCHES)?;
        for ids in ids.chunks(AT_ONCE as usize) {
            self.unpack(&list(ids.iter().map(|(id,)| id))).await?;
        }
        Ok(())
    }

    /// Takes apart those of these dispatches that are there still.
    pub(in crate::store) async fn unpack(&mut self, ids: &List) -> Result<(), StoreError> {
        let held = self.hold_dispatches(ids).await?;
        self.unpack_held(&list(held)).await
    }

    /// Locks those that are there, in the order in which everybody does who locks several.
    pub(super) async fn hold_dispatches(&mut self, ids: &List) -> Result<Vec<Uuid>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        ids_of(&run!(self, all HOLD_DISPATCHES, ids)?)
    }

    /// Takes apart those that the transaction holds.
    pub(super) async fn unpack_held(&mut self, ids: &List) -> Result<(), StoreError> {
        if !ids.is_empty() {
            let ended = run!(self, execute UNPACK_ENDED, ids)?;
            let (all,): (i64,) = run!(self, one DISPATCHED, ids)?;
            if ended != all as u64 {
                run!(self, execute UNPACK_OPEN, ids)?;
            }
            run!(self, execute UNPACKED, ids)?;
            run!(self, execute OUTCOMES_UNPACKED, ids)?;
        }
        Ok(())
    }
}

/// The ids that were read.
pub(super) fn ids_of(rows: &[(String,)]) -> Result<Vec<Uuid>, StoreError> {
    rows.iter().map(|(key,)| id("dispatches", key)).collect()
}
