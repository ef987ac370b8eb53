//! The statements that write a batch of decisions, in the order in which they lock.

use jiff::Timestamp;

use super::Batch;
use crate::{
    domain::delivery::DeliveryState,
    store::{
        About, Moved, StoreError, Tx, ms,
        rows::{json, list, moved},
        sql::{run, statements},
    },
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
    // Joined in this order (`CROSS`) on SQLite, which else reads all that is pending for each row.
    SUPERSEDE = "UPDATE deliveries SET state = 'superseded', reason = 'newer_sequence', settled_at = $2
                 WHERE id IN (SELECT d.id FROM {rows(receiver TEXT, sequence BIGINT)} CROSS JOIN deliveries d
                     WHERE d.receiver = v.receiver AND d.channel = 'presence' AND d.sequence < v.sequence
                       AND d.state = 'pending')
                   AND state = 'pending'
                 RETURNING id, channel, state, reason, transition_id, agent_id, kind, boundary_at";
    CANCEL = "UPDATE deliveries SET state = 'cancelled', reason = v.reason, settled_at = v.now
              FROM {rows(id TEXT, reason TEXT, now BIGINT)}
              WHERE deliveries.id = v.id AND deliveries.state = 'pending'
              RETURNING deliveries.id, deliveries.channel, deliveries.state, deliveries.reason,
                  deliveries.transition_id, deliveries.agent_id, deliveries.kind, deliveries.boundary_at";
    // What is under way cannot be called back, but must not be repeated.
    REVOKE = "UPDATE deliveries SET revoked = v.reason FROM {rows(id TEXT, reason TEXT)}
              WHERE deliveries.id = v.id AND deliveries.state = 'leased'";
    // Said twice, so that SQLite takes the index of what is open.
    CANCEL_AGENT = "UPDATE deliveries SET state = 'cancelled', reason = 'agent_removed', settled_at = $2
              WHERE agent_id {in_list} AND state IN ('pending', 'leased') AND state = 'pending' AND channel <> 'presence'
              RETURNING id, channel, state, reason, transition_id, agent_id, kind, boundary_at";
    REVOKE_AGENT = "UPDATE deliveries SET revoked = 'agent_removed'
              WHERE agent_id {in_list} AND state IN ('pending', 'leased') AND state = 'leased' AND channel <> 'presence'";
    // Recorded by a clock that ran ahead, and expired before anything was sent: now is its time.
    REVISIT = "UPDATE deliveries SET state = v.state, reason = v.reason, due_at = v.due_at, deadline_at = v.deadline_at,
                   created_at = v.created_at, settled_at = v.settled_at
               FROM {rows(id TEXT, state TEXT, reason TEXT, due_at BIGINT, deadline_at BIGINT, created_at BIGINT,
                   settled_at BIGINT)}
               WHERE deliveries.id = v.id AND deliveries.state = 'expired' AND deliveries.epoch = 0
                 AND deliveries.created_at > v.created_at";
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
             ON CONFLICT (workspace_id) DO UPDATE
             SET dirty_at = {later}(excluded.dirty_at, coalesce(workspace_state.dirty_at, excluded.dirty_at))";
}

impl Batch<'_> {
    /// Writes everything collected; empty lists cost nothing. Tells which deliveries came to their end.
    pub(in crate::store) async fn write(
        self,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<Vec<Moved>, StoreError> {
        if !self.transitions.is_empty() {
            run!(tx, execute TRANSITIONS, json(&self.transitions))?;
        }
        let mut ended = self.write_ends(tx, now).await?;
        ended.extend(self.write_deliveries(tx).await?);
        if !self.states.is_empty() {
            run!(tx, execute STATE, json(&self.states))?;
        }
        if !self.dirty.is_empty() {
            run!(tx, execute DIRTY, json(&self.dirty))?;
        }
        Ok(ended)
    }

    /// What the decisions make pointless.
    async fn write_ends(&self, tx: &mut Tx, now: Timestamp) -> Result<Vec<Moved>, StoreError> {
        let mut ended = Vec::new();
        if !self.cancelled.is_empty() {
            let rows = json(&self.cancelled);
            ended.extend(moved(run!(tx, all CANCEL, &rows)?)?);
            run!(tx, execute REVOKE, &rows)?;
        }
        if !self.removed.is_empty() {
            let agents = list(self.removed.iter().copied());
            ended.extend(moved(run!(tx, all CANCEL_AGENT, &agents, ms(now))?)?);
            run!(tx, execute REVOKE_AGENT, &agents)?;
        }
        if !self.superseded.is_empty() {
            let rows = json(&self.superseded);
            ended.extend(moved(run!(tx, all SUPERSEDE, rows, ms(now))?)?);
        }
        Ok(ended)
    }

    async fn write_deliveries(&self, tx: &mut Tx) -> Result<Vec<Moved>, StoreError> {
        if self.deliveries.is_empty() {
            return Ok(Vec::new());
        }
        let rows = json(&self.deliveries);
        let written = run!(tx, execute DELIVERIES, &rows)?;
        if written < self.deliveries.len() as u64 {
            run!(tx, execute REVISIT, &rows)?;
        }
        tx.notify_outbox().await?;
        let ended = self.deliveries.iter().filter(|d| d.settled_at.is_some());
        Ok(ended
            .map(|d| Moved {
                id: d.id,
                channel: d.channel,
                state: DeliveryState::Expired,
                reason: d.reason.unwrap_or_default().to_owned(),
                about: About {
                    transition: d.transition_id.to_string(),
                    agent: d.agent_id.map(str::to_owned),
                    kind: d.kind.to_owned(),
                    boundary: d
                        .boundary_at
                        .and_then(|ms| Timestamp::from_millisecond(ms).ok()),
                },
            })
            .collect())
    }
}
