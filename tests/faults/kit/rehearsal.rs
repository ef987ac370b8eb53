//! For long spans of time: the engine in this process, against the same strict receivers, on a clock
//! that stands still until the fault moves it.

use std::{
    io,
    path::Path,
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, civil::Weekday};
use shiftbell::{
    clock::Clock,
    config::Config,
    domain::{
        agent::{Agent, Field, Notify},
        hours::{LocalTime, Slot},
    },
    sim::{World, WorldOptions},
    store::{DeliveryFilter, DeliveryRow, OpenOptions, Store},
    workers::{Shared, service::Engine},
};
use tokio_util::sync::CancellationToken;

use super::{Report, theatre::phone};
use crate::checker::{self, Seen};

/// A pass that takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// After so long every alert is of no use, and presence has had time to converge.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_mins(70);

/// A fault's stage.
pub(crate) struct Rehearsal {
    pub(crate) world: World,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) team: Vec<Agent>,
    pub(crate) engine: Engine,
    /// From when on (UTC) boundaries are judged.
    pub(crate) from: Timestamp,
    config: Config,
    logged_before: usize,
    _folder: tempfile::TempDir,
}

impl Rehearsal {
    /// The stage at `now`, with this team stored and evaluated for the first time.
    pub(crate) async fn set(now: &str, team: Vec<Agent>) -> Self {
        Self::with(now.parse().unwrap(), team, &[]).await
    }

    /// The same, with these keys of the configuration (`SHIFTBELL__SECTION__KEY`).
    pub(crate) async fn with(now: Timestamp, team: Vec<Agent>, keys: &[(&str, &str)]) -> Self {
        let logged_before = listen();
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(now);
        let world = World::start(folder.path(), clock.clone(), WorldOptions::default())
            .await
            .unwrap();
        // A clock that stands still gives no new allowance.
        let fast = ["APNS", "FCM", "PRESENCE"].map(|section| {
            (
                format!("SHIFTBELL__{section}__MAX_PER_SECOND"),
                "100000".to_owned(),
            )
        });
        let keys = keys
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let env = fast.into_iter().chain(keys);
        let config = Config::load(Some(&world.config_path), env, Path::new("/")).unwrap();
        let store = Store::open(&OpenOptions::new(config.database.url.clone()))
            .await
            .unwrap();
        let shared = Shared::new(store.clone(), clock.clone(), "rehearsal");
        let zones = shiftbell::zones::load(config.timezone_directory.as_deref()).unwrap();
        let engine = Engine::new(shared, &config, zones).unwrap();
        let stage = Self {
            world,
            store,
            clock,
            team,
            engine,
            from: now,
            config,
            logged_before,
            _folder: folder,
        };
        let mut tx = stage.store.begin().await.unwrap();
        tx.put_agents(&stage.team, now).await.unwrap();
        tx.commit().await.unwrap();
        stage.tick().await;
        stage
    }

    /// What `tick` does.
    pub(crate) async fn tick(&self) {
        let stop = CancellationToken::new();
        let pass = tokio::time::timeout(PATIENCE, self.engine.tick(&stop)).await;
        pass.expect("a pass comes to its end").unwrap();
    }

    /// The same at `now`.
    pub(crate) async fn at(&self, now: Timestamp) {
        self.clock.set(now);
        self.tick().await;
    }

    /// From now until `until`, step by step.
    pub(crate) async fn walk(&self, until: Timestamp, step: SignedDuration) {
        while self.clock.now() + step <= until {
            self.at(self.clock.now() + step).await;
        }
    }

    /// Walks until nothing is left to do.
    pub(crate) async fn quiet(&self) -> Result<(), String> {
        let end = self.clock.now() + LONGEST_WAIT;
        loop {
            self.tick().await;
            let mut tx = self.store.snapshot().await.unwrap();
            let open = tx.open_counts().await.unwrap();
            tx.commit().await.unwrap();
            if open.is_empty() {
                return Ok(());
            }
            if self.clock.now() > end {
                return Err(format!("L: waited {LONGEST_WAIT:#} in vain"));
            }
            self.clock.advance(Duration::from_secs(5));
        }
    }

    /// Finishes what is left to do, and judges the run.
    pub(crate) async fn judge(&self, struck: u64) -> Report {
        let quiet = self.quiet().await;
        let zones = shiftbell::zones::load(self.config.timezone_directory.as_deref()).unwrap();
        let run = checker::Run {
            seen: &Seen::by(&self.world, &self.team),
            store: &self.store,
            team: &self.team,
            zones: &zones,
            // What falls on the very first evaluation rings nobody.
            from: self.from + SignedDuration::from_millis(1),
            until: self.clock.now(),
            printed: &logged(self.logged_before),
            secrets: &checker::seen::secrets(&self.world),
        };
        let mut found = checker::violations(&run).await;
        found.extend(quiet.err());
        Report { struck, found }
    }

    /// The delivery log.
    pub(crate) async fn log(&self) -> Vec<DeliveryRow> {
        let mut tx = self.store.snapshot().await.unwrap();
        let filter = DeliveryFilter {
            limit: 1_000_000,
            ..DeliveryFilter::default()
        };
        let rows = tx.deliveries(&filter).await.unwrap();
        tx.commit().await.unwrap();
        rows
    }

    /// A complaint for each alert that did not reach its phone.
    pub(crate) async fn unsent(&self) -> Vec<String> {
        let log = self.log().await;
        let unsent = log
            .iter()
            .filter(|row| row.channel != "presence" && row.state != "sent");
        unsent
            .map(|row| {
                let reason = row.reason.as_deref().unwrap_or("new");
                format!("L: {} {} is {} ({reason})", row.channel, row.id, row.state)
            })
            .collect()
    }

    /// How many pushes were accepted so far.
    pub(crate) fn rung(&self) -> u64 {
        self.world.apns.record().accepted_count() + self.world.fcm.record().accepted_count()
    }
}

/// Somebody with one phone, who wants every alert.
pub(crate) fn person(n: usize, timezone: &str, hours: Vec<Slot>) -> Agent {
    let mut agent = Agent::new(
        format!("a-{n}"),
        format!("w-{}", n % 5),
        format!("Agent {n}"),
        timezone,
    );
    agent.hours = hours;
    agent.notify = Notify {
        start: true,
        end: true,
    };
    agent.devices = vec![phone(n)];
    for field in [Field::Hours, Field::Notify, Field::Devices] {
        agent.named.insert(field);
    }
    agent
}

/// Where the instants of [`team`] begin: a Monday's morning.
pub(crate) const MORNING: &str = "2026-03-30T07:00:00Z";

/// So many minutes after eight on that Monday, UTC.
pub(crate) fn minute(after_eight: i64) -> Timestamp {
    let eight = "2026-03-30T08:00:00Z".parse::<Timestamp>().unwrap();
    eight + SignedDuration::from_mins(after_eight)
}

/// `count` people whose boundaries fall on that Monday, spread evenly over `minutes` from eight on;
/// half of them start then, half end.
pub(crate) fn team(count: usize, minutes: usize) -> Vec<Agent> {
    (0..count)
        .map(|n| {
            let at = (8 * 60 + minutes * n / count) as u16;
            let (start, end) = if n / 2 % 2 == 0 {
                (at, at + 6 * 60)
            } else {
                (at - 6 * 60, at)
            };
            let time = |minutes| LocalTime::from_minutes(minutes).unwrap();
            let slot = Slot {
                day: Weekday::Monday,
                start: time(start),
                end: time(end),
            };
            person(n, "UTC", vec![slot])
        })
        .collect()
}

/// What engines in this process logged, all of them together.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Starts to listen to the log, and says how much of it there is.
fn listen() -> usize {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .json()
            .with_env_filter("warn,shiftbell=info")
            .with_writer(|| Ear)
            .init();
    });
    LOG.lock().unwrap_or_else(PoisonError::into_inner).len()
}

fn logged(from: usize) -> String {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log[from..]).into_owned()
}

struct Ear;

impl io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
