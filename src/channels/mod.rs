//! Who is told: one wire client for each receiver, and its judgement of each answer.
//!
//! A channel owns connections, credentials and classification. Pace, breakers, retries and leases
//! are the dispatcher's: it never asks more of a channel than [`Channel::slots`], and acts on the
//! [`Judgement`] alone.
//!
//! To add a receiver: a variant in [`ChannelKind`], a file here with an `Options` struct and an
//! implementation of [`Channel`], a pure `classify` whose tests show every row of its table, and a
//! section in the configuration.
//!
//! What holds for all of them (`tests/channel_*.rs` against strict local stand-ins):
//! - every request ends within its time limit, whatever the peer does: hang, drip or flood;
//! - [`Verdict::Unknown`] is said if and only if the receiver may have processed the request;
//! - a token, key or secret never appears in a judgement, an error or `Debug` output;
//! - redirects are not followed, and no proxy is taken from the environment.

mod answer;
pub mod apns;
pub mod driver;
pub mod fcm;
mod http2;
mod oauth;
pub mod presence;
mod streak;
mod tls;
mod web;

use std::future::Future;

use self::streak::Streak;
use crate::domain::delivery::{ChannelKind, Judgement, Verdict};

/// One receiver: sends one request, judges the answer. Never panics, never returns an error:
/// everything is a [`Judgement`].
pub trait Channel: Send + Sync + 'static {
    /// What one request carries.
    type Message: Send + Sync;

    /// Which receiver it is.
    fn kind(&self) -> ChannelKind;

    /// When (UTC) the credential in use at `now` ends, where it has an end and is known.
    fn credential_expiry(&self, now: jiff::Timestamp) -> Option<jiff::Timestamp>;

    /// How many requests may be in flight now (APNs: 1 until the first accepted request on a
    /// connection, then the peer's SETTINGS capped by our limit).
    fn slots(&self) -> usize;

    /// How many messages one request may carry (1 for pushes).
    fn batch(&self) -> usize;

    /// Whether two messages may travel in one request.
    fn together(&self, _: &Self::Message, _: &Self::Message) -> bool {
        true
    }

    /// In which product's ids agents are named, where it is not in ours.
    fn named_in(&self) -> Option<&str> {
        None
    }

    /// Sends `messages` (never empty, at most [`Channel::batch`]) as one request. `now`: UTC, for
    /// tokens and signatures.
    fn send(
        &self,
        messages: &[Self::Message],
        now: jiff::Timestamp,
    ) -> impl Future<Output = Judgement> + Send;
}

/// Why a channel could not be set up. Names the credential at fault, never its content.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A URL that must not be used.
    #[error("{what}: {problem}")]
    Endpoint {
        /// Which URL.
        what: &'static str,
        /// What is wrong with it.
        problem: EndpointError,
    },
    /// A key, secret or name that cannot be used.
    #[error("{what}: {problem}")]
    Credential {
        /// Which one.
        what: &'static str,
        /// What is wrong with it and what is expected instead.
        problem: String,
    },
    /// The extra CA certificates cannot be used.
    #[error("extra CA certificates: {0}")]
    ExtraCa(String),
    /// The TLS or HTTP library refused our settings.
    #[error("cannot set up the client: {0}")]
    Client(String),
}

impl ChannelError {
    fn credential(what: &'static str, problem: impl Into<String>) -> Self {
        Self::Credential {
            what,
            problem: problem.into(),
        }
    }
}

/// Why a URL is refused as an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Unencrypted and not on this machine.
    #[error("http:// is allowed on loopback only; use https://")]
    Unencrypted,
    /// Neither http nor https.
    #[error("must be an https:// URL")]
    Scheme,
    /// A user name or password in the URL would end up in logs.
    #[error("must not contain a user name or password")]
    Credentials,
    /// No host.
    #[error("names no host")]
    NoHost,
    /// A fragment or, where a path is appended, a query.
    #[error("must not contain a query or a fragment")]
    Tail,
}

/// Whether `url` may be used as the base of requests: `https`, or `http` on loopback
/// (`localhost`, 127.0.0.0/8, `::1`); no credentials, no query, no fragment.
pub fn check_endpoint(url: &url::Url) -> Result<(), EndpointError> {
    check_url(url)?;
    if url.query().is_some() {
        return Err(EndpointError::Tail);
    }
    Ok(())
}

/// As [`check_endpoint`], for a URL that is used whole and so may have a query.
pub fn check_url(url: &url::Url) -> Result<(), EndpointError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::Credentials);
    }
    let host = url.host().ok_or(EndpointError::NoHost)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => return Err(EndpointError::Unencrypted),
        _ => return Err(EndpointError::Scheme),
    }
    if url.fragment().is_some() {
        return Err(EndpointError::Tail);
    }
    Ok(())
}

fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => *name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    }
}

/// What a channel's `check` proved without ringing anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The receiver answered and accepted our credentials.
    Credentials,
    /// The receiver answered over a trusted connection; its view of our credentials is not known.
    Reached,
    /// The receiver answered, as one does whose address or credentials are wrong.
    Doubtful,
}

/// The result of a channel's `check`: what was proved, in a word and in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    /// How much was proved.
    pub proof: Proof,
    /// The same in a sentence, printable.
    pub detail: String,
}

/// Why nothing was sent, or what became of what was: the transport's half of a judgement.
/// Both transports speak it, so that `Unknown` means the same on both.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lost {
    /// No connection came about. Nothing was sent.
    Unreachable(String),
    /// The peer's certificate is not trusted. Nothing was sent.
    Untrusted(String),
    /// Its message is of no use any more; it was not sent.
    TooLate,
    /// The peer (or we) certainly did not process the request.
    NotProcessed(&'static str),
    /// The request left, no answer came.
    Unknown(&'static str),
}

impl Lost {
    /// What became of a request whose HTTP/2 stream ended in an error (RFC 9113, 6.8 and 8.7).
    fn by_h2(error: &h2::Error) -> Self {
        // h2 gives a remote GOAWAY to the streams above its last stream id only; those below it see
        // their own end, or the connection's.
        if error.is_go_away() && error.is_remote() {
            return Self::NotProcessed("goaway");
        }
        match error.reason() {
            Some(h2::Reason::REFUSED_STREAM) if error.is_reset() => {
                Self::NotProcessed("refused_stream")
            }
            _ if error.is_reset() => Self::Unknown("reset"),
            _ => Self::Unknown("connection_lost"),
        }
    }

    /// The judgement, and one more failure in the peer's `streak`.
    fn judge(self, streak: &Streak) -> Judgement {
        let (streak, free) = match self {
            Self::TooLate => (0, 0),
            _ => (streak.grow(), streak.free()),
        };
        let wait = Some(streak::wait(streak));
        match self {
            Self::TooLate => Judgement::new(Verdict::NotProcessed, "deadline"),
            Self::Unreachable(reason) => Judgement {
                retry_after: wait,
                ..Judgement::new(Verdict::Slow, reason)
            },
            Self::Untrusted(reason) => Judgement::new(Verdict::Misconfigured, reason),
            Self::NotProcessed(reason) if streak > free => Judgement {
                retry_after: Some(streak::wait(streak - free)),
                ..Judgement::new(Verdict::Slow, reason)
            },
            Self::NotProcessed(reason) => Judgement::new(Verdict::NotProcessed, reason),
            Self::Unknown(reason) => Judgement::new(Verdict::Unknown, reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_encrypted_or_on_this_machine() {
        let rows = [
            ("https://api.push.apple.com", None),
            ("https://api.push.apple.com:2197", None),
            ("http://127.0.0.1:8443", None),
            ("http://127.9.9.9", None),
            ("http://[::1]:9", None),
            ("http://localhost:1", None),
            (
                "http://localhost.example.com",
                Some(EndpointError::Unencrypted),
            ),
            ("http://10.0.0.1", Some(EndpointError::Unencrypted)),
            (
                "http://api.push.apple.com",
                Some(EndpointError::Unencrypted),
            ),
            ("https://user:pw@host", Some(EndpointError::Credentials)),
            ("https://user@host", Some(EndpointError::Credentials)),
            ("ftp://host", Some(EndpointError::Scheme)),
            ("file:///etc/passwd", Some(EndpointError::NoHost)),
            ("https://host/?a=b", Some(EndpointError::Tail)),
            ("https://host/#a", Some(EndpointError::Tail)),
        ];
        for (url, expected) in rows {
            let url = url::Url::parse(url).unwrap();
            assert_eq!(check_endpoint(&url).err(), expected, "{url}");
        }
        let with_query = url::Url::parse("https://host/presence?tenant=1").unwrap();
        assert_eq!(check_url(&with_query), Ok(()));
    }

    #[test]
    fn failures_that_are_free_do_not_spin() {
        let streak = Streak::default();
        let verdicts: Vec<_> = (0..12)
            .map(|_| Lost::NotProcessed("goaway").judge(&streak).verdict)
            .collect();
        assert_eq!(verdicts[..10], [Verdict::NotProcessed; 10]);
        assert_eq!(verdicts[10..], [Verdict::Slow; 2]);
    }
}
