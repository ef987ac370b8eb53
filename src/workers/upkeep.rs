//! What keeps a chat product true between changes: leases are renewed, statuses compared.
//!
//! Both are loops that take no input: each round asks the database who is due. They share the lane's
//! pace, so that what the product allows is never exceeded by asking twice. `upkeep/lease.rs` and
//! `upkeep/drift.rs` say what holds; `tests/drivers/{lease,drift}.rs` prove it against the products'
//! stand-ins.

mod drift;
mod lease;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

pub use self::drift::Look;
use super::{Shared, tell::chain};
use crate::{
    channels::driver::Driver,
    domain::pace::Pace,
    store::{Store, StoreError},
};

/// After the database failed.
const PAUSE: Duration = Duration::from_secs(1);
/// A round at least so often: who came on duty meanwhile needs a lease.
const ROUND: Duration = Duration::from_secs(5);

/// The upkeep of one product.
#[derive(Debug)]
pub struct Upkeep {
    shared: Shared,
    driver: Arc<Driver>,
    pace: Arc<Mutex<Pace>>,
    per_minute: u32,
    check_every: SignedDuration,
    /// When the list of leases was last brought in line.
    settled: Mutex<Option<Timestamp>>,
}

impl Upkeep {
    /// For the product behind `driver`, which is asked as fast as `pace` allows, that is `per_minute`
    /// times a minute; each agent's status is compared every `check_every`.
    pub fn new(
        shared: Shared,
        driver: Arc<Driver>,
        pace: Arc<Mutex<Pace>>,
        per_minute: u32,
        check_every: Duration,
    ) -> Self {
        Self {
            shared,
            driver,
            pace,
            per_minute,
            check_every: SignedDuration::try_from(check_every).unwrap_or(SignedDuration::MAX),
            settled: Mutex::default(),
        }
    }

    /// Renews and compares until `stop`.
    pub async fn run(&self, stop: &CancellationToken) {
        tokio::join!(self.lease_loop(stop), self.walk_loop(stop));
    }

    async fn lease_loop(&self, stop: &CancellationToken) {
        while self.driver.description().lease.is_some() && !stop.is_cancelled() {
            let wait = match self.renew().await {
                Ok(next) => next.map_or(ROUND, |at| until(at, self.shared.clock.now()).min(ROUND)),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "renewal_failed");
                    PAUSE
                }
            };
            tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(wait) => {} }
        }
    }

    async fn walk_loop(&self, stop: &CancellationToken) {
        while self.driver.reads() > 0 && !stop.is_cancelled() {
            if let Err(error) = self.compare_some().await {
                tracing::error!(error = %chain(&error), "comparison_failed");
            }
            tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(self.stride_pause()) => {} }
        }
    }

    /// Whether the product tells what it shows.
    pub fn can_compare(&self) -> bool {
        self.driver.reads() > 0
    }

    /// Waits until the product may be asked for one more step.
    pub async fn pass_at_pace(&self) {
        loop {
            let now = self.shared.clock.now();
            let wait = {
                let mut pace = self.pace();
                if pace.take(now, 1) == 1 {
                    pace.settle(1, self.requests());
                    return;
                }
                pace.next_in()
            };
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These agents' ids in the product: their own where they have another one there.
    async fn names(&self, agents: Vec<String>) -> Result<Names, StoreError> {
        let product = self.driver.description().external.clone();
        let named = self.shared.store.unit(move |store: Store| async move {
            let mut tx = store.snapshot().await?;
            let there = tx
                .external_ids(&product, agents.iter().map(String::as_str))
                .await?;
            tx.commit().await?;
            Ok(Names { there })
        });
        named.await
    }
}

/// Agents' ids in the product.
struct Names {
    there: HashMap<String, String>,
}

impl Names {
    fn of<'a>(&'a self, agent: &'a str) -> &'a str {
        self.there.get(agent).map_or(agent, String::as_str)
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    let wait = at.duration_since(now).max(SignedDuration::from_millis(1));
    wait.unsigned_abs()
}
