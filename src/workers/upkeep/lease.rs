//! Leases: a product that holds agents online only for so long is told again in time.
//!
//! - Everybody who gets conversations has a lease; who stops is not renewed, and whoever stopped while a
//!   renewal was on its way is let go once more.
//! - A renewal that failed is tried again soon, within the lease; the next one comes anyway.
//! - Several workers renew once: who claims a renewal puts the next one off.

use std::sync::{Arc, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{Names, Upkeep};
use crate::{
    channels::Channel as _,
    domain::{
        delivery::{Judgement, Verdict},
        driver::Shown,
    },
    store::{LEASES_RENEWED, StoreError},
    telemetry::metrics,
};

/// Renewals claimed in one transaction.
const CLAIM: usize = 200;
/// Before a renewal that failed is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How often the list of leases is brought in line, and it is written down that they are renewed.
const SETTLE: SignedDuration = SignedDuration::from_secs(5);

impl Upkeep {
    /// One round: renews what is due, as fast as the product allows. When (UTC) to look again; `None`
    /// where there is no lease.
    pub async fn renew(&self) -> Result<Option<Timestamp>, StoreError> {
        let Some(lease) = self.driver.description().lease else {
            return Ok(None);
        };
        let now = self.shared.clock.now();
        let next = now + SignedDuration::from_secs(lease.renew_every_seconds.into());
        let granted = self.pace().take(now, CLAIM);
        let claimed = self.claim(now, next, granted).await?;
        self.pace().settle(granted, claimed.len());
        let full = claimed.len() == granted;
        if !claimed.is_empty() {
            let names = Arc::new(self.names(claimed.clone()).await?);
            let failed = self.renew_each(&claimed, &names, now).await;
            self.finish(claimed, failed, &names, now).await?;
        }
        if full {
            return Ok(Some(now + self.pace().next_in()));
        }
        let due = self.shared.store.unit(|store| async move {
            let mut tx = store.snapshot().await?;
            let due = tx.next_lease().await?;
            tx.commit().await?;
            Ok(due)
        });
        Ok(Some(due.await?.unwrap_or(next)))
    }

    async fn claim(
        &self,
        now: Timestamp,
        next: Timestamp,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let settle = self.is_time_to_settle(now);
        let claimed = self.shared.store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            if settle {
                // The first renewal follows the event that took the agent online.
                tx.settle_leases(next).await?;
                tx.set_meta(LEASES_RENEWED, &now.as_millisecond().to_string())
                    .await?;
            }
            let claimed = tx.claim_leases(now, next, limit as i64).await?;
            tx.commit().await?;
            Ok(claimed)
        });
        claimed.await
    }

    fn is_time_to_settle(&self, now: Timestamp) -> bool {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let time = settled.is_none_or(|at| now.duration_since(at).abs() >= SETTLE);
        if time {
            *settled = Some(now);
        }
        time
    }

    /// Renews these agents, as many at once as the product takes; those whom it could not.
    async fn renew_each(
        &self,
        agents: &[String],
        names: &Arc<Names>,
        now: Timestamp,
    ) -> Vec<(String, Judgement)> {
        let places = Arc::new(Semaphore::new(self.driver.slots()));
        let mut renewals = JoinSet::new();
        for agent in agents {
            let (agent, names, places) = (agent.clone(), Arc::clone(names), Arc::clone(&places));
            let driver = Arc::clone(&self.driver);
            renewals.spawn(async move {
                // The semaphore is never closed.
                let _place = places.acquire().await;
                let judgement = driver.set(Shown::Online, &[names.of(&agent)], now).await;
                (agent, judgement)
            });
        }
        let mut failed = Vec::new();
        while let Some(renewed) = renewals.join_next().await {
            let Ok((agent, judgement)) = renewed else {
                continue;
            };
            metrics::lease_renewed(judgement.verdict);
            if judgement.verdict != Verdict::Sent {
                failed.push((agent, judgement));
            }
        }
        failed
    }

    /// What failed is due again soon; who went off while a renewal was on its way is let go once more.
    async fn finish(
        &self,
        claimed: Vec<String>,
        failed: Vec<(String, Judgement)>,
        names: &Names,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some((agent, judgement)) = failed.first() {
            let (reason, failed) = (judgement.reason.as_str(), failed.len());
            tracing::warn!(
                failed,
                of = claimed.len(),
                agent,
                reason,
                "leases_not_renewed"
            );
        }
        let asked = failed
            .iter()
            .filter_map(|(_, judgement)| judgement.retry_after);
        let wait = asked
            .max()
            .and_then(|wait| SignedDuration::try_from(wait).ok());
        let again = now + wait.unwrap_or(AGAIN).max(AGAIN);
        let gone = self.shared.store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            let gone = tx.gone_off(claimed.iter().map(String::as_str)).await?;
            tx.renew_at(failed.iter().map(|(agent, _)| agent.as_str()), again)
                .await?;
            tx.commit().await?;
            Ok(gone)
        });
        for agent in gone.await? {
            self.driver
                .set(Shown::Offline, &[names.of(&agent)], now)
                .await;
        }
        Ok(())
    }
}
