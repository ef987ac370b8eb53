//! `/v1/agents/{id}/status`: what an agent is now, and what it was set to by hand.

use axum::{Json as Answer, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api, agents,
    auth::OwnPage,
    boundaries::compiled,
    input::{Json, Path, Word},
};
use crate::{
    domain::{
        hours::OperatingHours,
        plan::ByHand,
        presence::{Reason, Status},
    },
    http::Problem,
    store::StatusRow,
};

/// An agent's status.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(super) struct StatusBody {
    /// The agent's id.
    agent: String,
    /// `online`, `offline` or `invisible`, as it was recorded last; null until the worker has looked.
    status: Option<&'static str>,
    /// Whether new conversations may be routed to the agent now.
    accepts_conversations: bool,
    /// Why: `hours_start`, `hours_end`, `no_reply`, `manual`, `overflow` or `sync`.
    reason: Option<&'static str>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// What was set by hand, while it holds.
    by_hand: Option<ByHandBody>,
}

/// A status set by hand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ByHand)]
pub(super) struct ByHandBody {
    /// `online`, `offline` or `invisible`.
    status: &'static str,
    /// When it was set.
    #[schema(value_type = String, format = DateTime)]
    set_at: Timestamp,
    /// Until when it holds; null for an agent whose hours never start or end.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// A status to set by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    #[schema(value_type = String, pattern = "^(online|offline|invisible)$")]
    status: Status,
    /// Until when it holds, even over the start or end of hours; until their next where it is not said.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// The agent's status now.
#[utoipa::path(get, path = "/v1/agents/{id}/status", operation_id = "get_status", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = StatusBody)))]
pub(super) async fn get(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
) -> Result<Answer<StatusBody>, Problem> {
    let mut tx = api.store.snapshot().await?;
    let agent = agents::visible(&mut tx, &caller, &id).await?;
    let (hours, _) = compiled(&mut tx, &agent, &api.zones()).await?;
    let set = tx.by_hand(&id).await?;
    let recorded = tx.status(&id).await?;
    tx.commit().await?;
    Ok(Answer(body(&id, recorded, set, &hours, api.clock.now())))
}

/// Sets the agent's status by hand. The worker posts it at once, and it holds until the agent's hours
/// start or end next, or until the time given.
#[utoipa::path(put, path = "/v1/agents/{id}/status", operation_id = "put_status", tag = "agents", params(("id" = String, Path)),
    request_body = Setting, responses((status = 200, body = StatusBody)))]
pub(super) async fn put(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
    body_text: Json,
) -> Result<Answer<StatusBody>, Problem> {
    let now = api.clock.now();
    let Setting { status, until } = body_text.read()?;
    if until.is_some_and(|until| until <= now) {
        let detail = format!("must be later than now, {now:.0}");
        return Err(Problem::field(
            StatusCode::UNPROCESSABLE_ENTITY,
            "until",
            detail,
        ));
    }
    let set = ByHand {
        status,
        set_at: now,
        until,
    };
    let mut tx = api.store.begin().await?;
    let agent = agents::visible(&mut tx, &caller, &id).await?;
    let (hours, _) = compiled(&mut tx, &agent, &api.zones()).await?;
    tx.set_by_hand(&id, &set).await?;
    let target = (&*id, Some(agent.workspace.as_str()));
    tx.audit(&caller.actor(), "agent.status", &[target], now)
        .await?;
    let (set, recorded) = (tx.by_hand(&id).await?, tx.status(&id).await?);
    tx.commit().await?;
    Ok(Answer(body(&id, recorded, set, &hours, now)))
}

fn body(
    agent: &str,
    recorded: Option<StatusRow>,
    set: Option<ByHand>,
    hours: &OperatingHours,
    now: Timestamp,
) -> StatusBody {
    let no_reply_at = recorded.as_ref().and_then(|r| r.no_reply_at);
    let holds = set.filter(|set| set.holds(hours, no_reply_at, now));
    let by_hand = holds.map(|set| ByHandBody {
        status: set.status.as_str(),
        set_at: set.set_at,
        until: set.over_at(hours),
    });
    StatusBody {
        agent: agent.to_owned(),
        status: recorded.as_ref().and_then(|r| r.status).map(Status::as_str),
        accepts_conversations: recorded.as_ref().is_some_and(|r| r.accepts_conversations),
        reason: recorded.as_ref().and_then(|r| r.reason).map(Reason::as_str),
        since: recorded.and_then(|r| r.since),
        by_hand,
    }
}
