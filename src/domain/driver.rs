//! How a chat product that teams already run is told an agent's status: a description, not code.
//!
//! A driver is a TOML file in `drivers/`, compiled in: the request for each status, what in the answer
//! means success, how to read the status back, whether online holds until told otherwise or is a
//! lease, and how fast the product lets itself be asked. The same format in a file of the user's own
//! describes a product that is not among them (`presence.template_file`). [`fill`] puts values into a
//! request, [`answer`] says what came of it; both are pure, so that `doctor` can show every request
//! without sending it.
//!
//! To add a product: a file in `drivers/` whose head says what was verified where, a line in
//! [`BUILT_IN`], and a stand-in in `sim/product` that keeps to the product's documentation.
//! `tests/drivers` runs each against its stand-in.

pub mod answer;
mod check;
pub mod drift;
pub mod fill;
mod words;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub use self::{
    check::{BUILT_IN, built_in},
    words::{Shown, Word, Words},
};

/// One product, as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The product's name, for people.
    pub product: String,
    /// Under which name agents' ids in the product are stored (`external` in an import).
    pub external: String,
    /// Its base URL, where it is the same for everybody; else `presence.url` must say it.
    pub url: Option<String>,
    /// Keys of `[presence]` that the requests are made of.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// Requests begun in a minute, where the configuration does not say: the product's own limit.
    pub max_per_minute: u32,
    /// Requests under way at the same time, where the configuration does not say.
    pub max_in_flight: u32,
    /// Who asks.
    #[serde(default)]
    pub auth: Auth,
    /// Headers of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The product's words for each status.
    pub words: Words,
    /// Sets one agent's status.
    pub set: Request,
    /// Sets one agent offline, where that is another request.
    pub set_offline: Option<Request>,
    /// Online ends by itself unless it is renewed.
    pub lease: Option<Lease>,
    /// Sets several agents to one status.
    pub bulk: Option<Bulk>,
    /// Reads statuses back.
    pub read: Option<Read>,
    /// A request that changes nothing and shows that our credentials are taken; each agent's, where
    /// every agent has its own.
    pub check: Option<Request>,
    /// What the product's refusals mean.
    #[serde(default)]
    pub answers: Answers,
}

/// A key of `[presence]` that a driver cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// `account`: the team's account, where its number is part of the address.
    Account,
    /// `user`: whom the token belongs to.
    User,
    /// `token_file`: one credential for all agents.
    Token,
    /// `agent_tokens_file`: a credential for each agent.
    AgentTokens,
}

/// Who asks. Besides this, [`Description::headers`] may hold `{token}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// `Authorization: Bearer` and this.
    pub bearer: Option<String>,
    /// `Authorization: Basic` and this in base64 (RFC 7617).
    pub basic: Option<String>,
    /// `Authorization: Bearer` and an access token that is fetched first.
    pub oauth: Option<Oauth>,
}

/// Where an access token is fetched (RFC 6749, 4.4).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oauth {
    /// The token endpoint; a path is taken from the product's base URL. `presence.token_url` goes before it.
    pub url: String,
    /// The form that is posted there.
    pub form: BTreeMap<String, String>,
}

/// One request. Texts may hold `{agent}` (the agent's id in the product), `{status}`, `{account}` and
/// `{user}`; headers besides `{token}`. A text of the body that is `{status}` and nothing else becomes
/// the word itself: a number or a truth value stays one; `{agents}` becomes a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, with its query. What is filled in is percent-encoded.
    pub path: String,
    /// Headers besides those of every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, sent as JSON.
    pub json: Option<Value>,
    /// The body, sent as a form.
    pub form: Option<BTreeMap<String, String>>,
    /// What a successful answer holds: JSON pointers (RFC 6901) and the values there. A 2xx without
    /// them did not do what was asked.
    #[serde(default)]
    pub expect: BTreeMap<String, Value>,
    /// Status codes that mean that it is done already, besides 2xx.
    #[serde(default)]
    pub done: Vec<u16>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Online is a lease: it is asked for again before it ends, and to go offline is to let it go.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// Seconds between two renewals: half of what the product grants, or less.
    pub renew_every_seconds: u32,
    /// Seconds after which the product lets an agent go who was not renewed.
    pub ends_after_seconds: u32,
}

/// One request for several agents who get the same status. Its texts may hold `{agents}`, their ids
/// with commas between.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// The most agents in one request.
    pub size: usize,
    /// The request.
    pub request: Request,
    /// How its outcome is learnt, where the answer only says that the work was taken on.
    pub job: Option<Job>,
}

/// Work that the product does later and tells about when it is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// JSON pointers to the job's id, in the answer to the request; the first that leads to one counts.
    pub id: Vec<String>,
    /// Where it is asked for; may hold `{job}`.
    pub path: String,
    /// JSON pointer to its state.
    pub state: String,
    /// The state in which all is done.
    pub done: String,
    /// The states in which it came to nothing.
    pub failed: Vec<String>,
    /// JSON pointer to the list of what came of each agent.
    pub results: String,
    /// JSON pointer in an item of that list to `true`, where it was done.
    pub success: String,
    /// JSON pointer in an item to what went wrong: where an item says nothing of success, nothing there
    /// means that it was done.
    pub error: Option<String>,
}

/// How a status is read back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The request: for one agent; for all of them if there are `items`, or for so many as `size` says,
    /// whose ids are `{agents}`.
    pub request: Request,
    /// The most agents whom one request may name.
    pub size: Option<usize>,
    /// The list comes in pages: the request says with `{offset}` how many agents stood on those before.
    pub pages: Option<Pages>,
    /// JSON pointer to the list of agents in the answer.
    pub items: Option<String>,
    /// JSON pointer to the agent's id in an item.
    pub key: Option<String>,
    /// JSON pointer to the status, in an item or in the answer.
    pub status: String,
    /// The words that may stand there for each status, where they are not those that set it.
    pub words: Option<ReadWords>,
}

/// Where a page tells whether it is the last.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// JSON pointer to how many agents there are in all.
    pub total: String,
}

/// The words that a product shows for each status.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadWords {
    /// While the agent gets conversations.
    pub online: Vec<Value>,
    /// While off duty.
    pub offline: Vec<Value>,
    /// While on duty and unseen; as offline, without.
    pub invisible: Option<Vec<Value>>,
}

/// What the product's refusals mean, where HTTP's own meaning misleads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// JSON pointers to the product's own word for what is wrong; the first that leads to one counts.
    #[serde(default)]
    pub word: Vec<String>,
    /// What its words mean.
    #[serde(default)]
    pub words: BTreeMap<String, Refusal>,
    /// What its status codes mean; words go before them.
    #[serde(default)]
    pub status: BTreeMap<String, Refusal>,
    /// The header that says how long to wait, where it is not `Retry-After`: seconds, or a
    /// Unix time in seconds or milliseconds.
    pub retry_after: Option<String>,
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Nothing is wrong: it is as it was asked for already.
    Done,
    /// This agent cannot be set; the others can.
    Agent,
    /// Our credentials or configuration are wrong.
    Ours,
    /// Too fast.
    Slow,
    /// Not now.
    Later,
}

impl Description {
    /// The request that sets `shown`; `None` where a lease is let go by not renewing it.
    pub fn setting(&self, shown: Shown) -> Option<&Request> {
        match (&self.set_offline, &self.lease) {
            (Some(request), _) if shown != Shown::Online => Some(request),
            (None, Some(_)) if shown != Shown::Online => None,
            _ => Some(&self.set),
        }
    }

    /// Whether `word`, which the product shows of an agent, means `shown`.
    pub fn means(&self, word: &Value, shown: Shown) -> bool {
        match self.read.as_ref().and_then(|read| read.words.as_ref()) {
            None => self.words.get(shown).value() == word,
            Some(words) => {
                let off = || words.invisible.as_ref().unwrap_or(&words.offline);
                match shown {
                    Shown::Online => words.online.contains(word),
                    Shown::Offline => words.offline.contains(word),
                    Shown::Invisible => off().contains(word),
                }
            }
        }
    }

    /// Whether the answer to a set shows the status that was taken.
    pub fn proves(&self) -> bool {
        let status = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| text.starts_with("{status"))
        };
        self.set.expect.values().any(status)
    }

    /// Whether a credential for each agent is needed.
    pub fn needs(&self, need: Need) -> bool {
        self.needs.contains(&need)
    }
}
