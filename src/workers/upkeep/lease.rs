//! Leases: a product that holds agents online only for so long is told again in time.
//!
//! - Everybody who gets conversations has a lease; who stops is not renewed, and whoever stopped while a
//!   renewal was on its way is let go once more.
//! - Renewals do not wait for each other: one that hangs takes one place among those under way.
//! - A renewal that failed for now is tried again soon, within the lease; of an agent whom the product
//!   refuses, with the next one. While the breaker is open nobody is asked for.
//! - Several workers renew once: who claims a renewal puts the next one off.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::OwnedSemaphorePermit,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{Hands, Names, PAUSE, ROUND, Upkeep, until};
use crate::{
    channels::Channel as _,
    domain::{
        breaker::Allowance,
        delivery::{Judgement, Verdict},
        driver::{Lease, Shown},
    },
    store::{LEASES_RENEWED, StoreError},
    telemetry::metrics,
    workers::{lock, tell::chain},
};

/// Renewals claimed in one transaction.
const CLAIM: usize = 200;
/// Before a renewal that failed is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How often the list of leases is brought in line, and it is written down that they are renewed.
const SETTLE: SignedDuration = SignedDuration::from_secs(5);

/// Renewals under way, claimed together.
type UnderWay = JoinSet<Result<(), StoreError>>;

impl Upkeep {
    /// Renews until `stop`; then waits for what is under way.
    pub(super) async fn lease_loop(&self, stop: &CancellationToken) {
        let Some(lease) = self.driver().description().lease else {
            return;
        };
        let mut under_way = UnderWay::new();
        while !stop.is_cancelled() {
            let wait = match self.round(lease, &mut under_way).await {
                Ok(next) => until(next, self.hands.shared.clock.now()).min(ROUND),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "renewal_failed");
                    PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                Some(done) = under_way.join_next() => tell(done),
            }
        }
        while let Some(done) = under_way.join_next().await {
            tell(done);
        }
    }

    /// Renews what is due, as fast as the product allows, and waits for it. When (UTC) to look again;
    /// `None` where there is no lease.
    pub async fn renew(&self) -> Result<Option<Timestamp>, StoreError> {
        let Some(lease) = self.driver().description().lease else {
            return Ok(None);
        };
        let mut under_way = UnderWay::new();
        let next = self.round(lease, &mut under_way).await?;
        while let Some(done) = under_way.join_next().await {
            done.unwrap_or(Ok(()))?;
        }
        Ok(Some(next))
    }

    /// Claims what is due and can be asked for now, and begins to renew it. When (UTC) to look again.
    async fn round(&self, lease: Lease, under_way: &mut UnderWay) -> Result<Timestamp, StoreError> {
        let now = self.hands.shared.clock.now();
        let next = now + seconds(lease.renew_every_seconds);
        let (want, look_again) = self.places_free(now);
        let granted = self.gate().pace().take(now, want);
        let settle = self.is_time_to_settle(now);
        if granted == 0 && !settle {
            let paced = (want > 0).then(|| now + self.gate().pace().next_in());
            return Ok(paced.unwrap_or(look_again));
        }
        let claimed = self.claim(lease, now, granted, settle).await;
        let begun = claimed.as_ref().map_or(0, Vec::len);
        self.gate().pace().settle(granted, begun);
        let claimed = claimed?;
        if !claimed.is_empty() {
            self.begin(claimed, next, under_way);
        }
        if begun == granted {
            return Ok(now + self.gate().pace().next_in());
        }
        let due = self.hands.shared.store.unit(|store| async move {
            let mut tx = store.snapshot().await?;
            let due = tx.next_lease().await?;
            tx.commit().await?;
            Ok(due)
        });
        Ok(due.await?.unwrap_or(next))
    }

    /// How many renewals may begin at `now` (UTC), and when to look again if none may.
    fn places_free(&self, now: Timestamp) -> (usize, Timestamp) {
        let free = self.places.available_permits();
        let busy = self.all_places.saturating_sub(free);
        let free = free.min(self.driver().slots().saturating_sub(busy));
        let later = now + SignedDuration::try_from(ROUND).unwrap_or(SETTLE);
        match self.gate().allowance(now, busy) {
            Allowance::Nothing(until) => (0, until),
            Allowance::Probe => (free.min(1), later),
            Allowance::All => (free.min(CLAIM), later),
        }
    }

    async fn claim(
        &self,
        lease: Lease,
        now: Timestamp,
        limit: usize,
        settle: bool,
    ) -> Result<Vec<String>, StoreError> {
        let every = seconds(lease.renew_every_seconds);
        let claimed = self.hands.shared.store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            if settle {
                tx.settle_leases(now, every).await?;
                tx.set_meta(LEASES_RENEWED, &now.as_millisecond().to_string())
                    .await?;
            }
            let claimed = match limit {
                0 => Vec::new(),
                limit => tx.claim_leases(now, now + every, limit as i64).await?,
            };
            tx.commit().await?;
            Ok(claimed)
        });
        claimed.await
    }

    fn is_time_to_settle(&self, now: Timestamp) -> bool {
        let mut settled = lock(&self.settled);
        let time = settled.is_none_or(|at| now.duration_since(at).abs() >= SETTLE);
        if time {
            *settled = Some(now);
        }
        time
    }

    fn begin(&self, claimed: Vec<String>, next: Timestamp, under_way: &mut UnderWay) {
        let hands = self.hands.clone();
        let places = Arc::clone(&self.places).try_acquire_many_owned(claimed.len() as u32);
        under_way.spawn(async move { hands.renew(claimed, next, places.ok()).await });
    }
}

impl Hands {
    /// Renews these agents, who hold `places`, and whose next renewal is due at `next` (UTC).
    async fn renew(
        self,
        agents: Vec<String>,
        next: Timestamp,
        mut places: Option<OwnedSemaphorePermit>,
    ) -> Result<(), StoreError> {
        let names = Arc::new(self.names(agents.clone()).await?);
        let mut renewals = JoinSet::new();
        for agent in agents.clone() {
            let (hands, names) = (self.clone(), Arc::clone(&names));
            let place = places.as_mut().and_then(|places| places.split(1));
            renewals.spawn(async move {
                let judgement = hands.ask(Shown::Online, names.of(&agent)).await;
                drop(place);
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
        self.finish(agents, failed, &names, next).await
    }

    /// One request, from whose answer the lane learns, too.
    async fn ask(&self, shown: Shown, agent: &str) -> Judgement {
        let clock = &self.shared.clock;
        let judgement = self.driver.set(shown, &[agent], clock.now()).await;
        self.gate.learn(&judgement, clock.now());
        judgement
    }

    /// What failed for now is due again soon; who went off while a renewal was on its way is let go once
    /// more.
    async fn finish(
        &self,
        agents: Vec<String>,
        failed: Vec<(String, Judgement)>,
        names: &Names,
        next: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some((agent, judgement)) = failed.first() {
            let (reason, failed, of) = (judgement.reason.as_str(), failed.len(), agents.len());
            tracing::warn!(failed, of, agent, reason, "leases_not_renewed");
        }
        let for_now = failed.into_iter().filter(|(_, j)| !j.is_about_one());
        let for_now: Vec<(String, Judgement)> = for_now.collect();
        let asked = for_now.iter().filter_map(|(_, j)| j.retry_after).max();
        let wait = asked.and_then(|wait| SignedDuration::try_from(wait).ok());
        let again = self.shared.clock.now() + wait.unwrap_or(AGAIN).max(AGAIN);
        let again = again.min(next);
        let gone = self.shared.store.unit(move |store| async move {
            // Mostly there is nothing to write, and SQLite has one writer.
            let mut tx = if for_now.is_empty() {
                store.snapshot().await?
            } else {
                store.begin().await?
            };
            if !for_now.is_empty() {
                let agents = for_now.iter().map(|(agent, _)| agent.as_str());
                tx.renew_at(agents, again).await?;
            }
            let gone = tx.gone_off(agents.iter().map(String::as_str)).await?;
            tx.commit().await?;
            Ok(gone)
        });
        for (agent, shown) in gone.await? {
            self.ask(shown, names.of(&agent)).await;
        }
        Ok(())
    }
}

fn tell(done: Result<Result<(), StoreError>, JoinError>) {
    if let Ok(Err(error)) = done {
        tracing::error!(error = %chain(&error), "renewal_failed");
    }
}

fn seconds(seconds: u32) -> SignedDuration {
    SignedDuration::from_secs(seconds.into())
}
