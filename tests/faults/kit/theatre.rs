//! One stage for one fault: stand-ins, a database, a team whose boundaries fall within seconds.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use shiftbell::{
    clock::Clock,
    domain::{
        agent::{Agent, Device, Field, Notify},
        device::{DeviceToken, Environment, Platform},
        zone::Zones,
    },
    sim::{World, WorldOptions},
    store::{OpenOptions, Store},
};

use super::{Report, Worker, seconds, until};
use crate::{
    checker::{self, Seen},
    support::{outside, postgres::Cluster},
};

/// Which database.
#[derive(Clone, Copy)]
pub(crate) enum Base<'a> {
    /// A file in the theatre's own folder.
    Sqlite,
    /// A file in this folder.
    SqliteIn(&'a std::path::Path),
    /// A new database of this server.
    Postgres(&'a Cluster),
}

/// How many boundaries fall, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Agents; each has one boundary, half of them a start, half an end.
    pub(crate) agents: usize,
    /// Over so many seconds the boundaries fall.
    pub(crate) spread_s: i64,
    /// So long after the team is known.
    pub(crate) lead_s: i64,
}

/// A fault's stage.
pub(crate) struct Theatre {
    pub(crate) world: World,
    /// The test's own view of the database.
    pub(crate) store: Store,
    /// Where the database is.
    pub(crate) url: String,
    pub(crate) team: Vec<Agent>,
    pub(crate) clock: Clock,
    /// The first boundary.
    pub(crate) first: Timestamp,
    /// The last one.
    pub(crate) last: Timestamp,
    zones: Zones,
    logs: AtomicUsize,
    folder: tempfile::TempDir,
}

impl Theatre {
    /// Sets the stage: the team is stored, evaluated for the first time by a worker, and its
    /// boundaries are to come.
    pub(crate) async fn set(base: Base<'_>, plan: Plan) -> Self {
        Self::stage(None, base, plan).await
    }

    /// The same with this driver's product in place of the presence API, which knows the team.
    pub(crate) async fn driving(driver: &str, base: Base<'_>, plan: Plan) -> Self {
        Self::stage(Some(driver), base, plan).await
    }

    async fn stage(driver: Option<&str>, base: Base<'_>, plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let url = match base {
            Base::Sqlite => format!("sqlite://{}", folder.path().join("shiftbell.db").display()),
            Base::SqliteIn(path) => format!("sqlite://{}", path.join("shiftbell.db").display()),
            Base::Postgres(cluster) => cluster.database(),
        };
        let options = WorldOptions {
            database_url: Some(url.clone()),
            driver: driver.map(str::to_owned),
            ..WorldOptions::default()
        };
        let world = World::start(folder.path(), clock.clone(), options)
            .await
            .unwrap();
        let zones = seconds::zones(&folder.path().join("zones"));
        // Short times, so that what a dead worker held is taken up again soon.
        let config = std::fs::read_to_string(&world.config_path).unwrap()
            + "\n[timezone]\ndirectory = \"zones\"\n[delivery]\nlease = \"3s\"\nrequest_timeout = \"1s\"\n";
        std::fs::write(&world.config_path, config).unwrap();
        let store = Store::open(&OpenOptions::new(url.clone())).await.unwrap();
        let now = Timestamp::from_second(clock.now().as_second()).unwrap();
        let first = now + SignedDuration::from_secs(plan.lead_s);
        let mut team = team(plan, first);
        if let Some(product) = &world.product {
            for (n, agent) in team.iter_mut().enumerate() {
                let (name, id) = (product.name().to_owned(), product.add_agent(n));
                agent.external.insert(name, id);
                agent.named.insert(Field::External);
            }
        }
        let theatre = Self {
            team,
            last: first + SignedDuration::from_secs(plan.spread_s),
            world,
            store,
            url,
            clock,
            first,
            zones,
            logs: AtomicUsize::new(0),
            folder,
        };
        theatre.seat().await;
        theatre
    }

    async fn seat(&self) {
        let mut tx = self.store.begin().await.unwrap();
        for chunk in self.team.chunks(1000) {
            tx.put_agents(chunk, self.clock.now()).await.unwrap();
        }
        tx.commit().await.unwrap();
        let status = Worker::start(self, "tick", &[], &[]).wait();
        assert!(status.success(), "{}", self.printed());
        assert!(self.clock.now() < self.first, "the lead is too short");
    }

    /// A worker as it is meant to run.
    pub(crate) fn worker(&self) -> Worker {
        Worker::start(self, "run", &[], &[])
    }

    /// Waits until the first boundary comes.
    pub(crate) async fn curtain(&self) {
        let wait = self.first.duration_since(self.clock.now());
        tokio::time::sleep(wait.max(SignedDuration::ZERO).unsigned_abs()).await;
    }

    /// Waits until all boundaries came and nothing is left to do.
    pub(crate) async fn quiet(&self) -> Result<(), String> {
        let over = self
            .last
            .duration_since(self.clock.now())
            .max(SignedDuration::ZERO);
        let work = Duration::from_millis(15) * self.team.len() as u32;
        let within = over.unsigned_abs() + Duration::from_mins(1) + work;
        until("the work to be done", within, async || {
            self.is_quiet().await
        })
        .await
    }

    async fn is_quiet(&self) -> bool {
        let now = self.clock.now();
        if now <= self.last {
            return false;
        }
        let looked = self.store.unit(|store| async move {
            let mut tx = store.snapshot().await?;
            let (due, open) = (tx.next_due().await?, tx.open_counts().await?);
            tx.commit().await?;
            Ok((due, open))
        });
        // A database that is down for the fault's sake is not quiet.
        looked
            .await
            .is_ok_and(|(due, open)| open.is_empty() && due.scan.is_none_or(|at| at > now))
    }

    /// Lets a healthy worker finish, stops it, and judges the run.
    pub(crate) async fn judge(&self, struck: u64) -> Report {
        let mut worker = self.worker();
        let quiet = self.quiet().await;
        let status = worker.stop().await;
        let mut report = self.verdict(struck).await;
        report.found.extend(quiet.err());
        if !status.success() {
            report
                .found
                .push(format!("L: the worker ended with {status}"));
        }
        report
    }

    /// Judges what there is now.
    pub(crate) async fn verdict(&self, struck: u64) -> Report {
        let run = checker::Run {
            seen: &Seen::by(&self.world, &self.team),
            store: &self.store,
            team: &self.team,
            zones: &self.zones,
            from: self.first,
            until: self.clock.now(),
            printed: &self.printed(),
            secrets: &checker::seen::secrets(&self.world),
        };
        Report {
            struck,
            found: checker::violations(&run).await,
        }
    }

    /// The phones' tokens of one platform.
    pub(crate) fn tokens(&self, platform: Platform) -> Vec<&str> {
        let devices = self.team.iter().flat_map(|agent| &agent.devices);
        devices
            .filter(|device| device.platform == platform)
            .map(|device| device.token.expose())
            .collect()
    }

    /// How many deliveries stand in `state` for `reason`.
    pub(crate) async fn count(&self, state: &str, reason: &str) -> usize {
        let filter = shiftbell::store::DeliveryFilter {
            state: Some(state.to_owned()),
            reason: Some(reason.to_owned()),
            limit: 1_000_000,
            ..Default::default()
        };
        let mut tx = self.store.snapshot().await.unwrap();
        let rows = tx.deliveries(&filter).await.unwrap();
        tx.commit().await.unwrap();
        rows.len()
    }

    /// How many deliveries are under lease now.
    pub(crate) async fn leased(&self) -> i64 {
        let mut tx = self.store.snapshot().await.unwrap();
        let open = tx.open_counts().await.unwrap();
        tx.commit().await.unwrap();
        open.iter()
            .filter(|count| count.state == "leased")
            .map(|count| count.count)
            .sum()
    }

    /// Runs SQL as an outsider does; rows as lines.
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap()
    }

    /// Like [`Theatre::sql`]; what the program complained of, where it did.
    pub(crate) fn try_sql(&self, sql: &str) -> Result<String, String> {
        tokio::task::block_in_place(|| outside(&self.url, sql))
    }

    /// A number that an outsider reads.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        self.sql(sql).parse().unwrap()
    }

    /// Lets go of the database, so that no handle of the test's is in a fault's way.
    pub(crate) async fn leave(&self) {
        self.store.close().await;
    }

    /// Opens the database again.
    pub(crate) async fn enter(&mut self) {
        self.store = Store::open(&OpenOptions::new(self.url.clone()))
            .await
            .unwrap();
    }

    pub(super) fn next_log(&self) -> PathBuf {
        let number = self.logs.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("worker-{number}.log"))
    }

    /// All that workers printed so far.
    pub(crate) fn printed(&self) -> String {
        (0..self.logs.load(Ordering::Relaxed))
            .map(|n| self.folder.path().join(format!("worker-{n}.log")))
            .map(|log| std::fs::read_to_string(log).unwrap_or_default())
            .collect()
    }
}

/// Agents with one phone each, five workspaces, a start or an end at their second.
fn team(plan: Plan, first: Timestamp) -> Vec<Agent> {
    (0..plan.agents)
        .map(|n| {
            let after = plan.spread_s * n as i64 / plan.agents as i64;
            let at = first + SignedDuration::from_secs(after);
            let shift = SignedDuration::from_hours(2);
            let mut agent = Agent::new(
                format!("a-{n}"),
                format!("w-{}", n % 5),
                format!("Agent {n}"),
                "UTC",
            );
            if n / 2 % 2 == 0 {
                seconds::on_duty(&mut agent, at, at + shift);
            } else {
                seconds::on_duty(&mut agent, at - shift, at);
            }
            agent.notify = Notify {
                start: true,
                end: true,
            };
            agent.devices = vec![phone(n)];
            for field in [Field::Hours, Field::Notify, Field::Devices] {
                agent.named.insert(field);
            }
            agent
        })
        .collect()
}

/// The phone of the n-th agent: every other one is an iPhone.
pub(crate) fn phone(n: usize) -> Device {
    let (platform, token) = if n.is_multiple_of(2) {
        (
            Platform::Ios,
            format!("{:064x}", 0xca_0000_0000_u64 + n as u64),
        )
    } else {
        (Platform::Android, format!("canary-token-{n:06}"))
    };
    Device {
        platform,
        token: DeviceToken::new(token),
        environment: Environment::Production,
    }
}
