//! `shiftbell token`: who may ask over HTTP. A token is shown once, when it is made.

use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Context, complain,
    output::{Output, Row},
};
use crate::{
    domain::access::{ApiToken, Grant, Scope},
    lifecycle::Exit,
    store::{Actor, Store, TokenRow},
};

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Make a token and show it, this once.
    #[command(
        after_help = "Examples:\n  shiftbell token create --name chat-platform --scope platform --workspace acme\n  shiftbell token create --name ana-app --scope agent --agent a-1\n  shiftbell token create --name grafana --scope ops:read --expires 2027-01-01T00:00:00Z\n  shiftbell token create --name ana-calendar --scope feed --agent a-1"
    )]
    Create(Create),
    /// List tokens, never their secrets.
    #[command(after_help = "Example:\n  shiftbell token list")]
    List,
    /// Revoke tokens, at once and for good.
    #[command(after_help = "Example:\n  shiftbell token revoke ID")]
    Revoke {
        /// The tokens' ids, as `token list` shows them.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// Options of `token create`.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// What it is for, in your words.
    #[arg(long)]
    name: String,
    /// platform, agent, ops:read, ops:write or feed.
    #[arg(long, value_parser = |word: &str| Scope::from_word(word).ok_or("write platform, agent, ops:read, ops:write or feed"))]
    scope: Scope,
    /// Only for this workspace [default: all].
    #[arg(long, value_name = "ID", conflicts_with = "agent")]
    workspace: Option<String>,
    /// The agent whose page (`--scope agent`) or calendar (`--scope feed`, in place of the one before) it opens.
    #[arg(long, value_name = "ID", required_if_eq_any([("scope", "agent"), ("scope", "feed")]))]
    agent: Option<String>,
    /// From when on it is of no use, RFC 3339 [default: never].
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
}

#[derive(Serialize)]
struct Created<'a> {
    id: &'a str,
    token: String,
    /// Of a feed: where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

#[derive(Serialize)]
struct Revoked<'a> {
    id: &'a str,
    revoked: bool,
}

impl Row for TokenRow {
    const HEADINGS: &'static [&'static str] = &[
        "id",
        "name",
        "scope",
        "workspace",
        "agent",
        "created",
        "expires",
        "revoked",
    ];

    fn cells(&self) -> Vec<String> {
        let at = |instant: Option<Timestamp>| instant.map(|at| at.to_string()).unwrap_or_default();
        vec![
            self.id.clone(),
            self.name.clone(),
            self.scope.to_owned(),
            self.workspace.clone().unwrap_or_default(),
            self.agent.clone().unwrap_or_default(),
            self.created_at.to_string(),
            at(self.expires_at),
            at(self.revoked_at),
        ]
    }
}

/// Makes, lists or revokes.
pub async fn token(context: &Context, action: &Action) -> anyhow::Result<Exit> {
    let store = context.store().await?;
    let done = match action {
        Action::Create(args) => create(context, &store, args).await,
        Action::List => list(context, &store).await,
        Action::Revoke { ids } => revoke(context, &store, ids).await,
    };
    store.close().await;
    done
}

async fn create(context: &Context, store: &Store, args: &Create) -> anyhow::Result<Exit> {
    if args.agent.is_some() && !matches!(args.scope, Scope::Agent | Scope::Feed) {
        complain("error: --agent goes with --scope agent or feed");
        return Ok(Exit::Usage);
    }
    if args.expires.is_some_and(|end| end <= context.clock.now()) {
        bail!("--expires lies in the past");
    }
    let token = ApiToken::from_random(rand::random(), rand::random());
    if !keep(context, store, args, token.clone()).await? {
        let agent = args.agent.as_deref().unwrap_or_default();
        bail!("--agent {agent}: there is no such agent");
    }
    let mut output = Output::stdout(context.json);
    let shown = Created {
        id: token.id(),
        token: token.expose(),
        path: (args.scope == Scope::Feed).then(|| token.feed_path()),
    };
    output.line(&shown, || {
        shown.path.clone().unwrap_or_else(|| shown.token.clone())
    })?;
    output.flush()?;
    Ok(Exit::Done)
}

/// Stores a new token's hash; `false` if its agent does not exist. A workspace may come later: its
/// platform makes it.
async fn keep(
    context: &Context,
    store: &Store,
    args: &Create,
    token: ApiToken,
) -> anyhow::Result<bool> {
    let grant = Grant {
        scope: args.scope,
        workspace: args.workspace.clone(),
        agent: args.agent.clone(),
    };
    let (now, expires) = (context.clock.now(), args.expires);
    let (name, actor) = (args.name.clone(), Actor::user(super::operator()));
    let kept = store.unit(move |store| async move {
        let mut tx = store.begin().await?;
        if let Some(agent) = &grant.agent {
            if tx.hold_agent(agent).await?.is_none() {
                return Ok(false);
            }
            if grant.scope == Scope::Feed {
                tx.revoke_feeds(agent, now).await?;
            }
        }
        tx.add_token(&token, &name, &grant, now, expires).await?;
        let target = (token.id(), grant.workspace.as_deref());
        tx.audit(&actor, "token.create", &[target], now).await?;
        tx.commit().await?;
        Ok(true)
    });
    Ok(kept.await?)
}

async fn list(context: &Context, store: &Store) -> anyhow::Result<Exit> {
    let mut tx = store.snapshot().await?;
    let rows = tx.tokens().await?;
    tx.commit().await?;
    let mut output = Output::stdout(context.json);
    output.rows(rows)?;
    output.flush()?;
    Ok(Exit::Done)
}

async fn revoke(context: &Context, store: &Store, ids: &[String]) -> anyhow::Result<Exit> {
    let mut output = Output::stdout(context.json);
    let mut all = true;
    for id in ids {
        let (now, actor, target) = (
            context.clock.now(),
            Actor::user(super::operator()),
            id.clone(),
        );
        let unit = store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            let revoked = tx.revoke_token(&target, now).await?;
            if revoked {
                tx.audit(&actor, "token.revoke", &[(&target, None)], now)
                    .await?;
            }
            tx.commit().await?;
            Ok(revoked)
        });
        let revoked = unit.await?;
        if revoked {
            output.line(&Revoked { id, revoked }, || format!("{id}: revoked"))?;
        } else {
            all = false;
            complain(&format!(
                "error: {id}: no token of that id is in use; `shiftbell token list` shows them"
            ));
        }
    }
    output.flush()?;
    Ok(if all { Exit::Done } else { Exit::Failed })
}
