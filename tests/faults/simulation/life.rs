//! The worker's lives: each a runtime and a store of its own, over one file and one clock.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use shiftbell::{
    clock::Clock,
    domain::{agent::Agent, delivery::ChannelKind, pace::Pace, presence::Posting, zone::Zones},
    store::{DeliveryFilter, Due, OpenOptions, Store},
    triggers::Rules,
    workers::{
        Shared,
        direct::ShortWays,
        lane::{Lane, Limits, Until},
        scan::Scan,
        zones::ZonesInUse,
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    model::{Dice, PresenceModel, PushModel, Receivers},
    team,
};
use crate::checker::Run;

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Killed at some request.
    Crash,
    /// Stopped after some ticks, all of them whole.
    Restart,
}

/// How a worker goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// As `tick` does: the scan, then one receiver after the other.
    InTurns,
    /// As `run` does: the lanes take at once what the scan records.
    SideBySide,
}

/// One seed's world.
pub(super) struct Stage {
    pub(super) clock: Clock,
    pub(super) crashes: u64,
    manner: Manner,
    url: String,
    receivers: Arc<Receivers>,
    team: Vec<Agent>,
    zones: Arc<Zones>,
    /// The last edit, after which every boundary must be accounted for.
    from: Timestamp,
    /// The furthest the clock ever was.
    furthest: Timestamp,
    _folder: tempfile::TempDir,
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

impl Stage {
    /// A team, stored and evaluated for the first time at `start`.
    pub(super) fn set(
        start: Timestamp,
        dice: &mut Dice,
        receivers: Arc<Receivers>,
        manner: Manner,
    ) -> Self {
        let folder = folder();
        let stage = Self {
            clock: Clock::manual(start),
            crashes: 0,
            manner,
            url: format!("sqlite://{}", folder.path().join("shiftbell.db").display()),
            receivers,
            team: team::team(dice),
            zones: Arc::new(Zones::built_in()),
            // A boundary at the very instant of the first evaluation rings nobody.
            from: start + SignedDuration::from_millis(1),
            furthest: start,
            _folder: folder,
        };
        stage.store(&stage.team);
        stage.number_installation();
        stage.one_tick();
        stage
    }

    fn store(&self, agents: &[Agent]) {
        runtime().block_on(async {
            let store = Store::open(&OpenOptions::new(self.url.clone()))
                .await
                .unwrap();
            let mut tx = store.begin().await.unwrap();
            tx.put_agents(agents, self.clock.now()).await.unwrap();
            tx.commit().await.unwrap();
            store.close().await;
        });
    }

    /// The installation's number, which ids of events are made of, is drawn at random; not here.
    fn number_installation(&self) {
        runtime().block_on(async {
            let store = Store::open(&OpenOptions::new(self.url.clone()))
                .await
                .unwrap();
            let mut tx = store.begin().await.unwrap();
            tx.set_meta("installation", "simulated").await.unwrap();
            tx.commit().await.unwrap();
            store.close().await;
        });
    }

    fn one_tick(&self) {
        runtime().block_on(async {
            let worker = self.worker().await;
            worker.tick().await;
            worker.store.close().await;
        });
    }

    /// Lives for a while, from due time to due time.
    pub(super) fn live(&mut self, end: Timestamp, dice: &mut Dice, ending: Ending) {
        let fuse = (ending == Ending::Crash).then(|| dice.below(6));
        self.receivers.light_fuse(fuse);
        let ticks = 3 + dice.below(20);
        let jitters: Vec<i64> = (0..ticks).map(|_| 1 + dice.below(20_000)).collect();
        let runtime = runtime();
        let crashed = runtime.block_on(async {
            let worker = self.worker().await;
            let life = async {
                for jitter in jitters {
                    worker.tick().await;
                    if self.clock.now() >= end {
                        break;
                    }
                    let next = worker.next().await;
                    let soonest = self.clock.now() + SignedDuration::from_millis(jitter);
                    self.clock.set(
                        next.unwrap_or(soonest)
                            .max(soonest)
                            .min(end + SignedDuration::from_secs(1)),
                    );
                }
            };
            let crashed = tokio::select! {
                biased;
                () = self.receivers.blown() => true,
                () = life => false,
            };
            if !crashed {
                worker.store.close().await;
            }
            crashed
        });
        // Drops every task of this life, wherever it stands.
        drop(runtime);
        self.receivers.light_fuse(None);
        self.crashes += u64::from(crashed);
        self.furthest = self.furthest.max(self.clock.now());
    }

    /// Nobody works for up to `minutes` minutes.
    pub(super) fn sleep_through(&mut self, dice: &mut Dice, minutes: i64) {
        self.clock.advance(Duration::from_secs(
            60 * (1 + dice.below(minutes)).unsigned_abs(),
        ));
        self.furthest = self.furthest.max(self.clock.now());
    }

    /// The clock steps back by up to an hour.
    pub(super) fn step_back(&mut self, dice: &mut Dice) {
        let back = SignedDuration::from_secs(1 + dice.below(3600));
        self.clock.set(self.clock.now() - back);
    }

    /// One agent's hours change.
    pub(super) fn edit(&mut self, dice: &mut Dice) {
        let n = dice.below(self.team.len() as i64) as usize;
        self.team[n].hours = team::hours(dice);
        self.store(&self.team[n..=n]);
        // What was due around the edit is judged by the other invariants.
        self.from = self.furthest.max(self.clock.now()) + SignedDuration::from_secs(1);
    }

    /// Works in peace until nothing is left to do.
    pub(super) fn rest(&mut self, dice: &mut Dice) {
        self.clock
            .set(self.furthest.max(self.clock.now()) + SignedDuration::from_secs(1));
        for _ in 0..200 {
            self.one_tick();
            if self.is_quiet() {
                return;
            }
            self.clock
                .advance(Duration::from_secs(20 + dice.below(20).unsigned_abs()));
        }
    }

    fn is_quiet(&self) -> bool {
        runtime().block_on(async {
            let worker = self.worker().await;
            let mut tx = worker.store.snapshot().await.unwrap();
            let open = tx.open_counts().await.unwrap();
            let due: Due = tx.next_due().await.unwrap();
            tx.commit().await.unwrap();
            worker.store.close().await;
            open.is_empty() && due.scan.is_none_or(|at| at > self.clock.now())
        })
    }

    pub(super) fn judge(&self, judge: impl FnOnce(&Run<'_>) -> Vec<String>) -> Vec<String> {
        let opening = runtime();
        let store = opening
            .block_on(Store::open(&OpenOptions::new(self.url.clone())))
            .unwrap();
        self.receivers.with_seen(|seen| {
            judge(&Run {
                seen,
                store: &store,
                team: &self.team,
                zones: &self.zones,
                from: self.from,
                until: self.clock.now(),
                printed: "",
                secrets: &[],
            })
        })
    }

    /// The whole log with its attempts, worker names left out.
    pub(super) fn digest(&self) -> String {
        runtime().block_on(async {
            let store = Store::open(&OpenOptions::new(self.url.clone()))
                .await
                .unwrap();
            let mut tx = store.snapshot().await.unwrap();
            let filter = DeliveryFilter {
                limit: 1_000_000,
                ..DeliveryFilter::default()
            };
            let mut digest = String::new();
            let mut rows = tx.deliveries(&filter).await.unwrap();
            // Events' ids hold the installation's number, which is drawn anew; an alert's tells apart
            // the leads that were recorded at once.
            rows.sort_by_key(|row| {
                let alert = row.sequence.is_none().then(|| row.id.clone());
                (
                    row.created_at,
                    row.receiver.clone(),
                    row.sequence,
                    row.kind.clone(),
                    alert,
                )
            });
            for row in rows {
                let attempts = tx.attempts(&row.id).await.unwrap();
                let attempts: Vec<_> = attempts
                    .iter()
                    .map(|a| (a.epoch, a.started_at, a.finished_at, a.outcome.clone()))
                    .collect();
                writeln!(
                    digest,
                    "{} {} {} {attempts:?}",
                    row.receiver, row.kind, row.state
                )
                .unwrap();
            }
            tx.commit().await.unwrap();
            store.close().await;
            digest
        })
    }

    async fn worker(&self) -> Worker {
        let store = Store::open(&OpenOptions::new(self.url.clone()))
            .await
            .unwrap();
        let shared = Shared::new(store.clone(), self.clock.clone(), "simulated");
        let rules = Rules {
            useful_for: Duration::from_mins(15),
            push: vec![ChannelKind::Apns, ChannelKind::Fcm],
        };
        let zones = Arc::new(ZonesInUse::new(Zones::built_in(), None));
        let limits = Limits {
            lease: Duration::from_mins(1),
            request_timeout: Duration::from_secs(10),
        };
        let pace = || Pace::new(100_000);
        let push = |kind| {
            let model = Arc::new(PushModel(kind, Arc::clone(&self.receivers)));
            Lane::new(shared.clone(), model, limits, pace(), Arc::clone(&zones))
        };
        let (apns, fcm) = (push(ChannelKind::Apns), push(ChannelKind::Fcm));
        let model = Arc::new(PresenceModel(Arc::clone(&self.receivers)));
        let presence = Lane::new(shared.clone(), model, limits, pace(), Arc::clone(&zones));
        let ways = ShortWays {
            push: vec![
                (ChannelKind::Apns, apns.direct()),
                (ChannelKind::Fcm, fcm.direct()),
            ],
            presence: Some(presence.direct()),
        };
        let posting = Posting::PresenceApi;
        Worker {
            scan: Scan::new(shared, rules, posting, zones, ways, limits.lease),
            manner: self.manner,
            store,
            apns,
            fcm,
            presence,
        }
    }
}

/// In memory where that is to be had: it is written to a great deal and worth nothing.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// One life's engine.
struct Worker {
    manner: Manner,
    store: Store,
    scan: Scan,
    apns: Lane<PushModel>,
    fcm: Lane<PushModel>,
    presence: Lane<PresenceModel>,
}

impl Worker {
    async fn tick(&self) {
        let go = CancellationToken::new();
        self.scan.revise().await.unwrap();
        match self.manner {
            Manner::InTurns => {
                self.scan.pass(&go).await.unwrap();
            }
            Manner::SideBySide => self.scan_beside_lanes().await,
        }
        self.apns.run(Until::Idle, &go).await;
        self.fcm.run(Until::Idle, &go).await;
        self.presence.run(Until::Idle, &go).await;
    }

    /// The lanes stop as soon as the scan is through: what has not begun by then is given back.
    async fn scan_beside_lanes(&self) {
        let stop = CancellationToken::new();
        let scan = async {
            self.scan.pass(&CancellationToken::new()).await.unwrap();
            stop.cancel();
        };
        tokio::join!(
            self.apns.run(Until::Stopped, &stop),
            self.fcm.run(Until::Stopped, &stop),
            self.presence.run(Until::Stopped, &stop),
            scan
        );
    }

    /// When there is something to do next.
    async fn next(&self) -> Option<Timestamp> {
        let mut tx = self.store.snapshot().await.unwrap();
        let due = tx.next_due().await.unwrap();
        let mut next: Vec<Timestamp> = due.scan.into_iter().chain(due.reap).collect();
        for channel in ChannelKind::ALL {
            next.extend(tx.next_send(channel).await.unwrap());
        }
        tx.commit().await.unwrap();
        next.into_iter().min()
    }
}
