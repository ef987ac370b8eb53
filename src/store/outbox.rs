//! The outbox: claiming what is due under a lease ([`claim`]), making messages of it ([`messages`]),
//! settling what it came to ([`settle`]), and here, taking back what nobody holds any more.
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

pub(super) mod claim;
pub(super) mod messages;
pub(super) mod settle;

use jiff::Timestamp;

use super::{
    Moved, StoreError, Tx, ms,
    rows::{list, moved},
    sql::{run, statements},
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

    /// Drops presence events that a later one has overtaken; returns them.
    pub async fn sweep(&mut self, now: Timestamp) -> Result<Vec<Moved>, StoreError> {
        moved(run!(self, all SWEEP, ms(now))?)
    }
}
