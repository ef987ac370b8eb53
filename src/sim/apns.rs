//! A stand-in for Apple's push service, as strict as Apple's documentation.
//!
//! Sources: Apple, "Sending notification requests to APNs", "Handling notification responses from
//! APNs", "Establishing a token-based connection to APNs". It listens twice, for production and for
//! the sandbox, with one record and one script. By default every well-formed device token is known
//! to both. Where Apple documents no reason (a body that is no JSON object with an `aps` dictionary)
//! it answers `PayloadEmpty`. Each refusal is shown in `tests/stand_ins/apns.rs`.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    SimError,
    apns_request::{self, Refusal},
    apns_token::{ProviderKey, ProviderTokens},
    record::{ReceivedPush, Record, Verdict},
    script::Script,
    server::{Listen, Receiver, Reply, Server, Traffic},
    tls::Authority,
};
use crate::{
    clock::Clock,
    domain::device::{DeviceToken, Environment},
};

/// What the stand-in knows of the sender.
#[derive(Debug, Clone)]
pub struct ApnsAccount {
    /// The signing key's id.
    pub key_id: String,
    /// The team's id.
    pub team_id: String,
    /// The one topic that the team owns: the app's bundle id.
    pub topic: String,
    /// The signing key's public half: an uncompressed point on P-256.
    pub public_key: Vec<u8>,
}

/// The stand-in. Dropping it closes both its ports.
#[derive(Debug)]
pub struct Apns {
    inner: Arc<Inner>,
    production: Server,
    sandbox: Server,
}

impl Apns {
    /// Starts both hosts on free ports.
    pub async fn start(
        account: ApnsAccount,
        authority: &Authority,
        clock: Clock,
        max_concurrent_streams: u32,
    ) -> Result<Self, SimError> {
        let key = ProviderKey {
            key_id: account.key_id,
            team_id: account.team_id,
            public_key: account.public_key,
        };
        let inner = Arc::new(Inner {
            topic: account.topic,
            clock,
            script: Script::default(),
            record: Record::default(),
            tokens: ProviderTokens::new(key),
            phones: Mutex::default(),
        });
        let listen = || Listen {
            port: 0,
            tls: Some(authority.server_config(&[b"h2"])),
            max_concurrent_streams,
        };
        let door = |environment| {
            let inner = Arc::clone(&inner);
            Arc::new(Door { inner, environment })
        };
        let production = Server::start(listen(), door(Environment::Production)).await?;
        let sandbox = Server::start(listen(), door(Environment::Sandbox)).await?;
        Ok(Self {
            inner,
            production,
            sandbox,
        })
    }

    /// The production host's URL.
    pub fn endpoint(&self) -> String {
        self.production.url()
    }

    /// The sandbox host's URL.
    pub fn sandbox_endpoint(&self) -> String {
        self.sandbox.url()
    }

    /// The script of both hosts. A rule's subject is a device token.
    pub fn script(&self) -> &Script {
        &self.inner.script
    }

    /// What both hosts received.
    pub fn record(&self) -> &Record<ReceivedPush> {
        &self.inner.record
    }

    /// What came in over the network at the production host.
    pub fn traffic(&self) -> &Traffic {
        self.production.traffic()
    }

    /// The app on this phone is gone since this instant (UTC): 410 `Unregistered`.
    pub fn unregister(&self, token: &DeviceToken, since: Timestamp) {
        let token = token.expose().to_owned();
        self.inner.phones().unregistered.insert(token, since);
    }

    /// This token was never valid: 400 `BadDeviceToken`.
    pub fn reject(&self, token: &DeviceToken) {
        self.inner.phones().bad.insert(token.expose().to_owned());
    }

    /// This token is of one environment; the other host answers 400 `BadDeviceToken`.
    pub fn belongs_to(&self, token: &DeviceToken, environment: Environment) {
        let token = token.expose().to_owned();
        self.inner.phones().environment.insert(token, environment);
    }

    /// This token is another app's: 400 `DeviceTokenNotForTopic`.
    pub fn other_topic(&self, token: &DeviceToken) {
        let token = token.expose().to_owned();
        self.inner.phones().other_topic.insert(token);
    }

    /// Whether a second new provider token within 20 minutes is refused; it is unless told otherwise.
    pub fn limit_token_updates(&self, limit: bool) {
        self.inner.tokens.limit_updates(limit);
    }

    /// How many different provider tokens were presented and found good.
    pub fn provider_tokens_seen(&self) -> usize {
        self.inner.tokens.seen()
    }
}

#[derive(Debug)]
struct Inner {
    topic: String,
    clock: Clock,
    script: Script,
    record: Record<ReceivedPush>,
    tokens: ProviderTokens,
    phones: Mutex<Phones>,
}

/// Phones about which there is something to say.
#[derive(Default)]
struct Phones {
    unregistered: HashMap<String, Timestamp>,
    bad: HashSet<String>,
    other_topic: HashSet<String>,
    environment: HashMap<String, Environment>,
}

impl std::fmt::Debug for Phones {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phones(…)")
    }
}

impl Inner {
    fn phones(&self) -> MutexGuard<'_, Phones> {
        self.phones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the state of the phone itself has against the push.
    fn check_phone(&self, token: &str, environment: Environment) -> Result<(), Refusal> {
        let phones = self.phones();
        if let Some(since) = phones.unregistered.get(token) {
            return Err(Refusal::unregistered(*since));
        }
        let foreign = phones
            .environment
            .get(token)
            .is_some_and(|own| *own != environment);
        if foreign || phones.bad.contains(token) {
            return Err(Refusal::bad("BadDeviceToken"));
        }
        if phones.other_topic.contains(token) {
            return Err(Refusal::bad("DeviceTokenNotForTopic"));
        }
        Ok(())
    }

    fn check(
        &self,
        request: &Request<Bytes>,
        environment: Environment,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if request.method() != Method::POST {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Err(Refusal::new(status, "MethodNotAllowed"));
        }
        let token =
            device_token(request).ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "BadPath"))?;
        apns_request::check_duplicates(request.headers())?;
        self.tokens.check(request.headers(), now)?;
        apns_request::check_headers(request.headers(), &self.topic)?;
        apns_request::check_token(token)?;
        apns_request::check_payload(request.body())?;
        self.check_phone(token, environment)
    }
}

/// One of the two hosts.
struct Door {
    inner: Arc<Inner>,
    environment: Environment,
}

impl Door {
    fn record(&self, request: Request<Bytes>, at: Timestamp, verdict: Verdict) {
        let token = DeviceToken::new(device_token(&request).unwrap_or_default());
        let (mut head, payload) = request.into_parts();
        if let Some(credential) = head.headers.get_mut(AUTHORIZATION) {
            credential.set_sensitive(true);
        }
        let text = |name: &str| {
            let value = head.headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let expires = text("apns-expiration")
            .and_then(|seconds| Timestamp::from_second(seconds.parse().ok()?).ok());
        self.inner.record.add(ReceivedPush {
            at,
            token,
            environment: self.environment,
            id: text("apns-id"),
            collapse_id: text("apns-collapse-id"),
            expires,
            headers: head.headers,
            payload,
            verdict,
        });
    }
}

impl Receiver for Door {
    fn script(&self, _request: &Request<Bytes>) -> &Script {
        &self.inner.script
    }

    fn subjects(&self, request: &Request<Bytes>) -> Vec<String> {
        device_token(request)
            .map(str::to_owned)
            .into_iter()
            .collect()
    }

    fn judge(&self, request: Request<Bytes>) -> Reply {
        let now = self.inner.clock.now();
        let id = request.headers().get("apns-id").cloned();
        let outcome = self.inner.check(&request, self.environment, now);
        let verdict = match &outcome {
            Ok(()) => Verdict::Accepted,
            Err(refusal) => Verdict::refused(refusal.status, refusal.reason),
        };
        self.record(request, now, verdict);
        reply(id, outcome)
    }

    fn unprocessed(&self, request: Request<Bytes>, fault: &'static str) {
        let now = self.inner.clock.now();
        self.record(request, now, Verdict::Faulted(fault));
    }
}

fn reply(id: Option<HeaderValue>, outcome: Result<(), Refusal>) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert("apns-id", id.unwrap_or_else(random_id));
    let Err(refusal) = outcome else {
        return Reply {
            status: StatusCode::OK,
            headers,
            body: Bytes::new(),
        };
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut body = json!({"reason": refusal.reason});
    if let Some(since) = refusal.unregistered_since {
        body["timestamp"] = since.as_millisecond().into();
    }
    Reply {
        status: refusal.status,
        headers,
        body: body.to_string().into(),
    }
}

/// Apple makes up an id where the request has none.
fn random_id() -> HeaderValue {
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    HeaderValue::try_from(id.to_string()).expect("a UUID is a header value")
}

/// The token in `/3/device/<token>`; `None` for any other path.
fn device_token(request: &Request<Bytes>) -> Option<&str> {
    let uri = request.uri();
    let token = uri.path().strip_prefix("/3/device/")?;
    (uri.query().is_none() && !token.contains('/')).then_some(token)
}
