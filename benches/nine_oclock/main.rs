//! Nine o'clock: everybody's hours start at one instant. How fast are they told, and at what cost?
//!
//! `benches/README.md` says how to run this and what each figure means.

mod database;
mod desk;
mod histogram;
mod modes;
mod process;
mod raw;
mod report;
mod shift;
mod stage;
mod stand_ins;
#[path = "../../tests/support/mod.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    unused_macros,
    reason = "the tests' own, of which this needs a part"
)]
mod support;
mod team;
mod worker;

use std::io::Write as _;

use clap::Parser;

use crate::{database::Server, report::NineOclock, worker::Pace};

/// Everybody's hours start at one instant: measures how fast they are told, and at what cost.
#[derive(Debug, Parser)]
#[command(name = "nine_oclock", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    args: Args,
    #[command(subcommand)]
    hidden: Option<Hidden>,
}

#[derive(Debug, clap::Subcommand)]
enum Hidden {
    /// The stand-ins, for this program itself.
    #[command(hide = true)]
    StandIns(stand_ins::Args),
}

/// What to measure. Without a mode: a shift's start, and the raw limit.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many agents, one phone each.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) agents: u64,
    /// `SQLite` instead of Postgres.
    #[arg(long)]
    sqlite: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// The worker's default pace instead of an open one.
    #[arg(long)]
    default_pace: bool,
    /// Requests in flight to each push service, where the pace is open.
    #[arg(long, default_value_t = 1000)]
    in_flight: u32,
    /// Streams the stand-ins allow on one connection.
    #[arg(long, default_value_t = 1000)]
    pub(crate) streams: u32,
    /// How long the stand-ins take to answer.
    #[arg(long, default_value_t = 0)]
    pub(crate) delay_ms: u64,
    /// Connections of the bare client to each receiver.
    #[arg(long, default_value_t = 4)]
    raw_connections: usize,
    /// Requests of the bare client under way on each.
    #[arg(long, default_value_t = 100)]
    raw_streams: usize,
    /// A setting of Postgres, `name=value`; repeatable.
    #[arg(long = "postgres", value_name = "SETTING")]
    settings: Vec<String>,
    /// Mode: a minute with nobody due.
    #[arg(long, group = "mode")]
    idle: bool,
    /// How long that minute is.
    #[arg(long, default_value_t = 60)]
    pub(crate) idle_seconds: u64,
    /// Mode: new time-zone data, all plans made afresh.
    #[arg(long, group = "mode")]
    replan: bool,
    /// Mode: `shiftbell tick` with nothing due; on `SQLite`.
    #[arg(long, group = "mode")]
    tick: bool,
    /// Mode: `shiftbell import`.
    #[arg(long, group = "mode")]
    import: bool,
    /// Mode: so many workers on one Postgres, against one.
    #[arg(long, group = "mode", value_name = "K")]
    workers: Option<usize>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    /// The worker's pace.
    pub(crate) fn pace(&self) -> Pace {
        if self.default_pace {
            return Pace::Default;
        }
        Pace::Open {
            in_flight: self.in_flight,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match &cli.hidden {
            Some(Hidden::StandIns(args)) => stand_ins::serve(args).await,
            None => measure(&cli.args).await,
        }
    })
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let server = if args.sqlite || args.tick {
        Server::Sqlite
    } else {
        Server::postgres(&args.settings).await?
    };
    if args.idle {
        let idle = modes::idle(&server, args).await?;
        report::print(args.json, &idle, report::idle);
    } else if args.replan {
        let replan = modes::replan(&server, args).await?;
        report::print(args.json, &replan, report::replan);
    } else if args.tick {
        let tick = modes::tick(&server, args).await?;
        report::print(args.json, &tick, report::tick);
    } else if args.import {
        let import = modes::import(&server, args).await?;
        report::print(args.json, &import, report::import);
    } else if let Some(workers) = args.workers {
        let workers = modes::workers(&server, args, workers).await?;
        report::print(args.json, &workers, report::workers);
    } else {
        let report = nine_oclock(&server, args).await?;
        report::print(args.json, &report, report::nine_oclock);
    }
    Ok(())
}

async fn nine_oclock(server: &Server, args: &Args) -> anyhow::Result<NineOclock> {
    let (shift, mut stage) = shift::run(server, args, args.pace(), 1).await?;
    let means = raw::Means {
        connections: args.raw_connections,
        streams: args.raw_streams,
    };
    tell("the same requests from a bare client");
    let seen = stage.stand_ins.seen()?;
    let (address, folder) = (stage.stand_ins.address.clone(), stage.folder.path());
    let raw = raw::measure(&address, folder, &seen, shift.pushes, means).await?;
    Ok(NineOclock {
        ratio: Some(shift.pushes_per_second / raw.pushes),
        raw: Some(raw),
        shift,
    })
}

/// Says on standard error how far it is: standard output has the figures alone.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
