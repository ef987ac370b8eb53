//! `/v1/workspaces/{id}/coverage`: when the widget will be in messaging mode.

use std::sync::Arc;

use axum::{Json as Answer, extract::State};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::Teams,
    input::{Path, Query, Word},
    span::span,
};
use crate::{
    domain::{agent::Workspace, coverage::Coverage, coverage::Gap, zone::Zones},
    http::Problem,
    store::{StoreError, Tx},
};

/// The longest span that can be asked about.
const LONGEST: SignedDuration = SignedDuration::from_hours(93 * 24);
/// Agents that are read at once.
const CHUNK: i64 = 1000;

/// Which span.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// From when on; now where it is not said.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before when; a week after `from` where it is not said, at most 93 days after it.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// When nobody is on duty by their hours.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Coverage)]
pub(super) struct CoverageBody {
    /// In order; at most 10,000.
    gaps: Vec<GapBody>,
    /// Agents whose hours could not be read, and do not count.
    unreadable: Vec<String>,
}

/// A span in which nobody is on duty, `[from, until)`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Gap)]
pub(super) struct GapBody {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

/// Spans to come in which nobody is on duty, so that visitors can only leave a message.
#[utoipa::path(get, path = "/v1/workspaces/{id}/coverage", operation_id = "get_coverage", tag = "workspaces",
    params(("id" = String, Path), Asked), responses((status = 200, body = CoverageBody)))]
pub(super) async fn get(
    State(api): State<Api>,
    Teams(caller): Teams,
    Path(id): Path<Word>,
    Query(asked): Query<Asked>,
) -> Result<Answer<CoverageBody>, Problem> {
    caller.workspace(&id)?;
    let (from, until) = span(asked.from, asked.until, api.clock.now(), LONGEST)?;
    let mut tx = api.store.snapshot().await?;
    let known = tx.workspace(&id).await?;
    let workspace = known.ok_or_else(|| Problem::absent("workspace"))?;
    let coverage = Coverage::new(from, until);
    let (coverage, unreadable) = add_team(&mut tx, &workspace, coverage, api.zones()).await?;
    tx.commit().await?;
    let body = |gap: Gap| GapBody {
        from: gap.start,
        until: gap.end,
    };
    Ok(Answer(CoverageBody {
        gaps: coverage.gaps().into_iter().take(10_000).map(body).collect(),
        unreadable,
    }))
}

async fn add_team(
    tx: &mut Tx,
    workspace: &Workspace,
    mut coverage: Coverage,
    zones: Arc<Zones>,
) -> Result<(Coverage, Vec<String>), StoreError> {
    let holidays = workspace.holidays.clone().unwrap_or_default();
    let (mut after, mut unreadable) = (String::new(), Vec::new());
    loop {
        let team = tx.team_after(&workspace.id, &after, CHUNK).await?;
        let Some(last) = team.last() else {
            return Ok((coverage, unreadable));
        };
        after.clone_from(&last.id);
        for agent in team {
            match agent.operating_hours(&zones, &holidays) {
                Ok(hours) => coverage.add(&hours),
                Err(_) => unreadable.push(agent.id),
            }
        }
        // A large team takes a while, and others have requests too.
        tokio::task::yield_now().await;
    }
}
