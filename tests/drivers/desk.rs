//! One driver and the stand-in of its product, on a clock that stands still.

use std::{fs, path::Path, time::Duration};

use jiff::Timestamp;
use shiftbell::{
    channels::{
        Channel as _,
        driver::{Driver, Options},
    },
    clock::Clock,
    config::Config,
    domain::{
        delivery::Judgement,
        driver::{
            Refusal, Shown,
            answer::{Meaning, meaning},
            built_in,
            fill::Values,
        },
        presence::{Change, Event, Reason, Status},
    },
    sim::{World, WorldOptions, product::Product, script::Behaviour},
};
use uuid::Uuid;

/// Longer than any exchange should need.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// For exchanges that end by their limit only.
pub(crate) const SHORT: Duration = Duration::from_secs(3);

pub(crate) struct Desk {
    world: World,
    pub(crate) clock: Clock,
    config: Config,
    _folder: tempfile::TempDir,
}

impl Desk {
    /// The stand-in of `driver`, and a configuration as a user would write it.
    pub(crate) async fn of(driver: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-30T07:00:00Z".parse().unwrap());
        let options = WorldOptions {
            driver: Some(driver.to_owned()),
            ..WorldOptions::default()
        };
        let world = World::start(folder.path(), clock.clone(), options)
            .await
            .unwrap();
        let config =
            Config::load(Some(&world.config_path), std::iter::empty(), Path::new("/")).unwrap();
        Self {
            world,
            clock,
            config,
            _folder: folder,
        }
    }

    pub(crate) fn product(&self) -> &Product {
        self.world.product.as_ref().unwrap()
    }

    /// What the driver is made of; a test may change it.
    pub(crate) fn options(&self) -> Options {
        let section = self.config.driver.clone().unwrap();
        Options {
            description: section.description,
            url: section.url,
            token: section.token,
            agent_tokens: section.agent_tokens,
            account: section.account,
            user: section.user,
            extra_ca: Some(fs::read(&self.world.ca_path).unwrap()),
            request_timeout: LONG,
            max_in_flight: section.max_in_flight as usize,
        }
    }

    pub(crate) fn driver(&self) -> Driver {
        Driver::new(self.options()).unwrap()
    }

    pub(crate) fn impatient(&self) -> Driver {
        Driver::new(Options {
            request_timeout: SHORT,
            ..self.options()
        })
        .unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets one agent through the same door as a lane does.
    pub(crate) async fn tell(&self, driver: &Driver, agent: &str, shown: Shown) -> Judgement {
        driver.send(&[event(agent, shown)], self.now()).await
    }

    /// Sets one agent online while the stand-in behaves so.
    pub(crate) async fn meet(&self, driver: &Driver, behaviour: impl Into<Behaviour>) -> Judgement {
        let agent = self.product().add_agent(0);
        let rule = self.product().script().next_of(&agent, 1, behaviour);
        let judgement = self.tell(driver, &agent, Shown::Online).await;
        self.product().script().remove(&rule);
        judgement
    }

    /// The last request, as a person writes it down: secrets left out, and what every client sends.
    pub(crate) fn last(&self) -> String {
        let request = self.product().record().all().pop().unwrap();
        let common = ["host", "user-agent", "accept", "content-length"];
        let mut headers: Vec<String> = request
            .headers
            .iter()
            .filter(|(name, _)| !common.contains(&name.as_str()))
            .map(|(name, value)| {
                let secret = value.is_sensitive();
                let value = if secret {
                    "…"
                } else {
                    value.to_str().unwrap()
                };
                format!("{name}: {value}\n")
            })
            .collect();
        headers.sort();
        let body = String::from_utf8(request.body.to_vec()).unwrap();
        let (method, target) = (&request.method, &request.target);
        format!("{method} {target}\n{}{body}", headers.concat())
    }

    /// The bodies of what was received, oldest first, as text.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let all = self.product().record().all();
        all.iter()
            .map(|r| String::from_utf8_lossy(&r.body).into_owned())
            .collect()
    }
}

/// What a refusal of this status and body means to the setting of a status, as the driver's
/// description has it.
pub(crate) fn refusal(driver: &str, status: u16, body: &str) -> Refusal {
    let description = built_in(driver).unwrap();
    let word = description.words.get(Shown::Online);
    let values = Values {
        agent: "ana",
        status: Some(word),
        ..Values::default()
    };
    let asked = description.set.fill(&values);
    match meaning(&description.answers, status, body.as_bytes(), &asked) {
        Meaning::Refused(refusal, _) => refusal,
        other => panic!("{driver} {status} {body}: {other:?}"),
    }
}

/// A change of an agent whose id in the product this is.
pub(crate) fn event(agent: &str, shown: Shown) -> Event {
    let (status, accepts_conversations) = match shown {
        Shown::Online => (Status::Online, true),
        Shown::Offline => (Status::Offline, false),
        Shown::Invisible => (Status::Invisible, false),
    };
    Event {
        id: Uuid::from_u128(1),
        workspace: "acme".to_owned(),
        effective_at: "2026-03-30T07:00:00Z".parse().unwrap(),
        sequence: 1,
        change: Change::Agent {
            agent: format!("ours-{agent}"),
            external: Some(agent.to_owned()),
            status,
            accepts_conversations,
            reason: Reason::HoursStart,
        },
    }
}
