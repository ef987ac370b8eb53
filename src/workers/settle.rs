//! Writes what attempts came to, many in one transaction, and tells of it once it is written.
//!
//! An answer is kept in memory until the database takes it, however long that is away: losing it
//! would make an accepted push `unknown`, and send it again. Only what the database refuses for good
//! is given up, alone: its lease runs out, and its neighbours are written.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::tell;
use crate::{
    domain::delivery::ChannelKind,
    store::{About, Settlement, Store, StoreError},
};

/// Settlements in one transaction.
const BATCH: usize = 512;
/// So long for others to join the first. Until they are written, a crash would leave them unknown.
const GATHER: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_millis(500);

/// What became of one lease.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) settlement: Settlement,
    pub(super) about: About,
    /// The instant (UTC) that it is about: lateness counts from here.
    pub(super) since: Timestamp,
    /// Kept until the outcome is written: before that, a crash would put the blame on it once more.
    pub(super) _alone: Alone,
}

/// Leave to send what took a worker down before.
pub(super) type Alone = Option<Arc<OwnedSemaphorePermit>>;

/// Takes a channel's outcomes until all their senders are gone, and returns when the last is written.
pub(super) async fn settler(
    store: Store,
    channel: ChannelKind,
    mut incoming: mpsc::Receiver<Outcome>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while incoming.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < BATCH && !incoming.is_closed() {
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH
                && let Ok(outcome) = incoming.try_recv()
            {
                batch.push(outcome);
            }
        }
        let outcomes = std::mem::take(&mut batch);
        if let Err(refusal) = write(&store, channel, &outcomes).await {
            tracing::error!(error = %tell::chain(&refusal), "settlement_refused");
            for outcome in &outcomes {
                let alone = std::slice::from_ref(outcome);
                if let Err(refusal) = write(&store, channel, alone).await {
                    let delivery = outcome.settlement.id;
                    tracing::error!(%delivery, error = %tell::chain(&refusal), "settlement_given_up");
                }
            }
        }
    }
}

/// Tries until the database is there. An error is a refusal.
async fn write(
    store: &Store,
    channel: ChannelKind,
    outcomes: &[Outcome],
) -> Result<(), StoreError> {
    let rows: Arc<[Settlement]> = outcomes.iter().map(|o| o.settlement.clone()).collect();
    loop {
        let rows = Arc::clone(&rows);
        let written = store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            let kept = tx.settle(&rows).await?;
            tx.commit().await?;
            Ok(kept)
        });
        match written.await {
            Ok(kept) => {
                for k in &kept {
                    tell::attempted(channel, &outcomes[k.index], k);
                }
                if kept.len() < outcomes.len() {
                    let deliveries = outcomes.len() - kept.len();
                    tracing::warn!(channel = channel.as_str(), deliveries, "settled_late");
                }
                return Ok(());
            }
            Err(error) if error.is_refusal() => return Err(error),
            Err(error) => {
                tracing::error!(error = %tell::chain(&error), "settle_failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
