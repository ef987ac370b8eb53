//! Who asks: the bearer token, what it allows, and how often.
//!
//! Every route takes one of [`Teams`], [`OwnPage`], [`Explain`], [`ReadLog`] or [`WriteLog`], which refuse a caller whose
//! scope does not reach so far (403). What a caller may not see is answered like what is not there (404):
//! [`Caller::workspace`] and [`Caller::agent`] are the only ways to ask. (A feed is read by whoever knows its
//! address, see `feed`.)

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use jiff::Timestamp;

use super::{Api, trace::Trace};
use crate::{
    domain::{
        access::{Act, ApiToken, Grant},
        pace::Pace,
    },
    http::Problem,
    store::Actor,
};

/// Whoever sent a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The id of the token.
    pub(super) token: String,
    /// What it allows.
    pub(super) grant: Grant,
    trace: String,
}

impl Caller {
    /// As the audit log names them.
    pub(super) fn actor(&self) -> Actor {
        Actor {
            name: format!("token:{}", self.token),
            trace: Some(self.trace.clone()),
        }
    }

    /// Refuses a workspace that does not exist for this caller.
    pub(super) fn workspace(&self, workspace: &str) -> Result<(), Problem> {
        if self.grant.sees_workspace(workspace) {
            Ok(())
        } else {
            Err(Problem::absent("workspace"))
        }
    }

    /// Refuses an agent that does not exist for this caller.
    pub(super) fn agent(&self, agent: &str, workspace: &str) -> Result<(), Problem> {
        if self.grant.sees_agent(agent, workspace) {
            Ok(())
        } else {
            Err(Problem::absent("agent"))
        }
    }
}

macro_rules! reach {
    ($($(#[$doc:meta])* $name:ident),+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name(pub(super) Caller);

        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                let caller = parts.extensions.get::<Caller>().cloned().ok_or_else(stranger)?;
                if caller.grant.allows(Act::$name) {
                    return Ok(Self(caller));
                }
                let scope = caller.grant.scope.as_str();
                let detail = format!("a token of scope {scope} does not reach this");
                Err(Problem::new(StatusCode::FORBIDDEN, detail))
            }
        }
    )+};
}

reach!(
    /// A caller who may manage workspaces and teams.
    Teams,
    /// A caller who may see and set what is one agent's.
    OwnPage,
    /// A caller who may ask why a phone rang, or did not.
    Explain,
    /// A caller who may read the logs.
    ReadLog,
    /// A caller who may retry and cancel.
    WriteLog
);

/// How often each token asked lately.
#[derive(Debug)]
pub(super) struct Paces {
    per_second: u32,
    known: Mutex<HashMap<String, Pace>>,
    strangers: Mutex<Pace>,
}

impl Paces {
    /// Each token may ask `per_second` times a second, and for two seconds' worth at once; all who
    /// have none, together, a tenth of that.
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            known: Mutex::default(),
            strangers: Mutex::new(pace((per_second / 10).max(1))),
        }
    }

    /// Takes one request of this token; or refuses it (429).
    pub(super) fn known(&self, token: &str, now: Timestamp) -> Result<(), Problem> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_token = known
            .entry(token.to_owned())
            .or_insert_with(|| pace(self.per_second));
        take(of_token, now)
    }

    /// Takes one request of somebody without a token; or refuses it (429).
    pub(super) fn stranger(&self, now: Timestamp) -> Result<(), Problem> {
        take(
            &mut self
                .strangers
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }
}

fn pace(per_second: u32) -> Pace {
    Pace::with_burst(per_second, 2.0 * f64::from(per_second))
}

fn take(pace: &mut Pace, now: Timestamp) -> Result<(), Problem> {
    if pace.take(now, 1) == 1 {
        return Ok(());
    }
    let seconds = pace.next_in().as_secs() + 1;
    let detail = format!("too many requests; try again in {seconds} s");
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail)
        .with(header::RETRY_AFTER, HeaderValue::from(seconds)))
}

/// Lets in who holds a token, as a [`Caller`].
pub(super) async fn known(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let value = request.headers().get(header::AUTHORIZATION);
    let token = value.and_then(|value| bearer(value.to_str().ok()?));
    let granted = match &token {
        Some(token) => {
            let mut tx = api.store.snapshot().await?;
            let granted = tx.grant(token, now).await?;
            tx.commit().await?;
            granted
        }
        None => None,
    };
    let (Some(token), Some(grant)) = (token, granted) else {
        api.paces.stranger(now)?;
        return Err(stranger());
    };
    api.paces.known(token.id(), now)?;
    let trace = request.extensions().get::<Trace>();
    let caller = Caller {
        token: token.id().to_owned(),
        grant,
        trace: trace.map(|trace| trace.id.clone()).unwrap_or_default(),
    };
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Lets on who may read the logs of all workspaces.
pub(super) async fn log_readers(
    ReadLog(caller): ReadLog,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if caller.grant.workspace.is_some() {
        let detail = "a token of one workspace does not reach this";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(next.run(request).await)
}

/// The token of `Authorization: Bearer …`; the scheme's case does not matter.
fn bearer(value: &str) -> Option<ApiToken> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| ApiToken::parse(token.trim()))?
}

fn stranger() -> Problem {
    let detail =
        "send `Authorization: Bearer` with a token in use; `shiftbell token create` makes one";
    Problem::new(StatusCode::UNAUTHORIZED, detail)
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
