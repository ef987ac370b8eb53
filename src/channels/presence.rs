//! The chat platform's presence API: one signed POST a batch.
//!
//! - The body is a function of the events alone and the `webhook-id` one of the body, so a batch that
//!   is sent again has the same id without anybody remembering it, and a changed one has another.
//! - The timestamp and the signature are made anew for each attempt: receivers refuse old ones.
//! - [`Verdict::Narrow`] says that the batch holds something the platform will never take.
//!
//! `tests/channel_presence.rs` proves it against the strict stand-in.
//!
//! Source: Standard Webhooks, "Signature scheme".

mod body;
mod signature;
#[doc(hidden)]
pub mod steps;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use reqwest::{Method, Request};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    Channel, ChannelError, Checkup, EndpointError, Lost, Proof, answer::Answer, check_url,
    streak::Streak, web::Web,
};
use crate::domain::{
    delivery::{ChannelKind, Judgement, Verdict},
    presence::Event,
};

/// What the channel needs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where batches are posted to.
    pub url: Url,
    /// The shared secret, as Standard Webhooks writes it: `whsec_` and base64.
    pub secret: SecretString,
    /// The most events in one request.
    pub batch_size: usize,
    /// CA certificates (PEM) trusted besides the system's.
    pub extra_ca: Option<Vec<u8>>,
    /// The most that one request may take, connecting included.
    pub request_timeout: Duration,
    /// How many requests may be in flight.
    pub max_in_flight: usize,
}

/// The channel.
pub struct Presence {
    web: Web,
    url: Url,
    key: hmac::Key,
    secret: SecretString,
    batch_size: usize,
    max_in_flight: usize,
    streak: Streak,
}

impl Presence {
    /// Sets the channel up; connects nothing. Errors name the key at fault, never its content.
    pub fn new(options: Options) -> Result<Self, ChannelError> {
        match check_url(&options.url) {
            // The events are signed, and clusters often end TLS elsewhere: the configuration warns.
            Ok(()) | Err(EndpointError::Unencrypted) => {}
            Err(problem) => {
                let what = "presence url";
                return Err(ChannelError::Endpoint { what, problem });
            }
        }
        Ok(Self {
            web: Web::new(options.extra_ca.as_deref(), options.request_timeout)?,
            key: signature::key(options.secret.expose_secret())?,
            url: options.url,
            secret: options.secret,
            batch_size: options.batch_size.max(1),
            max_in_flight: options.max_in_flight.max(1),
            streak: Streak::default(),
        })
    }

    /// Asks the platform for its OPTIONS, which changes nothing there: any answer shows that it is
    /// reached over a trusted connection. An error says what is wrong, printable.
    pub async fn check(&self, _now: Timestamp) -> Result<Checkup, String> {
        let request = Request::new(Method::OPTIONS, self.url.clone());
        match self.web.send(request).await {
            Ok(answer) => Ok(checkup(answer.status)),
            Err(Lost::Unreachable(reason) | Lost::Untrusted(reason)) => Err(reason),
            Err(Lost::NotProcessed(reason) | Lost::Unknown(reason)) => {
                Err(format!("connected, but got no answer: {reason}"))
            }
            Err(Lost::TooLate) => Err("not asked in time".to_owned()),
        }
    }

    /// The signed request for `body` at `now`.
    fn request(
        &self,
        body: Bytes,
        now: Timestamp,
    ) -> Result<Request, http::header::InvalidHeaderValue> {
        let (id, seconds) = (signature::webhook_id(&body), now.as_second());
        let signature = signature::sign(&self.key, &id, seconds, &body);
        let mut request = Request::new(Method::POST, self.url.clone());
        let headers = request.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert("webhook-id", HeaderValue::try_from(id)?);
        headers.insert("webhook-timestamp", HeaderValue::from(seconds));
        headers.insert("webhook-signature", HeaderValue::try_from(signature)?);
        *request.body_mut() = Some(body.into());
        Ok(request)
    }
}

impl Channel for Presence {
    type Message = Event;

    fn kind(&self) -> ChannelKind {
        ChannelKind::Presence
    }

    fn credential_expiry(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }

    /// One until the receiver answered, and after a lost connection again.
    fn slots(&self) -> usize {
        self.streak.places(self.max_in_flight)
    }

    fn batch(&self) -> usize {
        self.batch_size
    }

    async fn send(&self, messages: &[Event], now: Timestamp) -> Judgement {
        let request = body::body(messages)
            .map_err(|error| error.to_string())
            .and_then(|body| self.request(body, now).map_err(|error| error.to_string()));
        let request = match request {
            Ok(request) => request,
            Err(error) => return Judgement::new(Verdict::Narrow, error),
        };
        let _flight = self.streak.flight();
        match self.web.send(request).await {
            Ok(answer) => {
                self.streak.end();
                classify(&answer, self.secret.expose_secret(), now)
            }
            Err(lost) => lost.judge(&self.streak),
        }
    }
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presence")
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// What an answer to OPTIONS proves. Many servers know POST only and say so (405, 501).
fn checkup(status: StatusCode) -> Checkup {
    let code = status.as_u16();
    if status.is_success() || matches!(code, 400 | 405 | 415 | 422 | 501) {
        return Checkup {
            proof: Proof::Reached,
            detail: format!(
                "the presence API answered (HTTP {code}); what it makes of the secret shows with the first event"
            ),
        };
    }
    Checkup {
        proof: Proof::Doubtful,
        detail: format!(
            "the presence API answers HTTP {code}: is presence.url right, and does it take events now?"
        ),
    }
}

/// What an answer that came at `now` (UTC) means.
fn classify(answer: &Answer, secret: &str, now: Timestamp) -> Judgement {
    let verdict = meaning(answer.status);
    let waits = matches!(verdict, Verdict::Retry | Verdict::Slow);
    let reason = if verdict == Verdict::Sent {
        "accepted".to_owned()
    } else {
        answer.text_or_status(&[secret])
    };
    Judgement {
        http_status: Some(answer.status.as_u16()),
        retry_after: answer.retry_after(now).filter(|_| waits),
        ..Judgement::new(verdict, reason)
    }
}

fn meaning(status: StatusCode) -> Verdict {
    match status.as_u16() {
        // The whole batch is accepted, whatever the body says.
        200..=299 => Verdict::Sent,
        429 => Verdict::Slow,
        // It may be better next time.
        408 | 500..=599 => Verdict::Retry,
        // The batch is at fault. 409 is of the kind: one of its events contradicts what the platform
        // knows, and the others must not wait for it.
        400 | 409 | 413 | 422 => Verdict::Narrow,
        // The secret (401, 403), the URL (404, 405, redirects, which are not followed) or a receiver
        // that is not the presence API (415 and the rest): no event is to blame.
        _ => Verdict::Misconfigured,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn presence() -> Presence {
        let options = Options {
            url: Url::parse("https://chat.example.com/presence?key=hidden").unwrap(),
            secret: format!("{KEY}\n").into(),
            batch_size: 0,
            extra_ca: None,
            request_timeout: Duration::from_secs(1),
            max_in_flight: 0,
        };
        assert!(!format!("{options:?}").contains("MfKQ"));
        Presence::new(options).unwrap()
    }

    #[test]
    fn a_request_is_signed_for_its_time() {
        let presence = presence();
        let request = |seconds| {
            let now = Timestamp::from_second(seconds).unwrap();
            let body = Bytes::from_static(br#"{"test": 2432232314}"#);
            presence.request(body, now).unwrap().headers().clone()
        };
        let first = request(1_614_265_330);
        assert_eq!(first["webhook-timestamp"], "1614265330");
        assert_eq!(first["webhook-id"], "msg_ae858931f67887e8150d6f96c9fe0306");
        assert_eq!(
            first["webhook-signature"],
            "v1,fpLMH9I+Pd5dYYDxCFmhniL1oOrFHHfTM5T3HQOGpIM="
        );
        let later = request(1_614_265_331);
        assert_eq!(first["webhook-id"], later["webhook-id"]);
        assert_ne!(first["webhook-signature"], later["webhook-signature"]);
    }

    #[test]
    fn a_channel_prints_no_secret() {
        let presence = presence();
        assert_eq!((presence.slots(), presence.batch()), (1, 1));
        let printed = format!("{presence:?}");
        assert_eq!(
            printed,
            r#"Presence { host: Some("chat.example.com"), .. }"#
        );
    }

    #[test]
    fn every_answer_has_its_meaning() {
        use Verdict::{Misconfigured, Narrow, Retry, Sent, Slow};
        let rows = [
            (200, Sent, None),
            (202, Sent, None),
            (204, Sent, None),
            (301, Misconfigured, None),
            (307, Misconfigured, None),
            (400, Narrow, None),
            (401, Misconfigured, None),
            (403, Misconfigured, None),
            (404, Misconfigured, None),
            (405, Misconfigured, None),
            (408, Retry, Some(7)),
            (409, Narrow, None),
            (413, Narrow, None),
            (415, Misconfigured, None),
            (418, Misconfigured, None),
            (422, Narrow, None),
            (429, Slow, Some(7)),
            (500, Retry, Some(7)),
            (503, Retry, Some(7)),
            (599, Retry, Some(7)),
        ];
        for (status, verdict, wait) in rows {
            let status = StatusCode::from_u16(status).unwrap();
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from(7))]);
            let body = format!("secret {KEY}").into_bytes();
            let answer = Answer {
                status,
                headers,
                body,
            };
            let judgement = classify(&answer, KEY, Timestamp::UNIX_EPOCH);
            assert_eq!(judgement.verdict, verdict, "{status}");
            assert_eq!(
                judgement.retry_after,
                wait.map(Duration::from_secs),
                "{status}"
            );
            assert!(!judgement.reason.contains("MfKQ"), "{}", judgement.reason);
        }
    }
}
