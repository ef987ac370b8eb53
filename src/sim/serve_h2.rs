//! One HTTP/2 connection.
//!
//! The stream's tasks judge; the connection's own task writes, and ends the connection when a task
//! asks for it. GOAWAY with a chosen last stream is written by hand after the `h2` connection is
//! gone, since `h2` always names the newest stream.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, SendStream, server::SendResponse};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::mpsc,
    task::JoinSet,
};

use super::{
    body::AnswerBody,
    script::Reason,
    server::{BODY_LIMIT, Fate, House, Open, decide},
};

/// What a stream asks of its connection.
enum Order {
    /// Take no more streams, finish those there are.
    Drain,
    /// End at once, without a word.
    Close,
    /// End with a GOAWAY that names this stream as the last that may have been processed.
    GoAway { last: u32, reason: Reason },
}

/// What a connection has committed itself to.
#[derive(Default)]
struct Promise {
    /// The highest stream that was judged.
    judged: AtomicU32,
    /// Nothing more is judged.
    ended: AtomicBool,
}

impl Promise {
    /// Claims the right to judge stream `id`. The claim is written before the end is looked for, and
    /// [`Promise::end`] does it the other way round: so whatever is judged is in the number it reads.
    fn may_judge(&self, id: u32) -> bool {
        self.judged.fetch_max(id, Ordering::SeqCst);
        !self.ended.load(Ordering::SeqCst)
    }

    /// Ends judging; answers with the last stream that may have been judged.
    fn end(&self) -> u32 {
        self.ended.store(true, Ordering::SeqCst);
        self.judged.load(Ordering::SeqCst)
    }
}

pub(super) async fn serve(io: impl AsyncRead + AsyncWrite + Unpin + Send, house: House) {
    let io = Shared(Arc::new(Mutex::new(io)));
    if let Some(Order::GoAway { last, reason }) = streams(io.clone(), house).await {
        // The client may be gone already, which is no concern of ours.
        let _ = go_away(io, last, reason).await;
    }
}

/// Serves streams until the client leaves or one of them ends the connection.
async fn streams<T>(io: Shared<T>, house: House) -> Option<Order>
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut connection = h2::server::Builder::new()
        .max_concurrent_streams(house.max_concurrent_streams)
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 22)
        .handshake::<_, Bytes>(io)
        .await
        .ok()?;
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let promise = Arc::new(Promise::default());
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(order) = ordered.recv() => match order {
                Order::Drain => connection.graceful_shutdown(),
                last_word => return Some(last_word),
            },
            Some(_) = running.join_next() => {}
            accepted = connection.accept() => {
                let (request, respond) = accepted?.ok()?;
                running.spawn(stream(Stream {
                    id: respond.stream_id().as_u32(),
                    open: house.traffic.begin(),
                    house: house.clone(),
                    promise: Arc::clone(&promise),
                    orders: orders.clone(),
                    respond,
                }, request));
            }
        }
    }
}

/// One stream, and what it needs of its connection.
struct Stream {
    id: u32,
    open: Open,
    house: House,
    promise: Arc<Promise>,
    orders: mpsc::UnboundedSender<Order>,
    respond: SendResponse<Bytes>,
}

async fn stream(mut this: Stream, request: Request<RecvStream>) {
    let (head, body) = request.into_parts();
    let Ok(body) = read(body).await else {
        return;
    };
    let request = Request::from_parts(head, body);
    let (id, promise) = (this.id, Arc::clone(&this.promise));
    let fate = decide(&*this.house.receiver, request, || promise.may_judge(id)).await;
    // An error below means that the client has gone, or that the connection is about to end.
    match fate {
        Fate::Answer(status, headers, body) => {
            let _ = answer(&mut this.respond, status, headers, body).await;
        }
        Fate::LastAnswer(reply) => {
            let _ = this.orders.send(Order::Drain);
            let body = AnswerBody::Whole(reply.body);
            let _ = answer(&mut this.respond, reply.status, reply.headers, body).await;
        }
        Fate::Reset(reason) => this.respond.send_reset(reason),
        Fate::GoAway { reason, judged } => {
            let highest = promise.end();
            let before = if judged { id } else { id.saturating_sub(2) };
            let last = highest.max(before);
            let _ = this.orders.send(Order::GoAway { last, reason });
            std::future::pending::<()>().await;
        }
        Fate::Close => {
            promise.end();
            let _ = this.orders.send(Order::Close);
            std::future::pending::<()>().await;
        }
        Fate::Dropped => std::future::pending().await,
    }
    drop(this.open);
}

async fn read(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        if whole.is_empty() && body.is_end_stream() {
            return Ok(chunk);
        }
        let room = BODY_LIMIT - whole.len();
        whole.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(whole.freeze())
}

async fn answer(
    respond: &mut SendResponse<Bytes>,
    status: http::StatusCode,
    headers: http::HeaderMap,
    body: AnswerBody,
) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    match body {
        AnswerBody::Whole(bytes) => {
            let mut send = respond.send_response(response, bytes.is_empty())?;
            if !bytes.is_empty() {
                send.send_data(bytes, true)?;
            }
            Ok(())
        }
        endless => {
            let send = respond.send_response(response, false)?;
            pour(send, endless).await
        }
    }
}

/// Sends a long body as fast as the client takes it.
async fn pour(mut send: SendStream<Bytes>, mut body: AnswerBody) -> Result<(), h2::Error> {
    while let Some(frame) = body.frame().await {
        let Some(mut chunk) = frame.ok().and_then(|frame| frame.into_data().ok()) else {
            break;
        };
        while !chunk.is_empty() {
            send.reserve_capacity(chunk.len());
            let Some(room) = std::future::poll_fn(|context| send.poll_capacity(context)).await
            else {
                return Ok(());
            };
            let room = room?.min(chunk.len());
            send.send_data(chunk.split_to(room), false)?;
        }
    }
    send.send_data(Bytes::new(), true)
}

/// Writes a GOAWAY frame (RFC 9113, section 6.8) with the body Apple gives it, and says goodbye.
async fn go_away(
    mut io: impl AsyncRead + AsyncWrite + Unpin,
    last: u32,
    reason: Reason,
) -> io::Result<()> {
    let debug = br#"{"reason":"Shutdown"}"#;
    let mut frame = Vec::with_capacity(17 + debug.len());
    frame.extend_from_slice(&(8 + debug.len() as u32).to_be_bytes()[1..]);
    frame.extend_from_slice(&[0x7, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(&last.to_be_bytes());
    frame.extend_from_slice(&u32::from(reason).to_be_bytes());
    frame.extend_from_slice(debug);
    io.write_all(&frame).await?;
    io.shutdown().await?;
    // Closing a socket that holds unread bytes would make the kernel send a reset, and the client
    // might never read the GOAWAY: so read what still comes, for a while.
    let mut rest = [0; 4096];
    let leave = async { while io.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    let _ = tokio::time::timeout(Duration::from_secs(5), leave).await;
    Ok(())
}

/// The connection's socket, which outlives `h2`'s hold on it.
struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Shared<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_read(context, into)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Shared<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.lock().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(context)
    }
}
