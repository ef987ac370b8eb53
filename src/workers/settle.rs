//! Writes what attempts came to, many in one transaction, and tells of it once it is written.
//!
//! An answer is kept in memory until the database takes it, however long that is away: losing it
//! would make an accepted push `unknown`, and send it again. Only what the database refuses for good
//! is given up, alone: its lease runs out, and its neighbours are written.

use std::{borrow::Borrow, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use super::tell;
use crate::{
    domain::delivery::{ChannelKind, DeliveryState},
    store::{About, Settled, Settlement, Store, StoreError},
};

/// Settlements in one transaction.
const BATCH: usize = 512;
/// So long for others to join the first. Until they are written, a crash would leave them unknown.
const GATHER: Duration = Duration::from_millis(20);
const PAUSE: Duration = Duration::from_millis(500);

/// What became of one lease.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) settlement: Settlement,
    pub(super) about: About,
    /// The instant (UTC) that it is about: lateness counts from here.
    pub(super) since: Timestamp,
    /// Kept until the outcome is written: before that, a crash would put the blame on it once more.
    pub(super) alone: Alone,
}

impl Outcome {
    /// From the instant that it is about until it was known.
    pub(super) fn lag(&self) -> Duration {
        let known = self.settlement.finished_at;
        known.duration_since(self.since).unsigned_abs()
    }
}

impl Borrow<Settlement> for Outcome {
    fn borrow(&self) -> &Settlement {
        &self.settlement
    }
}

/// Leave to send what took a worker down before.
pub(super) type Alone = Option<Arc<OwnedSemaphorePermit>>;

/// Takes a channel's outcomes until all their senders are gone, and returns when the last is written;
/// rings `returned` when some deliveries are to be tried again.
pub(super) async fn settler(
    store: Store,
    channel: ChannelKind,
    mut incoming: mpsc::Receiver<Outcome>,
    returned: Arc<Notify>,
) {
    let mut outcomes = Vec::with_capacity(BATCH);
    loop {
        // What another session holds is tried again, and nobody waits for it.
        let held = outcomes.len();
        let more = incoming.recv_many(&mut outcomes, BATCH);
        if held == 0 {
            more.await;
        } else if let Ok(0) = tokio::time::timeout(PAUSE, more).await {
            tokio::time::sleep(PAUSE).await;
        }
        if outcomes.is_empty() {
            return;
        }
        // What is under way alone is held against it until it is written.
        let alone = outcomes.iter().any(|outcome| outcome.alone.is_some());
        if outcomes.len() < BATCH && !alone && !incoming.is_closed() {
            tokio::time::sleep(GATHER).await;
            let room = BATCH - outcomes.len();
            outcomes.extend((0..room).map_while(|_| incoming.try_recv().ok()));
        }
        outcomes = write_each(&store, channel, outcomes, &returned).await;
    }
}

/// Writes them, alone where the database refuses one; returns those that another session holds.
async fn write_each(
    store: &Store,
    channel: ChannelKind,
    outcomes: Vec<Outcome>,
    returned: &Notify,
) -> Vec<Outcome> {
    let outcomes: Arc<[Outcome]> = outcomes.into();
    let refusal = match write(store, channel, &outcomes, returned).await {
        Ok(held) => return held,
        Err(refusal) => refusal,
    };
    tracing::error!(error = %tell::chain(&refusal), "settlement_refused");
    let mut held = Vec::new();
    for outcome in outcomes.iter() {
        match write(store, channel, &Arc::from([outcome.clone()]), returned).await {
            Ok(again) => held.extend(again),
            Err(refusal) => {
                let delivery = outcome.settlement.id;
                tracing::error!(%delivery, error = %tell::chain(&refusal), "settlement_given_up");
            }
        }
    }
    held
}

/// Tries until the database is there; returns those that another session holds. An error is a refusal.
async fn write(
    store: &Store,
    channel: ChannelKind,
    outcomes: &Arc<[Outcome]>,
    returned: &Notify,
) -> Result<Vec<Outcome>, StoreError> {
    loop {
        let rows = Arc::clone(outcomes);
        let written = store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            let settled = tx.settle(&rows).await?;
            tx.commit().await?;
            Ok(settled)
        });
        match written.await {
            Ok(Settled { kept, held }) => {
                tell::attempted(channel, outcomes, &kept);
                if kept.iter().any(|k| k.state == DeliveryState::Pending) {
                    returned.notify_waiters();
                }
                let deliveries = outcomes.len() - kept.len() - held.len();
                if deliveries > 0 {
                    tracing::warn!(channel = channel.as_str(), deliveries, "settled_late");
                }
                return Ok(held.iter().map(|index| outcomes[*index].clone()).collect());
            }
            Err(error) if error.is_refusal() => return Err(error),
            Err(error) => {
                tracing::error!(error = %tell::chain(&error), "settle_failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
