//! Apple's push service: one alert a request, over HTTP/2, with a provider token.
//!
//! Source: Apple, "Sending notification requests to APNs", "Handling notification responses from
//! APNs", "Establishing a token-based connection to APNs".
//!
//! The transport is our own `http2`; this file adds what Apple asks of a request and acts on what
//! `classify` says of the answer. Guarantees, each shown in `tests/channel_apns.rs`:
//! - the same push is the same request on every retry: `apns-id`, `apns-collapse-id` and payload;
//! - every process comes to the same provider token in the same half hour, with nothing stored;
//! - a stale token costs one new connection, a second time in a row it is our configuration;
//! - what was declared unprocessed is free, but not for ever: from a peer that does nothing else,
//!   it becomes a reason to slow down.

mod classify;
mod host;
mod payload;
#[doc(hidden)]
pub mod steps;
mod token;

use std::time::Duration;

use http::{HeaderValue, Request, header};
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

use self::{host::Host, token::Signer};
use super::{Channel, ChannelError, Checkup, Proof};
use crate::domain::{
    delivery::{AlertKind, ChannelKind, DeviceFate, Judgement, Push, Verdict},
    device::{DeviceToken, Environment},
};

/// A token that no phone can have: Apple's are 32 bytes or more.
const NO_PHONE: &str = "00";

/// For how long a check's push is of use.
const CHECK_LIMIT: Duration = Duration::from_mins(1);

/// What it takes to reach APNs.
#[derive(Debug)]
pub struct Options {
    /// The production host; Apple's is `https://api.push.apple.com`.
    pub endpoint: Url,
    /// The sandbox host; Apple's is `https://api.sandbox.push.apple.com`.
    pub sandbox_endpoint: Url,
    /// The signing key as Apple hands it out (`AuthKey_….p8`): PKCS #8 in PEM, P-256.
    pub key_pem: SecretString,
    /// The key's id, ten characters.
    pub key_id: String,
    /// The team's id, ten characters.
    pub team_id: String,
    /// The app's bundle id.
    pub topic: String,
    /// Certificates (PEM) to trust beside the system's.
    pub extra_ca: Option<Vec<u8>>,
    /// One request, connecting included.
    pub request_timeout: Duration,
    /// Requests in flight on one connection, whatever Apple allows.
    pub max_in_flight: usize,
}

/// The client: a connection to each host that is used, and the key.
#[derive(Debug)]
pub struct Apns {
    production: Host,
    sandbox: Host,
    topic: HeaderValue,
    signer: Signer,
}

impl Apns {
    /// Checks the options. Connects nothing yet.
    pub fn new(options: Options) -> Result<Self, ChannelError> {
        let topic = HeaderValue::try_from(&options.topic).ok();
        let topic = topic.filter(|topic| !topic.is_empty()).ok_or_else(|| {
            ChannelError::credential("APNs topic", "expected the app's bundle id")
        })?;
        Ok(Self {
            production: Host::new("APNs endpoint", &options.endpoint, &options)?,
            sandbox: Host::new("APNs sandbox endpoint", &options.sandbox_endpoint, &options)?,
            topic,
            signer: Signer::new(&options.key_pem, options.key_id, options.team_id)?,
        })
    }

    /// Asks the production host to ring a phone that cannot exist. Its word for that proves that
    /// it took our credentials. `now`: UTC. `Err`: what is wrong, printable.
    pub async fn check(&self, now: Timestamp) -> Result<Checkup, String> {
        let push = Push {
            delivery: uuid::Uuid::nil(),
            token: DeviceToken::new(NO_PHONE),
            environment: Environment::Production,
            event: AlertKind::HoursStart,
            agent: "check".to_owned(),
            transition: uuid::Uuid::nil(),
            at: now,
            since: now,
            deadline: now + CHECK_LIMIT,
            collapse_id: "check".to_owned(),
            title: "check".to_owned(),
            body: String::new(),
        };
        let judgement = self.push(&push, now).await;
        let reason = &judgement.reason;
        let Some(status) = judgement.http_status else {
            return Err(reason.clone());
        };
        match judgement.verdict {
            Verdict::Sent | Verdict::Failed if reason == "BadDeviceToken" || status == 200 => {
                Ok(Checkup {
                    proof: Proof::Credentials,
                    detail: "APNs accepts the key, the team and the topic".to_owned(),
                })
            }
            // A stale token, which a push would be forgiven once, is worth knowing here.
            verdict if verdict == Verdict::Misconfigured || status == 403 => {
                Err(format!("APNs answers {reason}{}", advice(reason)))
            }
            _ => Ok(Checkup {
                proof: Proof::Reached,
                detail: format!("APNs was reached and answers {reason} ({status})"),
            }),
        }
    }

    async fn push(&self, push: &Push, now: Timestamp) -> Judgement {
        let host = match push.environment {
            Environment::Production => &self.production,
            Environment::Sandbox => &self.sandbox,
        };
        match self.request(host, push, now) {
            Ok(request) => {
                let body = payload::render(push).into();
                let judgement = host.exchange(&request, body, push, now).await;
                match push.environment {
                    Environment::Production => judgement,
                    Environment::Sandbox => aside(judgement),
                }
            }
            Err(judgement) => *judgement,
        }
    }

    /// The request's head. What cannot be said in HTTP at all is judged as Apple would.
    fn request(
        &self,
        host: &Host,
        push: &Push,
        now: Timestamp,
    ) -> Result<Request<()>, Box<Judgement>> {
        let token = push.token.expose();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Box::new(Judgement {
                device: DeviceFate::Quarantine,
                ..Judgement::new(Verdict::Failed, "BadDeviceToken")
            }));
        }
        // An expiration of 0 means "now or never", a negative one nothing.
        let expiration = push.deadline.as_second().max(0);
        Request::post(format!("{}/3/device/{token}", host.base))
            .header(header::AUTHORIZATION, self.signer.header(now))
            .header("apns-topic", self.topic.clone())
            .header("apns-push-type", "alert")
            .header("apns-priority", "10")
            .header("apns-expiration", expiration)
            .header("apns-id", push.delivery.hyphenated().to_string())
            .header("apns-collapse-id", &push.collapse_id)
            .body(())
            .map_err(|_| Box::new(Judgement::new(Verdict::Failed, "BadCollapseId")))
    }
}

impl Channel for Apns {
    type Message = Push;

    fn kind(&self) -> ChannelKind {
        ChannelKind::Apns
    }

    fn credential_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        Signer::expiry(now)
    }

    /// The wider of the two hosts: a push for the other one waits there, within its time limit.
    /// The sandbox counts once it was used, and so does production.
    fn slots(&self) -> usize {
        self.production.slots().max(self.sandbox.slots())
    }

    fn batch(&self) -> usize {
        1
    }

    async fn send(&self, messages: &[Push], now: Timestamp) -> Judgement {
        match messages {
            [push] => self.push(push, now).await,
            _ => Judgement::new(Verdict::Narrow, "one push a request"),
        }
    }
}

/// A sandbox that is out of reach, or closed to a production key, concerns its own phones only: it
/// must not hold up production, which shares the lane.
fn aside(judgement: Judgement) -> Judgement {
    let own_trouble =
        judgement.verdict == Verdict::Slow || judgement.reason == "BadEnvironmentKeyIdInToken";
    if !own_trouble {
        return judgement;
    }
    Judgement {
        verdict: Verdict::Retry,
        ..judgement
    }
}

/// What to do about a refusal that is our fault.
fn advice(reason: &str) -> &'static str {
    match reason {
        "InvalidProviderToken" | "MissingProviderToken" => {
            "; do key_file, key_id and team_id belong together, and is the key not revoked?"
        }
        "ExpiredProviderToken" => "; is this machine's clock right?",
        "BadEnvironmentKeyIdInToken" => "; the key is for the other environment only",
        "UnrelatedKeyIdInToken" => "; the key belongs to another team or topic",
        "TopicDisallowed" | "BadTopic" | "MissingTopic" => {
            "; topic must be the bundle id of an app of this team"
        }
        _ => "",
    }
}
