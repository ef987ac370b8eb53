//! An ordinary HTTPS client, for FCM, its token endpoint and the presence API.
//!
//! It is a pooled client (`reqwest`: HTTP/2 where the peer offers it, else HTTP/1.1) with the
//! comforts switched off that would hide what happened: it follows no redirect, takes no proxy from
//! the environment, and sends nothing twice. The last is the point: a request that the peer declared
//! unprocessed comes back as [`Lost::NotProcessed`], and whoever called decides.
//!
//! [`Lost::Unknown`] is said only of requests that had a connection, whose answer did not come (or
//! broke off, if it was an acceptance) and that the peer did not declare unprocessed (RFC 9113, 6.8
//! and 8.7). `tests/channel_fcm.rs` proves it fault by fault.

use std::{error::Error, pin::Pin, time::Duration};

use reqwest::{Request, Response, redirect};
use tokio::time::Sleep;
use url::Url;

use super::{
    ChannelError, Lost,
    answer::{Answer, BODY_LIMIT},
    tls,
};

/// Between two PINGs on an HTTP/2 connection, so that a half-open one is noticed.
const PING_EVERY: Duration = Duration::from_secs(30);

/// For the answer to a PING.
const PING_PATIENCE: Duration = Duration::from_secs(10);

/// The client and its connections.
#[derive(Debug, Clone)]
pub(super) struct Web {
    client: reqwest::Client,
    limit: Duration,
    /// How many bytes of a body are read.
    body: usize,
}

impl Web {
    /// A client whose requests end within `limit`, connecting included. Connects nothing yet.
    pub(super) fn new(extra_ca: Option<&[u8]>, limit: Duration) -> Result<Self, ChannelError> {
        let tls = tls::client_config(extra_ca, &["h2", "http/1.1"])?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("shiftbell/", env!("CARGO_PKG_VERSION")))
            .tcp_nodelay(true)
            // Less than the whole, so that a time-out before sending is told from one after it.
            .connect_timeout(limit / 2)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PING_PATIENCE)
            .build()
            .map_err(|error| ChannelError::Client(root(&error)))?;
        Ok(Self {
            client,
            limit,
            body: BODY_LIMIT,
        })
    }

    /// The same, reading up to `bytes` of a body instead of [`BODY_LIMIT`].
    pub(super) fn reading(self, bytes: usize) -> Self {
        Self {
            body: bytes,
            ..self
        }
    }

    /// Starts the time of one exchange, for [`Web::send_until`].
    pub(super) fn deadline(&self) -> Sleep {
        tokio::time::sleep(self.limit)
    }

    /// Sends one request and reads its answer, within the time limit.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, Lost> {
        self.send_within(request, self.limit).await
    }

    /// The same within another limit.
    pub(super) async fn send_within(
        &self,
        request: Request,
        limit: Duration,
    ) -> Result<Answer, Lost> {
        let deadline = tokio::time::sleep(limit);
        tokio::pin!(deadline);
        self.send_until(request, deadline).await
    }

    /// The same until `deadline`. A refusal whose body breaks off is judged by its status; an
    /// acceptance that breaks off is not believed.
    pub(super) async fn send_until(
        &self,
        request: Request,
        mut deadline: Pin<&mut Sleep>,
    ) -> Result<Answer, Lost> {
        let host = host(request.url());
        // The clock first: a process that was frozen must not go on with what is over.
        let mut response = tokio::select! {
            biased;
            () = deadline.as_mut() => return Err(Lost::Unknown("timeout")),
            response = self.client.execute(request) => response.map_err(|error| lost(&error, &host))?,
        };
        let mut body = Vec::new();
        let whole = tokio::select! {
            whole = read(&mut response, &mut body, self.body) => whole,
            () = deadline => false,
        };
        if response.status().is_success() && !whole {
            return Err(Lost::Unknown("answer_broke_off"));
        }
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }
}

/// Reads up to `limit`; dropping the response ends the rest. Whether it came to its end (or
/// to the limit).
async fn read(response: &mut Response, body: &mut Vec<u8>, limit: usize) -> bool {
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return true,
            Err(_) => return false,
        };
        let kept = chunk.len().min(limit - body.len());
        body.extend_from_slice(&chunk[..kept]);
        if body.len() == limit {
            return true;
        }
    }
}

/// What became of a request that got no answer.
fn lost(error: &reqwest::Error, host: &str) -> Lost {
    if let Some(problem) = tls::untrusted(error) {
        return Lost::Untrusted(problem);
    }
    if error.is_connect() {
        return Lost::Unreachable(format!("cannot connect to {host}: {}", root(error)));
    }
    if cause::<hyper::Error>(error).is_some_and(hyper::Error::is_canceled) {
        // The connection closed while the request still stood in its queue.
        return Lost::NotProcessed("connection_closed");
    }
    cause::<h2::Error>(error).map_or(Lost::Unknown("connection_lost"), Lost::by_h2)
}

/// The first error of type `E` among `error` and its causes.
fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The innermost cause: the outer ones say no more than that a request failed, and some name the
/// URL, whose query is nobody's business.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}
