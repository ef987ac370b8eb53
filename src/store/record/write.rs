//! The statements that write a batch of decisions, in the order in which they lock.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Batch, NewDelivery, Written,
    begin::{self, Terms},
};
use crate::{
    domain::delivery::{ChannelKind, DeliveryState},
    store::{
        About, Moved, StoreError, Tx,
        columns::{list, table},
        instant, ms,
        outbox::{dispatch::Lease, end::End},
        sql::{run, statements},
    },
};

statements! {
    TRANSITIONS = "INSERT INTO transitions (id, workspace_id, agent_id, reason, status, accepts, mode, sequence,
                       boundary_kind, boundary_at, counterpart_at, missed, cause, waiting_since, effective_at, recorded_at)
                   SELECT id, workspace_id, agent_id, reason, status, accepts, mode, sequence,
                       boundary_kind, boundary_at, counterpart_at, missed, cause, waiting_since, effective_at, recorded_at
                   FROM {rows(id TEXT, workspace_id TEXT, agent_id TEXT, reason TEXT, status TEXT, accepts BOOLEAN,
                       mode TEXT, sequence BIGINT, boundary_kind TEXT, boundary_at BIGINT, counterpart_at BIGINT,
                       missed BOOLEAN, cause TEXT, waiting_since BIGINT, effective_at BIGINT, recorded_at BIGINT)}
                   WHERE TRUE ON CONFLICT (id) DO NOTHING";
    OPEN = "INSERT INTO outbox (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                counterpart_at, sequence, deadline_at, created_at, due_at, epoch, worker, started_at, lease_until)
            SELECT id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                counterpart_at, sequence, deadline_at, created_at, created_at, CASE WHEN leased THEN 1 ELSE 0 END,
                CASE WHEN leased THEN CAST($2 AS TEXT) END, CASE WHEN leased THEN CAST($3 AS BIGINT) END,
                CASE WHEN leased THEN CAST($4 AS BIGINT) END
            FROM {rows(id TEXT, transition_id TEXT, channel TEXT, workspace_id TEXT, agent_id TEXT, kind TEXT,
                receiver TEXT, boundary_at BIGINT, counterpart_at BIGINT, sequence BIGINT, deadline_at BIGINT,
                created_at BIGINT, leased BOOLEAN)}
            WHERE (SELECT o.id FROM outbox o WHERE o.id = v.id) IS NULL
            RETURNING id";
    RECORDED = "SELECT id FROM outbox WHERE id {in_list} UNION ALL SELECT id FROM deliveries WHERE id {in_list}";
    // Asked once those are in the outbox: it sees what has ended until then.
    ENDED = "SELECT id FROM deliveries WHERE id {in_list}";
    // Recorded by a clock that ran ahead, and expired before anything was sent: now is its time.
    REVISIT = "DELETE FROM deliveries WHERE id {in_list} AND state = 'expired' AND epoch = 0 AND created_at > $2
               RETURNING id";
    MISSED = "INSERT INTO deliveries (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                sequence, deadline_at, created_at, due_at, epoch, tries, state, reason, settled_at)
            SELECT id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                sequence, deadline_at, created_at, created_at, 0, 0, 'expired', expired, created_at
            FROM {rows(id TEXT, transition_id TEXT, channel TEXT, workspace_id TEXT, agent_id TEXT, kind TEXT,
                receiver TEXT, boundary_at BIGINT, sequence BIGINT, deadline_at BIGINT, created_at BIGINT,
                expired TEXT)}
            WHERE (SELECT o.id FROM outbox o WHERE o.id = v.id) IS NULL
            ON CONFLICT DO NOTHING";
    PRECEDED = "SELECT receiver FROM outbox WHERE receiver {in_list} AND sequence IS NOT NULL";
    // Joined in this order (`CROSS`) on SQLite, which else reads all that is open for each row.
    OLDER = "SELECT id FROM outbox
             WHERE id IN (SELECT o.id FROM {rows(receiver TEXT, sequence BIGINT)} CROSS JOIN outbox o
                 WHERE o.receiver = v.receiver AND o.sequence < v.sequence)
               AND lease_until IS NULL {skip_locked}";
    DOOMED = "SELECT id, lease_until IS NOT NULL FROM outbox WHERE id {in_list} ORDER BY id {lock}";
    DOOMED_OF_AGENT = "SELECT id, lease_until IS NOT NULL FROM outbox
                       WHERE agent_id {in_list} AND channel <> 'presence' ORDER BY id {lock}";
    // What is under way cannot be called back, but must not be repeated.
    REVOKE = "UPDATE outbox SET revoked = v.reason FROM {rows(id TEXT, reason TEXT)} WHERE outbox.id = v.id";
    STATE = "UPDATE agent_state SET workspace_id = v.workspace_id, boundary_at = v.next, lead_at = v.lead, due_at = v.due,
                 evaluated_at = v.now, stale_at = NULL, problem = v.problem,
                 status = coalesce(v.status, agent_state.status),
                 accepts = coalesce(v.accepts, agent_state.accepts),
                 sequence = coalesce(v.sequence, agent_state.sequence),
                 effective_at = coalesce(v.effective_at, agent_state.effective_at), no_reply_at = v.no_reply_at,
                 dispatch_id = $2
             FROM {rows(agent_id TEXT, workspace_id TEXT, next BIGINT, lead BIGINT, due BIGINT, now BIGINT, problem TEXT, status TEXT,
                 accepts BOOLEAN, sequence BIGINT, effective_at BIGINT, no_reply_at BIGINT)}
             WHERE agent_state.agent_id = v.agent_id";
    DIRTY = "INSERT INTO workspace_state (workspace_id, dirty_at)
             SELECT workspace_id, max(dirty_at) FROM {rows(workspace_id TEXT, dirty_at BIGINT)}
             WHERE TRUE GROUP BY workspace_id ORDER BY workspace_id
             ON CONFLICT (workspace_id) DO UPDATE
             SET dirty_at = {later}(excluded.dirty_at, coalesce(workspace_state.dirty_at, excluded.dirty_at))";
}

impl Batch<'_> {
    /// Writes everything collected; empty lists cost nothing. With `terms`, leases what can begin at
    /// once.
    pub(in crate::store) async fn write(
        mut self,
        tx: &mut Tx,
        now: Timestamp,
        terms: Option<Terms<'_>>,
    ) -> Result<Written, StoreError> {
        let mut all_new = false;
        if !self.transitions.is_empty() {
            let new = run!(tx, execute TRANSITIONS, table(&self.transitions))?;
            all_new = new == self.transitions.len() as u64;
        }
        let mut recorded = Written::default();
        let preceded = self.write_ends(tx, now, &mut recorded).await?;
        if !self.missed.is_empty() {
            run!(tx, execute MISSED, table(&self.missed))?;
            let missed: Result<Vec<_>, _> = self.missed.iter().map(NewDelivery::moved).collect();
            recorded.ended.extend(missed?);
        }
        let mut dispatch = None;
        if !self.opened.is_empty() {
            let lease = terms.as_ref().map(|terms| terms.lease);
            if let Some(terms) = terms {
                terms.mark(&mut self.opened, &preceded);
            }
            if let (Some(lease), true) = (lease, all_new) {
                dispatch = begin::dispatch(tx, &mut self.opened, lease).await?;
            }
            self.open(tx, all_new, lease, &mut recorded).await?;
        }
        if !self.states.is_empty() {
            let dispatch = dispatch.map(|id| id.to_string());
            run!(tx, execute STATE, table(&self.states), dispatch)?;
        }
        if !self.dirty.is_empty() {
            run!(tx, execute DIRTY, table(&self.dirty))?;
        }
        Ok(recorded)
    }

    /// What the decisions make pointless. Returns the receivers of whom another event is open: an
    /// earlier one.
    async fn write_ends(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        recorded: &mut Written,
    ) -> Result<HashSet<String>, StoreError> {
        let ended = &mut recorded.ended;
        if !self.cancelled.is_empty() {
            let ids = list(self.cancelled.keys());
            let doomed = run!(tx, all DOOMED, ids)?;
            let why = |id: &str| self.cancelled.get(id).copied();
            ended.extend(tx.cancel(doomed, why, now).await?);
        }
        if !self.removed.is_empty() {
            let doomed = run!(tx, all DOOMED_OF_AGENT, list(self.removed.iter().copied()))?;
            ended.extend(tx.cancel(doomed, |_| Some("agent_removed"), now).await?);
        }
        if self.superseded.is_empty() {
            return Ok(HashSet::new());
        }
        let receivers = list(self.superseded.iter().map(|later| &later.receiver));
        let preceded: Vec<(String,)> = run!(tx, all PRECEDED, receivers)?;
        if !preceded.is_empty() {
            let older: Vec<(String,)> = run!(tx, all OLDER, table(&self.superseded))?;
            ended.extend(tx.supersede(older, now).await?);
        }
        Ok(preceded.into_iter().map(|(receiver,)| receiver).collect())
    }

    /// Opens the new deliveries that are in no dispatch, under `lease` those that are leased.
    async fn open(
        &self,
        tx: &mut Tx,
        all_new: bool,
        lease: Option<Lease<'_>>,
        recorded: &mut Written,
    ) -> Result<(), StoreError> {
        let (sent, opened): (Vec<_>, Vec<_>) =
            self.opened.iter().partition(|d| d.dispatch.is_some());
        let dispatched: Result<Vec<_>, _> = sent.into_iter().map(NewDelivery::claimed).collect();
        recorded.begun = dispatched?;
        if opened.is_empty() {
            return Ok(());
        }
        let worker = lease.map(|lease| lease.worker);
        let (from, until) = lease.map(|l| (ms(l.began), ms(l.until))).unzip();
        let rows = table(&opened);
        let new: Vec<(String,)> = run!(tx, all OPEN, rows, worker, from, until)?;
        // An event is its transition's, and has not ended before that is there. An alert may have.
        let known = |d: &&NewDelivery<'_>| !all_new || d.channel != ChannelKind::Presence;
        let known: Vec<_> = opened.iter().copied().filter(known).collect();
        let over = if known.is_empty() {
            HashSet::new()
        } else {
            tx.close_ended(&known).await?
        };
        recorded.begun.extend(begin::begun(&opened, new, &over)?);
        recorded.waits = opened.iter().any(|d| !d.leased);
        if recorded.waits {
            tx.notify_outbox().await?;
        }
        Ok(())
    }
}

impl Tx {
    /// Takes out of the outbox again what has ended before: an edit, or a clock that stepped back,
    /// has made a boundary due that was due already. Returns which.
    async fn close_ended(
        &mut self,
        opened: &[&NewDelivery<'_>],
    ) -> Result<HashSet<String>, StoreError> {
        let ids = list(opened.iter().map(|d| d.id));
        let ended: Vec<(String,)> = run!(self, all ENDED, &ids)?;
        let mut over: HashSet<String> = ended.into_iter().map(|(id,)| id).collect();
        if over.is_empty() {
            return Ok(over);
        }
        let now = opened.iter().map(|d| d.created_at).min();
        let revisited: Vec<(String,)> = run!(self, all REVISIT, &ids, now)?;
        for (id,) in &revisited {
            over.remove(id);
        }
        self.forget(&over).await?;
        Ok(over)
    }

    /// Ends what waits, and revokes what is under way.
    pub(in crate::store) async fn cancel(
        &mut self,
        doomed: Vec<(String, bool)>,
        why: impl Fn(&str) -> Option<&'static str>,
        now: Timestamp,
    ) -> Result<Vec<Moved>, StoreError> {
        let (leased, waiting): (Vec<_>, Vec<_>) =
            doomed.into_iter().partition(|(_, leased)| *leased);
        if !leased.is_empty() {
            let revoked = leased.iter().map(|(id, _)| Revoked {
                id,
                reason: why(id),
            });
            run!(self, execute REVOKE, table(&revoked.collect::<Vec<_>>()))?;
        }
        let ends = waiting.into_iter().map(|(id, _)| End {
            reason: why(&id).map(str::to_owned),
            ..End::of(id, DeliveryState::Cancelled, now)
        });
        self.end(&ends.collect::<Vec<_>>()).await
    }
}

#[derive(Serialize)]
struct Revoked<'a> {
    id: &'a str,
    reason: Option<&'static str>,
}

impl NewDelivery<'_> {
    /// As the log is told of it, where it expired before it could be sent.
    fn moved(&self) -> Result<Moved, StoreError> {
        let boundary = self
            .boundary_at
            .map(|at| instant("deliveries", "boundary_at", self.kind, at));
        Ok(Moved {
            id: self.id,
            channel: self.channel,
            state: DeliveryState::Expired,
            reason: self.expired.unwrap_or_default().to_owned(),
            epoch: 0,
            about: About {
                transition: self.transition_id.to_string(),
                agent: self.agent_id.map(str::to_owned),
                kind: self.kind.to_owned(),
                boundary: boundary.transpose()?,
            },
        })
    }
}
