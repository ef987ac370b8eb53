//! The stand-ins, in a process of their own: this program again with a hidden subcommand.
//!
//! It is asked over its standard input, a word a line, and answers with a line of JSON. It ends when
//! its input does, however the asking process ended.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use shiftbell::{
    clock::Clock,
    sim::{World, WorldOptions, script::Behaviour},
};

use crate::desk::{Desk, Seen};

/// Options of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the worker's configuration goes.
    #[arg(long)]
    folder: PathBuf,
    /// The database that the configuration names.
    #[arg(long)]
    database_url: String,
    /// How long each answer takes.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Streams allowed on one connection.
    #[arg(long)]
    streams: u32,
}

/// Where the stand-ins listen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) config: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) apns: String,
    pub(crate) fcm: String,
    pub(crate) presence: String,
}

/// Runs the stand-ins until standard input ends.
pub(crate) async fn serve(args: &Args) -> anyhow::Result<()> {
    let options = WorldOptions {
        max_concurrent_streams: args.streams,
        database_url: Some(args.database_url.clone()),
        ..WorldOptions::default()
    };
    let world = Arc::new(World::start(&args.folder, Clock::system(), options).await?);
    let desk = Arc::new(Desk::default());
    let at = Arc::clone(&desk);
    world
        .apns
        .record()
        .only_show(move |push| at.pushed(&at.apns, push));
    let at = Arc::clone(&desk);
    world
        .fcm
        .record()
        .only_show(move |push| at.pushed(&at.fcm, push));
    let at = Arc::clone(&desk);
    world
        .presence
        .record()
        .only_show(move |batch| at.posted(batch));
    if args.delay_ms > 0 {
        let delay = Behaviour::Delay(Duration::from_millis(args.delay_ms));
        world.apns.script().always(delay.clone());
        world.fcm.script().always(delay.clone());
        world.presence.script().always(delay);
    }
    say(&Address {
        config: world.config_path.clone(),
        ca: world.ca_path.clone(),
        apns: world.apns.endpoint(),
        fcm: world.fcm.endpoint(),
        presence: world.presence.url(),
    })?;
    tokio::task::spawn_blocking(move || {
        for _ in std::io::stdin().lock().lines() {
            say(&desk.seen(&world))?;
        }
        Ok(())
    })
    .await?
}

fn say(what: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, what)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// The other process, seen from this one.
pub(crate) struct StandIns {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) address: Address,
}

impl StandIns {
    /// Starts them; the worker's configuration is written into `folder`.
    pub(crate) fn start(
        folder: &Path,
        database_url: &str,
        delay_ms: u64,
        streams: u32,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["stand-ins", "--database-url", database_url])
            .args(["--delay-ms", &delay_ms.to_string()])
            .args(["--streams", &streams.to_string(), "--folder"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take().context("its input")?;
        let mut answers = BufReader::new(child.stdout.take().context("its output")?);
        let address = read(&mut answers)?;
        Ok(Self {
            child,
            ask,
            answers,
            address,
        })
    }

    /// What they have seen so far.
    pub(crate) fn seen(&mut self) -> anyhow::Result<Seen> {
        self.ask.write_all(b"seen\n")?;
        read(&mut self.answers)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        // Its input ends when this process does, too; here nothing is left to ask.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read<T: serde::de::DeserializeOwned>(from: &mut impl BufRead) -> anyhow::Result<T> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
