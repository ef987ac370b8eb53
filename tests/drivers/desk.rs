//! One driver and the stand-in of its product, on a clock that stands still.

use std::{fs, path::Path, time::Duration};

use jiff::Timestamp;
use shiftbell::{
    channels::{
        Channel as _,
        driver::{Driver, Options},
    },
    clock::Clock,
    config::{Config, ConfigError},
    domain::{
        delivery::{Judgement, Verdict},
        driver::{
            Description, Refusal, Shown,
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
            token_url: section.token_url,
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

    /// A driver whose description is changed a little, as in a file of the user's own.
    pub(crate) fn driver_with(&self, change: impl FnOnce(&mut Description)) -> Driver {
        let mut options = self.options();
        change(&mut options.description);
        Driver::new(options).unwrap()
    }

    /// The world's configuration with other values, as environment variables give them.
    pub(crate) fn configuration(&self, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        Config::load(Some(&self.world.config_path), env, Path::new("/"))
    }

    /// A request that was received: method, target, headers but for those of the connection, body.
    pub(crate) fn request(&self, n: usize) -> String {
        let request = &self.product().record().all()[n];
        let mut lines: Vec<String> = Vec::new();
        for (name, value) in &request.headers {
            if ["host", "user-agent", "content-length"].contains(&name.as_str()) {
                continue;
            }
            let value = if value.is_sensitive() {
                "…"
            } else {
                value.to_str().unwrap()
            };
            lines.push(format!("{name}: {value}"));
        }
        lines.sort();
        let body = String::from_utf8_lossy(&request.body);
        lines.insert(0, format!("{} {}", request.method, request.target));
        lines.extend((!body.is_empty()).then(|| body.into_owned()));
        lines.join("\n")
    }

    /// How many requests were received whose target ends so.
    pub(crate) fn count(&self, target: &str) -> usize {
        let all = self.product().record().all();
        all.iter().filter(|r| r.target.ends_with(target)).count()
    }

    /// Asserts that an agent who is set while the product holds its requests back is told so with this
    /// many seconds to wait, and can be set when it does not any more.
    pub(crate) async fn throttled(&self, agent: &str, seconds: u64) {
        let driver = self.driver();
        self.product().arrange("throttled", "");
        let judgement = self.tell(&driver, agent, Shown::Online).await;
        assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
        assert_eq!(judgement.http_status, Some(429));
        assert_eq!(judgement.retry_after, Some(Duration::from_secs(seconds)));
        self.product().arrange("free", "");
        let judgement = self.tell(&driver, agent, Shown::Online).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    }

    /// Asserts what an agent's being set to `shown` comes to: the verdict and the reason.
    pub(crate) async fn judged(
        &self,
        driver: &Driver,
        (agent, shown): (&str, Shown),
        (verdict, reason): (Verdict, &str),
    ) {
        let judgement = self.tell(driver, agent, shown).await;
        let found = (judgement.verdict, judgement.reason.as_str());
        assert_eq!(found, (verdict, reason), "{judgement:?}");
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
