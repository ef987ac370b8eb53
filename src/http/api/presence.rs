//! `/v1/workspaces/{id}/presence`: who is reachable now.

use axum::{Json as Answer, extract::State};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    auth::Teams,
    input::{Path, Word},
};
use crate::{
    domain::presence::{Mode, Reason, Status},
    http::Problem,
    store::StatusRow,
};

/// Who is reachable, as it was recorded last.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Presence)]
pub(super) struct PresenceBody {
    /// The workspace's id.
    workspace: String,
    /// What visitors meet: `live_chat` or `messaging`; null until the worker has looked.
    mode: Option<&'static str>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Its agents, by id.
    agents: Vec<AgentPresence>,
}

/// An agent's status.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AgentPresence {
    /// The agent's id.
    agent: String,
    /// As typed.
    name: String,
    /// `online`, `offline` or `invisible`; null until the worker has looked.
    status: Option<&'static str>,
    /// Whether new conversations may be routed to the agent now.
    accepts_conversations: bool,
    /// Why: `hours_start`, `hours_end`, `no_reply`, `manual`, `overflow` or `sync`.
    reason: Option<&'static str>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// When the agent's hours start or end next.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_boundary: Option<Timestamp>,
}

impl From<StatusRow> for AgentPresence {
    fn from(row: StatusRow) -> Self {
        Self {
            agent: row.agent,
            name: row.name,
            status: row.status.map(Status::as_str),
            accepts_conversations: row.accepts_conversations,
            reason: row.reason.map(Reason::as_str),
            since: row.since,
            next_boundary: row.next_boundary,
        }
    }
}

/// Everyone's status, who may get new conversations now, and the widget's mode.
#[utoipa::path(get, path = "/v1/workspaces/{id}/presence", operation_id = "get_presence", tag = "workspaces",
    params(("id" = String, Path)), responses((status = 200, body = PresenceBody)))]
pub(super) async fn get(
    State(api): State<Api>,
    Teams(caller): Teams,
    Path(id): Path<Word>,
) -> Result<Answer<PresenceBody>, Problem> {
    caller.workspace(&id)?;
    let mut tx = api.store.snapshot().await?;
    let known = tx.workspace(&id).await?;
    let workspace = known.ok_or_else(|| Problem::absent("workspace"))?.id;
    let mode = tx.mode(&workspace).await?;
    let statuses = tx.statuses(&workspace).await?;
    tx.commit().await?;
    Ok(Answer(PresenceBody {
        workspace,
        mode: mode.mode.map(Mode::as_str),
        since: mode.since,
        agents: statuses.into_iter().map(AgentPresence::from).collect(),
    }))
}
