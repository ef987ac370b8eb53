//! The configuration: one TOML file, overridable key by key from the environment, read and checked
//! once, before anything else happens.
//!
//! It guarantees that whoever holds a [`Config`] holds usable values: keys and secrets have been
//! read and parse, URLs carry no credentials, durations are positive, and a lease outlives the
//! request it covers. Whatever is wrong is reported at once, each problem with its file, line and
//! key; no message holds a secret. `tests/config_errors.rs` proves it for each kind of bad input,
//! `tests/config_values.rs` for the good ones.
//!
//! Commands that only touch the database use [`Config::load_database`]: an operator who may read
//! the delivery log need not be allowed to read Apple's key.
//!
//! To add a key: one line in `keys.rs`, one here, one in `deploy/shiftbell.toml`.

mod database;
mod driver;
mod keys;
mod problem;
mod reader;
mod secrets;
mod source;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;
use url::Url;

pub use database::Database;
pub use driver::Driver;
pub use problem::{ConfigError, Problem};
use reader::{Plain, Reader};
use source::Source;

use crate::domain::delivery::ChannelKind;

/// Everything that can be configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from; `None` where there is none.
    pub file: Option<PathBuf>,
    /// `[database]`
    pub database: Database,
    /// `[apns]`; `None` switches the receiver off.
    pub apns: Option<Apns>,
    /// `[fcm]`; `None` switches the receiver off.
    pub fcm: Option<Fcm>,
    /// `[presence]` without a driver, the presence API; `None` switches the receiver off.
    pub presence: Option<Presence>,
    /// `[presence]` with a driver, a chat product instead.
    pub driver: Option<Driver>,
    /// `[http]`
    pub http: Http,
    /// `timezone.directory`: a folder of compiled IANA data to use instead of the system's.
    pub timezone_directory: Option<PathBuf>,
    /// `[delivery]`
    pub delivery: Delivery,
    /// What works but should be mended, ready to print.
    pub warnings: Vec<String>,
}

/// How fast a receiver is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Requests under way at the same time.
    pub max_in_flight: u32,
    /// Requests begun in a second.
    pub max_per_second: u32,
}

/// `[apns]`: Apple's push service.
#[derive(Debug, Clone)]
pub struct Apns {
    /// For tokens of the production environment.
    pub endpoint: Url,
    /// For tokens of apps run from Xcode.
    pub sandbox_endpoint: Url,
    /// PKCS#8 PEM with a P-256 key.
    pub key_pem: SecretString,
    /// Apple's name of the key.
    pub key_id: String,
    /// Apple's name of the developer team.
    pub team_id: String,
    /// The app's bundle id.
    pub topic: String,
    /// PEM certificates trusted besides the system's roots.
    pub ca: Option<Vec<u8>>,
    /// How fast.
    pub pace: Pace,
}

/// `[fcm]`: Google's push service.
#[derive(Debug, Clone)]
pub struct Fcm {
    /// Where messages are posted.
    pub endpoint: Url,
    /// The service account's JSON text.
    pub service_account: SecretString,
    /// PEM certificates trusted besides the system's roots.
    pub ca: Option<Vec<u8>>,
    /// How fast.
    pub pace: Pace,
}

/// `[presence]`: the chat platform.
#[derive(Debug, Clone)]
pub struct Presence {
    /// Where batches are posted. Its query may be secret.
    pub url: Url,
    /// `whsec_` and base64.
    pub secret: SecretString,
    /// The most events in one request.
    pub batch_size: u32,
    /// PEM certificates trusted besides the system's roots.
    pub ca: Option<Vec<u8>>,
    /// How fast.
    pub pace: Pace,
}

/// `[http]`: the listener of `run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http {
    /// On loopback, unless there are access tokens: `run` looks.
    pub listen: SocketAddr,
    /// Whether somebody chose that address. The default one may be taken, and that is no reason
    /// for a second worker not to start.
    pub chosen: bool,
    /// Requests that one token may make in a second.
    pub max_per_second: u32,
}

/// `[delivery]`: the engine's spans of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// How long after its boundary an alert is still worth ringing.
    pub useful_for: Duration,
    /// How long a dispatcher holds what it claimed; longer than `request_timeout`.
    pub lease: Duration,
    /// How long an answer is waited for.
    pub request_timeout: Duration,
}

impl Config {
    /// The receivers that are switched on.
    pub fn receivers(&self) -> Vec<ChannelKind> {
        let apns = self.apns.is_some().then_some(ChannelKind::Apns);
        let fcm = self.fcm.is_some().then_some(ChannelKind::Fcm);
        let presence = self.presence.is_some() || self.driver.is_some();
        let presence = presence.then_some(ChannelKind::Presence);
        [apns, fcm, presence].into_iter().flatten().collect()
    }

    /// Reads and checks everything: the file `explicit`, else the one that `SHIFTBELL_CONFIG` in
    /// `env` names, else `shiftbell.toml` in `cwd` where there is one, overlaid with the
    /// `SHIFTBELL__SECTION__KEY` variables of `env`.
    pub fn load(
        explicit: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        cwd: &Path,
    ) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let source = Source::read(explicit, env, cwd, &mut problems)?;
        let file = source.file.clone();
        let mut reader = Reader::new(source, problems);
        let config = read(&mut reader, file, cwd);
        let (config, warnings) = reader.finish(config)?;
        Ok(Self { warnings, ..config })
    }

    /// Only `[database]`, and its warnings: opens no receiver's key. Keys that nobody knows are
    /// refused in every section all the same.
    pub fn load_database(
        explicit: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        cwd: &Path,
    ) -> Result<(Database, Vec<String>), ConfigError> {
        part(explicit, env, cwd, |reader| database::read(reader, cwd))
    }

    /// Only `timezone.directory`, for reading an import file.
    pub fn load_timezone_directory(
        explicit: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        cwd: &Path,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let read = |reader: &mut Reader| Some(timezone_directory(reader));
        part(explicit, env, cwd, read).map(|(directory, _)| directory)
    }

    /// Which receivers have a section, and so are switched on; opens no receiver's key.
    pub fn load_receivers(
        explicit: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        cwd: &Path,
    ) -> Result<Vec<ChannelKind>, ConfigError> {
        let read = |reader: &mut Reader| {
            let on = |kind: &ChannelKind| reader.has(kind.as_str());
            Some(ChannelKind::ALL.into_iter().filter(on).collect())
        };
        part(explicit, env, cwd, read).map(|(receivers, _)| receivers)
    }

    /// Only `[http]`: for asking a worker that runs already. What else is wrong with the
    /// configuration is no sign that the worker is sick, so nothing else is looked at.
    pub fn load_http(
        explicit: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        cwd: &Path,
    ) -> Result<Http, ConfigError> {
        let source = Source::read(explicit, env, cwd, &mut Vec::new())?;
        let mut reader = Reader::new(source, Vec::new());
        let http = http(&mut reader);
        reader.finish(Some(http)).map(|(http, _)| http)
    }
}

/// One part, with its warnings; what nobody knows is refused in every section all the same.
fn part<T>(
    explicit: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    cwd: &Path,
    read: impl FnOnce(&mut Reader) -> Option<T>,
) -> Result<(T, Vec<String>), ConfigError> {
    let mut problems = Vec::new();
    let source = Source::read(explicit, env, cwd, &mut problems)?;
    let mut reader = Reader::new(source, problems);
    let part = read(&mut reader);
    reader.finish(part)
}

fn read(reader: &mut Reader, file: Option<PathBuf>, cwd: &Path) -> Option<Config> {
    let database = database::read(reader, cwd);
    let apns = section(reader, "apns", apns);
    let fcm = section(reader, "fcm", fcm);
    let (presence, driver) = match driver::chosen(reader) {
        Some(true) => (None, driver::read(reader)),
        Some(false) => (section(reader, "presence", presence), None),
        None => (None, None),
    };
    let http = http(reader);
    let timezone_directory = timezone_directory(reader);
    let delivery = delivery(reader);
    Some(Config {
        file,
        database: database?,
        apns,
        fcm,
        presence,
        driver,
        http,
        timezone_directory,
        delivery,
        warnings: Vec::new(),
    })
}

/// A section, unless it is absent or no good; in that case the reader knows why.
fn section<T>(reader: &mut Reader, name: &str, read: fn(&mut Reader) -> Option<T>) -> Option<T> {
    if reader.has(name) { read(reader) } else { None }
}

fn timezone_directory(r: &mut Reader) -> Option<PathBuf> {
    let path = r.path(("timezone", "directory"))?;
    if !path.is_dir() {
        r.problem(
            ("timezone", "directory"),
            format!("{} is no folder", path.display()),
        );
    }
    Some(path)
}

fn http(r: &mut Reader) -> Http {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    Http {
        listen: r.listen(("http", "listen"), default),
        chosen: r.source.get(("http", "listen")).is_some(),
        max_per_second: r.number(("http", "max_per_second"), 100, 1..=100_000),
    }
}

fn apns(r: &mut Reader) -> Option<Apns> {
    let endpoint = r.url(
        ("apns", "endpoint"),
        Some("https://api.push.apple.com"),
        Plain::Loopback,
    );
    let sandbox_endpoint = r.url(
        ("apns", "sandbox_endpoint"),
        Some("https://api.sandbox.push.apple.com"),
        Plain::Loopback,
    );
    let key_pem = r.apns_key(("apns", "key_file"));
    let key_id = r.required(("apns", "key_id"));
    let team_id = r.required(("apns", "team_id"));
    let topic = r.required(("apns", "topic"));
    let ca = r.certificates(("apns", "ca_file"));
    // Apple allows 1,000 streams a connection today and says so in its SETTINGS.
    let pace = pace(r, "apns", 500, 2_000);
    Some(Apns {
        endpoint: endpoint?,
        sandbox_endpoint: sandbox_endpoint?,
        key_pem: key_pem?,
        key_id: key_id?,
        team_id: team_id?,
        topic: topic?,
        ca,
        pace,
    })
}

fn fcm(r: &mut Reader) -> Option<Fcm> {
    let endpoint = r.url(
        ("fcm", "endpoint"),
        Some("https://fcm.googleapis.com"),
        Plain::Loopback,
    );
    let service_account = r.service_account(("fcm", "service_account_file"));
    let ca = r.certificates(("fcm", "ca_file"));
    // Google allows about 100 streams a connection.
    let pace = pace(r, "fcm", 100, 1_000);
    Some(Fcm {
        endpoint: endpoint?,
        service_account: service_account?,
        ca,
        pace,
    })
}

fn presence(r: &mut Reader) -> Option<Presence> {
    let url = r.url(("presence", "url"), None, Plain::Warn);
    let secret = r.webhook_secret(("presence", "secret_file"));
    let batch_size = r.number(("presence", "batch_size"), 100, 1..=1_000);
    let ca = r.certificates(("presence", "ca_file"));
    let pace = pace(r, "presence", 4, 50);
    Some(Presence {
        url: url?,
        secret: secret?,
        batch_size,
        ca,
        pace,
    })
}

fn pace(r: &mut Reader, section: &'static str, in_flight: u32, per_second: u32) -> Pace {
    Pace {
        max_in_flight: r.number((section, "max_in_flight"), in_flight, 1..=10_000),
        max_per_second: r.number((section, "max_per_second"), per_second, 1..=100_000),
    }
}

fn delivery(r: &mut Reader) -> Delivery {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let delivery = Delivery {
        useful_for: r.duration(("delivery", "useful_for"), minutes(15)),
        lease: r.duration(("delivery", "lease"), minutes(1)),
        request_timeout: r.duration(("delivery", "request_timeout"), Duration::from_secs(10)),
    };
    if delivery.lease <= delivery.request_timeout {
        r.problem(
            ("delivery", "lease"),
            "must be longer than delivery.request_timeout, or a request under way is sent again",
        );
    }
    delivery
}
