//! Firebase Cloud Messaging, HTTP v1.
//!
//! The client is our own because what a delivery log needs (the error code in the details,
//! `Retry-After`, whether a request was processed) is what ready-made ones throw away.
//!
//! - One access token serves all requests; it is fetched once, however many wait (`channels/oauth.rs`).
//! - A 401 that does not come from FCM itself costs the token its life and the delivery nothing;
//!   the next token's 401 says that the account is at fault.
//! - Every row of Google's table of errors is one row of a test in `verdict.rs`.
//!
//! `tests/channel_fcm.rs` proves the rest against the strict stand-in.
//!
//! Source: Google, "REST Resource: projects.messages", "FCM Error Codes".

mod account;
mod message;
#[doc(hidden)]
pub mod steps;
mod verdict;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Request};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use self::{account::Account, verdict::Said};
use super::{
    Channel, ChannelError, Checkup, Lost, Proof, check_endpoint,
    oauth::{Access, OAuth},
    streak::Streak,
    web::Web,
};
use crate::{
    clock::Stopwatch,
    domain::delivery::{ChannelKind, Judgement, Push, Verdict},
};

/// The least wait before a request is repeated of which nobody knows whether it was processed.
const QUIET: Duration = Duration::from_secs(10);

/// A registration token that no phone has.
const NOBODY: &str = "shiftbell-doctor";

/// What the channel needs.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API's base URL, `https://fcm.googleapis.com`.
    pub endpoint: Url,
    /// The service account's key file: the JSON text as Google hands it out.
    pub service_account: SecretString,
    /// CA certificates (PEM) trusted besides the system's, for the API and the token endpoint.
    pub extra_ca: Option<Vec<u8>>,
    /// The most that one request may take, fetching an access token included.
    pub request_timeout: Duration,
    /// How many requests may be in flight. Google allows about 100 streams a connection.
    pub max_in_flight: usize,
}

/// The channel.
pub struct Fcm {
    web: Web,
    send_url: Url,
    oauth: OAuth<Account>,
    max_in_flight: usize,
    streak: Streak,
    /// The number of the access token that was refused since the last that was not.
    doubted: Mutex<Option<u64>>,
}

impl Fcm {
    /// Sets the channel up; connects nothing. Errors name the key at fault, never its content.
    pub fn new(options: Options) -> Result<Self, ChannelError> {
        let Options {
            endpoint,
            service_account,
            extra_ca,
            request_timeout,
            max_in_flight,
        } = options;
        check_endpoint(&endpoint).map_err(|problem| ChannelError::Endpoint {
            what: "fcm endpoint",
            problem,
        })?;
        let account = Account::read(service_account.expose_secret())?;
        let path = format!("v1/projects/{}/messages:send", account.project_id);
        let base = endpoint.as_str().trim_end_matches('/');
        let send_url = Url::parse(&format!("{base}/{path}"))
            .map_err(|error| ChannelError::Client(format!("fcm endpoint: {error}")))?;
        let web = Web::new(extra_ca.as_deref(), request_timeout)?;
        // A third for the token: connecting takes half at most, and the message still has its time.
        let oauth = OAuth::new(account, web.clone(), request_timeout / 3);
        Ok(Self {
            web,
            send_url,
            oauth,
            max_in_flight: max_in_flight.max(1),
            streak: Streak::default(),
            doubted: Mutex::default(),
        })
    }

    /// Fetches an access token and has FCM look at a message to a phone that does not exist, without
    /// sending it (`validate_only`). `now`: UTC. An error says what is wrong, printable.
    pub async fn check(&self, now: Timestamp) -> Result<Checkup, String> {
        let body = serde_json::json!({
            "validate_only": true,
            "message": {"token": NOBODY, "notification": {"title": "shiftbell", "body": "doctor"}},
        });
        let judgement = self
            .exchange(body.to_string().into(), NOBODY, Duration::MAX, now)
            .await;
        let knows_us = match judgement.http_status {
            Some(200) => judgement.verdict == Verdict::Sent,
            Some(400 | 403 | 404) => judgement.verdict == Verdict::Failed,
            _ => false,
        };
        if !knows_us {
            let status = judgement
                .http_status
                .map(|status| format!(" (HTTP {status})"));
            return Err(format!(
                "{}{}",
                judgement.reason,
                status.unwrap_or_default()
            ));
        }
        Ok(Checkup {
            proof: Proof::Credentials,
            detail: format!(
                "FCM accepted the service account; to a message for nobody it said {}",
                judgement.reason
            ),
        })
    }

    /// Sends `body` with an access token, unless it is of no use any more by then, and judges the
    /// answer. `token` appears in no judgement.
    async fn exchange(
        &self,
        body: Bytes,
        token: &str,
        useful_for: Duration,
        now: Timestamp,
    ) -> Judgement {
        let begun = Stopwatch::start();
        let deadline = self.web.deadline();
        tokio::pin!(deadline);
        let access = match self.oauth.access(now).await {
            Ok(access) => access,
            Err(judgement) => return judgement,
        };
        if begun.elapsed() >= useful_for {
            return Lost::TooLate.judge(&self.streak);
        }
        let request = self.request(body, &access);
        let _flight = self.streak.flight();
        match self.web.send_until(request, deadline).await {
            Ok(answer) => {
                self.streak.end();
                let said = Said::read(&answer, &[token, access.token.expose_secret()]);
                let judgement = verdict::classify(&answer, &said, now);
                self.second_thoughts(judgement, &said, &access).await
            }
            Err(lost) => self.lost(lost),
        }
    }

    fn request(&self, body: Bytes, access: &Access) -> Request {
        let mut request = Request::new(Method::POST, self.send_url.clone());
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, access.header.clone());
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
        *request.body_mut() = Some(body.into());
        request
    }

    /// What a refused access token means depends on what became of the one before it.
    async fn second_thoughts(
        &self,
        judgement: Judgement,
        said: &Said,
        access: &Access,
    ) -> Judgement {
        let refused = judgement.http_status == Some(StatusCode::UNAUTHORIZED.as_u16());
        if !refused || said.code.is_some() {
            if judgement.verdict == Verdict::Sent || said.code.is_some() {
                *self.doubted() = None;
            }
            return judgement;
        }
        self.oauth.forget(access).await;
        // All requests that shared one token count as one refusal.
        let first = *self.doubted().get_or_insert(access.number) == access.number;
        Judgement {
            verdict: if first {
                Verdict::NotProcessed
            } else {
                Verdict::Misconfigured
            },
            ..judgement
        }
    }

    fn lost(&self, lost: Lost) -> Judgement {
        let mut judgement = lost.judge(&self.streak);
        if judgement.verdict == Verdict::Unknown {
            judgement.retry_after = Some(QUIET);
        }
        judgement
    }

    fn doubted(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel for Fcm {
    type Message = Push;

    fn kind(&self) -> ChannelKind {
        ChannelKind::Fcm
    }

    fn credential_expiry(&self, _: Timestamp) -> Option<Timestamp> {
        self.oauth.expiry()
    }

    /// One until the receiver answered, and after a lost connection again.
    fn slots(&self) -> usize {
        self.streak.places(self.max_in_flight)
    }

    fn batch(&self) -> usize {
        1
    }

    async fn send(&self, messages: &[Push], now: Timestamp) -> Judgement {
        let [push] = messages else {
            return Judgement::new(Verdict::Narrow, "one message a request");
        };
        match message::body(push, now) {
            Some(body) => {
                let useful_for = push.deadline.duration_since(now).max(SignedDuration::ZERO);
                self.exchange(body, push.token.expose(), useful_for.unsigned_abs(), now)
                    .await
            }
            None => Judgement::new(Verdict::Failed, "message_too_big"),
        }
    }
}

impl std::fmt::Debug for Fcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fcm")
            .field("send_url", &self.send_url.as_str())
            .finish_non_exhaustive()
    }
}
