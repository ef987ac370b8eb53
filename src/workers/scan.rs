//! The scan: reads who is due, decides, records; then settles modes and takes back lapsed leases.
//!
//! Each batch is one transaction: the transition, the deliveries it calls for and the next due time
//! are written together or not at all. Agents who are not due are not read. What the lanes have places for
//! is leased in that transaction and sent when it is committed ([`super::direct`]).

mod batch;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::batch::Batch;
use super::{Shared, direct::ShortWays, tell, zones::ZonesInUse};
use crate::{
    clock::Stopwatch,
    domain::{
        presence::Posting,
        zone::{DataVersion, Zones},
    },
    store::{Due, LAST_EVALUATION, Store, StoreError},
    telemetry::{metrics, together},
    triggers::Rules,
};

/// Agents in one transaction.
const BATCH: i64 = 500;

/// Workers' clocks differ by so much, in milliseconds, without any having stepped.
const CLOCK_TOLERANCE_MS: i64 = 2_000;
/// The version of the time-zone data the plans were made with.
const TZDATA: &str = "tzdata_version";

/// What a pass came to.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// When there is work next.
    pub due: Due,
    /// Agents, workspaces and deliveries it changed. None, though something is due: somebody else
    /// holds those rows.
    pub handled: usize,
}

/// The scan and what it needs.
#[derive(Debug)]
pub struct Scan {
    shared: Shared,
    rules: Arc<Rules>,
    /// Who is told of changes.
    posting: Arc<Posting>,
    /// Whether it was noted who that is.
    noted: AtomicBool,
    zones: Arc<ZonesInUse>,
    ways: Arc<ShortWays>,
    /// How long a lease lasts that begins with its record.
    lease: Duration,
}

impl Scan {
    /// A scan that decides by `zones`; what the lanes of `ways` have places for, it leases them for
    /// `lease`.
    pub fn new(
        shared: Shared,
        rules: Rules,
        posting: Posting,
        zones: Arc<ZonesInUse>,
        ways: ShortWays,
        lease: Duration,
    ) -> Self {
        Self {
            shared,
            rules: Arc::new(rules),
            posting: Arc::new(posting),
            noted: AtomicBool::new(false),
            zones,
            ways: Arc::new(ways),
            lease,
        }
    }

    /// The time-zone data in use.
    pub fn zones(&self) -> Arc<Zones> {
        self.zones.get()
    }

    /// Makes plans afresh that were made with older time-zone data, or ahead of a clock that has
    /// stepped back since; posts what is missing where the presence API was just switched on. Reads
    /// three values; writes only if one of them says so.
    pub async fn revise(&self) -> Result<(), StoreError> {
        self.zones.reload();
        let (version, clock) = (self.zones().version().to_owned(), self.shared.clock.clone());
        if !self.noted.load(Ordering::Acquire) {
            self.note_posting().await?;
            self.noted.store(true, Ordering::Release);
        }
        let revised = self.shared.store.unit(move |store| async move {
            let mut tx = store.snapshot().await?;
            let planned_with = tx.meta(TZDATA).await?;
            let last = tx.meta(LAST_EVALUATION).await?;
            tx.commit().await?;
            // Read after what another worker may just have written.
            let now = clock.now();
            let last: Option<i64> = last.and_then(|ms| ms.parse().ok());
            let stepped_back =
                last.is_some_and(|last| last > now.as_millisecond() + CLOCK_TOLERANCE_MS);
            let newer = is_newer(&version, planned_with.as_deref());
            if !newer && !stepped_back {
                return Ok(());
            }
            let mut tx = store.begin().await?;
            if newer {
                // The first worker of all finds no plans to make afresh.
                let plans = match planned_with {
                    Some(_) => tx.replan_all(now).await?,
                    None => 0,
                };
                tx.set_meta(TZDATA, &version).await?;
                tracing::info!(version, plans, "tzdata_changed");
            }
            if stepped_back {
                let plans = tx.replan_ahead_of(now).await?;
                let ms = now.as_millisecond().to_string();
                tx.set_meta(LAST_EVALUATION, &ms).await?;
                tracing::warn!(plans, "clock_stepped_back");
            }
            tx.commit().await
        });
        revised.await
    }

    /// Once in a process: workers who are configured differently do not undo each other's work each
    /// minute.
    async fn note_posting(&self) -> Result<(), StoreError> {
        let (posting, clock) = (Arc::clone(&self.posting), self.shared.clock.clone());
        let events = self
            .shared
            .store
            .unit(move |store| async move { store.switch_posting(&posting, clock.now()).await });
        let events = events.await?;
        if events > 0 {
            tracing::info!(events, "presence_switched_on");
        }
        Ok(())
    }

    /// Handles all that is due, batch by batch until `stop`. With nothing due it only reads.
    pub async fn pass(&self, stop: &CancellationToken) -> Result<Pass, StoreError> {
        let watch = Stopwatch::start();
        let now = self.shared.clock.now();
        let mut due = self.shared.store.unit(next).await?;
        let mut handled = 0;
        if due.scan.is_some_and(|at| at <= now) {
            handled += self.evaluate(now, stop).await?;
            due = self.shared.store.unit(next).await?;
        }
        if due.reap.is_some_and(|at| at <= now) {
            let reaped = self.shared.store.unit(move |store| reap(store, now));
            let reaped = reaped.await?;
            self.wake_lanes(reaped);
            handled += reaped;
            due = self.shared.store.unit(next).await?;
        }
        metrics::scanned(now, watch.elapsed());
        Ok(Pass { due, handled })
    }

    /// There may be something to send, unless nothing was handled.
    fn wake_lanes(&self, handled: usize) {
        if handled > 0 {
            self.shared.send_wake.notify_waiters();
        }
    }

    /// Evaluates all agents who are due, then settles their workspaces' modes; returns how many of
    /// both.
    async fn evaluate(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<usize, StoreError> {
        let mut handled = self.batch(now, true).await?;
        if handled == BATCH as usize {
            // One of them computes here while the other's batch is written.
            handled += if self.shared.store.writes_side_by_side() {
                let (one, other) = tokio::join!(self.batches(now, stop), self.batches(now, stop));
                one? + other?
            } else {
                self.batches(now, stop).await?
            };
        }
        let post = self.posting.modes();
        let settled = self
            .shared
            .store
            .unit(move |store| settle_modes(store, now, post));
        let settled = settled.await?;
        self.wake_lanes(settled);
        Ok(handled + settled)
    }

    /// Batch by batch until one is not full; how many agents that were.
    async fn batches(&self, now: Timestamp, stop: &CancellationToken) -> Result<usize, StoreError> {
        let mut handled = 0;
        while !stop.is_cancelled() {
            self.ways.breathe(|| self.shared.clock.now()).await;
            let evaluated = self.batch(now, false).await?;
            handled += evaluated;
            if evaluated < BATCH as usize {
                break;
            }
        }
        Ok(handled)
    }

    /// One transaction's worth of agents. The first of a pass notes when it was: one row that all
    /// workers write is not for every batch.
    async fn batch(&self, now: Timestamp, first: bool) -> Result<usize, StoreError> {
        let batch = Batch {
            now,
            first,
            post: self.posting.statuses(),
            zones: self.zones(),
            rules: Arc::clone(&self.rules),
            ways: Arc::clone(&self.ways),
            clock: self.shared.clock.clone(),
            worker: Arc::clone(&self.shared.worker),
            lease: self.lease,
        };
        let recorded = self.shared.store.unit(move |store| batch.record(store));
        let (decisions, written) = recorded.await?;
        self.shared.progress.turned();
        self.wake_lanes(usize::from(written.waits));
        tell::ended(&written.ended);
        together::tell(|| {
            for decision in &decisions {
                tell::decided(&self.shared.store, decision, now);
            }
        });
        Ok(decisions.len())
    }
}

/// Whether these data are newer than those the plans were made with: two versions that run side by
/// side during an upgrade do not undo each other's work.
fn is_newer(version: &str, planned_with: Option<&str>) -> bool {
    let Some(planned_with) = planned_with else {
        return true;
    };
    match (
        DataVersion::parse(version),
        DataVersion::parse(planned_with),
    ) {
        (Some(ours), Some(theirs)) => ours > theirs,
        _ => version != planned_with,
    }
}

async fn settle_modes(store: Store, now: Timestamp, post: bool) -> Result<usize, StoreError> {
    let mut all = 0;
    loop {
        let mut tx = store.begin().await?;
        let modes = store.settle_modes(&mut tx, now, BATCH, post).await?;
        tx.commit().await?;
        for (workspace, mode) in &modes.changed {
            tracing::info!(workspace, kind = mode.as_str(), "mode");
        }
        tell::ended(&modes.ended);
        all += modes.settled;
        if modes.settled < BATCH as usize {
            return Ok(all);
        }
    }
}

/// Dispatches to take apart, lapsed leases and deadlines.
async fn reap(store: Store, now: Timestamp) -> Result<usize, StoreError> {
    let mut tx = store.begin().await?;
    let reaped = tx.reap(now).await?;
    tx.commit().await?;
    if reaped.lapsed > 0 {
        tracing::warn!(deliveries = reaped.lapsed, "leases_ran_out");
    }
    tell::ended(&reaped.ended);
    Ok(reaped.unpacked + reaped.lapsed + reaped.ended.len())
}

async fn next(store: Store) -> Result<Due, StoreError> {
    let mut tx = store.snapshot().await?;
    let due = tx.next_due().await?;
    tx.commit().await?;
    Ok(due)
}
