//! What leases came to.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    domain::delivery::{DeliveryState, DeviceFate},
    store::{
        StoreError, Tx, ms,
        rows::{id, json, list, moved, word},
        sql::{run, statements},
    },
};

statements! {
    LOCK = "SELECT id FROM deliveries WHERE id {in_list} AND state = 'leased' {skip_locked}";
    LEASED = "SELECT id, epoch FROM deliveries WHERE id {in_list} AND state = 'leased'";
    SETTLE = "UPDATE deliveries SET lease_until = NULL, due_at = coalesce(v.due_at, deliveries.due_at),
                  tries = tries + v.cost, batch_cap = v.batch_cap, receipt = v.receipt,
                  state = CASE WHEN v.state = 'pending' AND revoked IS NOT NULL THEN 'cancelled' ELSE v.state END,
                  reason = CASE WHEN v.state = 'pending' AND revoked IS NOT NULL THEN revoked ELSE v.reason END,
                  settled_at = CASE WHEN v.state = 'pending' AND revoked IS NOT NULL THEN v.finished_at ELSE v.settled_at END
              FROM {rows(id TEXT, epoch BIGINT, state TEXT, reason TEXT, due_at BIGINT, cost BIGINT,
                  batch_cap BIGINT, receipt TEXT, settled_at BIGINT, finished_at BIGINT)}
              WHERE deliveries.id = v.id AND deliveries.epoch = v.epoch AND deliveries.state = 'leased'
              RETURNING deliveries.id, deliveries.epoch, deliveries.state, deliveries.reason";
    // Who comes late tells what the answer was; that nobody knew it in time stays on record. A
    // settlement that is written again, since the answer to its COMMIT was lost, is not late.
    FINISH = "UPDATE attempts SET finished_at = coalesce(attempts.finished_at, v.finished_at),
                  outcome = coalesce(attempts.outcome, v.outcome), http_status = v.http_status, retry_at = v.due_at,
                  reason = CASE WHEN attempts.outcome = 'unknown' AND v.late THEN v.outcome || ': ' || v.reason ELSE v.reason END,
                  late = v.late AND (attempts.late OR coalesce(attempts.outcome = 'unknown', FALSE))
              FROM {rows(id TEXT, epoch BIGINT, finished_at BIGINT, outcome TEXT, reason TEXT, http_status BIGINT,
                  due_at BIGINT, late BOOLEAN)}
              WHERE attempts.delivery_id = v.id AND attempts.epoch = v.epoch";
    OVERTAKEN = "UPDATE deliveries SET state = 'superseded', reason = 'newer_sequence', settled_at = $2
              WHERE id {in_list} AND state = 'pending' AND channel = 'presence' AND EXISTS (
                  SELECT 1 FROM deliveries newer WHERE newer.receiver = deliveries.receiver
                  AND newer.channel = 'presence' AND newer.sequence > deliveries.sequence)
              RETURNING id, channel, state, reason, transition_id, agent_id, kind, boundary_at";
    DEVICES = "UPDATE devices SET state = v.state, state_reason = v.reason
               FROM {rows(id TEXT, state TEXT, reason TEXT, before BIGINT)} JOIN deliveries d ON d.id = v.id
               WHERE devices.token = d.receiver AND devices.agent_id = d.agent_id AND devices.state = 'active'
                 AND devices.platform = CASE d.channel WHEN 'apns' THEN 'ios' ELSE 'android' END
                 AND (v.before IS NULL OR devices.registered_at < v.before)";
}

/// What one lease came to.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// The delivery's id.
    pub id: Uuid,
    /// The lease's number.
    pub epoch: i64,
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
struct SettleRow<'a> {
    id: Uuid,
    epoch: i64,
    state: &'static str,
    reason: &'a str,
    due_at: Option<i64>,
    cost: i64,
    batch_cap: Option<i64>,
    receipt: Option<&'a str>,
    settled_at: Option<i64>,
    outcome: &'static str,
    http_status: Option<u16>,
    finished_at: i64,
    late: bool,
}

#[derive(Serialize)]
struct DeviceRow<'a> {
    id: Uuid,
    state: &'static str,
    reason: &'a str,
    before: Option<i64>,
}

impl Tx {
    /// Writes what leases came to, each under its epoch; returns what was kept, and with which state
    /// and reason, and what another session holds, for which nobody else is made to wait. The rest
    /// came late.
    pub async fn settle(&mut self, settlements: &[Settlement]) -> Result<Settled, StoreError> {
        let held = self.held(settlements).await?;
        let free = settlements
            .iter()
            .filter(|s| !held.contains(&(s.id, s.epoch)));
        let mut rows: Vec<SettleRow> = free.map(settle_row).collect();
        let kept: Vec<(String, i64, String, Option<String>)> = run!(self, all SETTLE, json(&rows))?;
        let mut kept: HashMap<(Uuid, i64), (DeliveryState, String)> = kept
            .into_iter()
            .map(|(key, epoch, state, reason)| {
                let state = word(
                    "deliveries",
                    "state",
                    &key,
                    &state,
                    DeliveryState::from_word,
                )?;
                let reason = reason.unwrap_or_default();
                Ok(((id("deliveries", &key)?, epoch), (state, reason)))
            })
            .collect::<Result<_, StoreError>>()?;
        for row in &mut rows {
            row.late = !kept.contains_key(&(row.id, row.epoch));
        }
        run!(self, execute FINISH, json(&rows))?;
        self.drop_overtaken(settlements, &mut kept).await?;
        let is_kept = |s: &&Settlement| kept.contains_key(&(s.id, s.epoch));
        let devices: Vec<_> = settlements
            .iter()
            .filter(is_kept)
            .filter_map(device_row)
            .collect();
        if !devices.is_empty() {
            run!(self, execute DEVICES, json(&devices))?;
        }
        let mut settled = Settled::default();
        for (index, s) in settlements.iter().enumerate() {
            let lease = (s.id, s.epoch);
            if held.contains(&lease) {
                settled.held.push(index);
            } else if let Some((state, reason)) = kept.get(&lease).cloned() {
                settled.kept.push(Kept {
                    index,
                    state,
                    reason,
                });
            }
        }
        Ok(settled)
    }

    /// Locks the deliveries, and returns the leases that cannot be settled now: another session holds
    /// their rows.
    async fn held(
        &mut self,
        settlements: &[Settlement],
    ) -> Result<HashSet<(Uuid, i64)>, StoreError> {
        let mut ids: HashSet<String> = settlements.iter().map(|s| s.id.to_string()).collect();
        let locked: Vec<(String,)> = run!(self, all LOCK, list(ids.iter().map(String::as_str)))?;
        for (id,) in &locked {
            ids.remove(id);
        }
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        // The others are nobody's lease any more, or still the same.
        let leased: Vec<(String, i64)> =
            run!(self, all LEASED, list(ids.iter().map(String::as_str)))?;
        let leased = leased.iter();
        leased
            .map(|(key, epoch)| Ok((id("deliveries", key)?, *epoch)))
            .collect()
    }

    /// A presence event that goes back to wait, while a later one of its agent exists, is pointless.
    async fn drop_overtaken(
        &mut self,
        settlements: &[Settlement],
        kept: &mut HashMap<(Uuid, i64), (DeliveryState, String)>,
    ) -> Result<(), StoreError> {
        let waiting: Vec<String> = kept
            .iter()
            .filter(|(_, (state, _))| *state == DeliveryState::Pending)
            .map(|((id, _), _)| id.to_string())
            .collect();
        if let (false, Some(first)) = (waiting.is_empty(), settlements.first()) {
            let ids = list(waiting.iter().map(String::as_str));
            let rows = run!(self, all OVERTAKEN, ids, ms(first.finished_at))?;
            for gone in moved(rows)? {
                let entries = kept.iter_mut().filter(|((id, _), _)| *id == gone.id);
                for (_, kept) in entries {
                    *kept = (gone.state, gone.reason.clone());
                }
            }
        }
        Ok(())
    }
}

fn settle_row(s: &Settlement) -> SettleRow<'_> {
    SettleRow {
        id: s.id,
        epoch: s.epoch,
        state: s.state.as_str(),
        reason: &s.reason,
        due_at: s.due_at.map(ms),
        cost: i64::from(s.cost),
        batch_cap: s.batch_cap,
        receipt: s.receipt.as_deref(),
        settled_at: (s.state != DeliveryState::Pending).then(|| ms(s.finished_at)),
        outcome: s.outcome,
        http_status: s.http_status,
        finished_at: ms(s.finished_at),
        late: false,
    }
}

fn device_row(s: &Settlement) -> Option<DeviceRow<'_>> {
    let (state, before) = match s.device {
        DeviceFate::Keep => return None,
        DeviceFate::Quarantine => ("quarantined", None),
        DeviceFate::Disable(before) => ("disabled", before.map(ms)),
    };
    Some(DeviceRow {
        id: s.id,
        state,
        reason: &s.reason,
        before,
    })
}
