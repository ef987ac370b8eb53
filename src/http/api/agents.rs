//! `/v1/agents`: what an agent sets, under the rules of an import.

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
    auth::{Caller, OwnPage, Teams},
    body::{AgentBody, AgentEdit, AgentInput, Saved, Warning, judged},
    etag::{Etag, If, IfMatch},
    input::{Json, Path, Query, Word},
    page::{Cursor, Limit, Page},
};
use crate::{
    domain::{
        agent::{Agent, Field, Named},
        roster,
    },
    http::Problem,
    store::{StoreError, Tx},
};

/// Which agents, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// Only those of this workspace.
    #[param(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    workspace: Option<Word>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = Option<String>, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<Cursor>,
}

/// The agents, by id.
#[utoipa::path(get, path = "/v1/agents", operation_id = "list_agents", tag = "agents", params(Listing),
    responses((status = 200, body = Page<AgentBody>)))]
pub(super) async fn list(
    State(api): State<Api>,
    Teams(caller): Teams,
    Query(listing): Query<Listing>,
) -> Result<Answer<Page<AgentBody>>, Problem> {
    let after: Option<Word> = listing.cursor.map(|c| c.place()).transpose()?;
    let (after, limit) = (
        after.map(|word| word.0).unwrap_or_default(),
        listing.limit.and_one(),
    );
    let workspace = listing.workspace.map(|word| word.0);
    let workspace = workspace.or_else(|| caller.grant.workspace.clone());
    let mut tx = api.store.snapshot().await?;
    let agents = match &workspace {
        Some(workspace) => {
            caller.workspace(workspace)?;
            tx.team_after(workspace, &after, limit).await?
        }
        None => tx.agents_after(&after, limit).await?,
    };
    tx.commit().await?;
    let page = listing.limit.page(agents, |agent| agent.id.clone());
    Ok(Answer(page.map(AgentBody::from)))
}

/// One agent.
#[utoipa::path(get, path = "/v1/agents/{id}", operation_id = "get_agent", tag = "agents", params(("id" = String, Path)),
    responses((status = 200, body = AgentBody, headers(("ETag" = String)))))]
pub(super) async fn get(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
    condition: If,
) -> Result<Response, Problem> {
    let mut tx = api.store.snapshot().await?;
    let agent = visible(&mut tx, &caller, &id).await?;
    tx.commit().await?;
    let body = AgentBody::from(agent);
    Ok(condition.answer(&Etag::of(&body), Answer(body)))
}

/// Makes an agent, or replaces it as a whole. Phones stay as they are unless `devices` names them.
#[utoipa::path(put, path = "/v1/agents/{id}", operation_id = "put_agent", tag = "agents", params(("id" = String, Path), IfMatch),
    request_body = AgentInput,
    responses(
        (status = 200, body = Saved, description = "Replaced", headers(("ETag" = String))),
        (status = 201, body = Saved, description = "Made", headers(("ETag" = String)))))]
pub(super) async fn put(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
    condition: If,
    body: Json,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let mut tx = api.store.begin().await?;
    let stored = held(&mut tx, &caller, &id).await?;
    let zones = api.zones();
    let (mut agent, warnings) = judged(roster::agent(&body.0, &id, None, &zones, now))?;
    condition.holds(etag(stored.as_ref()).as_ref())?;
    let said = agent.named;
    agent.named = if agent.named.contains(Field::Devices) {
        Named::ALL
    } else {
        Named::all_but(Field::Devices)
    };
    if caller.grant.agent.is_some() && !said.contains(Field::External) {
        agent.named.remove(Field::External);
    }
    may_move(&caller, stored.as_ref(), &agent)?;
    may_rename(&caller, stored.as_ref(), &agent)?;
    let status = match stored {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    save(&api, tx, &caller, agent, warnings, status).await
}

/// Changes what the body names.
#[utoipa::path(patch, path = "/v1/agents/{id}", operation_id = "patch_agent", tag = "agents", params(("id" = String, Path), IfMatch),
    request_body(content((AgentEdit = "application/merge-patch+json"), (AgentEdit = "application/json"))),
    responses((status = 200, body = Saved, headers(("ETag" = String)))))]
pub(super) async fn patch(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
    condition: If,
    body: Json,
) -> Result<Response, Problem> {
    let mut tx = api.store.begin().await?;
    let stored = held(&mut tx, &caller, &id).await?;
    let stored = stored.ok_or_else(|| Problem::absent("agent"))?;
    let (now, zones) = (api.clock.now(), api.zones());
    let (agent, warnings) = judged(roster::agent(&body.0, &id, Some(&stored), &zones, now))?;
    condition.holds(etag(Some(&stored)).as_ref())?;
    may_move(&caller, Some(&stored), &agent)?;
    may_rename(&caller, Some(&stored), &agent)?;
    save(&api, tx, &caller, agent, warnings, StatusCode::OK).await
}

/// Removes an agent: offline is posted once, and all that is pending is cancelled.
#[utoipa::path(delete, path = "/v1/agents/{id}", operation_id = "delete_agent", tag = "agents", params(("id" = String, Path), IfMatch),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete(
    State(api): State<Api>,
    Teams(caller): Teams,
    Path(id): Path<Word>,
    condition: If,
) -> Result<Response, Problem> {
    let mut tx = api.store.begin().await?;
    let stored = held(&mut tx, &caller, &id).await?;
    let stored = stored.ok_or_else(|| Problem::absent("agent"))?;
    condition.holds(etag(Some(&stored)).as_ref())?;
    tx.remove_agents([&*id]).await?;
    let target = (&*id, Some(stored.workspace.as_str()));
    tx.audit(&caller.actor(), "agent.delete", &[target], api.clock.now())
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// An agent that exists as far as the caller is concerned.
pub(super) async fn visible(tx: &mut Tx, caller: &Caller, id: &str) -> Result<Agent, Problem> {
    let agent = tx
        .agent(id)
        .await?
        .ok_or_else(|| Problem::absent("agent"))?;
    caller.agent(id, &agent.workspace)?;
    Ok(agent)
}

/// The same, held against other writers; `None` where the caller may make it.
async fn held(tx: &mut Tx, caller: &Caller, id: &str) -> Result<Option<Agent>, Problem> {
    let stored = tx.hold_agent(id).await?;
    match &stored {
        Some(agent) => caller.agent(id, &agent.workspace)?,
        None if caller.grant.agent.is_some() => return Err(Problem::absent("agent")),
        None => {}
    }
    Ok(stored)
}

fn etag(agent: Option<&Agent>) -> Option<Etag> {
    agent.map(|agent| Etag::of(&AgentBody::from(agent.clone())))
}

/// Whether the caller may have the agent in the workspace that the body names.
pub(super) fn may_move(
    caller: &Caller,
    stored: Option<&Agent>,
    agent: &Agent,
) -> Result<(), Problem> {
    if stored.is_some_and(|stored| stored.workspace == agent.workspace) {
        return Ok(());
    }
    if caller.grant.sees_workspace(&agent.workspace) {
        return Ok(());
    }
    let detail = "there is no such workspace";
    Err(Problem::field(StatusCode::NOT_FOUND, "workspace", detail))
}

/// Ids in other products are the platform's to give: with a colleague's, an agent would set the
/// colleague's status there.
fn may_rename(caller: &Caller, stored: Option<&Agent>, agent: &Agent) -> Result<(), Problem> {
    let named = agent.named.contains(Field::External);
    let same = stored.is_some_and(|stored| stored.external == agent.external);
    if caller.grant.agent.is_none() || !named || same {
        return Ok(());
    }
    let detail = "a token of scope agent does not change them";
    Err(Problem::field(StatusCode::FORBIDDEN, "external", detail))
}

/// What the database says of an agent that is put. Who has an id is told to those who see them.
fn refused(caller: &Caller, error: StoreError) -> Problem {
    let StoreError::Taken {
        product,
        id,
        holder,
        workspace,
        ..
    } = &error
    else {
        return error.into();
    };
    let who = if caller.grant.sees_agent(holder, workspace) {
        format!("agent {holder:?}")
    } else {
        "another agent".to_owned()
    };
    let detail = format!("{id:?} belongs to {who}");
    Problem::field(StatusCode::CONFLICT, &format!("external.{product}"), detail)
}

async fn save(
    api: &Api,
    mut tx: Tx,
    caller: &Caller,
    agent: Agent,
    warnings: Vec<Warning>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let (id, workspace) = (agent.id.clone(), agent.workspace.clone());
    let put = tx.put_agents(&[agent], now).await;
    put.map_err(|error| refused(caller, error))?;
    tx.audit(
        &caller.actor(),
        "agent.put",
        &[(&id, Some(&workspace))],
        now,
    )
    .await?;
    let saved = tx
        .agent(&id)
        .await?
        .ok_or_else(|| Problem::absent("agent"))?;
    tx.commit().await?;
    let saved = AgentBody::from(saved);
    let mark = Etag::of(&saved);
    let body = Saved {
        agent: saved,
        warnings,
    };
    Ok(mark.mark((status, Answer(body))))
}
