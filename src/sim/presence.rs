//! A stand-in for the chat platform's presence API.
//!
//! It checks the signature as Standard Webhooks describes it, the body to the letter, and two
//! promises that no single request shows: that a `webhook-id` always comes with the same body, and
//! that an agent's events come in order. A broken promise of the first kind is answered with 409; all
//! of them are kept as [`Finding`]s. Like the real one it keeps the highest sequence of each agent and
//! workspace. `tests/stand_ins/presence.rs` shows each check.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    SimError,
    presence_body::{self, PostedEvent, Subject},
    record::{Received, Record, Verdict},
    script::Script,
    server::{Listen, Receiver, Reply, Server, Traffic},
    tls::Authority,
};
use crate::{
    clock::Clock,
    domain::presence::{Mode, Status},
};

const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A batch that reached the stand-in.
#[derive(Debug, Clone)]
pub struct ReceivedBatch {
    /// When it arrived: UTC, by the stand-in's clock.
    pub at: Timestamp,
    /// `webhook-id`.
    pub webhook_id: Option<String>,
    /// Its events, in order; none if the body could not be read.
    pub events: Vec<PostedEvent>,
    /// The body as it came.
    pub body: Bytes,
    /// What the stand-in made of it.
    pub verdict: Verdict,
}

impl Received for ReceivedBatch {
    fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// A promise that was broken over several requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A lower sequence came after a higher one of the same agent or workspace.
    OutOfOrder {
        /// Whose events.
        subject: Subject,
        /// The highest sequence seen before.
        after: i64,
        /// The sequence that came late.
        came: i64,
    },
    /// One `webhook-id` came with two bodies.
    BodyChanged {
        /// The id.
        webhook_id: String,
    },
    /// One body came under two `webhook-id`s.
    IdChanged {
        /// The first id.
        first: String,
        /// The second.
        second: String,
    },
    /// One sequence of an agent or workspace came with two event ids or two contents.
    EventChanged {
        /// Whose event.
        subject: Subject,
        /// Its sequence.
        sequence: i64,
    },
}

/// The stand-in. Dropping it closes its port.
#[derive(Debug)]
pub struct Presence {
    inner: Arc<Inner>,
    server: Server,
}

impl Presence {
    /// Starts it on a free port. `secret` is the shared secret: "whsec_" and base64.
    pub async fn start(
        secret: &str,
        authority: &Authority,
        clock: Clock,
        max_concurrent_streams: u32,
    ) -> Result<Self, SimError> {
        let key = secret
            .strip_prefix("whsec_")
            .and_then(|key| STANDARD.decode(key).ok())
            .ok_or(SimError::WebhookSecret)?;
        let inner = Arc::new(Inner {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            clock,
            script: Script::default(),
            record: Record::default(),
            memory: Mutex::default(),
        });
        let listen = Listen {
            port: 0,
            tls: Some(authority.server_config(&[b"h2", b"http/1.1"])),
            max_concurrent_streams,
        };
        let door = Arc::new(Door(Arc::clone(&inner)));
        let server = Server::start(listen, door).await?;
        Ok(Self { inner, server })
    }

    /// Where events are posted to.
    pub fn url(&self) -> String {
        format!("{}{PATH}", self.server.url())
    }

    /// The script. A rule's subject is an agent's or a workspace's id.
    pub fn script(&self) -> &Script {
        &self.inner.script
    }

    /// The batches received.
    pub fn record(&self) -> &Record<ReceivedBatch> {
        &self.inner.record
    }

    /// What came in over the network.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }

    /// Promises broken so far.
    pub fn findings(&self) -> Vec<Finding> {
        self.inner.memory().findings.clone()
    }

    /// The newest event accepted of an agent.
    pub fn agent(&self, id: &str) -> Option<PostedEvent> {
        self.newest(&Subject::Agent(id.to_owned()))
    }

    /// An agent's status: that of its highest sequence.
    pub fn status(&self, agent: &str) -> Option<Status> {
        self.agent(agent)?.status
    }

    /// The newest event accepted of a workspace.
    pub fn workspace(&self, id: &str) -> Option<PostedEvent> {
        self.newest(&Subject::Workspace(id.to_owned()))
    }

    /// A workspace's mode: that of its highest sequence.
    pub fn mode(&self, workspace: &str) -> Option<Mode> {
        self.workspace(workspace)?.mode
    }

    fn newest(&self, subject: &Subject) -> Option<PostedEvent> {
        self.inner.memory().newest.get(subject).cloned()
    }
}

const PATH: &str = "/presence";

#[derive(Debug)]
struct Inner {
    key: hmac::Key,
    clock: Clock,
    script: Script,
    record: Record<ReceivedBatch>,
    memory: Mutex<Memory>,
}

/// What is remembered from one request to the next.
#[derive(Debug, Default)]
struct Memory {
    bodies: HashMap<String, [u8; 32]>,
    ids: HashMap<[u8; 32], String>,
    highest_seen: HashMap<Subject, i64>,
    seen: HashMap<(Subject, i64), PostedEvent>,
    newest: HashMap<Subject, PostedEvent>,
    findings: Vec<Finding>,
}

struct Refused(StatusCode, &'static str, String);

impl Inner {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, request: &Request<Bytes>, now: Timestamp) -> Result<Vec<PostedEvent>, Refused> {
        if request.uri().path() != PATH {
            return Err(Refused(StatusCode::NOT_FOUND, "not_found", PATH.into()));
        }
        if request.method() != Method::POST {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Err(Refused(status, "method_not_allowed", "POST".into()));
        }
        self.check_signature(request, now)
            .map_err(|why| Refused(StatusCode::UNAUTHORIZED, "signature", why.into()))?;
        let json = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| {
                let kind = value.split(';').next().unwrap_or_default();
                kind.trim().eq_ignore_ascii_case("application/json")
            });
        if !json {
            let status = StatusCode::BAD_REQUEST;
            return Err(Refused(status, "content_type", "application/json".into()));
        }
        presence_body::parse(request.body())
            .map_err(|why| Refused(StatusCode::BAD_REQUEST, "body", why))
    }

    /// Standard Webhooks, "Signature scheme" and "Verifying webhook authenticity".
    fn check_signature(
        &self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let id = text(request, "webhook-id").ok_or("webhook-id is missing")?;
        let sent = text(request, "webhook-timestamp").ok_or("webhook-timestamp is missing")?;
        let signatures =
            text(request, "webhook-signature").ok_or("webhook-signature is missing")?;
        if id.is_empty() || id.contains('.') {
            return Err("webhook-id is empty or has a full stop");
        }
        let at = sent
            .parse()
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .ok_or("webhook-timestamp is not in whole seconds")?;
        if now.duration_since(at).abs() > TOLERANCE {
            return Err("webhook-timestamp is more than five minutes off");
        }
        let mut signed = format!("{id}.{sent}.").into_bytes();
        signed.extend_from_slice(request.body());
        let good = |signature: &str| {
            let encoded = signature.strip_prefix("v1,");
            let tag = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
            tag.is_some_and(|tag| hmac::verify(&self.key, &signed, &tag).is_ok())
        };
        if signatures.split(' ').any(good) {
            Ok(())
        } else {
            Err("no signature matches")
        }
    }

    fn judge(&self, request: &Request<Bytes>, now: Timestamp) -> Result<Vec<PostedEvent>, Refused> {
        let events = self.check(request, now)?;
        let id = text(request, "webhook-id").unwrap_or_default();
        let mut memory = self.memory();
        memory
            .note_body(id, request.body())
            .map_err(|why| Refused(StatusCode::CONFLICT, "webhook_id", why.into()))?;
        memory.note_events(&events);
        for event in &events {
            memory.accept(event);
        }
        Ok(events)
    }

    fn add(
        &self,
        request: Request<Bytes>,
        events: Vec<PostedEvent>,
        at: Timestamp,
        verdict: Verdict,
    ) {
        let webhook_id = text(&request, "webhook-id").map(str::to_owned);
        self.record.add(ReceivedBatch {
            at,
            webhook_id,
            events,
            body: request.into_body(),
            verdict,
        });
    }
}

impl Memory {
    fn note_body(&mut self, id: &str, body: &[u8]) -> Result<(), &'static str> {
        let digest: [u8; 32] = Sha256::digest(body).into();
        let known = *self.bodies.entry(id.to_owned()).or_insert(digest);
        if known != digest {
            let webhook_id = id.to_owned();
            self.findings.push(Finding::BodyChanged { webhook_id });
            return Err("this webhook-id came with another body before");
        }
        let first = self.ids.entry(digest).or_insert_with(|| id.to_owned());
        if first != id {
            let (first, second) = (first.clone(), id.to_owned());
            self.findings.push(Finding::IdChanged { first, second });
        }
        Ok(())
    }

    /// Looks at the order and the constancy of events, whether or not they will be accepted.
    fn note_events(&mut self, events: &[PostedEvent]) {
        for event in events {
            let subject = event.subject();
            let sequence = event.sequence;
            let highest = self.highest_seen.entry(subject.clone()).or_insert(sequence);
            if *highest > sequence {
                self.findings.push(Finding::OutOfOrder {
                    subject: subject.clone(),
                    after: *highest,
                    came: sequence,
                });
            }
            *highest = sequence.max(*highest);
            let key = (subject.clone(), sequence);
            if self.seen.entry(key).or_insert_with(|| event.clone()) != event {
                self.findings
                    .push(Finding::EventChanged { subject, sequence });
            }
        }
    }

    fn accept(&mut self, event: &PostedEvent) {
        let newest = self
            .newest
            .entry(event.subject())
            .or_insert_with(|| event.clone());
        if event.sequence > newest.sequence {
            *newest = event.clone();
        }
    }
}

struct Door(Arc<Inner>);

impl Receiver for Door {
    fn script(&self, _request: &Request<Bytes>) -> &Script {
        &self.0.script
    }

    fn subjects(&self, request: &Request<Bytes>) -> Vec<String> {
        let events = presence_body::parse(request.body()).unwrap_or_default();
        let agents = events.iter().filter_map(|event| event.agent.clone());
        let workspaces = events.iter().map(|event| event.workspace.clone());
        agents.chain(workspaces).collect()
    }

    fn judge(&self, request: Request<Bytes>) -> Reply {
        let now = self.0.clock.now();
        match self.0.judge(&request, now) {
            Ok(events) => {
                self.0.add(request, events, now, Verdict::Accepted);
                reply(StatusCode::OK, &json!({"status": "accepted"}))
            }
            Err(Refused(status, reason, detail)) => {
                let events = presence_body::parse(request.body()).unwrap_or_default();
                let verdict = Verdict::refused(status, format!("{reason}: {detail}"));
                self.0.add(request, events, now, verdict);
                reply(status, &json!({"error": reason, "detail": detail}))
            }
        }
    }

    fn unprocessed(&self, request: Request<Bytes>, fault: &'static str) {
        let now = self.0.clock.now();
        let events = presence_body::parse(request.body()).unwrap_or_default();
        self.0.memory().note_events(&events);
        self.0.add(request, events, now, Verdict::Faulted(fault));
    }
}

fn text<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn reply(status: StatusCode, body: &serde_json::Value) -> Reply {
    Reply {
        status,
        headers: HeaderMap::from_iter([(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )]),
        body: body.to_string().into(),
    }
}
