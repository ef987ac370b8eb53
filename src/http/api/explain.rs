//! `/v1/agents/{id}/explain`: why an agent's phone rang at an instant, or why it did not.

use axum::{Json as Answer, extract::State};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Api,
    auth::Explain,
    input::{Path, Query, Word},
};
use crate::{
    domain::explain::{Setting, Story, story},
    http::Problem,
    store::Question,
};

/// About which instant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// When the phone should have rung; now where it is not said.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// Why the agent's phone rang at an instant, or why it did not: the rule that decided, what was
/// recorded, what was sent to whom and what was answered. An agent that was removed is told of from the
/// log, to its workspace's platform and to ops.
#[utoipa::path(get, path = "/v1/agents/{id}/explain", operation_id = "explain_agent", tag = "agents",
    params(("id" = String, Path), Asked), responses((status = 200, body = Story)))]
pub(super) async fn get(
    State(api): State<Api>,
    Explain(caller): Explain,
    Path(id): Path<Word>,
    Query(asked): Query<Asked>,
) -> Result<Answer<Story>, Problem> {
    let (now, zones) = (api.clock.now(), api.zones());
    let question = Question {
        agent: &id,
        at: asked.at.unwrap_or(now),
        workspace: caller.grant.workspace.as_deref(),
    };
    let mut tx = api.store.snapshot().await?;
    let facts = api.store.explain(&mut tx, question, &zones).await?;
    tx.commit().await?;
    let facts = facts.ok_or_else(|| Problem::absent("agent"))?;
    caller.agent(&id, &facts.workspace)?;
    let removed = matches!(facts.schedule, Ok(None));
    if removed && caller.grant.agent.is_some() {
        return Err(Problem::absent("agent"));
    }
    let setting = Setting {
        zones: &zones,
        receivers: &api.worker.receivers,
        now,
    };
    Ok(Answer(story(&facts, setting)))
}
