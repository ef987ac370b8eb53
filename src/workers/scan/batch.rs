//! One transaction of a pass: who is due, what is decided, and what of it can be sent at once.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::BATCH;
use crate::{
    clock::Clock,
    domain::{plan::Decision, zone::Zones},
    store::{LAST_EVALUATION, Lease, Store, StoreError, Terms, Written},
    triggers::{self, Rules},
    workers::direct::{Messages, Reservations, ShortWays},
};

/// One transaction of a pass.
pub(super) struct Batch {
    /// When the pass began, UTC.
    pub(super) now: Timestamp,
    pub(super) first: bool,
    pub(super) post: bool,
    pub(super) zones: Arc<Zones>,
    pub(super) rules: Arc<Rules>,
    pub(super) ways: Arc<ShortWays>,
    pub(super) clock: Clock,
    pub(super) worker: Arc<str>,
    pub(super) lease: Duration,
}

impl Batch {
    /// Reads who is due, decides, records, and sends what can go at once.
    pub(super) async fn record(self, store: Store) -> Result<(Vec<Decision>, Written), StoreError> {
        let now = self.now;
        let mut tx = store.begin().await?;
        let facts = tx.due_agents(now, BATCH).await?;
        let decisions: Vec<Decision> = facts
            .iter()
            .map(|f| triggers::decide(f, &self.zones, &self.rules, now))
            .collect();
        if decisions.is_empty() {
            tx.commit().await?;
            return Ok((decisions, Written::default()));
        }
        // Only now: SQLite's one writer may have let it wait for long.
        let from = self.clock.now();
        let until = from + self.lease;
        let mut reserved = Reservations::none(self.ways, from);
        let terms = Terms {
            lease: Lease {
                worker: &self.worker,
                began: from,
                until,
            },
            places: &mut |channel, deliveries| reserved.take(channel, deliveries),
        };
        let written = store.record(&mut tx, &decisions, now, self.post, Some(terms));
        let mut written = written.await?;
        let begun = std::mem::take(&mut written.begun);
        let messages = Messages::of(begun, &facts, &decisions, &self.zones, from)?;
        if self.first {
            let now = now.as_millisecond().to_string();
            tx.set_meta(LAST_EVALUATION, &now).await?;
        }
        tx.commit().await?;
        reserved.send(messages, until);
        Ok((decisions, written))
    }
}
