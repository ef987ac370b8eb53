//! What a lane asks of the database: leases, and when there is something to do next.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Lane, desk::Leased};
use crate::{
    channels::Channel,
    store::{Crashed, Order, StoreError},
    workers::{message::Prepare, tell},
};

/// Suspects under way at once.
const TOGETHER: usize = 20;

/// What was leased at once.
pub(super) struct Claim<M> {
    /// When (UTC) the leases run out.
    pub(super) until: Timestamp,
    pub(super) leases: Vec<Leased<M>>,
}

impl<C: Channel<Message: Prepare>> Lane<C> {
    /// Leases deliveries that were held by a worker that went down: few of those to which it happened
    /// once, alone what it happened to twice, so that it takes nobody else with it. A worker that is
    /// killed again and again has hundreds of them, all innocent.
    pub(super) async fn claim_suspects(
        &self,
        limit: usize,
    ) -> Result<Claim<C::Message>, StoreError> {
        let few = self.claim(limit.min(TOGETHER), Crashed::Once).await?;
        if few.leases.is_empty() {
            self.claim(1, Crashed::Again).await
        } else {
            Ok(few)
        }
    }

    /// Leases what is due, at most `limit`, and makes messages of it.
    pub(super) async fn claim(
        &self,
        limit: usize,
        crashed: Crashed,
    ) -> Result<Claim<C::Message>, StoreError> {
        let (kind, worker, zones) = (
            self.desk.channel.kind(),
            Arc::clone(&self.shared.worker),
            self.zones.get(),
        );
        let (clock, lease) = (self.shared.clock.clone(), self.desk.limits.lease);
        let named_in = self.desk.channel.named_in().map(str::to_owned);
        let claim = self.shared.store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            // Only now: SQLite's one writer may have let it wait for long.
            let now = clock.now();
            let until = now + lease;
            let order = Order {
                channel: kind,
                now,
                until,
                limit: limit as i64,
                worker: &worker,
                crashed,
            };
            let leases = tx.claim(&order).await?;
            let messages = if leases.is_empty() {
                Vec::new()
            } else {
                let named_in = named_in.as_deref();
                C::Message::prepare(&mut tx, &leases, &zones, named_in, now).await?
            };
            tx.commit().await?;
            let leases = leases.into_iter().zip(messages).collect();
            Ok(Claim { until, leases })
        });
        claim.await
    }

    /// The earliest due time (UTC) of what is pending.
    pub(super) async fn next_send(&self) -> Result<Option<Timestamp>, StoreError> {
        let kind = self.desk.channel.kind();
        let next = self.shared.store.unit(move |store| async move {
            let mut tx = store.snapshot().await?;
            let next = tx.next_send(kind).await?;
            tx.commit().await?;
            Ok(next)
        });
        next.await
    }

    /// An event that returned to wait just when a later one was recorded is overtaken and cannot be
    /// claimed: this is where it comes to its end.
    pub(super) async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let ended = self.shared.store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            let ended = tx.sweep(now).await?;
            tx.commit().await?;
            Ok(ended)
        });
        tell::ended(&ended.await?);
        Ok(())
    }
}
