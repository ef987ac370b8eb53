//! A stand-in for Firebase Cloud Messaging's HTTP v1 API and the OAuth token endpoint before it.
//!
//! Sources: Google, "REST Resource: projects.messages", "FCM Error Codes", and the published schema
//! (`fcm_schema.rs`). By default every registration token is known. One port
//! serves both; the token endpoint has a script of its own. `tests/stand_ins/fcm.rs` shows each check.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    SimError,
    fcm_message::{self, Message, Refusal},
    fcm_oauth::{Access, OAuth, ReceivedGrant},
    record::{ReceivedPush, Record, Verdict},
    script::Script,
    server::{Listen, Network, Receiver, Reply, Server, Traffic},
};
use crate::{
    clock::Clock,
    domain::device::{DeviceToken, Environment},
};

/// What the stand-in knows of the sender.
#[derive(Debug, Clone)]
pub struct FcmAccount {
    /// The project's id.
    pub project_id: String,
    /// The service account's address.
    pub client_email: String,
    /// The service account's public key: RSA, PKCS #1 in DER.
    pub public_key: Vec<u8>,
}

/// The stand-in. Dropping it closes its port.
#[derive(Debug)]
pub struct Fcm {
    inner: Arc<Inner>,
    server: Server,
}

impl Fcm {
    /// Starts it on a free port.
    pub async fn start(
        account: FcmAccount,
        network: &Network,
        clock: Clock,
    ) -> Result<Self, SimError> {
        let inner = Arc::new(Inner {
            send_path: format!("/v1/projects/{}/messages:send", account.project_id),
            project_id: account.project_id,
            clock,
            script: Script::default(),
            token_script: Script::default(),
            record: Record::default(),
            oauth: OAuth::new(account.client_email, account.public_key),
            phones: Mutex::default(),
        });
        let listen = Listen::on(network, &[b"h2", b"http/1.1"]);
        let server = Server::start(listen, Arc::new(Door(Arc::clone(&inner)))).await?;
        let fcm = Self { inner, server };
        fcm.accept_audience(fcm.token_uri());
        Ok(fcm)
    }

    /// The API's URL.
    pub fn endpoint(&self) -> String {
        self.server.url()
    }

    /// The token endpoint's URL, a service account's `token_uri`.
    pub fn token_uri(&self) -> String {
        format!("{}{TOKEN_PATH}", self.server.url())
    }

    /// The script of the send endpoint. A rule's subject is a registration token.
    pub fn script(&self) -> &Script {
        &self.inner.script
    }

    /// The script of the token endpoint.
    pub fn token_script(&self) -> &Script {
        &self.inner.token_script
    }

    /// The messages received.
    pub fn record(&self) -> &Record<ReceivedPush> {
        &self.inner.record
    }

    /// The requests for access tokens, other than those that a fault struck.
    pub fn grants(&self) -> &Record<ReceivedGrant> {
        &self.inner.oauth.record
    }

    /// What came in over the network.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }

    /// The app on this phone is gone: 404 `UNREGISTERED`.
    pub fn unregister(&self, token: &DeviceToken) {
        let token = token.expose().to_owned();
        self.inner.phones().unregistered.insert(token);
    }

    /// This token was never valid: 400 `INVALID_ARGUMENT` that names the token.
    pub fn reject(&self, token: &DeviceToken) {
        self.inner.phones().bad.insert(token.expose().to_owned());
    }

    /// This token is of another project's app: 403 `SENDER_ID_MISMATCH`.
    pub fn mismatch_sender(&self, token: &DeviceToken) {
        self.inner
            .phones()
            .foreign
            .insert(token.expose().to_owned());
    }

    /// Makes every access token issued so far invalid: 401.
    pub fn revoke_access(&self) {
        self.inner.oauth.revoke_all();
    }

    /// Lets assertions name another audience besides the token endpoint's URL: Google's own
    /// libraries always name Google's.
    pub fn accept_audience(&self, audience: String) {
        self.inner.oauth.add_audience(audience);
    }
}

const TOKEN_PATH: &str = "/token";

#[derive(Debug)]
struct Inner {
    project_id: String,
    send_path: String,
    clock: Clock,
    script: Script,
    token_script: Script,
    record: Record<ReceivedPush>,
    oauth: OAuth,
    phones: Mutex<Phones>,
}

/// Phones about which there is something to say.
#[derive(Default)]
struct Phones {
    unregistered: HashSet<String>,
    bad: HashSet<String>,
    foreign: HashSet<String>,
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

    fn check(&self, request: &Request<Bytes>, now: Timestamp) -> Result<Message, Refusal> {
        self.check_caller(request, now)?;
        if !has_json(request.headers()) {
            let message = "The body must be application/json.";
            let code = StatusCode::BAD_REQUEST;
            return Err(Refusal::plain(code, "INVALID_ARGUMENT", message));
        }
        let message = fcm_message::check(request.body())?;
        self.check_phone(&message.token)?;
        Ok(message)
    }

    /// Path, method, credential and project: what the gateway before FCM looks at.
    fn check_caller(&self, request: &Request<Bytes>, now: Timestamp) -> Result<(), Refusal> {
        let path = request.uri().path();
        let sends = path.starts_with("/v1/projects/") && path.ends_with("/messages:send");
        if !sends || request.method() != Method::POST {
            let message = "The requested URL was not found on this server.";
            return Err(Refusal::plain(StatusCode::NOT_FOUND, "NOT_FOUND", message));
        }
        let credential = request.headers().get(AUTHORIZATION);
        let token = credential
            .and_then(|credential| credential.to_str().ok())
            .and_then(|credential| credential.strip_prefix("Bearer "));
        let access = token.and_then(|token| self.oauth.access(token, now));
        match access {
            None => Err(Refusal::plain(
                StatusCode::UNAUTHORIZED,
                "UNAUTHENTICATED",
                "Request had invalid authentication credentials. Expected OAuth 2 access token, \
                 login cookie or other valid authentication credential.",
            )),
            Some(Access::Elsewhere) => Err(Refusal::plain(
                StatusCode::FORBIDDEN,
                "PERMISSION_DENIED",
                "Request had insufficient authentication scopes.",
            )),
            Some(Access::Send) if path != self.send_path => Err(Refusal::plain(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "Requested entity was not found.",
            )),
            Some(Access::Send) => Ok(()),
        }
    }

    fn check_phone(&self, token: &str) -> Result<(), Refusal> {
        let phones = self.phones();
        if phones.unregistered.contains(token) {
            let message = "Requested entity was not found.";
            let code = StatusCode::NOT_FOUND;
            return Err(Refusal::fcm(code, "NOT_FOUND", "UNREGISTERED", message));
        }
        if phones.foreign.contains(token) {
            let (code, message) = (StatusCode::FORBIDDEN, "SenderId mismatch");
            let status = "PERMISSION_DENIED";
            return Err(Refusal::fcm(code, status, "SENDER_ID_MISMATCH", message));
        }
        if phones.bad.contains(token) {
            let message = "The registration token is not a valid FCM registration token";
            let (code, status) = (StatusCode::BAD_REQUEST, "INVALID_ARGUMENT");
            return Err(Refusal::fcm(code, status, "INVALID_ARGUMENT", message));
        }
        Ok(())
    }

    /// Records a request of which nothing is known yet.
    fn receive(&self, request: Request<Bytes>, at: Timestamp, verdict: Verdict) {
        let message = fcm_message::glance(request.body());
        self.receive_read(request, message, at, verdict);
    }

    fn receive_read(
        &self,
        request: Request<Bytes>,
        message: Message,
        at: Timestamp,
        verdict: Verdict,
    ) {
        let (mut head, payload) = request.into_parts();
        if let Some(credential) = head.headers.get_mut(AUTHORIZATION) {
            credential.set_sensitive(true);
        }
        let lifetime = message
            .ttl_seconds
            .and_then(|ttl| SignedDuration::try_from_secs_f64(ttl).ok());
        self.record.add(ReceivedPush {
            at,
            token: DeviceToken::new(message.token),
            environment: Environment::Production,
            id: None,
            collapse_id: message.collapse_key,
            expires: lifetime.and_then(|lifetime| at.checked_add(lifetime).ok()),
            headers: head.headers,
            payload,
            verdict,
        });
    }

    fn send(&self, request: Request<Bytes>, now: Timestamp) -> (StatusCode, Bytes) {
        match self.check(&request, now) {
            // A dry run reaches no phone, and the record is of what does.
            Ok(message) if message.validate_only => (StatusCode::OK, self.name("fake_message_id")),
            Ok(message) => {
                self.receive_read(request, message, now, Verdict::Accepted);
                let id = format!(
                    "0:{:016}%{:016x}",
                    now.as_microsecond(),
                    rand::random::<u64>()
                );
                (StatusCode::OK, self.name(&id))
            }
            Err(refusal) => {
                let reason = format!("{}: {}", refusal.status, refusal.message);
                self.receive(request, now, Verdict::refused(refusal.code, reason));
                (refusal.code, refusal.body())
            }
        }
    }

    fn name(&self, id: &str) -> Bytes {
        let name = format!("projects/{}/messages/{id}", self.project_id);
        json!({ "name": name }).to_string().into()
    }
}

struct Door(Arc<Inner>);

impl Receiver for Door {
    fn script(&self, request: &Request<Bytes>) -> &Script {
        if request.uri().path() == TOKEN_PATH {
            &self.0.token_script
        } else {
            &self.0.script
        }
    }

    fn subjects(&self, request: &Request<Bytes>) -> Vec<String> {
        vec![fcm_message::glance(request.body()).token]
    }

    fn judge(&self, request: Request<Bytes>) -> Reply {
        let now = self.0.clock.now();
        let (status, body) = if request.uri().path() == TOKEN_PATH {
            let (status, body) = self.0.oauth.exchange(&request, now);
            (status, body.to_string().into())
        } else {
            self.0.send(request, now)
        };
        let kind = HeaderValue::from_static("application/json; charset=UTF-8");
        Reply {
            status,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
            body,
        }
    }

    fn unprocessed(&self, request: Request<Bytes>, fault: &'static str) {
        if request.uri().path() != TOKEN_PATH {
            let now = self.0.clock.now();
            self.0.receive(request, now, Verdict::Faulted(fault));
        }
    }
}

fn has_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}
