//! The outbox: claiming what is due under a lease ([`claim`]), making messages of it ([`messages`]),
//! settling what it came to ([`settle`], [`give_back`]), moving what has ended to the log ([`end`]), and here,
//! taking back what nobody holds any more.
//!
//! - A delivery is in `outbox` while it is open, and in `deliveries` once it has ended: one of the
//!   two, moved in one transaction. Those that are sent in a rush are in a dispatch before ([`dispatch`]).
//! - A claim raises the delivery's epoch and begins the attempt (delivery, epoch) in one update, or the
//!   delivery is recorded with both ([`super::record::begin`]); a settlement changes the delivery only
//!   under that epoch. A holder whose lease was taken over marks its own attempt late and touches nothing
//!   else.
//! - A lease that ran out leaves its attempt's outcome `unknown`; a delivery that took its holder
//!   down three times has failed as `poison`. After the first time it is leased with a few others
//!   that have gone down, after the second alone: an innocent one never fails for a neighbour.
//! - For one agent (or workspace) at most one presence event is under way, and none that a later
//!   one has overtaken.
//!
//! `tests/store/outbox.rs` holds both engines to it.

use jiff::Timestamp;

use self::end::End;
use super::{
    Moved, StoreError, Tx,
    columns::list,
    ms,
    sql::{run, statements},
};
use crate::domain::delivery::DeliveryState;

/// Whether a later event of `p`'s receiver was recorded, be it open or ended. (In two parts: SQLite
/// looks nothing up in a view of both.)
macro_rules! overtaken {
    () => {
        "(EXISTS (SELECT 1 FROM outbox n WHERE n.receiver = p.receiver AND n.sequence > p.sequence)
          OR EXISTS (SELECT 1 FROM deliveries n WHERE n.receiver = p.receiver AND n.sequence > p.sequence))"
    };
}
pub(super) use overtaken;

pub(super) mod claim;
pub(super) mod dispatch;
pub(super) mod end;
pub(super) mod give_back;
pub(super) mod messages;
pub(super) mod settle;
pub(super) mod unpack;

/// Holders a delivery may take down before it is given up.
const CRASHES_TO_POISON: i64 = 3;

statements! {
    LAPSED = "SELECT id, crashes, revoked FROM outbox WHERE lease_until <= $1 {skip_locked}";
    UNKNOWN = "INSERT INTO attempts (delivery_id, epoch, worker, started_at, finished_at, outcome, reason)
               SELECT id, epoch, worker, started_at, $2, 'unknown', 'lease_ran_out' FROM outbox WHERE id {in_list}";
    REAP = "UPDATE outbox SET lease_until = NULL, worker = NULL, started_at = NULL, due_at = $2,
                reason = 'lease_ran_out', crashes = crashes + 1, tries = tries + 1
            WHERE id {in_list}";
    EXPIRED = "SELECT id, reason FROM outbox WHERE lease_until IS NULL AND deadline_at <= $1 {skip_locked}";
    OVERTAKEN = concat!("SELECT p.id FROM outbox p WHERE p.lease_until IS NULL AND p.channel = 'presence' AND ",
                    overtaken!(), " {skip_locked}");
}

/// What [`Tx::reap`] came to.
#[derive(Debug)]
pub struct Reaped {
    /// Dispatches that were taken apart.
    pub unpacked: usize,
    /// Leases that had run out.
    pub lapsed: usize,
    /// Deliveries that came to their end.
    pub ended: Vec<Moved>,
}

impl Tx {
    /// Takes dispatches apart whose time has come, takes back leases that ran out, expires pushes past
    /// their deadline and drops presence events that a later one overtook, as of `now` (UTC). What others
    /// hold is theirs: it waits for nobody.
    pub async fn reap(&mut self, now: Timestamp) -> Result<Reaped, StoreError> {
        let unpacked = self.unpack_due(now).await?;
        let (lapsed, mut ended) = self.take_back(now).await?;
        let late: Vec<(String, Option<String>)> = run!(self, all EXPIRED, ms(now))?;
        let late = late.into_iter().map(|(id, reason)| End {
            reason: reason.or_else(|| Some("deadline".into())),
            ..End::of(id, DeliveryState::Expired, now)
        });
        ended.extend(self.end(&late.collect::<Vec<_>>()).await?);
        ended.extend(self.sweep(now).await?);
        Ok(Reaped {
            unpacked,
            lapsed,
            ended,
        })
    }

    async fn take_back(&mut self, now: Timestamp) -> Result<(usize, Vec<Moved>), StoreError> {
        let lapsed: Vec<(String, i64, Option<String>)> = run!(self, all LAPSED, ms(now))?;
        if lapsed.is_empty() {
            return Ok((0, Vec::new()));
        }
        let ids = list(lapsed.iter().map(|(id, ..)| id.as_str()));
        run!(self, execute UNKNOWN, ids, ms(now))?;
        let count = lapsed.len();
        let (mut over, mut back) = (Vec::new(), Vec::new());
        for (id, crashes, revoked) in lapsed {
            let (state, reason) = match revoked {
                _ if crashes + 1 >= CRASHES_TO_POISON => (DeliveryState::Failed, "poison".into()),
                Some(reason) => (DeliveryState::Cancelled, reason),
                None => {
                    back.push(id);
                    continue;
                }
            };
            over.push(End {
                reason: Some(reason),
                cost: 1,
                ..End::of(id, state, now)
            });
        }
        if !back.is_empty() {
            run!(self, execute REAP, list(back.iter().map(String::as_str)), ms(now))?;
        }
        Ok((count, self.end(&over).await?))
    }

    /// Drops presence events that a later one has overtaken; returns them.
    pub async fn sweep(&mut self, now: Timestamp) -> Result<Vec<Moved>, StoreError> {
        let overtaken: Vec<(String,)> = run!(self, all OVERTAKEN)?;
        self.supersede(overtaken, now).await
    }

    pub(super) async fn supersede(
        &mut self,
        overtaken: Vec<(String,)>,
        now: Timestamp,
    ) -> Result<Vec<Moved>, StoreError> {
        let ends = overtaken.into_iter().map(|(id,)| End {
            reason: Some("newer_sequence".into()),
            ..End::of(id, DeliveryState::Superseded, now)
        });
        self.end(&ends.collect::<Vec<_>>()).await
    }
}
