//! Nine o'clock: everybody's hours start at one instant. How fast are they told, and at what cost?
//!
//! `benches/README.md` says how to run this and what each figure means.

mod database;
mod desk;
mod histogram;
mod modes;
mod process;
mod pure;
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

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// A shift's start, and the raw limit
    Start,
    /// A small team's start at the default pace: how late
    Lateness,
    /// Starts of several sizes: what an alert costs in each
    Cost,
    /// A minute with nobody due
    Idle,
    /// New time-zone data: all plans made afresh
    Replan,
    /// `shiftbell tick` with nothing due, on `SQLite`
    Tick,
    /// `shiftbell import`
    Import,
    /// Several workers on one Postgres, against one
    Workers,
}

impl Scenario {
    fn agents(self) -> u64 {
        match self {
            Self::Lateness => 100,
            Self::Workers => 4_000,
            _ => 100_000,
        }
    }
}

/// What to measure, and how.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[arg(value_enum, default_value_t = Scenario::Start)]
    scenario: Scenario,
    /// How many agents, one phone each; 100,000 if not said, 100 for `lateness`, 4,000 for
    /// `workers`.
    #[arg(long)]
    agents: Option<u64>,
    /// The sizes of `cost`.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    sizes: Vec<u64>,
    /// Where the database's time goes, by statement: so many of them.
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "24")]
    pub(crate) statements: Option<u32>,
    /// `SQLite` instead of Postgres.
    #[arg(long)]
    sqlite: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// The worker's default pace instead of an open one.
    #[arg(long)]
    default_pace: bool,
    /// Requests in flight to each push service, where the pace is open; 1000 if not said, 4 for
    /// `workers`.
    #[arg(long)]
    in_flight: Option<u32>,
    /// Streams the stand-ins allow on one connection.
    #[arg(long, default_value_t = 1000)]
    pub(crate) streams: u32,
    /// How long the stand-ins take to answer; 0 if not said, 50 for `workers`.
    #[arg(long)]
    delay_ms: Option<u64>,
    /// Connections of the bare client to each receiver.
    #[arg(long, default_value_t = 4)]
    raw_connections: usize,
    /// Requests of the bare client under way on each.
    #[arg(long, default_value_t = 100)]
    raw_streams: usize,
    /// A setting of Postgres, `name=value`; repeatable.
    #[arg(long = "postgres", value_name = "SETTING")]
    settings: Vec<String>,
    /// How long `idle` looks on.
    #[arg(long, default_value_t = 60)]
    pub(crate) idle_seconds: u64,
    /// How many workers `workers` sets against one.
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    pub(crate) fn agents(&self) -> u64 {
        self.agents.unwrap_or(self.scenario.agents())
    }

    pub(crate) fn in_flight(&self) -> u32 {
        let few = self.scenario == Scenario::Workers;
        self.in_flight.unwrap_or(if few { 4 } else { 1000 })
    }

    pub(crate) fn delay_ms(&self) -> u64 {
        let slow = self.scenario == Scenario::Workers;
        self.delay_ms.unwrap_or(if slow { 50 } else { 0 })
    }

    /// The worker's pace.
    pub(crate) fn pace(&self) -> Pace {
        if self.default_pace || self.scenario == Scenario::Lateness {
            return Pace::Default;
        }
        Pace::Open {
            in_flight: self.in_flight(),
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
    let server = if args.sqlite || args.scenario == Scenario::Tick {
        Server::Sqlite
    } else {
        Server::postgres(&args.settings, args.statements.is_some()).await?
    };
    let json = args.json;
    match args.scenario {
        Scenario::Start => {
            let started = nine_oclock(&server, args).await?;
            report::print(json, &started, report::nine_oclock);
        }
        Scenario::Lateness => {
            let (shift, _) = shift::run(&server, args, args.pace(), 1).await?;
            report::print(json, &shift, report::shift);
        }
        Scenario::Cost => {
            let cost = modes::cost(&server, args, &args.sizes).await?;
            report::print(json, &cost, report::cost);
        }
        Scenario::Idle => {
            let idle = modes::idle(&server, args).await?;
            report::print(json, &idle, report::idle);
        }
        Scenario::Replan => {
            let replan = modes::replan(&server, args).await?;
            report::print(json, &replan, report::replan);
        }
        Scenario::Tick => {
            let tick = modes::tick(&server, args).await?;
            report::print(json, &tick, report::tick);
        }
        Scenario::Import => {
            let import = modes::import(&server, args).await?;
            report::print(json, &import, report::import);
        }
        Scenario::Workers => {
            let workers = modes::workers(&server, args, args.workers).await?;
            report::print(json, &workers, report::workers);
        }
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
    let raw = raw::measure(
        &address,
        folder,
        &seen,
        shift.pushes,
        stage.stand_ins.pid(),
        means,
    )
    .await?;
    Ok(NineOclock {
        ratio: shift.pushes_per_second / raw.pushes,
        cpu_ratio: raw.cpu / shift.cpu_of_thousand(),
        raw,
        shift,
    })
}

/// Says on standard error how far it is: standard output has the figures alone.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
