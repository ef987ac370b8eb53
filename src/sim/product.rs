//! Stand-ins for the chat products that a driver speaks to.
//!
//! Each keeps to its product's documented behaviour, the odd answers included: 200 though nothing
//! changed, 200 with `ok: false`, toggles, inverted truth values. It is written from the product's
//! documentation, not from the driver, so that the two can disagree. One file a product: its rules, and
//! how a worker is configured for it. `tests/drivers` runs every driver against its stand-in.

mod brevo;
mod chatwoot;
mod exchange;
mod front;
mod graph;
mod helpscout;
mod intercom;
mod livechat;
mod mattermost;
mod rocketchat;
mod rocketchat_user;
mod slack;
mod tokens;
mod zendesk;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

pub use self::exchange::{Answer, Asked};
use super::{
    SimError,
    record::{Received, Record, Verdict},
    script::Script,
    server::{Listen, Network, Receiver, Reply, Server, Traffic},
};
use crate::clock::Clock;

/// Every product there is a stand-in for, by its driver's name.
pub const PRODUCTS: [(&str, NewRules); 12] = [
    ("chatwoot", chatwoot::rules),
    ("zendesk", zendesk::rules),
    ("intercom", intercom::rules),
    ("helpscout", helpscout::rules),
    ("front", front::rules),
    ("brevo", brevo::rules),
    ("graph", graph::rules),
    ("livechat", livechat::rules),
    ("mattermost", mattermost::rules),
    ("rocketchat", rocketchat::rules),
    ("rocketchat-user", rocketchat_user::rules),
    ("slack", slack::rules),
];

/// Makes a product's rules, with no agents yet.
pub type NewRules = fn() -> Box<dyn Rules>;

/// A product's own rules: what it makes of a request, and what it knows of its agents.
pub trait Rules: Send {
    /// How a worker is configured to speak to it: keys of `[presence]` and their values; one whose name
    /// ends in `_file` is written to a file, whose name takes its place. `{url}` becomes the base URL,
    /// which is added.
    fn configuration(&self) -> Vec<(&'static str, String)>;

    /// Makes an agent known, with an id as the product gives them.
    fn add_agent(&mut self, id: &str);

    /// An id as the product gives them, the `n`-th.
    fn id(&self, n: usize) -> String;

    /// Judges a request at `now` (UTC).
    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer;

    /// What the product shows of an agent at `now` (UTC), in its own words; `None` if it knows no such
    /// agent.
    fn shown(&self, id: &str, now: Timestamp) -> Option<String>;

    /// Somebody sets an agent's status in the product itself, in its own words.
    fn set_there(&mut self, id: &str, word: &str, now: Timestamp);

    /// An administrator's choice, by a word of the product's own file: for an agent, for a setting, or with
    /// an empty id for the account.
    fn arrange(&mut self, _: &str, _: &str) {}

    /// Whom a request is about, where neither path nor body tells.
    fn subject(&self, _: &Asked) -> Option<String> {
        None
    }
}

/// A request that reached the stand-in.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    /// When it arrived: UTC, by the stand-in's clock.
    pub at: Timestamp,
    /// The method.
    pub method: Method,
    /// Path and query, as they came.
    pub target: String,
    /// The headers; credentials among them are marked as sensitive.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
    /// The status that was answered; `None` if a fault struck before.
    pub answered: Option<u16>,
    /// What the stand-in made of it: a 2xx is an acceptance.
    pub verdict: Verdict,
}

impl Received for ReceivedRequest {
    fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// A stand-in. Dropping it closes its port.
pub struct Product {
    inner: Arc<Inner>,
    server: Server,
}

struct Inner {
    name: &'static str,
    rules: Mutex<Box<dyn Rules>>,
    clock: Clock,
    script: Script,
    record: Record<ReceivedRequest>,
}

impl Inner {
    fn rules(&self) -> MutexGuard<'_, Box<dyn Rules>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Product {
    /// Starts the stand-in for `driver` on a free port; `None` if there is none.
    pub async fn start(
        driver: &str,
        network: &Network,
        clock: Clock,
    ) -> Result<Option<Self>, SimError> {
        let Some((name, rules)) = PRODUCTS.iter().find(|(name, _)| *name == driver) else {
            return Ok(None);
        };
        let inner = Arc::new(Inner {
            name,
            rules: Mutex::new(rules()),
            clock,
            script: Script::default(),
            record: Record::default(),
        });
        let listen = Listen::on(network, &[b"h2", b"http/1.1"]);
        let server = Server::start(listen, Arc::new(Door(Arc::clone(&inner)))).await?;
        Ok(Some(Self { inner, server }))
    }

    /// The driver's name.
    pub fn name(&self) -> &'static str {
        self.inner.name
    }

    /// The base URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Keys of `[presence]` and their values, besides the URL; see [`Rules::configuration`].
    pub fn configuration(&self) -> Vec<(&'static str, String)> {
        self.inner.rules().configuration()
    }

    /// What must not be shown: the values that are written to files, and how a form writes them.
    pub fn secrets(&self) -> Vec<String> {
        let values = self.configuration().into_iter();
        let files = values.filter(|(key, _)| key.ends_with("_file"));
        let files = files.map(|(_, value)| value);
        let in_form =
            |value: &String| url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        files.flat_map(|value| [in_form(&value), value]).collect()
    }

    /// Makes the `n`-th agent known; its id in the product.
    pub fn add_agent(&self, n: usize) -> String {
        let mut rules = self.inner.rules();
        let id = rules.id(n);
        rules.add_agent(&id);
        id
    }

    /// What the product shows of an agent now, in its own words.
    pub fn shown(&self, id: &str) -> Option<String> {
        self.inner.rules().shown(id, self.inner.clock.now())
    }

    /// Somebody sets an agent's status in the product itself, in its own words.
    pub fn set_there(&self, id: &str, word: &str) {
        self.inner
            .rules()
            .set_there(id, word, self.inner.clock.now());
    }

    /// Something in the product is otherwise than it was; see [`Rules::arrange`].
    pub fn arrange(&self, word: &str, id: &str) {
        self.inner.rules().arrange(word, id);
    }

    /// The script. A rule's subject is an agent's id in the product, where the request tells it.
    pub fn script(&self) -> &Script {
        &self.inner.script
    }

    /// The requests received.
    pub fn record(&self) -> &Record<ReceivedRequest> {
        &self.inner.record
    }

    /// What came in over the network.
    pub fn traffic(&self) -> &Traffic {
        self.server.traffic()
    }
}

impl std::fmt::Debug for Product {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Product")
            .field("name", &self.inner.name)
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

struct Door(Arc<Inner>);

impl Door {
    fn add(&self, request: Request<Bytes>, answered: Option<u16>, verdict: Verdict) {
        let (mut head, body) = request.into_parts();
        for (name, value) in &mut head.headers {
            let name = name.as_str();
            value.set_sensitive(
                ["auth", "token", "key"]
                    .iter()
                    .any(|word| name.contains(word)),
            );
        }
        let target = head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        self.0.record.add(ReceivedRequest {
            at: self.0.clock.now(),
            method: head.method,
            target: target.to_owned(),
            headers: head.headers,
            body,
            answered,
            verdict,
        });
    }
}

impl Receiver for Door {
    fn script(&self, _: &Request<Bytes>) -> &Script {
        &self.0.script
    }

    fn subjects(&self, request: &Request<Bytes>) -> Vec<String> {
        let asked = Asked::of(request);
        let in_body = [
            &asked.json["agentId"],
            &asked.json["agent_id"],
            &asked.json["userId"],
        ];
        let in_body = in_body
            .into_iter()
            .filter_map(Value::as_str)
            .map(str::to_owned);
        let mut subjects: Vec<String> = in_body.collect();
        subjects.extend(self.0.rules().subject(&asked));
        subjects.extend(asked.path);
        subjects
    }

    fn judge(&self, request: Request<Bytes>) -> Reply {
        let now = self.0.clock.now();
        let answer = self.0.rules().judge(&Asked::of(&request), now);
        let verdict = if (200..300).contains(&answer.status) {
            Verdict::Accepted
        } else {
            let status = StatusCode::from_u16(answer.status).unwrap_or_default();
            let body = answer.body.as_ref().map_or("", |(_, body)| body);
            Verdict::refused(status, body)
        };
        self.add(request, Some(answer.status), verdict);
        answer.reply()
    }

    fn unprocessed(&self, request: Request<Bytes>, fault: &'static str) {
        self.add(request, None, Verdict::Faulted(fault));
    }
}
