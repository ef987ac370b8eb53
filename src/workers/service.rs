//! The engine as a whole: one pass for cron, or a long-lived service.
//!
//! The service sleeps until the next boundary, lease or deadline, or until somebody changes the
//! database; between those it asks the database nothing but, once a minute, whether it missed a word.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    Shared,
    lane::Until,
    receivers::{LaneState, Lanes, Receivers},
    scan::{Pass, Scan},
    tell::chain,
    upkeep::Upkeep,
    zones::ZonesInUse,
};
use crate::{
    channels::ChannelError,
    clock::Stopwatch,
    config::Config,
    domain::{
        delivery::{ChannelKind, DeliveryState},
        device::Platform,
        zone::Zones,
    },
    lifecycle::Progress,
    store::{Due, Store, StoreError, Watch},
    telemetry::metrics,
    triggers::Rules,
};

/// The loop turns at least so often, without asking the database.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often SQLite is asked whether somebody else committed.
const POLL: Duration = Duration::from_millis(200);
/// A pass though nothing seems due: should a notification have been lost.
const FALLBACK: Duration = Duration::from_mins(1);
/// After the database failed.
const PAUSE: Duration = Duration::from_secs(1);
/// After a pass that could take nothing of what is due, since others hold it.
const HELD: Duration = Duration::from_millis(200);
/// A pass for cron begins to send for so long at most.
const LONGEST_TICK: Duration = Duration::from_secs(45);
/// How often phones are counted, which reads all of them.
const COUNT_DEVICES_EVERY: u32 = 10;

/// The engine of one process.
#[derive(Debug)]
pub struct Engine {
    shared: Shared,
    scan: Scan,
    receivers: Receivers,
    lanes: Lanes,
    upkeep: Option<Upkeep>,
}

impl Engine {
    /// An engine over `shared`'s database, with the receivers of the configuration.
    pub fn new(shared: Shared, config: &Config, zones: Zones) -> Result<Self, ChannelError> {
        let receivers = Receivers::new(config)?;
        let rules = Rules {
            useful_for: config.delivery.useful_for,
            push: receivers.push(),
        };
        let zones = ZonesInUse::new(zones, config.timezone_directory.clone());
        let zones = Arc::new(zones);
        let lanes = Lanes::new(&shared, config, &receivers, &zones);
        let scan = Scan::new(
            shared.clone(),
            rules,
            receivers.posting(),
            zones,
            lanes.short_ways(),
            config.delivery.lease,
        );
        let upkeep = lanes.upkeep(&shared, config, &receivers);
        Ok(Self {
            shared,
            scan,
            receivers,
            lanes,
            upkeep,
        })
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The wire clients, with the connections that the lanes use.
    pub fn receivers(&self) -> &Receivers {
        &self.receivers
    }

    /// The upkeep of the chat product, if one is driven.
    pub fn upkeep(&self) -> Option<&Upkeep> {
        self.upkeep.as_ref()
    }

    /// The time-zone data in use.
    pub fn zones(&self) -> Arc<Zones> {
        self.scan.zones()
    }

    /// The scan's sign of life.
    pub fn progress(&self) -> Progress {
        self.shared.progress.clone()
    }

    /// How each receiver's lane is.
    pub fn lanes(&self) -> Vec<LaneState> {
        self.lanes.states(self.shared.clock.now())
    }

    /// One pass: records all that is due, sends what can be sent now.
    pub async fn tick(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        self.follow_database().await?;
        self.scan.revise().await?;
        self.scan.pass(stop).await?;
        self.send_due(stop).await;
        if let Some(upkeep) = &self.upkeep {
            // What it mends goes with the next pass.
            upkeep.compare_some().await?;
        }
        Ok(())
    }

    /// Sends what can be sent now.
    pub async fn send_due(&self, stop: &CancellationToken) {
        // A round may leave something that can go at once, on a new connection or in a smaller batch.
        // Not for ever, though: the next minute's pass goes on where this one ends.
        let brief = stop.child_token();
        let limit = tokio::time::timeout(LONGEST_TICK, brief.cancelled());
        let lanes = async {
            while self.lanes.run(Until::Idle, &brief).await > 0 && !brief.is_cancelled() {}
        };
        tokio::pin!(lanes);
        tokio::select! {
            () = &mut lanes => {}
            _ = limit => {
                brief.cancel();
                lanes.await;
            }
        }
    }

    /// Runs until `stop`; then ends what is under way.
    pub async fn run(&self, stop: &CancellationToken) {
        tokio::join!(
            self.scan_loop(stop),
            self.lanes.run(Until::Stopped, stop),
            self.watch_loop(stop),
            self.count_loop(stop),
            self.upkeep_loop(stop),
        );
    }

    async fn upkeep_loop(&self, stop: &CancellationToken) {
        if let Some(upkeep) = &self.upkeep {
            upkeep.run(stop).await;
        }
    }

    async fn scan_loop(&self, stop: &CancellationToken) {
        let mut due: Option<Due> = None;
        let mut last_pass = Stopwatch::start();
        let mut revised = false;
        let mut last_now = self.shared.clock.now();
        while !stop.is_cancelled() {
            self.shared.progress.turned();
            let woken = self.shared.scan_wake.notified();
            let now = self.shared.clock.now();
            let stepped_back = now < last_now;
            last_now = now;
            if last_pass.elapsed() >= FALLBACK || stepped_back {
                revised = false;
                due = None;
            }
            if due.is_none_or(|due| earliest(due).is_some_and(|at| at <= now)) {
                last_pass = Stopwatch::start();
                let pause = match self.revised_pass(&mut revised, stop).await {
                    Ok(pass) => {
                        due = Some(pass.due);
                        (pass.handled == 0).then_some(HELD)
                    }
                    Err(error) => {
                        tracing::error!(error = %chain(&error), "scan_failed");
                        Some(PAUSE)
                    }
                };
                let overdue = due.and_then(earliest).is_none_or(|at| at <= now);
                if let Some(pause) = pause.filter(|_| overdue) {
                    tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(pause) => {} }
                }
                continue;
            }
            let wait = due
                .and_then(earliest)
                .map_or(HEARTBEAT, |at| until(at, now));
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken => due = None,
                () = tokio::time::sleep(wait.min(HEARTBEAT)) => {}
            }
        }
    }

    async fn revised_pass(
        &self,
        revised: &mut bool,
        stop: &CancellationToken,
    ) -> Result<Pass, StoreError> {
        if !*revised {
            self.follow_database().await?;
            self.scan.revise().await?;
            *revised = true;
        }
        self.scan.pass(stop).await
    }

    /// Where several machines share a database, its clock is the time of all of them.
    async fn follow_database(&self) -> Result<(), StoreError> {
        if self.shared.clock.follows_database()
            && let Some(now) = self.shared.store.server_now().await?
        {
            self.shared.clock.follow(now);
        }
        Ok(())
    }

    /// Wakes the loops when somebody changed the database.
    async fn watch_loop(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let heard = stop.run_until_cancelled(self.listen()).await;
            if let Some(Err(error)) = heard {
                tracing::warn!(error = %chain(&error), "watch_failed");
                // What happened meanwhile was not heard.
                self.wake();
                tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(PAUSE) => {} }
            }
        }
    }

    async fn listen(&self) -> Result<(), StoreError> {
        let mut watch: Watch = self.shared.store.watch().await?;
        loop {
            if !watch.waits() {
                tokio::time::sleep(POLL).await;
            }
            if watch.changed().await? {
                self.wake();
            }
        }
    }

    fn wake(&self) {
        self.shared.scan_wake.notify_one();
        self.shared.send_wake.notify_waiters();
    }

    async fn count_loop(&self, stop: &CancellationToken) {
        let mut beat = tokio::time::interval(FALLBACK);
        let mut turn = 0;
        while stop.run_until_cancelled(beat.tick()).await.is_some() {
            if let Err(error) = self.count(turn % COUNT_DEVICES_EVERY == 0).await {
                tracing::warn!(error = %chain(&error), "count_failed");
            }
            turn += 1;
        }
    }

    /// Refreshes the gauges that are counted in the database; those of the `devices` by reading all.
    pub async fn count(&self, devices: bool) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        let counted = self.shared.store.unit(move |store| async move {
            let mut tx = store.snapshot().await?;
            let open = tx.open_counts().await?;
            let stale = tx.stale_count().await?;
            let devices = if devices {
                tx.device_counts().await?
            } else {
                Vec::new()
            };
            tx.commit().await?;
            Ok((open, stale, devices))
        });
        let (open, stale, devices) = counted.await?;
        metrics::plans_stale(stale as u64);
        for kind in ChannelKind::ALL {
            let mine = || open.iter().filter(|count| count.channel == kind.as_str());
            for state in [DeliveryState::Pending, DeliveryState::Leased] {
                let count = mine()
                    .filter(|c| c.state == state.as_str())
                    .map(|c| c.count)
                    .sum::<i64>();
                metrics::deliveries(kind, state, count as u64);
            }
            let oldest = mine().filter_map(|count| count.oldest).min();
            metrics::oldest_pending(kind, oldest.map_or(Duration::ZERO, |at| until(now, at)));
        }
        for lane in self.lanes() {
            metrics::breaker(lane.kind, lane.open.is_some());
            if let Some(at) = lane.credential_expiry {
                metrics::credential_expiry(lane.kind.as_str(), at);
            }
        }
        for (platform, stored, count) in devices {
            let platform = if platform == "ios" {
                Platform::Ios
            } else {
                Platform::Android
            };
            // The label must be static; the schema allows no other word.
            let known = ["active", "quarantined", "disabled"]
                .into_iter()
                .find(|word| *word == stored);
            if let Some(label) = known {
                metrics::devices(platform, label, count as u64);
            }
        }
        Ok(())
    }
}

fn earliest(due: Due) -> Option<Timestamp> {
    due.scan.into_iter().chain(due.reap).min()
}

/// From `now` until `at`; zero if that is past. One millisecond more, since timers may fire early.
fn until(at: Timestamp, now: Timestamp) -> Duration {
    let wait = at
        .duration_since(now)
        .max(jiff::SignedDuration::ZERO)
        .unsigned_abs();
    wait + Duration::from_millis(1)
}
