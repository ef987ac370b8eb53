//! A chat product that teams already run, spoken to as its [`Description`] says.
//!
//! - An event is one request (or a bulk request, for agents who get the same status): products know
//!   states, not sequences, so one that is sent twice is harmless, and the lane keeps each agent's in
//!   order.
//! - Done is what the answer proves to be done. A 2xx that lacks what is expected is tried again
//!   ([`Verdict::Retry`], `not_applied`): products answer 200 and change nothing.
//! - A product has no word for a workspace's mode; no such event is called for with a driver.
//!
//! `tests/drivers` proves it for each product against a stand-in that keeps to its documentation.

mod checkup;
mod credentials;
mod job;
mod read;
mod show;
mod wire;

use std::{collections::HashMap, pin::Pin, time::Duration};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Sleep;
use url::Url;

use self::credentials::Credentials;
pub use self::read::Reading;
use self::wire::{base, root};
use super::{
    Channel, ChannelError,
    answer::{Answer, LONGEST_WAIT, excerpt},
    streak::Streak,
    web::Web,
};
use crate::domain::{
    delivery::{ChannelKind, Judgement, Verdict},
    driver::{
        Description, Refusal, Request, Shown,
        answer::{Meaning, meaning},
        fill::{Filled, Values},
    },
    presence::{Change, Event},
};

/// How many bytes of an answer are read: a list of all agents of a large team, at half a kilobyte each.
const LONGEST_LIST: usize = 4 << 20;

/// What the channel needs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The product.
    pub description: Description,
    /// Its base URL; the description's own, without.
    pub url: Option<Url>,
    /// One credential for all agents.
    pub token: Option<SecretString>,
    /// Where access tokens are fetched; where the description says, without.
    pub token_url: Option<Url>,
    /// Each agent's credential, by the agent's id in the product.
    pub agent_tokens: HashMap<String, SecretString>,
    /// The team's account.
    pub account: Option<String>,
    /// Whom the token belongs to.
    pub user: Option<String>,
    /// CA certificates (PEM) trusted besides the system's.
    pub extra_ca: Option<Vec<u8>>,
    /// The most that one request may take, connecting and an access token included.
    pub request_timeout: Duration,
    /// How many requests may be in flight.
    pub max_in_flight: usize,
}

/// The channel.
pub struct Driver {
    web: Web,
    description: Description,
    base: Url,
    credentials: Credentials,
    account: String,
    user: String,
    max_in_flight: usize,
    streak: Streak,
}

impl Driver {
    /// Sets the channel up; connects nothing. Errors name the key at fault, never its content.
    pub fn new(options: Options) -> Result<Self, ChannelError> {
        let base = base(&options)?;
        let web = Web::new(options.extra_ca.as_deref(), options.request_timeout)?;
        let web = web.reading(LONGEST_LIST);
        Ok(Self {
            credentials: Credentials::new(&options, &base, &web)?,
            web,
            base,
            account: options.account.unwrap_or_default(),
            user: options.user.unwrap_or_default(),
            max_in_flight: options.max_in_flight.max(1),
            streak: Streak::default(),
            description: options.description,
        })
    }

    /// How many requests may be under way at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.max_in_flight
    }

    /// Whom this tells: product, address and account. No secret.
    pub fn identity(&self) -> String {
        let (product, account) = (&self.description.product, &self.account);
        format!("{product} {} {account}", root(&self.base))
    }

    /// The product.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Sets these agents (their ids in the product) to `shown`, or renews what they are; `now`: UTC.
    pub async fn set(&self, shown: Shown, agents: &[&str], now: Timestamp) -> Judgement {
        let values = Values {
            agent: agents.first().copied().unwrap_or_default(),
            agents,
            status: Some(self.description.words.get(shown)),
            ..self.values()
        };
        let done = match &self.description.bulk {
            Some(bulk) if agents.len() > 1 => self.set_many(bulk, &values, now).await,
            _ if agents.len() > 1 => Err(Judgement::new(Verdict::Narrow, "one agent a request")),
            _ => match self.description.setting(shown) {
                Some(request) => self.exchange(request, &values, now).await,
                None => return Judgement::new(Verdict::Sent, "let_go"),
            },
        };
        match done {
            Ok(answer) => Judgement {
                http_status: Some(answer.status.as_u16()),
                ..Judgement::new(Verdict::Sent, "accepted")
            },
            Err(judgement) => judgement,
        }
    }

    /// What every request may hold.
    fn values(&self) -> Values<'_> {
        Values {
            account: &self.account,
            user: &self.user,
            ..Values::default()
        }
    }

    /// Sends one request and reads its answer, if that means that it was done.
    async fn exchange(
        &self,
        request: &Request,
        values: &Values<'_>,
        now: Timestamp,
    ) -> Result<Answer, Judgement> {
        let deadline = self.web.deadline();
        tokio::pin!(deadline);
        self.exchange_until(request, values, deadline.as_mut(), now)
            .await
    }

    /// The same until `deadline`. An access token that was refused is fetched anew, once.
    async fn exchange_until(
        &self,
        request: &Request,
        values: &Values<'_>,
        mut deadline: Pin<&mut Sleep>,
        now: Timestamp,
    ) -> Result<Answer, Judgement> {
        let filled = request.fill(values);
        let mut again = self.credentials.are_fetched();
        loop {
            let access = self.credentials.access(values.agent, now).await?;
            let wire = self
                .wire(request, &filled, values, &access)
                .map_err(|problem| Judgement::new(Verdict::Narrow, problem))?;
            let _flight = self.streak.flight();
            let answer = match self.web.send_until(wire, deadline.as_mut()).await {
                Ok(answer) => answer,
                Err(lost) => return Err(lost.judge(&self.streak)),
            };
            self.streak.end();
            if answer.status == http::StatusCode::UNAUTHORIZED && std::mem::take(&mut again) {
                self.credentials.forget(&access).await;
                continue;
            }
            let secrets = access.secrets();
            return match self.judge(&answer, &filled, &secrets, now) {
                None => Ok(answer),
                Some(judgement) => Err(judgement),
            };
        }
    }

    /// What an answer that came at `now` (UTC) means; nothing, if it did what was asked.
    fn judge(
        &self,
        answer: &Answer,
        filled: &Filled,
        secrets: &[&str],
        now: Timestamp,
    ) -> Option<Judgement> {
        let answers = &self.description.answers;
        let status = answer.status.as_u16();
        let (verdict, reason) = match meaning(answers, status, &answer.body, filled) {
            Meaning::Done => return None,
            Meaning::NotDone(place) => (Verdict::Retry, format!("not_applied {place}")),
            Meaning::Refused(refusal, word) => (
                verdict(refusal),
                match word {
                    Some(word) => excerpt(word.as_bytes(), secrets),
                    None => answer.text_or_status(secrets),
                },
            ),
        };
        let waits = matches!(verdict, Verdict::Retry | Verdict::Slow);
        Some(Judgement {
            http_status: Some(status),
            retry_after: self.retry_after(answer, now).filter(|_| waits),
            ..Judgement::new(verdict, reason)
        })
    }

    /// How long the product asks to wait: `Retry-After`, or its own header with seconds or a Unix time.
    fn retry_after(&self, answer: &Answer, now: Timestamp) -> Option<Duration> {
        let own = || {
            let name = self.description.answers.retry_after.as_deref()?;
            let number: i64 = answer
                .headers
                .get(name)?
                .to_str()
                .ok()?
                .trim()
                .parse()
                .ok()?;
            // Nobody asks to wait for thirty years.
            let seconds = match number {
                1_000_000_000_000.. => number / 1000 - now.as_second() + 1,
                1_000_000_000.. => number - now.as_second(),
                _ => number,
            };
            Some(Duration::from_secs(u64::try_from(seconds).ok()?).min(LONGEST_WAIT))
        };
        answer.retry_after(now).or_else(own)
    }
}

impl Channel for Driver {
    type Message = Event;

    fn kind(&self) -> ChannelKind {
        ChannelKind::Presence
    }

    fn credential_expiry(&self, _: Timestamp) -> Option<Timestamp> {
        self.credentials.expiry()
    }

    /// One until the product answered, and after a lost connection again.
    fn slots(&self) -> usize {
        self.streak.places(self.max_in_flight)
    }

    fn batch(&self) -> usize {
        self.description.bulk.as_ref().map_or(1, |bulk| bulk.size)
    }

    /// Those of one status.
    fn together(&self, one: &Event, other: &Event) -> bool {
        shown(one) == shown(other)
    }

    fn named_in(&self) -> Option<&str> {
        Some(&self.description.external)
    }

    async fn send(&self, messages: &[Event], now: Timestamp) -> Judgement {
        let agents: Vec<&str> = messages.iter().filter_map(agent).collect();
        match messages.first().and_then(shown) {
            Some(shown) if agents.len() == messages.len() => self.set(shown, &agents, now).await,
            // Called for while another receiver was configured.
            _ => Judgement::new(Verdict::Narrow, "no_such_status_in_product"),
        }
    }
}

/// The agent's id in the product; `None` for an event that is about none.
fn agent(event: &Event) -> Option<&str> {
    match &event.change {
        Change::Agent {
            agent, external, ..
        } => Some(external.as_deref().unwrap_or(agent)),
        Change::Workspace { .. } => None,
    }
}

/// What an event says in a product's terms; `None` if it is about no agent.
fn shown(event: &Event) -> Option<Shown> {
    match &event.change {
        Change::Agent {
            status,
            accepts_conversations,
            ..
        } => Some(Shown::of(*status, *accepts_conversations)),
        Change::Workspace { .. } => None,
    }
}

fn verdict(refusal: Refusal) -> Verdict {
    match refusal {
        Refusal::Done => Verdict::Sent,
        Refusal::Agent => Verdict::Narrow,
        Refusal::Ours => Verdict::Misconfigured,
        Refusal::Slow => Verdict::Slow,
        Refusal::Later => Verdict::Retry,
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("product", &self.description.product)
            .field("host", &self.base.host_str())
            .finish_non_exhaustive()
    }
}
