//! A stage for stories: the real engine and the strict stand-ins on one clock that stands still
//! until the story moves it.

use std::path::Path;

use jiff::Timestamp;
use shiftbell::{
    clock::Clock,
    config::Config,
    domain::roster,
    sim::{World, WorldOptions},
    store::{DeliveryFilter, DeliveryRow, OpenOptions, Store},
    workers::{Shared, service::Engine},
};
use tokio_util::sync::CancellationToken;

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    config: Config,
    _folder: tempfile::TempDir,
}

fn engine(store: &Store, clock: &Clock, config: &Config) -> Engine {
    let shared = Shared::new(store.clone(), clock.clone(), "story");
    Engine::new(shared, config, shiftbell::zones::load(None).unwrap()).unwrap()
}

impl Stage {
    /// The stage at `now`, with this team imported and evaluated for the first time.
    #[allow(dead_code, reason = "not every test crate chooses a database")]
    pub(crate) async fn set(now: &str, database_url: Option<String>, team: &str) -> Self {
        let options = WorldOptions {
            database_url,
            ..WorldOptions::default()
        };
        Self::set_with(now, options, team).await
    }

    /// The same in a world of these options.
    pub(crate) async fn set_with(now: &str, options: WorldOptions, team: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(time(now));
        let world = World::start(folder.path(), clock.clone(), options)
            .await
            .unwrap();
        let config =
            Config::load(Some(&world.config_path), std::iter::empty(), Path::new("/")).unwrap();
        let store = Store::open(&OpenOptions::new(config.database.url.clone()))
            .await
            .unwrap();
        let engine = engine(&store, &clock, &config);
        let stage = Self {
            world,
            engine,
            store,
            clock,
            config,
            _folder: folder,
        };
        stage.import(team).await;
        stage.tick().await;
        stage
    }

    /// Restarts the worker with or without `[presence]`.
    #[allow(dead_code, reason = "not every test crate switches it")]
    pub(crate) fn switch_presence(&mut self, on: bool) {
        let mut config = self.config.clone();
        if !on {
            config.presence = None;
        }
        self.restart_with(&config);
    }

    /// Restarts the worker with this configuration.
    #[allow(dead_code, reason = "not every test crate changes it")]
    pub(crate) fn restart_with(&mut self, config: &Config) {
        self.engine = engine(&self.store, &self.clock, config);
    }

    /// What the worker is configured with.
    #[allow(dead_code, reason = "not every test crate asks")]
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Another worker beside this one, on the same database and clock.
    #[allow(dead_code, reason = "not every test crate has several")]
    pub(crate) fn colleague(&self, config: &Config) -> Engine {
        engine(&self.store, &self.clock, config)
    }

    /// Imports these lines.
    pub(crate) async fn import(&self, team: &str) {
        let zones = shiftbell::zones::load(None).unwrap();
        let roster = roster::read(team.as_bytes(), &zones, self.clock.now()).unwrap();
        let mut tx = self.store.begin().await.unwrap();
        tx.put_workspaces(&roster.workspaces).await.unwrap();
        tx.put_agents(&roster.agents, self.clock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Moves the clock and lets the worker do what `tick` does.
    pub(crate) async fn at(&self, now: &str) {
        self.clock.set(time(now));
        self.tick().await;
    }

    pub(crate) async fn tick(&self) {
        self.engine.tick(&CancellationToken::new()).await.unwrap();
    }

    /// The alerts accepted so far: (agent, event, boundary), in order of arrival.
    #[allow(dead_code, reason = "not every test crate rings")]
    pub(crate) fn rung(&self) -> Vec<String> {
        let apns = self.world.apns.record().accepted();
        let fcm = self.world.fcm.record().accepted();
        let mut rung: Vec<String> = apns
            .iter()
            .map(|push| push.json()["shiftbell"].clone())
            .chain(
                fcm.iter()
                    .map(|push| push.json()["message"]["data"].clone()),
            )
            .map(|d| {
                format!(
                    "{} {} {}",
                    word(&d["agent"]),
                    word(&d["event"]),
                    word(&d["at"])
                )
            })
            .collect();
        rung.sort();
        rung
    }

    /// The presence events accepted so far, as a person would write them down.
    pub(crate) fn posted(&self) -> Vec<String> {
        let batches = self.world.presence.record().accepted();
        let mut posted = Vec::new();
        for batch in batches {
            let body: serde_json::Value = serde_json::from_slice(&batch.body).unwrap();
            for e in body["events"].as_array().unwrap() {
                posted.push(match e["type"].as_str().unwrap() {
                    "agent.status_changed" => {
                        format!(
                            "{} {} {} #{}",
                            word(&e["agent"]),
                            word(&e["status"]),
                            word(&e["reason"]),
                            e["sequence"]
                        )
                    }
                    _ => format!(
                        "{} {} #{}",
                        word(&e["workspace"]),
                        word(&e["mode"]),
                        e["sequence"]
                    ),
                });
            }
        }
        assert!(
            self.world.presence.findings().is_empty(),
            "{:?}",
            self.world.presence.findings()
        );
        posted.sort();
        posted
    }

    /// The delivery log, oldest first.
    pub(crate) async fn log(&self) -> Vec<DeliveryRow> {
        let mut tx = self.store.snapshot().await.unwrap();
        let filter = DeliveryFilter {
            limit: 10_000,
            ..DeliveryFilter::default()
        };
        let mut rows = tx.deliveries(&filter).await.unwrap();
        tx.commit().await.unwrap();
        rows.reverse();
        rows
    }

    /// The oldest delivery of a channel.
    #[allow(dead_code, reason = "not every test crate asks")]
    pub(crate) async fn row(&self, channel: &str) -> DeliveryRow {
        self.log()
            .await
            .into_iter()
            .find(|row| row.channel == channel)
            .unwrap()
    }

    /// How many deliveries of a channel stand in a state, for whatever reason.
    #[allow(dead_code, reason = "not every test crate asks")]
    pub(crate) async fn count(&self, channel: &str, state: &str) -> usize {
        self.log()
            .await
            .iter()
            .filter(|row| row.channel == channel && row.state == state)
            .count()
    }
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn word(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or("?")
}
