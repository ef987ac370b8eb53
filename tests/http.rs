//! The listener as a client on a plain socket sees it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics_exporter_prometheus::PrometheusBuilder;
use shiftbell::{
    http::{Check, Health, health_routes, probe, serve},
    lifecycle::Progress,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

struct Running {
    address: std::net::SocketAddr,
    ready: Arc<AtomicBool>,
    /// `/readyz` says when it was asked, and answers once it may.
    asked: Arc<Notify>,
    may_answer: Arc<Semaphore>,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
}

async fn start(stale_after: Duration) -> Running {
    let ready = Arc::new(AtomicBool::new(true));
    let asked = Arc::new(Notify::new());
    let may_answer = Arc::new(Semaphore::new(1));
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        metrics::gauge!("shiftbell_plans_stale").set(2.0);
    });
    let (r, a, m) = (ready.clone(), asked.clone(), may_answer.clone());
    let health = Health {
        progress: Progress::new(),
        stale_after,
        ready: Arc::new(move || {
            let (ready, asked, may_answer) = (r.clone(), a.clone(), m.clone());
            Box::pin(async move {
                asked.notify_one();
                let _permit = may_answer.acquire().await;
                let ok = ready.load(Ordering::Relaxed);
                let detail = (!ok).then(|| "unreachable".to_owned());
                vec![
                    Check {
                        name: "migrations".to_owned(),
                        ok: true,
                        detail: None,
                    },
                    Check {
                        name: "database".to_owned(),
                        ok,
                        detail,
                    },
                ]
            })
        }),
        metrics: recorder.handle(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(serve(listener, health_routes(health), shutdown.clone()));
    Running {
        address,
        ready,
        asked,
        may_answer,
        shutdown,
        server,
    }
}

impl Running {
    /// Sends `request` and reads until the server closes.
    async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        // The server may close before it has read everything; its answer is what counts.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).expect("text")
    }

    async fn request(&self, method: &str, path: &str) -> String {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        self.raw(request.as_bytes()).await
    }
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn livez_says_whether_the_loop_turns() {
    let running = start(MINUTE).await;
    let answer = running.request("GET", "/livez").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"alive\":true"), "{answer}");
    let hanging = start(Duration::ZERO).await;
    let answer = hanging.request("GET", "/livez").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\"alive\":false"), "{answer}");
}

#[tokio::test]
async fn readyz_names_each_check() {
    let running = start(MINUTE).await;
    let answer = running.request("GET", "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.ends_with(
        r#"{"ready":true,"checks":[{"name":"migrations","ok":true},{"name":"database","ok":true}]}"#
    ));
    running.ready.store(false, Ordering::Relaxed);
    let answer = running.request("GET", "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.contains(r#"{"name":"database","ok":false,"detail":"unreachable"}"#),
        "{answer}"
    );
}

#[tokio::test]
async fn a_probe_tells_health_from_sickness_and_from_nobody_there() {
    let running = start(MINUTE).await;
    let (well, body) = probe(running.address, "/livez").await.expect("an answer");
    assert!(well && body.contains("\"alive\":true"), "{body}");
    running.ready.store(false, Ordering::Relaxed);
    let (well, body) = probe(running.address, "/readyz").await.expect("an answer");
    assert!(!well && body.contains("unreachable"), "{body}");
    running.shutdown.cancel();
    running.server.await.expect("the server ends");
    assert!(probe(running.address, "/livez").await.is_err());
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let running = start(MINUTE).await;
    let answer = running.request("GET", "/metrics").await;
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4"),
        "{answer}"
    );
    assert!(answer.contains("\nshiftbell_plans_stale 2\n"), "{answer}");
    assert!(answer.contains("cache-control: no-store"), "{answer}");
}

#[tokio::test]
async fn errors_are_problems() {
    let running = start(MINUTE).await;
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/livez/", 404),
        ("GET", "/metrics%00", 404),
        ("POST", "/livez", 405),
        ("DELETE", "/metrics", 405),
    ] {
        let answer = running.request(method, path).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(
            answer.contains("content-type: application/problem+json"),
            "{answer}"
        );
        assert!(answer.contains(&format!("\"status\":{status}")), "{answer}");
        assert_eq!(
            answer.contains("allow: GET,HEAD"),
            status == 405,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn headers_have_bounds() {
    let running = start(MINUTE).await;
    let many = format!("GET /livez HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    let answer = running.raw(many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long = format!("GET /livez HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(20_000));
    let answer = running.raw(long.as_bytes()).await;
    assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = running.raw(b"not http at all\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn shutdown_answers_what_is_under_way_and_ends_idle_connections() {
    let running = start(MINUTE).await;
    let Running {
        address,
        asked,
        may_answer,
        shutdown,
        server,
        ..
    } = running;
    let held = may_answer.clone().acquire_owned().await.expect("open");
    let _idle = TcpStream::connect(address).await.expect("a connection");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("sent");
    asked.notified().await;
    shutdown.cancel();
    drop(held);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.await.expect("the server ends");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dawdles_is_hung_up_on() {
    let running = start(MINUTE).await;
    let mut stream = TcpStream::connect(running.address)
        .await
        .expect("a connection");
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost:")
        .await
        .expect("sent");
    // The clock is paused: it leaps to the time-out as soon as nobody has anything else to do.
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}
