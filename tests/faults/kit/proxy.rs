//! A TCP proxy that misbehaves on demand, between the worker and a database or a receiver.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

/// What it does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Hands them on.
    Pass,
    /// Takes connections and hands on nothing, in either direction.
    Hold,
    /// Hands each chunk on a while later.
    Slow(Duration),
    /// Closes every connection, new ones too.
    Cut,
    /// Hands a COMMIT on and closes before its answer.
    LoseCommits,
}

/// Where the bytes go.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A listener on loopback.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    mode: watch::Sender<Mode>,
    /// Chunks held or slowed, connections cut, answers lost.
    struck: Arc<AtomicU64>,
}

impl Target {
    /// Where the URL of a stand-in leads.
    pub(crate) fn of(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        Self::Tcp(([127, 0, 0, 1], url.port().unwrap()).into())
    }
}

impl Proxy {
    /// Starts one before a stand-in; with the variable that leads a worker to it instead of to
    /// `url`, which `key` names in the configuration.
    pub(crate) async fn on_the_way(key: &'static str, url: &str) -> (Self, (&'static str, String)) {
        let proxy = Self::before(Target::of(url)).await;
        let mut detour = url::Url::parse(url).unwrap();
        detour.set_port(Some(proxy.port)).unwrap();
        (proxy, (key, detour.to_string()))
    }

    /// The same before the Postgres whose socket this is.
    pub(crate) async fn before_postgres(
        socket: PathBuf,
        url: &str,
    ) -> (Self, (&'static str, String)) {
        let proxy = Self::before(Target::Unix(socket)).await;
        let (user, rest) = url.split_once('@').unwrap();
        let database = rest.split(['/', '?']).nth(1).unwrap();
        let detour = format!("{user}@127.0.0.1:{}/{database}", proxy.port);
        (proxy, ("SHIFTBELL__DATABASE__URL", detour))
    }

    /// Starts one before `target`, in [`Mode::Pass`].
    pub(crate) async fn before(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            mode: watch::Sender::new(Mode::Pass),
            struck: Arc::default(),
        };
        let itself = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(itself.clone().carry(client, target.clone()));
            }
        });
        proxy
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How often it misbehaved.
    pub(crate) fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    async fn carry(self, client: TcpStream, target: Target) {
        if *self.mode.borrow() == Mode::Cut {
            self.strike();
            return;
        }
        client.set_nodelay(true).unwrap();
        let (from_client, to_client) = client.into_split();
        let commit = AtomicBool::new(false);
        match target {
            Target::Tcp(address) => {
                let Ok(server) = TcpStream::connect(address).await else {
                    return;
                };
                let (from, to) = server.into_split();
                self.both(from_client, to_client, from, to, &commit).await;
            }
            Target::Unix(path) => {
                let Ok(server) = UnixStream::connect(path).await else {
                    return;
                };
                let (from, to) = server.into_split();
                self.both(from_client, to_client, from, to, &commit).await;
            }
        }
    }

    async fn both(
        &self,
        from_client: impl AsyncRead + Unpin,
        to_client: impl AsyncWrite + Unpin,
        from_server: impl AsyncRead + Unpin,
        to_server: impl AsyncWrite + Unpin,
        commit: &AtomicBool,
    ) {
        // The first to end takes the other along, and both connections close.
        tokio::select! {
            () = self.there(from_client, to_server, commit) => {}
            () = self.back(from_server, to_client, commit) => {}
            () = self.turns(Mode::Cut) => self.strike(),
        }
    }

    async fn there(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        commit: &AtomicBool,
    ) {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut chunk).await {
            self.pass().await;
            let chunk = &chunk[..length];
            if *self.mode.borrow() == Mode::LoseCommits && holds(chunk, b"COMMIT") {
                commit.store(true, Ordering::Relaxed);
            }
            if to.write_all(chunk).await.is_err() {
                return;
            }
        }
    }

    async fn back(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        commit: &AtomicBool,
    ) {
        let mut chunk = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut chunk).await {
            self.pass().await;
            if commit.load(Ordering::Relaxed) {
                self.strike();
                return;
            }
            if to.write_all(&chunk[..length]).await.is_err() {
                return;
            }
        }
    }

    /// Waits for as long as bytes are held or slowed.
    async fn pass(&self) {
        let mut mode = self.mode.subscribe();
        let now = *mode.borrow();
        match now {
            Mode::Slow(by) => {
                self.strike();
                tokio::time::sleep(by).await;
            }
            Mode::Hold => {
                self.strike();
                // The sender lives in `self`.
                let _ = mode.wait_for(|mode| *mode != Mode::Hold).await;
            }
            Mode::Pass | Mode::Cut | Mode::LoseCommits => {}
        }
    }

    async fn turns(&self, wanted: Mode) {
        let _ = self.mode.subscribe().wait_for(|mode| *mode == wanted).await;
    }

    fn strike(&self) {
        self.struck.fetch_add(1, Ordering::Relaxed);
    }
}

fn holds(chunk: &[u8], word: &[u8]) -> bool {
    chunk.windows(word.len()).any(|part| part == word)
}
