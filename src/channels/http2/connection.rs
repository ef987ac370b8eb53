//! One connection: how many requests it carries, and whether its peer is still there.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Ping, PingPong,
    client::{ResponseFuture, SendRequest},
};
use http::Request;
use tokio::{sync::Notify, task::JoinHandle};

use super::{ConnectionId, Limits, dial::Target};
use crate::channels::Lost;

/// An open HTTP/2 connection and the task that drives it.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    sender: SendRequest<Bytes>,
    most: usize,
    /// Whether a request was accepted on it. Until then it carries one at a time.
    warm: AtomicBool,
    in_flight: std::sync::Mutex<usize>,
    freed: Notify,
    suspected: Arc<Notify>,
    driver: JoinHandle<()>,
}

/// The connection takes no more requests; this one did not leave.
#[derive(Debug)]
pub(super) struct Unsent;

/// A request's place among those in flight.
pub(super) struct Place<'c>(&'c Connection);

impl Connection {
    /// Connects and starts to speak HTTP/2.
    pub(super) async fn open(
        id: ConnectionId,
        target: &Target,
        limits: Limits,
    ) -> Result<Self, Lost> {
        let wire = target.connect().await?;
        let (sender, mut connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_max_send_streams(1)
            .handshake::<_, Bytes>(wire)
            .await
            .map_err(|error| Lost::Unreachable(format!("HTTP/2 handshake: {error}")))?;
        let suspected = Arc::new(Notify::new());
        let pings = connection.ping_pong();
        let doubts = Arc::clone(&suspected);
        let driver = tokio::spawn(async move {
            // Whichever ends first: dropping the connection fails the requests still on it.
            tokio::select! {
                _ = connection => {}
                () = watch(pings, &doubts, limits.ping_every, limits.ping_patience) => {}
            }
        });
        Ok(Self {
            id,
            sender,
            most: limits.in_flight.max(1),
            warm: AtomicBool::new(false),
            in_flight: std::sync::Mutex::new(0),
            freed: Notify::new(),
            suspected,
            driver,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.driver.is_finished()
    }

    /// How many requests it carries now. Never zero: a peer that allows no stream at all is
    /// waited for by one request, not by none.
    pub(super) fn limit(&self) -> usize {
        if self.warm.load(Ordering::Relaxed) {
            self.sender.current_max_send_streams().clamp(1, self.most)
        } else {
            1
        }
    }

    /// A request was accepted: more may go.
    pub(super) fn warm(&self) {
        if !self.warm.swap(true, Ordering::Relaxed) {
            self.freed.notify_waiters();
        }
    }

    /// A request got no answer in time: asks the peer whether it is still there.
    pub(super) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Waits until one more request may be in flight.
    pub(super) async fn place(&self) -> Place<'_> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Listens before it looks, so that no place is missed between the two.
            freed.as_mut().enable();
            if let Some(place) = self.try_place() {
                return place;
            }
            freed.await;
        }
    }

    fn try_place(&self) -> Option<Place<'_>> {
        let mut in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // On a connection that has closed there is room for all: they learn of it by sending.
        let room = *in_flight < self.limit() || !self.is_open();
        room.then(|| {
            *in_flight += 1;
            Place(self)
        })
    }

    /// Hands the request over. What fails here never left.
    pub(super) async fn send(
        &self,
        request: &Request<()>,
        body: Bytes,
    ) -> Result<ResponseFuture, Unsent> {
        let mut sender = self.sender.clone().ready().await.map_err(|_| Unsent)?;
        let (response, mut stream) = sender
            .send_request(request.clone(), body.is_empty())
            .map_err(|_| Unsent)?;
        if !body.is_empty() {
            // Fails only if the stream was reset already; then the response says so, and why.
            let _ = stream.send_data(body, true);
        }
        Ok(response)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let connection = self.0;
        let mut in_flight = connection
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *in_flight -= 1;
        drop(in_flight);
        connection.freed.notify_waiters();
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Ends when the peer leaves a PING unanswered.
async fn watch(pings: Option<PingPong>, doubts: &Notify, every: Duration, patience: Duration) {
    let Some(mut pings) = pings else {
        return std::future::pending().await;
    };
    loop {
        // A doubt is a reason to ask at once; without one, ask when the time has come.
        let _ = tokio::time::timeout(every, doubts.notified()).await;
        match tokio::time::timeout(patience, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
