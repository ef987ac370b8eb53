//! An office for whole days: the API, the real engine and the strict stand-ins, on one database and one
//! clock that the story moves.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};
use shiftbell::{
    clock::Clock,
    config::Config,
    http::Reach,
    sim::{World, WorldOptions},
    workers::{Shared, receivers::Receivers, service::Engine},
};
use tokio_util::sync::CancellationToken;

use crate::{
    desk::{Desk, Holder},
    support::Database,
};

pub(crate) struct Office {
    pub(crate) desk: Desk,
    pub(crate) world: World,
    engine: Engine,
    _folder: tempfile::TempDir,
}

impl Office {
    /// Opens at `time` (UTC) on the Monday of all stories, with nobody in it.
    pub(crate) async fn open(db: Database, time: &str) -> Self {
        let clock = Clock::manual(instant(time).parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let options = WorldOptions {
            database_url: Some(db.url.clone()),
            ..WorldOptions::default()
        };
        let world = World::start(folder.path(), clock.clone(), options);
        let world = world.await.unwrap();
        let config = Some(world.config_path.as_path());
        let config = Config::load(config, std::iter::empty(), Path::new("/")).unwrap();
        let shared = Shared::new(db.store.clone(), clock.clone(), "office");
        let zones = shiftbell::zones::load(None).unwrap();
        let engine = Engine::new(shared, &config, zones).unwrap();
        let receivers: Receivers = engine.receivers().clone();
        Self {
            desk: Desk::open(db, clock, 10_000, Reach::Loopback, receivers).await,
            world,
            engine,
            _folder: folder,
        }
    }

    /// Moves the clock to `time` (UTC), lets the worker do what is due, and compares what the platform
    /// was told with what the presence resource says.
    pub(crate) async fn at(&self, time: &str) {
        self.desk.clock.set(instant(time).parse().unwrap());
        self.work().await;
    }

    /// Lets the worker do what is due.
    pub(crate) async fn work(&self) {
        let done = self.engine.tick(&CancellationToken::new()).await;
        done.unwrap();
        self.agrees().await;
    }

    async fn agrees(&self) {
        let platform = self.desk.platform().await;
        let presence = platform.get("/v1/workspaces/acme/presence").await.ok(200);
        let agents = presence["agents"].as_array().unwrap();
        let mut said: BTreeMap<String, String> = agents
            .iter()
            .map(|a| (word(&a["agent"]), standing(a)))
            .collect();
        said.insert("acme".to_owned(), word(&presence["mode"]));
        let mut told = BTreeMap::new();
        for event in self.events() {
            let (who, how) = match event["agent"].as_str() {
                Some(agent) => (agent.to_owned(), standing(&event)),
                None => ("acme".to_owned(), word(&event["mode"])),
            };
            told.insert(who, how);
        }
        assert_eq!(
            said,
            told,
            "the resource and the events at {}",
            self.desk.clock.now()
        );
    }

    /// Reports events, each as `time what conversation [agent]`; they happened at that time.
    pub(crate) async fn report(&self, platform: &Holder<'_>, events: &[&str]) -> Value {
        let event = |text: &&str| {
            let mut words = text.split(' ');
            let mut next = || words.next();
            let (at, what, conversation) = (next().unwrap(), next().unwrap(), next().unwrap());
            let mut event = json!({
                "id": *text, "type": what, "workspace": "acme", "conversation": conversation, "at": instant(at),
            });
            if let Some(agent) = next() {
                event["agent"] = agent.into();
            }
            event
        };
        let events: Vec<Value> = events.iter().map(event).collect();
        let said = platform.post("/v1/events", json!({"events": events}));
        said.await.ok(200)
    }

    /// The presence events in the order of arrival.
    fn events(&self) -> Vec<Value> {
        assert_eq!(self.world.presence.findings(), []);
        let batches = self.world.presence.record().accepted();
        let events = |body: &[u8]| {
            let body: Value = serde_json::from_slice(body).unwrap();
            body["events"].as_array().unwrap().clone()
        };
        batches
            .iter()
            .flat_map(|batch| events(&batch.body))
            .collect()
    }

    /// The presence events as a person would write them down, by the time from which they hold.
    pub(crate) fn posted(&self) -> String {
        let line = |e: &Value| {
            let time = hour(&e["effective_at"]);
            match e["agent"].as_str() {
                Some(agent) => format!("{time} {agent} {} ({})", standing(e), word(&e["reason"])),
                None => format!("{time} {}", word(&e["mode"])),
            }
        };
        lines(self.events().iter().map(line))
    }

    /// The alerts that reached phones: time, agent, what about.
    pub(crate) fn rung(&self) -> String {
        let apns = self.world.apns.record().accepted();
        let fcm = self.world.fcm.record().accepted();
        let apns = apns.iter().map(|push| push.json()["shiftbell"].clone());
        let fcm = fcm
            .iter()
            .map(|push| push.json()["message"]["data"].clone());
        lines(apns.chain(fcm).map(|data| {
            let (agent, event) = (word(&data["agent"]), word(&data["event"]));
            format!("{} {agent} {event}", hour(&data["at"]))
        }))
    }
}

/// `online, accepts` and the like.
fn standing(of: &Value) -> String {
    let status = word(&of["status"]);
    if of["accepts_conversations"].as_bool().unwrap() {
        format!("{status}, accepts")
    } else {
        status
    }
}

pub(crate) fn instant(time: &str) -> String {
    format!("2026-03-30T{time}:00Z")
}

fn hour(at: &Value) -> String {
    word(at).replace("2026-03-30T", "").replace(":00Z", "")
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or("?").to_owned()
}

fn lines(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = all.collect();
    all.sort();
    all.join("\n")
}
