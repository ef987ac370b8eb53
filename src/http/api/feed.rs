//! `/v1/agents/{id}/feed`: an agent's shifts at a secret address, for calendars that subscribe to it.
//!
//! The address is a token of scope `feed`, which opens nothing else, and no other token opens it. So it is
//! made, listed and revoked like any, its secret is stored as a hash, and no log names it: routes are logged
//! by their pattern. An agent has one feed; making one revokes the one before. It takes no
//! `Idempotency-Key`, for an answer that is kept would be a secret that is kept.

use axum::{
    Json as Answer,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{
    Api,
    auth::{Caller, OwnPage},
    boundaries::compiled,
    etag::{Etag, If},
    input::{Path, Word},
};
use crate::{
    domain::{
        access::{ApiToken, Grant, Scope},
        agent::Agent,
        calendar,
    },
    http::Problem,
    store::Tx,
};

/// The feed itself, whose address the router cannot tell from others that end otherwise.
#[derive(Debug, OpenApi)]
#[openapi(paths(read))]
pub(super) struct AtSecret;

/// A feed that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Feed {
    /// What `shiftbell token list` and `token revoke` call it.
    id: String,
    /// Where it is, behind this listener's address. It is told this once.
    path: String,
}

/// Makes the agent's feed, and ends the one before. Who knows its address reads the agent's shifts.
#[utoipa::path(post, path = "/v1/agents/{id}/feed", operation_id = "make_feed", tag = "agents", params(("id" = String, Path)),
    responses((status = 201, body = Feed, description = "Made")))]
pub(super) async fn make(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let mut tx = api.store.begin().await?;
    let agent = held(&mut tx, &caller, &id).await?;
    tx.revoke_feeds(&id, now).await?;
    let token = ApiToken::from_random(rand::random(), rand::random());
    let grant = Grant {
        scope: Scope::Feed,
        workspace: None,
        agent: Some(agent.id),
    };
    tx.add_token(&token, "feed", &grant, now, None).await?;
    let target = (&*id, Some(agent.workspace.as_str()));
    tx.audit(&caller.actor(), "feed.create", &[target], now)
        .await?;
    tx.commit().await?;
    let feed = Feed {
        id: token.id().to_owned(),
        path: token.feed_path(),
    };
    Ok((StatusCode::CREATED, Answer(feed)).into_response())
}

/// Ends the agent's feed: its address leads nowhere.
#[utoipa::path(delete, path = "/v1/agents/{id}/feed", operation_id = "delete_feed", tag = "agents", params(("id" = String, Path)),
    responses((status = 204, description = "Ended")))]
pub(super) async fn delete(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
) -> Result<StatusCode, Problem> {
    let now = api.clock.now();
    let mut tx = api.store.begin().await?;
    let agent = held(&mut tx, &caller, &id).await?;
    if tx.revoke_feeds(&id, now).await? == 0 {
        return Err(Problem::absent("feed"));
    }
    let target = (&*id, Some(agent.workspace.as_str()));
    tx.audit(&caller.actor(), "feed.delete", &[target], now)
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The agent's shifts from 7 days ago to 8 weeks ahead, as iCalendar. The address is the secret: it takes no token.
#[utoipa::path(get, path = "/v1/feeds/{secret}.ics", operation_id = "read_feed", tag = "agents", security(()),
    params(("secret" = String, Path)),
    responses((status = 200, body = String, content_type = "text/calendar", headers(("ETag" = String)))))]
pub(super) async fn read(
    State(api): State<Api>,
    Path(file): Path<Word>,
    condition: If,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let mut tx = api.store.snapshot().await?;
    let mut known = None;
    if let Some(token) = file.strip_suffix(".ics").and_then(ApiToken::parse) {
        let grant = tx.grant(&token, now).await?;
        let grant = grant.filter(|grant| grant.scope == Scope::Feed);
        known = grant.and_then(|grant| Some((token, grant.agent?)));
    }
    let Some((token, id)) = known else {
        tx.commit().await?;
        api.paces.stranger(now)?;
        return Err(Problem::absent("feed"));
    };
    api.paces.known(token.id(), now)?;
    let agent = tx.agent(&id).await?;
    let agent = agent.ok_or_else(|| Problem::absent("feed"))?;
    let (hours, _) = compiled(&mut tx, &agent, &api.zones()).await?;
    tx.commit().await?;
    let text = calendar::feed(&agent, &hours, now);
    let kind = HeaderValue::from_static("text/calendar; charset=utf-8");
    let mark = Etag::of(&text);
    let mut answer = condition.answer(&mark, ([(header::CONTENT_TYPE, kind)], text));
    let private = HeaderValue::from_static("private");
    answer.headers_mut().insert(header::CACHE_CONTROL, private);
    Ok(answer)
}

/// An agent that exists as far as the caller is concerned, held: two who make a feed at once take turns.
async fn held(tx: &mut Tx, caller: &Caller, id: &str) -> Result<Agent, Problem> {
    let agent = tx.hold_agent(id).await?;
    let agent = agent.ok_or_else(|| Problem::absent("agent"))?;
    caller.agent(id, &agent.workspace)?;
    Ok(agent)
}
