//! The command line: one file a command, one way in.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. Errors go to standard error, each
//! with its causes. `tests/cli/` runs the real binary.

pub mod audit;
pub mod completions;
pub mod deliveries;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod export;
mod ics;
pub mod import;
mod listen;
pub mod migrate;
pub mod output;
pub mod presence;
pub mod preview;
pub mod probe;
pub mod run;
pub mod token;

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    channels::ChannelError,
    clock::Clock,
    config::{Config, ConfigError, Database},
    domain::{delivery::ChannelKind, zone::Zones},
    lifecycle::Exit,
    store::{OpenOptions, Store, StoreError},
    telemetry,
    zones::ZoneError,
};

/// Keeps chat agents' working hours: presence on time, and a phone that rings once.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    /// The configuration file [default: $SHIFTBELL_CONFIG, else ./shiftbell.toml where there is one].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object a line.
    #[arg(long, global = true)]
    json: bool,
    /// What to log, for example `info` or `shiftbell=debug` [default: $RUST_LOG].
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: a made-up team, the real worker, stand-ins for everybody it talks to.
    #[command(
        after_help = "Examples:\n  shiftbell demo\n  shiftbell demo --driver zendesk\n  shiftbell demo --exit --json"
    )]
    Demo(demo::Args),
    /// The worker as a long-lived service, with its HTTP listener.
    #[command(
        after_help = "Examples:\n  shiftbell run\n  shiftbell run --config /etc/shiftbell/shiftbell.toml"
    )]
    Run(run::Args),
    /// One pass for cron: handles all that is due, sends what can be sent now, exits.
    #[command(
        after_help = "Examples:\n  * * * * * shiftbell tick\n  shiftbell tick --metrics-file /var/lib/node_exporter/shiftbell.prom"
    )]
    Tick(run::TickArgs),
    /// Bring the database's schema up to date.
    #[command(after_help = "Example:\n  shiftbell migrate")]
    Migrate,
    /// Read agents and workspaces from JSON Lines; all or nothing.
    #[command(
        after_help = "Examples:\n  shiftbell import team.jsonl\n  hr-export | shiftbell import -\n  shiftbell import --ics holidays.ics --workspace acme"
    )]
    Import(import::Args),
    /// Write all workspaces and agents as JSON Lines, ready for import.
    #[command(after_help = "Example:\n  shiftbell export > team.jsonl")]
    Export,
    /// Show the boundaries to come.
    #[command(
        after_help = "Examples:\n  shiftbell preview --agent a-1\n  shiftbell preview --all --from 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z --json\n  shiftbell preview --file team.jsonl"
    )]
    Preview(preview::Args),
    /// Ask the delivery log.
    #[command(
        after_help = "Examples:\n  shiftbell deliveries --agent a-1\n  shiftbell deliveries --state failed --since 2026-03-30T00:00:00Z\n  shiftbell deliveries show ID\n  shiftbell deliveries retry ID"
    )]
    Deliveries(deliveries::Args),
    /// Tell why an agent's phone rang at an instant, or why it did not.
    #[command(
        after_help = "Examples:\n  shiftbell explain a-1 --at 2026-03-30T09:00:00+02:00\n  shiftbell explain a-1 --json"
    )]
    Explain(explain::Args),
    /// Keep the chat platform's statuses in line.
    #[command(after_help = "Example:\n  shiftbell presence sync --dry-run")]
    Presence {
        #[command(subcommand)]
        action: presence::Action,
    },
    /// Make, list and revoke the tokens of the HTTP interface.
    #[command(
        after_help = "Examples:\n  shiftbell token create --name chat-platform --scope platform --workspace acme\n  shiftbell token list\n  shiftbell token revoke ID"
    )]
    Token {
        #[command(subcommand)]
        action: token::Action,
    },
    /// Show who did what.
    #[command(after_help = "Example:\n  shiftbell audit --workspace acme")]
    Audit(audit::Args),
    /// Check configuration, credentials, database, time zones and receivers; say what to mend.
    #[command(after_help = "Example:\n  shiftbell doctor")]
    Doctor,
    /// Ask a running worker for its health; for containers without a shell.
    #[command(after_help = "Examples:\n  shiftbell probe livez\n  shiftbell probe readyz")]
    Probe(probe::Args),
    /// Print a completion script.
    #[command(
        after_help = "Example:\n  shiftbell completions bash > /etc/bash_completion.d/shiftbell"
    )]
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
}

/// What every command is handed.
#[derive(Debug, Clone)]
pub struct Context {
    /// `--config`
    config_path: Option<PathBuf>,
    /// `--json`
    pub json: bool,
    /// The time.
    pub clock: Clock,
    env: Arc<[(String, String)]>,
    cwd: PathBuf,
}

impl Context {
    /// The whole configuration; its warnings are printed.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let config = Config::load(
            self.config_path.as_deref(),
            self.env.iter().cloned(),
            &self.cwd,
        )?;
        warn(&config.warnings);
        Ok(config)
    }

    /// `[database]` alone: no receiver's key is opened.
    pub fn database(&self) -> Result<Database, ConfigError> {
        let (database, warnings) = Config::load_database(
            self.config_path.as_deref(),
            self.env.iter().cloned(),
            &self.cwd,
        )?;
        warn(&warnings);
        Ok(database)
    }

    /// The receivers that are switched on: no key of theirs is opened.
    pub fn receivers(&self) -> Result<Vec<ChannelKind>, ConfigError> {
        Config::load_receivers(
            self.config_path.as_deref(),
            self.env.iter().cloned(),
            &self.cwd,
        )
    }

    /// The time-zone data in use. Needs no configuration but `[timezone]`.
    pub fn zones(&self) -> anyhow::Result<Zones> {
        let directory = Config::load_timezone_directory(
            self.config_path.as_deref(),
            self.env.iter().cloned(),
            &self.cwd,
        )?;
        Ok(crate::zones::load(directory.as_deref())?)
    }

    /// A complaint of the database that says nothing else: the same, with which database it is.
    fn naming_database(&self, error: anyhow::Error) -> anyhow::Error {
        let outermost = error.chain().next();
        let bare = outermost.and_then(|outermost| outermost.downcast_ref::<StoreError>());
        if bare.is_none_or(|error| matches!(error, StoreError::File { .. })) {
            return error;
        }
        match self.database() {
            Ok(database) => error.context(database.shown),
            Err(_) => error,
        }
    }

    /// Opens the configured database, its schema brought up to date.
    pub async fn store(&self) -> anyhow::Result<Store> {
        let database = self.database()?;
        open(&database, database.migrate).await
    }
}

/// Opens a database; with `migrate`, brings its schema up to date first.
async fn open(database: &Database, migrate: bool) -> anyhow::Result<Store> {
    let options = OpenOptions {
        migrate,
        pooler: database.pooler,
        ..OpenOptions::new(database.url.clone())
    };
    Store::open(&options)
        .await
        .with_context(|| format!("opening {}", database.shown))
}

/// Runs the command that the command line names.
pub fn main() -> Exit {
    let cli = Cli::parse();
    match start(cli) {
        Ok(exit) => exit,
        Err(error) => {
            complain(&format!("error: {error:#}"));
            if is_usage(&error) {
                Exit::Usage
            } else {
                Exit::Failed
            }
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<Exit> {
    // Fails only if somebody installed one before, which is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = Clock::system();
    // The demo shows what happens itself.
    let quiet = matches!(cli.command, Command::Demo(_)).then(|| "warn".to_owned());
    let filter = cli.log.clone().or_else(|| std::env::var("RUST_LOG").ok());
    let filter = filter.or(quiet);
    telemetry::log::install(clock.clone(), filter.as_deref())?;
    let context = Context {
        config_path: cli.config,
        json: cli.json,
        clock,
        env: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        cwd: std::env::current_dir().context("asking for the current folder")?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let done = runtime.block_on(dispatch(&context, cli.command));
    done.map_err(|error| context.naming_database(error))
}

async fn dispatch(context: &Context, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => demo::demo(context, &args).await,
        Command::Run(args) => run::run(context, &args).await,
        Command::Tick(args) => run::tick(context, &args).await,
        Command::Migrate => migrate::migrate(context).await,
        Command::Import(args) => import::import(context, &args).await,
        Command::Export => export::export(context).await,
        Command::Preview(args) => preview::preview(context, &args).await,
        Command::Deliveries(args) => deliveries::deliveries(context, &args).await,
        Command::Explain(args) => explain::explain(context, &args).await,
        Command::Presence { action } => presence::presence(context, &action).await,
        Command::Token { action } => token::token(context, &action).await,
        Command::Audit(args) => audit::audit(context, &args).await,
        Command::Doctor => doctor::doctor(context).await,
        Command::Probe(args) => probe::probe(context, &args).await,
        Command::Completions { shell } => {
            completions::write(shell, Cli::command(), &mut std::io::stdout())?;
            Ok(Exit::Done)
        }
    }
}

/// Whether the command line or the configuration is at fault, and not the work.
fn is_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<ConfigError>()
            || cause.is::<ChannelError>()
            || cause.is::<ZoneError>()
            || cause.is::<listen::OpenDoor>()
            || cause.is::<telemetry::LogError>()
    })
}

/// Who sits at this terminal, for the audit log.
fn operator() -> String {
    std::env::var("USER").unwrap_or_else(|_| "operator".to_owned())
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        complain(&format!("warning: {warning}"));
    }
}

/// Prints to standard error, one line for each of the text's.
#[expect(
    clippy::print_stderr,
    reason = "the one place where errors are printed"
)]
fn complain(text: &str) {
    for line in text.lines() {
        eprintln!("{}", telemetry::escape(line));
    }
}
