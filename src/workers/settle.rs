//! Writes what attempts came to, many in one transaction.
//!
//! An answer is kept in memory until the database takes it, however long that is away: losing it
//! would make an accepted push `unknown`, and send it again.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::store::{Settlement, Store};

/// Settlements in one transaction.
const BATCH: usize = 512;
const PAUSE: Duration = Duration::from_millis(500);

/// Takes settlements until all their senders are gone, and returns when the last is written.
pub(super) async fn settler(store: Store, mut incoming: mpsc::Receiver<Settlement>) {
    let mut batch = Vec::with_capacity(BATCH);
    while incoming.recv_many(&mut batch, BATCH).await > 0 {
        let rows = std::sync::Arc::new(std::mem::take(&mut batch));
        loop {
            let unit = std::sync::Arc::clone(&rows);
            let written = store.unit(move |store| async move {
                let mut tx = store.begin().await?;
                let late = tx.settle(&unit).await?;
                tx.commit().await?;
                Ok(late)
            });
            match written.await {
                Ok(0) => break,
                Ok(late) => {
                    tracing::warn!(deliveries = late, "settled_late");
                    break;
                }
                Err(error) => {
                    tracing::error!(error = %chain(&error), "settle_failed");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// An error and its sources, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
