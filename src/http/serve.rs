//! Connections and their bounds.
//!
//! At most [`MOST_CONNECTIONS`] at a time; further ones wait in the kernel's queue. A connection
//! takes requests for [`CONNECTION_TIMEOUT`]; the last of them then has [`LAST_ANSWER`], which also
//! ends clients that read a byte a second. Headers have to arrive within [`HEADER_TIMEOUT`], at most [`MOST_HEADERS`] of them in
//! [`HEADER_BYTES`]. A body is refused beyond [`BODY_BYTES`].

use std::{io, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) const HANDLER_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(2);
const LAST_ANSWER: Duration = Duration::from_secs(20);
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const MOST_CONNECTIONS: usize = 64;
const MOST_HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 << 10;
const BODY_BYTES: usize = 1 << 20;

/// Serves `router` on `listener` until `shutdown`, then answers what is under way and ends.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let router = router.layer(DefaultBodyLimit::max(BODY_BYTES));
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let connections = TaskTracker::new();
    let accepting = async {
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = connection(stream, router.clone(), shutdown.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => pause_after(&error).await,
            }
        }
    };
    shutdown.run_until_cancelled(accepting).await;
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection<S>(stream: S, router: Router, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MOST_HEADERS)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let whole = async {
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended,
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(CONNECTION_TIMEOUT) => {}
        }
        serving.as_mut().graceful_shutdown();
        serving.await
    };
    // A client that hung up or dawdled is its own affair, worth a line only when one looks for it.
    match tokio::time::timeout(CONNECTION_TIMEOUT + LAST_ANSWER, whole).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "connection ended badly"),
        Err(_) => tracing::debug!("connection closed: open for too long"),
    }
}

/// Out of file descriptors, most likely: accepting again at once would only spin.
async fn pause_after(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// An answer without a body.
    async fn answer(client: &mut tokio::io::DuplexStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_connection_answers_what_is_under_way_and_takes_no_more() {
        let slow = async || tokio::time::sleep(Duration::from_secs(9)).await;
        let router = Router::new().route("/", get(slow));
        let (mut client, server) = tokio::io::duplex(1 << 16);
        tokio::spawn(connection(server, router, CancellationToken::new()));
        // The fourteenth is asked for 117 seconds after the first, and answered after 126.
        for n in 1..=14 {
            client.write_all(REQUEST).await.unwrap();
            let answer = answer(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{n}: {answer}");
            assert_eq!(
                answer.contains("connection: close"),
                n == 14,
                "{n}: {answer}"
            );
        }
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    }
}
