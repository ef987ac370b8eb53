//! One of Apple's two hosts: its connection, and what its recent answers say of it.
//!
//! `classify` judges one answer by itself; what depends on the answers before it is here: whether
//! a stale token is still forgiven, and whether "not processed" is still worth a try at once.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
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
        delivery::{Judgement, Verdict},
        device::DeviceToken,
    },
};

/// Between two PINGs. Apple closes idle connections, and middleboxes forget them after minutes.
const PING_EVERY: Duration = Duration::from_mins(1);

/// How often in a row, beyond one answer for each request in flight, "not processed" is believed
/// to be worth a try at once.
const FREE_FAILURES: u32 = 10;

/// One of the two hosts, and what its recent answers say of it.
#[derive(Debug)]
pub(super) struct Host {
    /// The URL that paths are appended to, without a slash at its end.
    pub(super) base: String,
    http: Http2,
    used: AtomicBool,
    streak: Streak,
    in_flight: AtomicU32,
    /// The most requests in flight at once since the last answer: so many may fail together.
    burst: AtomicU32,
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
            in_flight: AtomicU32::new(0),
            burst: AtomicU32::new(0),
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

    /// Sends one request for `token` and judges what came of it. `now`: UTC.
    pub(super) async fn exchange(
        &self,
        request: &Request<()>,
        body: Bytes,
        token: &DeviceToken,
        now: Timestamp,
    ) -> Judgement {
        self.used.store(true, Ordering::Relaxed);
        let _flight = Flight::start(self);
        match self.http.request(request, body).await {
            Ok((answer, connection)) => self.judge(&answer, connection, token, now).await,
            Err(lost) => self.lost(lost),
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
            Aftermath::Keep | Aftermath::Replace => self.answered(),
            Aftermath::Unprocessed => {
                let free = self.lost(Lost::NotProcessed("unprocessed"));
                judgement.verdict = free.verdict;
                judgement.retry_after = judgement.retry_after.max(free.retry_after);
            }
            Aftermath::Stale => {
                self.answered();
                judgement.verdict = self.stale(connection);
            }
        }
        if judgement.verdict == Verdict::Sent {
            *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        judgement
    }

    fn lost(&self, lost: Lost) -> Judgement {
        let free = self
            .burst
            .load(Ordering::Relaxed)
            .saturating_add(FREE_FAILURES);
        lost.judge(self.streak.grow(), free)
    }

    fn answered(&self) {
        self.streak.end();
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        self.burst.store(in_flight, Ordering::Relaxed);
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

/// Counts one request as in flight for as long as it lives.
struct Flight<'h>(&'h Host);

impl<'h> Flight<'h> {
    fn start(host: &'h Host) -> Self {
        let now = host.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        host.burst.fetch_max(now, Ordering::Relaxed);
        Self(host)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
