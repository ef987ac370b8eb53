//! Our own small HTTP/2 client on `h2`, for APNs.
//!
//! It exists because a pooled client hides what matters here: it queues requests above the stream
//! limit without bound, and turns a GOAWAY that says "not processed" into an error like any other.
//!
//! - A connection is made when one is needed and kept. `TCP_NODELAY` is on.
//! - On a new connection one request is let through; after the first accepted one, as many as the
//!   peer's SETTINGS allow, at most [`Limits::in_flight`]. The rest wait, within their time limit.
//! - PING at [`Limits::ping_every`], and at once after a time-out; a connection that does not answer
//!   within [`Limits::ping_patience`] is dropped, so that a half-open one is noticed.
//! - GOAWAY, a closed connection or [`Http2::retire`] lead to a new one with the next request;
//!   streams that the peer still processes are left to end on the old one.
//! - [`Lost::Unknown`] is said only of requests that were handed to a connection and that the peer
//!   did not declare unprocessed (RFC 9113, 6.8 and 8.7).
//!
//! `tests/channel_apns.rs` proves each of these.

mod connection;
mod dial;

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::sync::Mutex;

use self::{connection::Connection, dial::Target};
use super::{
    ChannelError, Lost,
    answer::{Answer, BODY_LIMIT},
    tls,
};
use crate::clock::Stopwatch;

/// Number of a connection; later ones have higher numbers, over all endpoints of the process.
pub(super) type ConnectionId = u64;

/// The next connection's number.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// How often a request that has not left yet may find its connection closing and look for another.
const RECONNECTS: usize = 3;

/// What a connection may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// One request, connecting and waiting included.
    pub(super) request: Duration,
    /// Requests in flight on the connection, whatever the peer allows.
    pub(super) in_flight: usize,
    /// Between two PINGs.
    pub(super) ping_every: Duration,
    /// For the answer to a PING.
    pub(super) ping_patience: Duration,
}

/// One endpoint and the connection to it.
#[derive(Debug)]
pub(super) struct Http2 {
    target: Target,
    limits: Limits,
    /// Held while connecting, so that all wait for one connection instead of making many.
    current: Mutex<Option<Arc<Connection>>>,
    /// The same connection, for [`Http2::slots`], which must not wait.
    shown: std::sync::Mutex<Option<Arc<Connection>>>,
}

impl Http2 {
    /// A client for `endpoint`, which was checked already. Connects nothing yet.
    pub(super) fn new(
        endpoint: &url::Url,
        extra_ca: Option<&[u8]>,
        limits: Limits,
    ) -> Result<Self, ChannelError> {
        let tls = match endpoint.scheme() {
            "https" => Some(tls::client_config(extra_ca, &["h2"])?),
            _ => None,
        };
        Ok(Self {
            target: Target::new(endpoint, tls)?,
            limits,
            current: Mutex::default(),
            shown: std::sync::Mutex::default(),
        })
    }

    /// How many requests may be in flight now.
    pub(super) fn slots(&self) -> usize {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match shown.as_deref() {
            Some(connection) if connection.is_open() => connection.limit(),
            _ => 1,
        }
    }

    /// Takes the connection out of use, if it is still the current one. Its streams may end.
    pub(super) async fn retire(&self, id: ConnectionId) {
        let mut current = self.current.lock().await;
        if current
            .as_ref()
            .is_some_and(|connection| connection.id == id)
        {
            *current = None;
            self.show(None);
        }
    }

    /// Sends one request and reads its answer, within the time limit; nothing is sent once it is of
    /// no use any more.
    pub(super) async fn request(
        &self,
        request: &Request<()>,
        body: Bytes,
        useful_for: Duration,
    ) -> Result<(Answer, ConnectionId), Lost> {
        let progress = Progress::until(useful_for);
        let time_is_up = tokio::time::sleep(self.limits.request);
        // The clock first: a process that was frozen must not go on with what is over.
        tokio::select! {
            biased;
            () = time_is_up => Err(self.timed_out(&progress)),
            outcome = self.exchange(request, body, &progress) => outcome,
        }
    }

    async fn exchange(
        &self,
        request: &Request<()>,
        body: Bytes,
        progress: &Progress,
    ) -> Result<(Answer, ConnectionId), Lost> {
        for _ in 0..RECONNECTS {
            let connection = self.connection().await?;
            progress.connected.store(connection.id, Ordering::Relaxed);
            let _place = connection.place().await;
            if progress.is_too_late() {
                return Err(Lost::TooLate);
            }
            let Ok(response) = connection.send(request, body.clone()).await else {
                self.retire(connection.id).await;
                continue;
            };
            progress.sent.store(true, Ordering::Relaxed);
            let answer = self.answer(&connection, response).await?;
            return Ok((answer, connection.id));
        }
        Err(Lost::NotProcessed("goaway"))
    }

    /// The answer's head, and its body up to the limit. A refusal whose body breaks off is judged
    /// by its status; an acceptance that breaks off is not believed.
    async fn answer(
        &self,
        connection: &Connection,
        response: h2::client::ResponseFuture,
    ) -> Result<Answer, Lost> {
        let (head, mut stream) = match response.await {
            Ok(response) => response.into_parts(),
            Err(error) => {
                let lost = Lost::by_h2(&error);
                if error.is_go_away() || error.is_io() {
                    self.retire(connection.id).await;
                }
                return Err(lost);
            }
        };
        // Half of the request's time, so that a refusal whose body drips is still judged.
        let mut body = Vec::new();
        let reading = read(&mut stream, &mut body);
        let complete = tokio::time::timeout(self.limits.request / 2, reading)
            .await
            .unwrap_or(false);
        if head.status.is_success() && !complete {
            return Err(Lost::Unknown("answer_broke_off"));
        }
        if head.status == StatusCode::OK {
            connection.warm();
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// The current connection, or a new one.
    async fn connection(&self) -> Result<Arc<Connection>, Lost> {
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Arc::clone(connection));
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection::open(id, &self.target, self.limits).await?);
        *current = Some(Arc::clone(&connection));
        self.show(Some(Arc::clone(&connection)));
        Ok(connection)
    }

    fn timed_out(&self, progress: &Progress) -> Lost {
        let id = progress.connected.load(Ordering::Relaxed);
        if id == 0 {
            return Lost::Unreachable("connect_timeout".to_owned());
        }
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = shown.as_ref().filter(|connection| connection.id == id) {
            connection.suspect();
        }
        if progress.sent.load(Ordering::Relaxed) {
            Lost::Unknown("timeout")
        } else {
            Lost::NotProcessed("no_free_stream")
        }
    }

    fn show(&self, connection: Option<Arc<Connection>>) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}

/// How far a request had come when its time was up.
#[derive(Debug)]
struct Progress {
    begun: Stopwatch,
    useful_for: Duration,
    /// The connection it was on; 0 for none yet.
    connected: AtomicU64,
    /// Whether it was handed to that connection.
    sent: AtomicBool,
}

impl Progress {
    fn until(useful_for: Duration) -> Self {
        Self {
            begun: Stopwatch::start(),
            useful_for,
            connected: AtomicU64::new(0),
            sent: AtomicBool::new(false),
        }
    }

    /// Whether connecting and waiting for a place took so long that sending is of no use.
    fn is_too_late(&self) -> bool {
        self.begun.elapsed() >= self.useful_for
    }
}

/// Reads up to [`BODY_LIMIT`]; dropping the stream resets the rest. Whether it came to its end
/// (or to the limit).
async fn read(stream: &mut h2::RecvStream, body: &mut Vec<u8>) -> bool {
    while let Some(chunk) = stream.data().await {
        let Ok(chunk) = chunk else {
            return false;
        };
        let kept = chunk.len().min(BODY_LIMIT - body.len());
        body.extend_from_slice(&chunk[..kept]);
        if body.len() == BODY_LIMIT {
            break;
        }
        // Fails only on a stream that is gone, and then the next read says so.
        let _ = stream.flow_control().release_capacity(chunk.len());
    }
    true
}
