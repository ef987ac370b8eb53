//! What leases came to: those that end their delivery; for the others see [`super::give_back`].

use std::{borrow::Borrow, collections::HashSet};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::end::End;
use crate::{
    domain::delivery::{DeliveryState, DeviceFate},
    store::{
        StoreError, Tx,
        columns::{Table, table},
        ms,
        rows::id,
        sql::{run, statements},
    },
};

/// Takes phones out of use that a receiver does not know, or not here: those that deliveries `$of` went to.
macro_rules! devices {
    ($of:literal) => {
        concat!(
            "WITH phone AS MATERIALIZED (
                 SELECT v.state, v.reason, v.before, d.receiver, d.agent_id, d.channel
                 FROM {rows(id TEXT, dispatch_id TEXT, state TEXT, reason TEXT, before BIGINT)} JOIN ",
            $of,
            ")
             UPDATE devices SET state = phone.state, state_reason = phone.reason FROM phone
             WHERE devices.token = phone.receiver AND devices.agent_id = phone.agent_id AND devices.state = 'active'
                AND devices.platform = CASE phone.channel WHEN 'apns' THEN 'ios' ELSE 'android' END
                AND (phone.before IS NULL OR devices.registered_at < phone.before)"
        )
    };
}
pub(super) use devices;

statements! {
    LEASED = "SELECT o.id, o.epoch FROM {rows(id TEXT, epoch BIGINT)} {each outbox o ON o.id = v.id}
            WHERE o.epoch = v.epoch AND o.lease_until IS NOT NULL";
    // Who comes late tells what the answer was; that nobody knew it in time stays on record. A
    // settlement that is written again, since the answer to its COMMIT was lost, is not late.
    LATE = "UPDATE attempts SET http_status = v.http_status, retry_at = v.due_at, late = TRUE,
                reason = v.outcome || ': ' || v.reason
            FROM {rows(id TEXT, epoch BIGINT, outcome TEXT, http_status BIGINT, reason TEXT, due_at BIGINT)}
            WHERE attempts.delivery_id = v.id AND attempts.epoch = v.epoch AND attempts.outcome = 'unknown'
              AND attempts.reason = 'lease_ran_out'";
    DEVICES = devices!("deliveries d ON d.id = v.id");
}

/// What one lease came to.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The delivery's id.
    pub id: Uuid,
    /// The lease's number.
    pub epoch: i64,
    /// The dispatch that it was sent with, if any.
    pub dispatch: Option<Uuid>,
    /// The delivery's next state, not `leased`.
    pub state: DeliveryState,
    /// Why, in a word.
    pub reason: String,
    /// When (UTC) it is due again, for `pending`.
    pub due_at: Option<Timestamp>,
    /// Whether it cost a try.
    pub cost: bool,
    /// The largest batch it may travel in from now on.
    pub batch_cap: Option<i64>,
    /// The receiver's id of what it accepted.
    pub receipt: Option<String>,
    /// The attempt's outcome: a verdict's word, or `released`.
    pub outcome: &'static str,
    /// The answer's HTTP status.
    pub http_status: Option<u16>,
    /// When (UTC) the answer came.
    pub finished_at: Timestamp,
    /// What becomes of the phone.
    pub device: DeviceFate,
}

/// What [`Tx::settle`] came to.
#[derive(Debug, Default)]
pub struct Settled {
    /// Those that were written.
    pub kept: Vec<Kept>,
    /// The places of those whose delivery another session holds just now: nothing was written.
    pub held: Vec<usize>,
}

/// A settlement that was written.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its place among those that were handed over.
    pub index: usize,
    /// The delivery's state now.
    pub state: DeliveryState,
    /// Why.
    pub reason: String,
}

#[derive(Serialize)]
struct AttemptRow<'a> {
    id: Uuid,
    epoch: i64,
    outcome: &'static str,
    reason: &'a str,
    http_status: Option<u16>,
    finished_at: i64,
    due_at: Option<i64>,
    cost: i64,
    batch_cap: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct DeviceRow<'a> {
    id: Uuid,
    dispatch_id: Option<Uuid>,
    state: &'static str,
    reason: &'a str,
    before: Option<i64>,
}

impl Tx {
    /// Writes what leases came to, each under its epoch; returns what was kept, and with which state
    /// and reason, and what another session holds, for which nobody else is made to wait. The rest
    /// came late.
    pub async fn settle<S: Borrow<Settlement>>(
        &mut self,
        settlements: &[S],
    ) -> Result<Settled, StoreError> {
        let settlements: &[&Settlement] = &settlements.iter().map(S::borrow).collect::<Vec<_>>();
        let (mut kept, rest) = self.settle_dispatched(settlements).await?;
        let rest = self.settle_ends(settlements, rest, &mut kept).await?;
        let mut rest = self.settle_returns(settlements, rest, &mut kept).await?;
        let mut held = Vec::new();
        if !rest.is_empty() {
            let leased = self.leased(settlements, &rest).await?;
            rest.retain(|&index| {
                let locked = leased.contains(&lease(settlements[index]));
                held.extend(locked.then_some(index));
                !locked
            });
            if !rest.is_empty() {
                run!(self, execute LATE, attempt_rows(settlements, rest))?;
            }
        }
        Ok(Settled { kept, held })
    }

    /// Settles those that end their delivery. Returns the places of all the others, and of those that
    /// could not be settled.
    async fn settle_ends(
        &mut self,
        settlements: &[&Settlement],
        among: Vec<usize>,
        kept: &mut Vec<Kept>,
    ) -> Result<Vec<usize>, StoreError> {
        let ends = |index: &usize| settlements[*index].state != DeliveryState::Pending;
        let (ending, mut rest): (Vec<usize>, Vec<usize>) = among.into_iter().partition(ends);
        let ends: Vec<End> = ending.iter().map(|i| end(settlements[*i])).collect();
        let ended = self.end_leases(&ends).await?;
        // All of them, unless something is wrong.
        let all = ended.len() == ends.len();
        let ended = if all { Vec::new() } else { ended };
        let ended: HashSet<(Uuid, i64)> = leases(ended)?;
        let mut devices = Vec::new();
        for index in ending {
            let s = settlements[index];
            if all || ended.contains(&lease(s)) {
                devices.extend(device_row(s));
                kept.push(keep(index, s, None));
            } else {
                rest.push(index);
            }
        }
        if !devices.is_empty() {
            run!(self, execute DEVICES, table(&devices))?;
        }
        Ok(rest)
    }

    /// Which of them are leases still.
    async fn leased(
        &mut self,
        settlements: &[&Settlement],
        among: &[usize],
    ) -> Result<HashSet<(Uuid, i64)>, StoreError> {
        let rows = attempt_rows(settlements, among.iter().copied());
        leases(run!(self, all LEASED, rows)?)
    }
}

fn leases(rows: Vec<(String, i64)>) -> Result<HashSet<(Uuid, i64)>, StoreError> {
    let rows = rows.into_iter();
    rows.map(|(key, epoch)| Ok((id("outbox", &key)?, epoch)))
        .collect()
}

/// What was revoked under way is not tried again.
pub(super) fn keep(index: usize, settlement: &Settlement, revoked: Option<String>) -> Kept {
    let (state, reason) = match revoked {
        Some(revoked) if settlement.state == DeliveryState::Pending => {
            (DeliveryState::Cancelled, revoked)
        }
        _ => (settlement.state, settlement.reason.clone()),
    };
    Kept {
        index,
        state,
        reason,
    }
}

pub(super) fn lease(s: &Settlement) -> (Uuid, i64) {
    (s.id, s.epoch)
}

pub(super) fn attempt_rows(
    settlements: &[&Settlement],
    places: impl IntoIterator<Item = usize>,
) -> Table {
    let row = |index: usize| {
        let s = settlements[index];
        AttemptRow {
            id: s.id,
            epoch: s.epoch,
            outcome: s.outcome,
            reason: &s.reason,
            http_status: s.http_status,
            finished_at: ms(s.finished_at),
            due_at: s.due_at.map(ms),
            cost: i64::from(s.cost),
            batch_cap: s.batch_cap,
        }
    };
    table(&places.into_iter().map(row).collect::<Vec<_>>())
}

pub(super) fn end(s: &Settlement) -> End {
    End {
        epoch: Some(s.epoch),
        reason: Some(s.reason.clone()),
        cost: i64::from(s.cost),
        receipt: s.receipt.clone(),
        outcome: Some(s.outcome),
        http_status: s.http_status,
        ..End::of(s.id.to_string(), s.state, s.finished_at)
    }
}

pub(super) fn device_row(s: &Settlement) -> Option<DeviceRow<'_>> {
    let (state, before) = match s.device {
        DeviceFate::Keep => return None,
        DeviceFate::Quarantine => ("quarantined", None),
        DeviceFate::Disable(before) => ("disabled", before.map(ms)),
    };
    Some(DeviceRow {
        id: s.id,
        dispatch_id: s.dispatch,
        state,
        reason: &s.reason,
        before,
    })
}
