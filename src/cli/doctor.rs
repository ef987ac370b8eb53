//! `shiftbell doctor`: looks at everything a run depends on, rings nobody, and says what to mend.

mod product;

use serde::Serialize;

use super::{
    Context,
    output::{Output, Row},
};
use jiff::Timestamp;

use crate::{
    channels::Proof, config::Config, lifecycle::Exit, store::Store, workers::receivers::Receivers,
};

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// Switched off, on purpose or not.
    Off,
    /// It works; something is worth a look.
    Warning,
    /// It does not work.
    Broken,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    detail: String,
}

impl Row for Finding {
    const HEADINGS: &'static [&'static str] = &["check", "level", "detail"];

    fn cells(&self) -> Vec<String> {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Off => "off",
            Level::Warning => "warning",
            Level::Broken => "broken",
        };
        vec![self.check.to_owned(), level.to_owned(), self.detail.clone()]
    }
}

fn finding(check: &'static str, level: Level, detail: impl Into<String>) -> Finding {
    Finding {
        check,
        level,
        detail: detail.into(),
    }
}

/// Checks and prints; fails if anything is broken.
pub async fn doctor(context: &Context) -> anyhow::Result<Exit> {
    let config = context.config()?;
    let mut found = vec![finding("configuration", Level::Ok, origin(&config))];
    found.extend(
        config
            .warnings
            .iter()
            .map(|warning| finding("configuration", Level::Warning, warning)),
    );
    found.push(time_zones(&config));
    found.extend(database(context, &config).await);
    found.extend(receivers(context, &config).await);
    let broken = found.iter().any(|f| f.level == Level::Broken);
    let mut output = Output::stdout(context.json);
    output.rows(found)?;
    output.flush()?;
    Ok(if broken { Exit::Failed } else { Exit::Done })
}

fn origin(config: &Config) -> String {
    match &config.file {
        Some(file) => format!("read {}", file.display()),
        None => "no file; defaults and environment".to_owned(),
    }
}

fn time_zones(config: &Config) -> Finding {
    match crate::zones::load(config.timezone_directory.as_deref()) {
        Ok(zones) => finding(
            "time zones",
            Level::Ok,
            format!("IANA {}, {}", zones.version(), zones.source()),
        ),
        Err(error) => finding("time zones", Level::Broken, error.to_string()),
    }
}

/// The database as it is; doctor mends nothing and so does not migrate.
async fn database(context: &Context, config: &Config) -> Vec<Finding> {
    let shown = &config.database.shown;
    let store = match super::open(&config.database, false).await {
        Ok(store) => store,
        Err(error) => return vec![finding("database", Level::Broken, format!("{error:#}"))],
    };
    let now = context.clock.now();
    let counts = store.unit(move |store| async move {
        let mut tx = store.snapshot().await?;
        let agents = tx.count_agents().await?;
        let problems = tx.problems(10).await?;
        let tokens = tx.usable_tokens(now).await?;
        tx.commit().await?;
        Ok((agents, problems, tokens))
    });
    let found = match counts.await {
        Ok((agents, problems, tokens)) => {
            let mut found = vec![finding(
                "database",
                Level::Ok,
                format!("{shown}: {agents} agents"),
            )];
            found.push(listener(config, tokens));
            found.extend(leases(&store, config, now).await);
            found.extend(
                problems
                    .into_iter()
                    .map(|problem| finding("schedule", Level::Warning, problem)),
            );
            found
        }
        Err(error) => vec![finding(
            "database",
            Level::Broken,
            format!("{shown}: {error}"),
        )],
    };
    store.close().await;
    found
}

/// Whether a product's leases hold, where it has some.
async fn leases(store: &Store, config: &Config, now: Timestamp) -> Vec<Finding> {
    let Some(section) = &config.driver else {
        return Vec::new();
    };
    match product::lease(store, section, now).await {
        Ok(found) => found,
        Err(error) => vec![finding("lease", Level::Broken, error.to_string())],
    }
}

/// Where `run` will listen, and whether it may.
fn listener(config: &Config, tokens: i64) -> Finding {
    let listen = config.http.listen;
    if tokens == 0 && !listen.ip().is_loopback() {
        let advice = "is not on loopback, and there is no token: `shiftbell token create`";
        return finding("http", Level::Broken, format!("{listen} {advice}"));
    }
    finding("http", Level::Ok, format!("{listen}, {tokens} tokens"))
}

async fn receivers(context: &Context, config: &Config) -> Vec<Finding> {
    let receivers = match Receivers::new(config) {
        Ok(receivers) => receivers,
        Err(error) => return vec![finding("receivers", Level::Broken, error.to_string())],
    };
    let checks = receivers.check(context.clock.now()).await;
    let asked = product::requests(&receivers);
    let checked = checks.into_iter().map(|(kind, outcome)| match outcome {
        None => finding(
            kind.as_str(),
            Level::Off,
            format!("no [{}] section", kind.as_str()),
        ),
        Some(Ok(checkup)) if checkup.proof == Proof::Credentials => {
            finding(kind.as_str(), Level::Ok, checkup.detail)
        }
        Some(Ok(checkup)) if checkup.proof == Proof::Doubtful => {
            finding(kind.as_str(), Level::Warning, checkup.detail)
        }
        Some(Ok(checkup)) => finding(
            kind.as_str(),
            Level::Ok,
            format!("{} (credentials not proved)", checkup.detail),
        ),
        Some(Err(problem)) => finding(kind.as_str(), Level::Broken, problem),
    });
    checked.chain(asked).collect()
}
