//! What keeps a chat product true between changes: leases are renewed, statuses compared.
//!
//! Both are loops that take no input: each round asks the database who is due. They go through the lane's
//! gate, so that what the product allows is never exceeded by asking twice, and a product that is down or
//! refuses our credentials is left alone by all. `lease` and `drift` say what holds; `tests/drivers` proves
//! it against the products' stand-ins.

mod drift;
mod lease;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::drift::Look;
use super::{Shared, lane::Gate, tell::chain};
use crate::{
    channels::driver::Driver,
    store::{Store, StoreError},
};

/// After the database failed.
const PAUSE: Duration = Duration::from_secs(1);
/// After something was taken, before it is read back: more will follow.
const SOON: Duration = Duration::from_secs(2);
/// A look at least so often whether the walk goes on: the clock may have stepped.
const LOOK: Duration = Duration::from_mins(1);
/// A round at least so often: who came on duty meanwhile needs a lease.
const ROUND: Duration = Duration::from_secs(5);

/// The upkeep of one product.
#[derive(Debug)]
pub struct Upkeep {
    hands: Hands,
    per_minute: u32,
    check_every: SignedDuration,
    /// Places for renewals, one for each that may be under way.
    places: Arc<Semaphore>,
    all_places: usize,
    /// When the list of leases was last brought in line.
    settled: Mutex<Option<Timestamp>>,
}

/// What it takes to ask the product for something.
#[derive(Debug, Clone)]
struct Hands {
    shared: Shared,
    driver: Arc<Driver>,
    gate: Gate,
}

impl Upkeep {
    /// For the product behind `driver`, which is asked when `gate` allows, that is at most `per_minute`
    /// times a minute; each agent's status is compared every `check_every`.
    pub fn new(
        shared: Shared,
        driver: Arc<Driver>,
        gate: Gate,
        per_minute: u32,
        check_every: Duration,
    ) -> Self {
        let all_places = driver.most_in_flight();
        Self {
            hands: Hands {
                shared,
                driver,
                gate,
            },
            per_minute,
            check_every: SignedDuration::try_from(check_every).unwrap_or(SignedDuration::MAX),
            places: Arc::new(Semaphore::new(all_places)),
            all_places,
            settled: Mutex::default(),
        }
    }

    /// Renews and compares until `stop`.
    pub async fn run(&self, stop: &CancellationToken) {
        tokio::join!(self.lease_loop(stop), self.walk_loop(stop));
    }

    fn driver(&self) -> &Driver {
        &self.hands.driver
    }

    fn gate(&self) -> &Gate {
        &self.hands.gate
    }

    async fn walk_loop(&self, stop: &CancellationToken) {
        while self.driver().reads() > 0 && !stop.is_cancelled() {
            let next = match self.compare_some().await {
                Ok(_) => self.next_step_in().await,
                Err(error) => Err(error),
            };
            let wait = next.unwrap_or_else(|error| {
                tracing::error!(error = %chain(&error), "comparison_failed");
                PAUSE
            });
            let wait = wait.clamp(PAUSE, LOOK);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
                () = self.gate().takes_something(), if self.reads_back() => {
                    let pause = self.stride_pause().max(SOON);
                    tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(pause) => {} }
                }
            }
        }
    }

    /// Whether the product tells what it shows.
    pub fn can_compare(&self) -> bool {
        self.driver().reads() > 0
    }

    /// Waits until the product may be asked for one more step.
    pub async fn pass_at_pace(&self) {
        loop {
            let now = self.hands.shared.clock.now();
            let wait = {
                let mut pace = self.gate().pace();
                if pace.take(now, 1) == 1 {
                    pace.settle(1, self.requests());
                    return;
                }
                pace.next_in()
            };
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

impl Hands {
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
