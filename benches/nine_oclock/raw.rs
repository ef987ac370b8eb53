//! The raw limit: a bare HTTP/2 client that sends the worker's requests to the same stand-ins.
//!
//! It has no database, no leases, no log and judges nothing but the status, so nothing that keeps
//! its promises can be faster on this machine. Each request has an id and a token of its own, so
//! that header compression saves no more than it does for the worker.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use ring::hmac;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde::Serialize;
use shiftbell::clock::Stopwatch;
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;
use url::Url;

use crate::{
    desk::{Sample, Seen},
    process, stage,
    stand_ins::Address,
    team,
};

/// Requests a second.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Limits {
    pub(crate) apns: f64,
    pub(crate) fcm: f64,
    /// APNs and FCM at once, half each: what the worker's pushes are held against.
    pub(crate) pushes: f64,
    pub(crate) batches: f64,
    /// Status changes a second, in batches as large as the worker's largest.
    pub(crate) events: f64,
    /// CPU seconds of the bare client and the stand-ins for 1,000 pushes.
    pub(crate) cpu: f64,
}

/// How the bare client sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means {
    /// Connections to each receiver.
    pub(crate) connections: usize,
    /// Requests under way on each.
    pub(crate) streams: usize,
}

/// So many pushes at least, or the start alone would be measured.
const LEAST: u64 = 100_000;
/// The best of so many counts: this is a limit.
const ROUNDS: usize = 3;

/// Measures at least `pushes` pushes, and as many status changes in batches. `stand_ins`: their
/// process.
pub(crate) async fn measure(
    address: &Address,
    folder: &Path,
    seen: &Seen,
    pushes: u64,
    stand_ins: u32,
    means: Means,
) -> anyhow::Result<Limits> {
    let tls = tls(&address.ca)?;
    let apns = Kind::Apns(sample(seen.apns.sample.as_ref())?);
    let fcm = Kind::Fcm(sample(seen.fcm.sample.as_ref())?, project(folder)?);
    let presence = Kind::presence(sample(seen.presence.sample.as_ref())?, folder)?;
    let in_batch = presence.body().matches("\"sequence\"").count() as f64;
    let apns = Target::new(apns, &address.apns, &tls)?;
    let fcm = Target::new(fcm, &address.fcm, &tls)?;
    let presence = Target::new(presence, &address.presence, &tls)?;
    let pushes = pushes.max(LEAST);
    let half = pushes / 2;
    let apns_rate = rate(&[(&apns, half)], means).await?;
    let fcm_rate = rate(&[(&fcm, half)], means).await?;
    let cpu = || process::cpu(std::process::id()) + process::cpu(stand_ins);
    let before = cpu();
    let pushes_rate = rate(&[(&apns, half), (&fcm, half)], means).await?;
    let cpu = (cpu() - before) / (ROUNDS as f64 * 2.0 * half as f64) * 1000.0;
    let batches = (pushes as f64 / in_batch).ceil() as u64;
    let batch_rate = rate(&[(&presence, batches)], means).await?;
    Ok(Limits {
        apns: apns_rate,
        fcm: fcm_rate,
        pushes: pushes_rate,
        batches: batch_rate,
        events: batch_rate * in_batch,
        cpu,
    })
}

fn sample(seen: Option<&Sample>) -> anyhow::Result<Sample> {
    seen.cloned().context("the worker sent nothing to imitate")
}

/// What is sent.
enum Kind {
    Apns(Sample),
    Fcm(Sample, String),
    Presence(Sample),
}

impl Kind {
    /// Signed once: the receiver verifies each request all the same.
    fn presence(sample: Sample, folder: &Path) -> anyhow::Result<Self> {
        let secret = std::fs::read_to_string(folder.join("presence.secret"))?;
        let secret = secret
            .trim()
            .strip_prefix("whsec_")
            .context("the secret's form")?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret)?);
        let (id, at) = (uuid::Uuid::nil(), stage::now().as_second());
        let tag = hmac::sign(&key, format!("{id}.{at}.{}", sample.body).as_bytes());
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_string()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", format!("v1,{}", STANDARD.encode(tag))),
        ];
        let headers = headers
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec();
        Ok(Self::Presence(Sample { headers, ..sample }))
    }

    fn body(&self) -> &str {
        let (Self::Apns(sample) | Self::Fcm(sample, _) | Self::Presence(sample)) = self;
        &sample.body
    }

    fn request(&self, url: &Url, n: u64) -> anyhow::Result<Request<()>> {
        let base = url.as_str().trim_end_matches('/');
        let (uri, sample) = match self {
            Self::Apns(sample) => (format!("{base}/3/device/{}", team::apple_token(n)), sample),
            Self::Fcm(sample, project) => (
                format!("{base}/v1/projects/{project}/messages:send"),
                sample,
            ),
            Self::Presence(sample) => (base.to_owned(), sample),
        };
        let mut request = Request::post(uri);
        for (name, value) in &sample.headers {
            request = match name.as_str() {
                "apns-id" => request.header("apns-id", uuid::Uuid::from_u64_pair(n, n).to_string()),
                _ => request.header(name, value),
            };
        }
        Ok(request.body(())?)
    }
}

struct Target {
    kind: Arc<Kind>,
    url: Url,
    tls: Arc<ClientConfig>,
}

impl Target {
    fn new(kind: Kind, url: &str, tls: &Arc<ClientConfig>) -> anyhow::Result<Self> {
        Ok(Self {
            kind: Arc::new(kind),
            url: url.parse()?,
            tls: Arc::clone(tls),
        })
    }
}

/// The best of several rounds.
async fn rate(targets: &[(&Target, u64)], means: Means) -> anyhow::Result<f64> {
    let mut best: f64 = 0.0;
    for _ in 0..ROUNDS {
        best = best.max(round(targets, means).await?);
    }
    Ok(best)
}

/// Sends so many requests to each target at once; requests a second in sum.
async fn round(targets: &[(&Target, u64)], means: Means) -> anyhow::Result<f64> {
    let mut lanes = JoinSet::new();
    let mut ready = Vec::new();
    for (target, count) in targets {
        let left = Arc::new(AtomicU64::new(*count));
        for _ in 0..means.connections {
            ready.push((*target, connect(target).await?, Arc::clone(&left)));
        }
    }
    let watch = Stopwatch::start();
    for (target, connection, left) in ready {
        for _ in 0..means.streams {
            let lane = lane(
                Arc::clone(&target.kind),
                target.url.clone(),
                connection.clone(),
                Arc::clone(&left),
            );
            lanes.spawn(lane);
        }
    }
    while let Some(ended) = lanes.join_next().await {
        ended??;
    }
    let sent: u64 = targets.iter().map(|(_, count)| count).sum();
    Ok(sent as f64 / watch.elapsed().as_secs_f64())
}

/// Sends one request after the other until none is left.
async fn lane(
    kind: Arc<Kind>,
    url: Url,
    mut connection: SendRequest<Bytes>,
    left: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let body = Bytes::copy_from_slice(kind.body().as_bytes());
    let take = |left: u64| left.checked_sub(1);
    while let Ok(n) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
        connection = connection.ready().await?;
        let request = kind.request(&url, n)?;
        let (response, mut stream) = connection.send_request(request, false)?;
        stream.send_data(body.clone(), true)?;
        let (head, mut answer) = response.await?.into_parts();
        ensure!(head.status.is_success(), "answered {}", head.status);
        while let Some(chunk) = answer.data().await {
            let length = chunk?.len();
            let _ = answer.flow_control().release_capacity(length);
        }
    }
    Ok(())
}

async fn connect(target: &Target) -> anyhow::Result<SendRequest<Bytes>> {
    let Some(port) = target.url.port() else {
        bail!("{} has no port", target.url);
    };
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let host = target.url.host_str().context("no host")?.to_owned();
    let stream = TlsConnector::from(Arc::clone(&target.tls))
        .connect(ServerName::try_from(host)?, stream)
        .await?;
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(1 << 22)
        .handshake(stream)
        .await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn tls(ca: &Path) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn project(folder: &Path) -> anyhow::Result<String> {
    let account = std::fs::read(folder.join("service-account.json"))?;
    let account: serde_json::Value = serde_json::from_slice(&account)?;
    Ok(account["project_id"]
        .as_str()
        .context("no project_id")?
        .to_owned())
}
