//! `shiftbell probe`: asks a running worker for its health, from inside its container.

use anyhow::Context as _;

use super::{Context, output::Output};
use crate::{config::Config, http, lifecycle::Exit};

/// Options of `probe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to ask for.
    what: What,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// Does the loop turn?
    Livez,
    /// Do the database and the receivers answer?
    Readyz,
}

/// Prints the answer; succeeds if it is 200.
pub async fn probe(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let listen = Config::load_http(
        context.config_path.as_deref(),
        context.env.iter().cloned(),
        &context.cwd,
    )?
    .listen;
    let path = match args.what {
        What::Livez => "/livez",
        What::Readyz => "/readyz",
    };
    let (well, body) = http::probe(listen, path)
        .await
        .with_context(|| format!("no answer from http://{listen}{path}"))?;
    let mut output = Output::stdout(context.json);
    output.line(&serde_json::json!({"ok": well, "body": body}), || {
        body.clone()
    })?;
    output.flush()?;
    Ok(if well { Exit::Done } else { Exit::Failed })
}
