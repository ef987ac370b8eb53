//! The server under every stand-in: real sockets, real TLS, HTTP/2 and HTTP/1.1.
//!
//! It is built on `h2` itself, not on a framework, because the faults that matter happen below a
//! framework: a GOAWAY that names the last stream processed, a stream refused, a connection that
//! ends in the middle. Guarantee: a request that GOAWAY or `REFUSED_STREAM` declares unprocessed was
//! never judged, so a client that sends it again causes no second copy
//! (`tests/stand_ins/faults.rs`, `goaway_tells_the_truth`).

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use super::{
    SimError,
    body::AnswerBody,
    script::{Behaviour, Fault, Reason, Script},
    serve_h1, serve_h2,
};

/// The largest request body that is read; what is longer is cut off there.
pub(super) const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The rules of one receiver: what it makes of a request.
pub trait Receiver: Send + Sync + 'static {
    /// The script that may spoil this request.
    fn script(&self, request: &Request<Bytes>) -> &Script;

    /// What the request concerns, for rules about one subject: device tokens, agents, workspaces.
    fn subjects(&self, request: &Request<Bytes>) -> Vec<String>;

    /// Judges the request, records it, and says what to answer.
    fn judge(&self, request: Request<Bytes>) -> Reply;

    /// Records a request that a fault of this name struck before it was judged.
    fn unprocessed(&self, request: Request<Bytes>, fault: &'static str);
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers besides the length.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// How a server listens.
#[derive(Debug, Clone)]
pub struct Listen {
    /// TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// TLS settings; `None` for plain connections.
    pub tls: Option<Arc<ServerConfig>>,
    /// How many streams a client may have open on one HTTP/2 connection (announced in SETTINGS).
    pub max_concurrent_streams: u32,
}

/// What has come in over the network, below the level of single requests.
#[derive(Debug, Default)]
pub struct Traffic {
    connections: AtomicU64,
    open: AtomicU64,
    peak: AtomicU64,
}

impl Traffic {
    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    /// The largest number of requests that were open at the same time.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Acquire)
    }

    pub(super) fn begin(self: &Arc<Self>) -> Open {
        let open = self.open.fetch_add(1, Ordering::AcqRel) + 1;
        self.peak.fetch_max(open, Ordering::AcqRel);
        Open(Arc::clone(self))
    }
}

/// Counts one request as open for as long as it lives.
pub(super) struct Open(Arc<Traffic>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A running server. Dropping it closes its port and all its connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    secure: bool,
    traffic: Arc<Traffic>,
    listening: AbortHandle,
}

impl Server {
    /// Starts to listen. Must be called on a tokio runtime.
    pub async fn start(listen: Listen, receiver: Arc<dyn Receiver>) -> Result<Self, SimError> {
        let socket = SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port));
        let listener = TcpListener::bind(socket)
            .await
            .map_err(|source| SimError::Listen { socket, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| SimError::Listen { socket, source })?;
        let traffic = Arc::new(Traffic::default());
        let secure = listen.tls.is_some();
        let house = House {
            receiver,
            traffic: Arc::clone(&traffic),
            max_concurrent_streams: listen.max_concurrent_streams,
        };
        let tls = listen.tls.map(TlsAcceptor::from);
        let listening = tokio::spawn(accept(listener, tls, house)).abort_handle();
        Ok(Self {
            address,
            secure,
            traffic,
            listening,
        })
    }

    /// Where it listens, as a client is configured with it: `https://localhost:PORT`.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.address.port())
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has come in over the network.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// What each connection needs to know.
#[derive(Clone)]
pub(super) struct House {
    pub(super) receiver: Arc<dyn Receiver>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) max_concurrent_streams: u32,
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, house: House) {
    // Aborting this task drops the set, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error concerns one connection that is gone already, or file handles that run
                // short; the next one may be fine.
                let Ok((stream, _)) = accepted else { continue };
                house.traffic.connections.fetch_add(1, Ordering::AcqRel);
                connections.spawn(connection(stream, tls.clone(), house.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection. Its errors are the client's to notice; there is nobody to tell here.
async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, house: House) {
    // Small answers must not wait for the client's acknowledgement of the last one.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        if speaks_h2(&stream).await {
            serve_h2::serve(stream, house).await;
        } else {
            serve_h1::serve(stream, house).await;
        }
        return;
    };
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        serve_h2::serve(stream, house).await;
    } else {
        serve_h1::serve(stream, house).await;
    }
}

/// Whether a plain connection starts with the preface of HTTP/2 (RFC 9113, section 3.4).
async fn speaks_h2(stream: &TcpStream) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut start = [0; PREFACE.len()];
    loop {
        match stream.peek(&mut start).await {
            Ok(seen) if seen > 0 && PREFACE.starts_with(&start[..seen]) => {
                if seen == PREFACE.len() {
                    return true;
                }
                tokio::task::yield_now().await;
            }
            _ => return false,
        }
    }
}

/// What becomes of one request.
pub(super) enum Fate {
    /// This answer.
    Answer(StatusCode, HeaderMap, AnswerBody),
    /// This answer, and no further requests on the connection.
    LastAnswer(Reply),
    /// The stream is reset.
    Reset(Reason),
    /// The connection ends with a GOAWAY; whether the request itself was judged.
    GoAway { reason: Reason, judged: bool },
    /// The connection ends.
    Close,
    /// Nothing: the connection is on its way out, and the request was not judged.
    Dropped,
}

/// Decides on a request. `may_judge` is asked right before it is judged: on a connection that has
/// said that it will not, the answer is no.
pub(super) async fn decide(
    receiver: &dyn Receiver,
    request: Request<Bytes>,
    may_judge: impl FnOnce() -> bool,
) -> Fate {
    let script = receiver.script(&request);
    let behaviour = if script.is_empty() {
        None
    } else {
        script.strike(&receiver.subjects(&request))
    };
    if let Some(Behaviour::Instead(fault)) = behaviour {
        receiver.unprocessed(request, fault.name());
        return suffer(fault, false).await;
    }
    if !may_judge() {
        return Fate::Dropped;
    }
    let reply = receiver.judge(request);
    match behaviour {
        None | Some(Behaviour::Instead(_)) => {}
        Some(Behaviour::Accepted(fault)) => return suffer(fault, true).await,
        Some(Behaviour::Delay(by)) => tokio::time::sleep(by).await,
        Some(Behaviour::Hold(gate)) => gate.opened().await,
        Some(Behaviour::Run(action)) => {
            // A panic in a test's own action is shown by the panic hook; the answer still goes out.
            let _ = tokio::task::spawn_blocking(move || action()).await;
        }
        Some(Behaviour::LastOfConnection) => return Fate::LastAnswer(reply),
    }
    Fate::Answer(reply.status, reply.headers, AnswerBody::Whole(reply.body))
}

async fn suffer(fault: Fault, judged: bool) -> Fate {
    match fault {
        Fault::Answer {
            status,
            headers,
            body,
        } => Fate::Answer(status, headers, AnswerBody::Whole(body)),
        Fault::Hang => std::future::pending().await,
        Fault::Drip => Fate::Answer(StatusCode::OK, HeaderMap::new(), AnswerBody::drip()),
        Fault::Flood(size) => {
            Fate::Answer(StatusCode::OK, HeaderMap::new(), AnswerBody::Flood(size))
        }
        Fault::Reset(reason) => Fate::Reset(reason),
        Fault::GoAway(reason) => Fate::GoAway { reason, judged },
        Fault::Close => Fate::Close,
    }
}
