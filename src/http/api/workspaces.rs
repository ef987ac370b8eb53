//! `/v1/workspaces`: teams, their holidays, and how long a conversation may wait.

use axum::{
    Json as Answer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Api,
    auth::Teams,
    body::{WorkspaceBody, WorkspaceInput, judged},
    etag::{Etag, If, IfMatch},
    input::{Json, Path, Query, Word},
    page::{Cursor, Limit, Page},
};
use crate::{
    domain::{
        agent::{AskInvisible, Workspace},
        roster,
    },
    http::Problem,
};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = Option<String>, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<Cursor>,
}

/// The workspaces, by id.
#[utoipa::path(get, path = "/v1/workspaces", operation_id = "list_workspaces", tag = "workspaces", params(Listing),
    responses((status = 200, body = Page<WorkspaceBody>)))]
pub(super) async fn list(
    State(api): State<Api>,
    Teams(caller): Teams,
    Query(listing): Query<Listing>,
) -> Result<Answer<Page<WorkspaceBody>>, Problem> {
    let after: Option<Word> = listing.cursor.map(|c| c.place()).transpose()?;
    let after = after.map(|word| word.0).unwrap_or_default();
    let mut tx = api.store.snapshot().await?;
    let workspaces = match &caller.grant.workspace {
        Some(own) => tx
            .workspace(own)
            .await?
            .filter(|w| w.id > after)
            .into_iter()
            .collect(),
        None => tx.workspaces_after(&after, listing.limit.and_one()).await?,
    };
    tx.commit().await?;
    let page = listing
        .limit
        .page(workspaces, |workspace| workspace.id.clone());
    Ok(Answer(page.map(WorkspaceBody::from)))
}

/// One workspace.
#[utoipa::path(get, path = "/v1/workspaces/{id}", operation_id = "get_workspace", tag = "workspaces", params(("id" = String, Path)),
    responses((status = 200, body = WorkspaceBody, headers(("ETag" = String)))))]
pub(super) async fn get(
    State(api): State<Api>,
    Teams(caller): Teams,
    Path(id): Path<Word>,
    condition: If,
) -> Result<Response, Problem> {
    caller.workspace(&id)?;
    let mut tx = api.store.snapshot().await?;
    let found = tx.workspace(&id).await?;
    tx.commit().await?;
    let body = WorkspaceBody::from(found.ok_or_else(|| Problem::absent("workspace"))?);
    Ok(condition.answer(&Etag::of(&body), Answer(body)))
}

/// Makes a workspace, or replaces it as a whole.
#[utoipa::path(put, path = "/v1/workspaces/{id}", operation_id = "put_workspace", tag = "workspaces", params(("id" = String, Path), IfMatch),
    request_body = WorkspaceInput,
    responses(
        (status = 200, body = WorkspaceBody, description = "Replaced", headers(("ETag" = String))),
        (status = 201, body = WorkspaceBody, description = "Made", headers(("ETag" = String)))))]
pub(super) async fn put(
    State(api): State<Api>,
    Teams(caller): Teams,
    Path(id): Path<Word>,
    condition: If,
    body: Json,
) -> Result<Response, Problem> {
    caller.workspace(&id)?;
    let (now, zones) = (api.clock.now(), api.zones());
    let (read, _) = judged(roster::workspace(&body.0, &id, &zones, now))?;
    let whole = Workspace {
        holidays: Some(read.holidays.unwrap_or_default()),
        ask_invisible: Some(read.ask_invisible.unwrap_or(AskInvisible::Never)),
        ..read
    };
    let mut tx = api.store.begin().await?;
    let stored = tx.hold_workspace(&id).await?.map(WorkspaceBody::from);
    condition.holds(stored.as_ref().map(Etag::of).as_ref())?;
    let saved = WorkspaceBody::from(whole.clone());
    tx.put_workspaces(&[whole]).await?;
    tx.audit(&caller.actor(), "workspace.put", &[(&id, Some(&id))], now)
        .await?;
    tx.commit().await?;
    let status = match stored {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    Ok(Etag::of(&saved).mark((status, Answer(saved))))
}

/// Removes a workspace that has no agents any more.
#[utoipa::path(delete, path = "/v1/workspaces/{id}", operation_id = "delete_workspace", tag = "workspaces", params(("id" = String, Path), IfMatch),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete(
    State(api): State<Api>,
    Teams(caller): Teams,
    Path(id): Path<Word>,
    condition: If,
) -> Result<Response, Problem> {
    caller.workspace(&id)?;
    let now = api.clock.now();
    let mut tx = api.store.begin().await?;
    let stored = tx.hold_workspace(&id).await?;
    let stored = WorkspaceBody::from(stored.ok_or_else(|| Problem::absent("workspace"))?);
    condition.holds(Some(&Etag::of(&stored)))?;
    let agents = tx.team_size(&id).await?;
    if agents > 0 {
        let detail = format!("the workspace still has {agents} agents: remove them first");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    tx.remove_workspace(&id).await?;
    tx.audit(
        &caller.actor(),
        "workspace.delete",
        &[(&id, Some(&id))],
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
