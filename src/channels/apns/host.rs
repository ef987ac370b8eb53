//! One of Apple's two hosts: its connection, and what its recent answers say of it.
//!
//! `classify` judges one answer by itself; what depends on the answers before it is here: whether
//! a stale token is still forgiven, and whether "not processed" is still worth a try at once.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::{
    Options,
    classify::{Aftermath, Finding, classify},
};
use crate::{
    channels::{
        ChannelError, Lost,
        answer::Answer,
        check_endpoint,
        http2::{ConnectionId, Http2, Limits},
        streak::Streak,
    },
    domain::{
        delivery::{Judgement, Push, Verdict},
        device::DeviceToken,
    },
};

/// Between two PINGs. Apple closes idle connections, and middleboxes forget them after minutes.
const PING_EVERY: Duration = Duration::from_mins(1);

/// One of the two hosts, and what its recent answers say of it.
#[derive(Debug)]
pub(super) struct Host {
    /// The URL that paths are appended to, without a slash at its end.
    pub(super) base: String,
    http: Http2,
    used: AtomicBool,
    streak: Streak,
    /// The connection on which our token was stale, until a request is accepted.
    stale: Mutex<Option<ConnectionId>>,
}

impl Host {
    /// Checks `url`; `what` names it in errors. Connects nothing yet.
    pub(super) fn new(
        what: &'static str,
        url: &Url,
        options: &Options,
    ) -> Result<Self, ChannelError> {
        check_endpoint(url).map_err(|problem| ChannelError::Endpoint { what, problem })?;
        let limits = Limits {
            request: options.request_timeout,
            in_flight: options.max_in_flight,
            ping_every: PING_EVERY,
            ping_patience: options.request_timeout,
        };
        Ok(Self {
            base: url.as_str().trim_end_matches('/').to_owned(),
            http: Http2::new(url, options.extra_ca.as_deref(), limits)?,
            used: AtomicBool::new(false),
            streak: Streak::default(),
            stale: Mutex::default(),
        })
    }

    /// How many requests may be in flight now; 1 for a host that was never used.
    pub(super) fn slots(&self) -> usize {
        if self.used.load(Ordering::Relaxed) {
            self.http.slots()
        } else {
            1
        }
    }

    /// Sends one request for `push` and judges what came of it. `now`: UTC.
    pub(super) async fn exchange(
        &self,
        request: &Request<()>,
        body: Bytes,
        push: &Push,
        now: Timestamp,
    ) -> Judgement {
        let token = &push.token;
        let useful_for = push.deadline.duration_since(now).max(SignedDuration::ZERO);
        self.used.store(true, Ordering::Relaxed);
        let _flight = self.streak.flight();
        match self
            .http
            .request(request, body, useful_for.unsigned_abs())
            .await
        {
            Ok((answer, connection)) => self.judge(&answer, connection, token, now).await,
            Err(lost) => lost.judge(&self.streak),
        }
    }

    /// Acts on the answer: what becomes of the connection, and whether "at once" is still believed.
    async fn judge(
        &self,
        answer: &Answer,
        connection: ConnectionId,
        token: &DeviceToken,
        now: Timestamp,
    ) -> Judgement {
        let Finding {
            mut judgement,
            aftermath,
        } = classify(answer, token, now);
        if aftermath != Aftermath::Keep {
            self.http.retire(connection).await;
        }
        match aftermath {
            Aftermath::Keep | Aftermath::Replace => self.streak.end(),
            Aftermath::Unprocessed => {
                let free = Lost::NotProcessed("unprocessed").judge(&self.streak);
                judgement.verdict = free.verdict;
                judgement.retry_after = judgement.retry_after.max(free.retry_after);
            }
            Aftermath::Stale => {
                self.streak.end();
                judgement.verdict = self.stale(connection);
            }
        }
        if judgement.verdict == Verdict::Sent {
            *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        judgement
    }

    /// All requests on the first connection with a stale token are forgiven, none on later ones.
    fn stale(&self, connection: ConnectionId) -> Verdict {
        let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        if connection <= *stale.get_or_insert(connection) {
            Verdict::NotProcessed
        } else {
            Verdict::Misconfigured
        }
    }
}
