//! `/v1/deliveries`: what was to be sent, to whom, and what came of it.

use axum::{Json as Answer, extract::State, http::Method};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Caller, ReadLog},
    input::{Path, Query, Word},
    page::{Cursor, Limit, Page},
    verbs::not_allowed,
};
use crate::{
    domain::delivery::{ChannelKind, DeliveryState},
    http::Problem,
    store::{AttemptRow, DeliveryFilter, DeliveryRow, Tx},
};

/// Which deliveries, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// `pending`, `leased`, `sent`, `failed`, `expired`, `superseded` or `cancelled`.
    #[param(value_type = Option<String>, pattern = "^(pending|leased|sent|failed|expired|superseded|cancelled)$")]
    state: Option<StateWord>,
    /// `apns`, `fcm` or `presence`.
    #[param(value_type = Option<String>, pattern = "^(apns|fcm|presence)$")]
    channel: Option<ChannelWord>,
    /// An agent's id.
    #[param(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    agent: Option<Word>,
    /// A workspace's id.
    #[param(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    workspace: Option<Word>,
    /// The reason, whole.
    #[param(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    reason: Option<Word>,
    /// Recorded at or after this instant.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = Option<String>, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<Cursor>,
}

/// A state's word.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct StateWord(DeliveryState);

impl StateWord {
    /// As the log has it.
    pub(super) fn text(self) -> String {
        self.0.as_str().to_owned()
    }
}

impl ChannelWord {
    /// As the log has it.
    pub(super) fn text(self) -> String {
        self.0.as_str().to_owned()
    }
}

impl TryFrom<String> for StateWord {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        DeliveryState::from_word(&word)
            .map(Self)
            .ok_or("is no state: pending, leased, sent, failed, expired, superseded or cancelled")
    }
}

/// A channel's word.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ChannelWord(ChannelKind);

impl TryFrom<String> for ChannelWord {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        ChannelKind::from_word(&word)
            .map(Self)
            .ok_or("is no channel: apns, fcm or presence")
    }
}

/// A delivery with its attempts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryWithAttempts {
    #[serde(flatten)]
    delivery: DeliveryRow,
    /// Oldest first.
    attempt_log: Vec<AttemptRow>,
}

/// The delivery log, newest first.
#[utoipa::path(get, path = "/v1/deliveries", operation_id = "list_deliveries", tag = "deliveries", params(Listing),
    responses((status = 200, body = Page<DeliveryRow>)))]
pub(super) async fn list(
    State(api): State<Api>,
    ReadLog(caller): ReadLog,
    Query(listing): Query<Listing>,
) -> Result<Answer<Page<DeliveryRow>>, Problem> {
    let after: Option<(Timestamp, Word)> = listing.cursor.map(|c| c.place()).transpose()?;
    let filter = DeliveryFilter {
        state: listing.state.map(StateWord::text),
        channel: listing.channel.map(ChannelWord::text),
        agent: listing.agent.map(|word| word.0),
        workspace: within(&caller, listing.workspace)?,
        reason: listing.reason.map(|word| word.0),
        since: listing.since,
        limit: listing.limit.and_one(),
        after: after.map(|(at, id)| (at, id.0)),
    };
    let mut tx = api.store.snapshot().await?;
    let rows = tx.deliveries(&filter).await?;
    tx.commit().await?;
    let place = |row: &DeliveryRow| (row.created_at, row.id.clone());
    Ok(Answer(listing.limit.page(rows, place)))
}

/// One delivery with its attempts.
#[utoipa::path(get, path = "/v1/deliveries/{id}", operation_id = "get_delivery", tag = "deliveries", params(("id" = String, Path)),
    responses((status = 200, body = DeliveryWithAttempts)))]
pub(super) async fn get(
    State(api): State<Api>,
    ReadLog(caller): ReadLog,
    Path(id): Path<Word>,
) -> Result<Answer<DeliveryWithAttempts>, Problem> {
    if id.ends_with(":retry") || id.ends_with(":cancel") {
        return Err(not_allowed(Method::GET, Path(id)).await);
    }
    let mut tx = api.store.snapshot().await?;
    let delivery = visible(&mut tx, &caller, &id).await?;
    let attempt_log = tx.attempts(&id).await?;
    tx.commit().await?;
    Ok(Answer(DeliveryWithAttempts {
        delivery,
        attempt_log,
    }))
}

/// A delivery that exists as far as the caller is concerned.
pub(super) async fn visible(
    tx: &mut Tx,
    caller: &Caller,
    id: &str,
) -> Result<DeliveryRow, Problem> {
    let found = tx.delivery(id).await?;
    found
        .filter(|row| caller.grant.sees_workspace(&row.workspace))
        .ok_or_else(|| Problem::absent("delivery"))
}

/// The one workspace to look in: the one that is asked for, else the caller's own.
pub(super) fn within(caller: &Caller, asked: Option<Word>) -> Result<Option<String>, Problem> {
    match asked {
        Some(workspace) => {
            caller.workspace(&workspace)?;
            Ok(Some(workspace.0))
        }
        None => Ok(caller.grant.workspace.clone()),
    }
}
