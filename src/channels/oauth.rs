//! The access token: fetched for what proves who we are, shared, and replaced before it expires.
//!
//! However many requests wait, there is one refresh at a time, and those that waited for it share
//! its outcome, a failure included. `tests/channel_fcm.rs`, `fifty_sends_share_one_grant`.
//!
//! Source: RFC 6749, 4.4 and 5; RFC 7523; Google, "Using OAuth 2.0 for Server to Server Applications".

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::{HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Request};
use secrecy::SecretString;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::{
    ChannelError, Lost,
    answer::{Answer, excerpt},
    streak::{self, Streak},
    web::Web,
};
use crate::domain::delivery::{Judgement, Verdict};

/// How long before its end a token is replaced (but never before half its life).
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// How long a token lives whose server does not say.
const ORDINARY: i64 = 3600;

/// The longest life that is believed.
const LONGEST: i64 = 24 * 3600;

/// An access token.
#[derive(Clone)]
pub(super) struct Access {
    /// Later tokens have higher numbers.
    pub(super) number: u64,
    /// The token itself.
    pub(super) token: SecretString,
    /// `Bearer` and the token, marked as sensitive.
    pub(super) header: HeaderValue,
    replace_at: Timestamp,
    ends_at: Timestamp,
}

/// What is shown for an access token.
pub(super) trait Grant: Send + Sync {
    /// The token endpoint.
    fn endpoint(&self) -> &Url;

    /// What of the form must appear in no reason, though the endpoint sent it back.
    fn secrets(&self) -> Vec<&str>;

    /// The form that is posted there at `now` (UTC), encoded.
    fn form(&self, now: Timestamp) -> Result<String, ChannelError>;
}

/// The source of access tokens.
pub(super) struct OAuth<G> {
    grant: G,
    web: Web,
    limit: Duration,
    /// Held during a refresh.
    state: Mutex<State>,
    /// How many refreshes have ended.
    refreshes: AtomicU64,
    streak: Streak,
}

#[derive(Default)]
struct State {
    access: Option<Access>,
    /// How the last refresh failed, if it did.
    failure: Option<Judgement>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<Seconds>,
}

/// Some servers write the number as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(i64),
    Text(String),
}

impl Granted {
    /// How long the token lives, in seconds; `None` where that cannot be read. A server need not say
    /// (RFC 6749, 5.1): a token that is refused sooner is replaced then.
    fn life(&self) -> Option<i64> {
        match &self.expires_in {
            None => Some(ORDINARY),
            Some(Seconds::Number(seconds)) => Some(*seconds),
            Some(Seconds::Text(text)) => text.parse().ok(),
        }
    }
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl<G: Grant> OAuth<G> {
    /// A source whose refreshes take `limit` at most.
    pub(super) fn new(grant: G, web: Web, limit: Duration) -> Self {
        Self {
            grant,
            web,
            limit,
            state: Mutex::default(),
            refreshes: AtomicU64::new(0),
            streak: Streak::default(),
        }
    }

    /// A token that is good at `now` (UTC), or the judgement of a message that has none.
    pub(super) async fn access(&self, now: Timestamp) -> Result<Access, Judgement> {
        let before = self.refreshes.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(access) = state
            .access
            .as_ref()
            .filter(|access| now < access.replace_at)
        {
            return Ok(access.clone());
        }
        let number = self.refreshes.load(Ordering::Acquire);
        if number > before
            && let Some(failure) = &state.failure
        {
            return Err(failure.clone());
        }
        let outcome = self.refresh(number, now).await;
        state.failure = outcome.as_ref().err().cloned();
        state.access = outcome.as_ref().ok().cloned();
        self.refreshes.fetch_add(1, Ordering::Release);
        outcome
    }

    /// When (UTC) the current token ends; `None` without one, or while it is being replaced.
    pub(super) fn expiry(&self) -> Option<Timestamp> {
        let state = self.state.try_lock().ok()?;
        state.access.as_ref().map(|access| access.ends_at)
    }

    /// Throws `access` away, if it is still the current token.
    pub(super) async fn forget(&self, access: &Access) {
        let mut state = self.state.lock().await;
        let current = state.access.as_ref().map(|current| current.number);
        if current == Some(access.number) {
            state.access = None;
        }
    }

    async fn refresh(&self, number: u64, now: Timestamp) -> Result<Access, Judgement> {
        let request = self
            .request(now)
            .map_err(|error| Judgement::new(Verdict::Misconfigured, error.to_string()))?;
        match self.web.send_within(request, self.limit).await {
            Ok(answer) => {
                let outcome = read(&answer, number, now, &self.grant.secrets());
                if outcome.is_ok() {
                    self.streak.end();
                }
                outcome.map_err(|judgement| self.paced(judgement))
            }
            Err(Lost::Untrusted(problem)) => Err(Judgement::new(
                Verdict::Misconfigured,
                format!("token endpoint: {problem}"),
            )),
            // Whatever became of it, no message left.
            Err(Lost::Unreachable(problem)) => Err(self.paced(slow(&problem))),
            Err(Lost::NotProcessed(problem) | Lost::Unknown(problem)) => {
                Err(self.paced(slow(problem)))
            }
            Err(Lost::TooLate) => Err(self.paced(slow("too late"))),
        }
    }

    fn request(&self, now: Timestamp) -> Result<Request, ChannelError> {
        let form = self.grant.form(now)?;
        let mut request = Request::new(Method::POST, self.grant.endpoint().clone());
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        *request.body_mut() = Some(form.into());
        Ok(request)
    }

    /// A failure for now holds the receiver for as long as the endpoint asks, else a little longer
    /// each time.
    fn paced(&self, judgement: Judgement) -> Judgement {
        if judgement.verdict != Verdict::Slow {
            return judgement;
        }
        let wait = streak::wait(self.streak.grow());
        Judgement {
            retry_after: judgement.retry_after.or(Some(wait)),
            ..judgement
        }
    }
}

/// What the token endpoint's answer comes to.
fn read(
    answer: &Answer,
    number: u64,
    now: Timestamp,
    secrets: &[&str],
) -> Result<Access, Judgement> {
    let status = answer.status;
    if status.is_success() {
        return granted(&answer.body, number, now).ok_or_else(|| Judgement {
            http_status: Some(status.as_u16()),
            retry_after: answer.retry_after(now),
            ..slow("no access token in the answer")
        });
    }
    let word = match serde_json::from_slice::<Refused>(&answer.body) {
        Ok(refused) => excerpt(refused.error.as_bytes(), secrets),
        Err(_) => answer.text_or_status(secrets),
    };
    let for_now = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
    let verdict = if for_now {
        Verdict::Slow
    } else {
        Verdict::Misconfigured
    };
    Err(Judgement {
        http_status: Some(status.as_u16()),
        retry_after: answer.retry_after(now).filter(|_| for_now),
        ..Judgement::new(verdict, format!("token endpoint: {word}"))
    })
}

fn granted(body: &[u8], number: u64, now: Timestamp) -> Option<Access> {
    let granted: Granted = serde_json::from_slice(body).ok()?;
    if granted.access_token.is_empty() {
        return None;
    }
    let mut header = HeaderValue::try_from(format!("Bearer {}", granted.access_token)).ok()?;
    header.set_sensitive(true);
    let life = SignedDuration::from_secs(granted.life()?.clamp(0, LONGEST));
    let replace_at = now.checked_add((life - MARGIN).max(life / 2)).ok()?;
    let ends_at = now.checked_add(life).ok()?;
    Some(Access {
        number,
        token: granted.access_token.into(),
        header,
        replace_at,
        ends_at,
    })
}

fn slow(problem: &str) -> Judgement {
    Judgement::new(Verdict::Slow, format!("token endpoint: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-30T07:00:00Z".parse().unwrap()
    }

    fn outcome(status: u16, body: &str) -> Result<Access, Judgement> {
        let answer = Answer {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            body: body.into(),
        };
        read(&answer, 0, now(), &["hush"])
    }

    #[test]
    fn a_token_is_replaced_before_it_expires() {
        for (expires_in, minutes) in [(3600, 55), (3599, 54), (600, 5), (240, 2), (0, 0), (-9, 0)] {
            let body = format!(r#"{{"access_token":"ya29","expires_in":{expires_in}}}"#);
            let access = outcome(200, &body).ok().unwrap();
            let life = access.replace_at.duration_since(now());
            assert_eq!(life.as_mins(), minutes, "{expires_in}");
            assert!(!format!("{:?}{:?}", access.header, access.token).contains("ya29"));
        }
    }

    #[test]
    fn a_token_s_life_may_be_text_or_not_be_told() {
        for (told, minutes) in [
            ("", 55),
            (r#","expires_in":null"#, 55),
            (r#","expires_in":"600""#, 5),
        ] {
            let body = format!(r#"{{"access_token":"ya29"{told}}}"#);
            let access = outcome(200, &body).ok().unwrap();
            let life = access.replace_at.duration_since(now());
            assert_eq!(life.as_mins(), minutes, "{told}");
        }
        assert!(outcome(200, r#"{"access_token":"ya29","expires_in":"soon"}"#).is_err());
    }

    #[test]
    fn refusals_are_ours_or_theirs() {
        let rows = [
            (
                400,
                r#"{"error":"invalid_grant"}"#,
                Verdict::Misconfigured,
                "invalid_grant",
            ),
            (
                401,
                r#"{"error":"invalid_client"}"#,
                Verdict::Misconfigured,
                "invalid_client",
            ),
            (404, "", Verdict::Misconfigured, "http_404"),
            (302, "", Verdict::Misconfigured, "http_302"),
            (429, "", Verdict::Slow, "http_429"),
            (500, "", Verdict::Slow, "http_500"),
            (503, "<b>", Verdict::Slow, "\\u{3c}b\\u{3e}"),
            (503, "you sent hush", Verdict::Slow, "you sent …"),
            (200, "<b>", Verdict::Slow, "no access token in the answer"),
            (
                200,
                r#"{"access_token":""}"#,
                Verdict::Slow,
                "no access token in the answer",
            ),
            (
                200,
                r#"{"access_token":"a\nb"}"#,
                Verdict::Slow,
                "no access token in the answer",
            ),
        ];
        for (status, body, verdict, reason) in rows {
            let judgement = outcome(status, body).err().unwrap();
            assert_eq!(judgement.verdict, verdict, "{status} {body}");
            assert_eq!(judgement.reason, format!("token endpoint: {reason}"));
            assert_eq!(judgement.http_status, Some(status));
        }
    }
}
