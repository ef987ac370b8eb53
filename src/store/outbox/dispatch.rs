//! Dispatches: what is leased as it is recorded, one row a batch.
//!
//! At nine o'clock deliveries are recorded, sent and over within a second, a hundred thousand of them. As rows
//! of their own they would each be written twice and deleted once while all the others wait. So a batch
//! that is large enough is one row, and what it came to a few more; both are taken apart ([`super::unpack`])
//! when the rush is over ([`UNPACKED_AFTER`]), or before, as soon as one of its deliveries is needed by
//! itself:
//!
//! - its agent is evaluated again (`agent_state.dispatch_id` says where to look);
//! - it is to be tried again, or is cancelled by an operator;
//! - its lease runs out.
//!
//! So nothing that is recorded of an agent later meets what is in a dispatch: who asks the outbox and the log
//! about it has asked everything.
//!
//! A delivery is in one of the three, and moved in one transaction, which holds the dispatch. An outcome is
//! written only while the dispatch is there, and held; after that it is settled like any other. The log
//! (`delivery_log`, `attempt_log`) shows them all the while. `tests/store/dispatch.rs` proves it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use uuid::Uuid;

use super::{
    settle::{Kept, Settlement, device_row, devices, end, keep},
    unpack::ids_of,
};
use crate::{
    domain::delivery::DeliveryState,
    store::{
        StoreError, Tx,
        columns::{Table, list, table},
        ms,
        sql::{run, statements},
    },
};

/// So long after it was sent a dispatch is taken apart: the rush of the start of a shift is over by then.
const UNPACKED_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// Fewer deliveries go through the outbox one by one.
pub(in crate::store) const WORTHWHILE: usize = 64;

/// What is kept of a delivery, in the order of the view `dispatched`.
const DELIVERY: [&str; 12] = [
    "id",
    "transition_id",
    "channel",
    "workspace_id",
    "agent_id",
    "kind",
    "receiver",
    "boundary_at",
    "counterpart_at",
    "sequence",
    "deadline_at",
    "created_at",
];
/// What is kept of an end, in the order of the view `dispatched_outcomes`.
const OUTCOME: [&str; 8] = [
    "id",
    "state",
    "reason",
    "cost",
    "receipt",
    "settled_at",
    "outcome",
    "http_status",
];

statements! {
    DISPATCH = "INSERT INTO dispatches (id, worker, started_at, lease_until, unpack_at, count, deliveries)
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    // Several settle what is in one dispatch at the same time, and none waits for the others.
    KEEP_DISPATCHES = "SELECT id FROM dispatches WHERE id {in_list} ORDER BY id {keep}";
    OUTCOMES = "INSERT INTO outcomes (dispatch_id, first, count, ended)
                SELECT dispatch_id, first, count, ended
                FROM {rows(dispatch_id TEXT, first TEXT, count BIGINT, ended TEXT)}
                WHERE TRUE ON CONFLICT DO NOTHING";
    DEVICES_DISPATCHED = devices!("dispatched d ON d.dispatch_id = v.dispatch_id AND d.id = v.id");
}

/// A lease that begins with its record.
#[derive(Debug, Clone, Copy)]
pub struct Lease<'a> {
    /// Who holds it, for the log.
    pub worker: &'a str,
    /// When the attempt begins: the instant it is, UTC.
    pub began: Timestamp,
    /// When (UTC) it runs out.
    pub until: Timestamp,
}

#[derive(Serialize)]
struct OutcomesRow {
    dispatch_id: Uuid,
    /// Of which these are: the same outcomes may be written again, if the answer to a COMMIT was lost.
    first: Uuid,
    count: i64,
    ended: String,
}

impl Tx {
    /// Records `count` deliveries as one dispatch, whose id is that of the first of them.
    pub(in crate::store) async fn dispatch(
        &mut self,
        id: Uuid,
        lease: Lease<'_>,
        deliveries: &Table,
        count: usize,
    ) -> Result<(), StoreError> {
        let unpack_at = ms(lease.until).min(ms(lease.began + UNPACKED_AFTER));
        let deliveries = deliveries.json(DELIVERY.into_iter());
        run!(
            self, execute DISPATCH,
            id.to_string(), lease.worker, ms(lease.began), ms(lease.until), unpack_at, count as i64, deliveries
        )?;
        Ok(())
    }

    /// Writes the ends of what is in dispatches still. Returns what was kept, and the places of all the
    /// others, which are in no dispatch any more.
    pub(super) async fn settle_dispatched(
        &mut self,
        settlements: &[&Settlement],
    ) -> Result<(Vec<Kept>, Vec<usize>), StoreError> {
        let whole = self.left_whole(settlements).await?;
        let (mut kept, mut rest, mut devices) = (Vec::new(), Vec::new(), Vec::new());
        let mut ends: BTreeMap<Uuid, Vec<&Settlement>> = BTreeMap::new();
        for (index, s) in settlements.iter().enumerate() {
            match s.dispatch.filter(|id| whole.contains(id)) {
                Some(dispatch) => {
                    ends.entry(dispatch).or_default().push(s);
                    devices.extend(device_row(s));
                    kept.push(keep(index, s, None));
                }
                None => rest.push(index),
            }
        }
        self.write_outcomes(&ends).await?;
        if !devices.is_empty() {
            run!(self, execute DEVICES_DISPATCHED, table(&devices))?;
        }
        Ok((kept, rest))
    }

    /// Their dispatches that are there still, which this transaction keeps. One with a delivery that is to be
    /// tried again is taken apart.
    async fn left_whole(
        &mut self,
        settlements: &[&Settlement],
    ) -> Result<HashSet<Uuid>, StoreError> {
        let of: BTreeSet<Uuid> = settlements.iter().filter_map(|s| s.dispatch).collect();
        if of.is_empty() {
            return Ok(HashSet::new());
        }
        let returns = settlements
            .iter()
            .filter(|s| s.state == DeliveryState::Pending);
        let apart: HashSet<Uuid> = returns.filter_map(|s| s.dispatch).collect();
        if apart.is_empty() {
            let kept = ids_of(&run!(self, all KEEP_DISPATCHES, list(&of))?)?;
            return Ok(kept.into_iter().collect());
        }
        let held = self.hold_dispatches(&list(&of)).await?;
        let (apart, whole): (Vec<Uuid>, Vec<Uuid>) =
            held.into_iter().partition(|id| apart.contains(id));
        self.unpack_held(&list(&apart)).await?;
        Ok(whole.into_iter().collect())
    }

    async fn write_outcomes(
        &mut self,
        ends: &BTreeMap<Uuid, Vec<&Settlement>>,
    ) -> Result<(), StoreError> {
        if ends.is_empty() {
            return Ok(());
        }
        let row = |(dispatch_id, ends): (&Uuid, &Vec<&Settlement>)| OutcomesRow {
            dispatch_id: *dispatch_id,
            first: ends[0].id,
            count: ends.len() as i64,
            ended: table(&ends.iter().map(|s| end(s)).collect::<Vec<_>>())
                .json(OUTCOME.into_iter()),
        };
        let rows: Vec<OutcomesRow> = ends.iter().map(row).collect();
        run!(self, execute OUTCOMES, table(&rows))?;
        Ok(())
    }
}
