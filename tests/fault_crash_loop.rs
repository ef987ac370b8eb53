//! Faults 3 and 4: the real program is killed again and again while boundaries fall, also between
//! a receiver's acceptance and its answer. Judged by the one checker.
//!
//! `SHIFTBELL_KILLS` sets how often (12 by default, 100 with `tests/run --faults`).

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

mod checker;

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use shiftbell::{
    clock::{Clock, Stopwatch},
    domain::{
        agent::{Agent, Device, Field, Notify},
        device::{DeviceToken, Environment, Platform},
        hours::{LocalTime, Slot},
    },
    sim::{
        World, WorldOptions,
        script::{Behaviour, Fault},
    },
    store::{OpenOptions, Store},
};

const AGENTS: i64 = 200;

/// Two hundred agents whose hours start at `first` and end one, two or three minutes later.
fn team(first: Timestamp) -> Vec<Agent> {
    (0..AGENTS)
        .map(|n| {
            let local = |at: Timestamp| TimeZone::UTC.to_datetime(at);
            let time = |at: Timestamp| {
                let at = local(at);
                LocalTime::from_minutes(
                    u16::from(at.hour().unsigned_abs()) * 60
                        + u16::from(at.minute().unsigned_abs()),
                )
                .unwrap()
            };
            let end = first + SignedDuration::from_mins(1 + n % 3);
            let mut agent = Agent::new(
                format!("a-{n}"),
                format!("w-{}", n % 5),
                format!("Agent {n}"),
                "UTC",
            );
            agent.hours = vec![Slot {
                day: local(first).date().weekday(),
                start: time(first),
                end: time(end),
            }];
            agent.notify = Notify {
                start: true,
                end: true,
            };
            let (platform, token) = if n % 2 == 0 {
                (Platform::Ios, format!("{n:064x}"))
            } else {
                (Platform::Android, format!("canary-token-{n}"))
            };
            agent.devices = vec![Device {
                platform,
                token: DeviceToken::new(token),
                environment: Environment::Production,
            }];
            for field in [Field::Hours, Field::Notify, Field::Devices] {
                agent.named.insert(field);
            }
            agent
        })
        .collect()
}

struct Worker {
    child: Child,
    log: std::path::PathBuf,
}

impl Worker {
    fn start(world: &World, n: usize) -> Self {
        let log = world.folder.join(format!("worker-{n}.log"));
        let child = Command::new(env!("CARGO_BIN_EXE_shiftbell"))
            .args(["run", "--log", "info", "--config"])
            .arg(&world.config_path)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Kills it at once, as a crash would; gives what it printed.
    fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        printed(&self.log)
    }

    /// Asks it to end; it must end well.
    fn stop(mut self) -> String {
        Command::new("kill")
            .arg("-TERM")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        let status = self.child.wait().unwrap();
        let printed = printed(&self.log);
        assert!(status.success(), "{status}: {printed}");
        printed
    }
}

fn printed(log: &std::path::Path) -> String {
    let mut text = String::new();
    std::fs::File::open(log)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_loop_while_boundaries_fall_it_loses_and_doubles_nothing() {
    let kills: usize = std::env::var("SHIFTBELL_KILLS").map_or(12, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let world = World::start(folder.path(), clock.clone(), WorldOptions::default())
        .await
        .unwrap();
    // A short lease, so that what a killed worker held is taken up again soon.
    let config = std::fs::read_to_string(&world.config_path).unwrap();
    let times = "\n[delivery]\nlease = \"3s\"\nrequest_timeout = \"2s\"\n";
    std::fs::write(&world.config_path, config + times).unwrap();
    let url = format!("sqlite://{}", folder.path().join("shiftbell.db").display());
    let store = Store::open(&OpenOptions::new(url)).await.unwrap();
    let minute = SignedDuration::from_mins(1).as_millis() as i64;
    let now = clock.now().as_millisecond();
    let mut first = Timestamp::from_millisecond((now / minute + 1) * minute).unwrap();
    if first.duration_since(clock.now()) < SignedDuration::from_secs(8) {
        first += SignedDuration::from_mins(1);
    }
    let team = team(first);
    let mut tx = store.begin().await.unwrap();
    tx.put_agents(&team, clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    // Accepted, and the answer never comes: what a crash at that moment looks like.
    let lost = world
        .apns
        .script()
        .next(5, Behaviour::Accepted(Fault::Close));
    let mut printed = String::new();
    let warm = Worker::start(&world, 0);
    world
        .presence
        .record()
        .wait_until(Duration::from_secs(20), |_| {
            world.presence.agent("a-199").is_some()
        })
        .await
        .unwrap();
    printed += &warm.stop();
    let watch = Stopwatch::start();
    let start = first.duration_since(clock.now()).unsigned_abs();
    tokio::time::sleep(start).await;
    for n in 1..=kills {
        let worker = Worker::start(&world, n);
        tokio::time::sleep(Duration::from_millis(rand::random_range(20..1500))).await;
        printed += &worker.kill();
    }
    let survivor = Worker::start(&world, kills + 1);
    let over = first + SignedDuration::from_mins(3) + SignedDuration::from_secs(20);
    tokio::time::sleep(
        over.duration_since(clock.now())
            .max(SignedDuration::from_secs(15))
            .unsigned_abs(),
    )
    .await;
    printed += &survivor.stop();
    println!(
        "{kills} kills, {} answers lost, {:?}",
        lost.struck(),
        watch.elapsed()
    );
    assert_eq!(lost.struck(), 5, "the fault must have struck");
    let run = checker::Run {
        world: &world,
        store: &store,
        team: &team,
        from: first,
        until: clock.now(),
        printed: &printed,
    };
    let found = checker::violations(&run).await;
    assert!(
        found.is_empty(),
        "{} violations: {:#?}",
        found.len(),
        &found[..found.len().min(20)]
    );
}
