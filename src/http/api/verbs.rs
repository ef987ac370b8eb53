//! What can be done to deliveries: retry what failed, cancel what is open. One, by
//! `POST /v1/deliveries/{id}:retry`; or all that a filter matches, given how many the caller expects.

use axum::{
    extract::State,
    http::{Method, StatusCode},
    response::Response,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::{
    Api,
    auth::{Caller, WriteLog},
    deliveries::{ChannelWord, StateWord, visible, within},
    input::{Json, Path, Word},
    once::{IdempotencyKey, Once},
};
use crate::{
    http::Problem,
    store::{DeliveryFilter, Done, Matched, Tx},
};

/// The verbs on one delivery, whose addresses the router cannot tell apart.
#[derive(Debug, OpenApi)]
#[openapi(paths(retry, cancel))]
pub(super) struct OnOne;

/// Which deliveries, and how many that ought to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// Those to act on.
    filter: Filter,
    /// How many the filter matches, as the caller believes; if it is another number nothing is done.
    expected: u32,
}

/// What is left out does not filter. Retry acts on failed ones alone, cancel on open ones.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    #[schema(value_type = Option<String>, pattern = "^(pending|leased|sent|failed|expired|superseded|cancelled)$")]
    state: Option<StateWord>,
    #[schema(value_type = Option<String>, pattern = "^(apns|fcm|presence)$")]
    channel: Option<ChannelWord>,
    #[schema(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    agent: Option<Word>,
    #[schema(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    workspace: Option<Word>,
    #[schema(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    reason: Option<Word>,
    /// Recorded at or after this instant.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Outcome {
    /// How many deliveries were meant.
    matched: usize,
    /// Ids of those that will be sent again, or are cancelled.
    changed: Vec<String>,
    /// Ids of those under way: they cannot be called back, but will not be repeated.
    revoked: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Retry,
    Cancel,
}

/// Tells the verbs on one delivery apart.
pub(super) async fn one(
    api: State<Api>,
    caller: WriteLog,
    Path(address): Path<Word>,
    once: Once,
) -> Result<Response, Problem> {
    match address.rsplit_once(':') {
        Some((id, "retry")) => retry(api, caller, id, once).await,
        Some((id, "cancel")) => cancel(api, caller, id, once).await,
        _ => Err(not_allowed(Method::POST, Path(address)).await),
    }
}

/// A method that is not for this address: a verb's takes POST, a delivery's own GET.
pub(super) async fn not_allowed(method: Method, Path(address): Path<Word>) -> Problem {
    let verb = [":retry", ":cancel"]
        .iter()
        .any(|verb| address.ends_with(verb));
    Problem::not_allowed(&method, if verb { "POST" } else { "GET,HEAD" })
}

/// Sends a failed delivery again. 409 if it has not failed, its deadline has passed, its phone is no
/// longer active, or a newer event has overtaken it.
#[utoipa::path(post, path = "/v1/deliveries/{id}:retry", operation_id = "retry_delivery", tag = "deliveries",
    params(("id" = String, Path), IdempotencyKey),
    responses((status = 200, body = Outcome)))]
async fn retry(
    State(api): State<Api>,
    WriteLog(caller): WriteLog,
    id: &str,
    once: Once,
) -> Result<Response, Problem> {
    act_on_one(&api, &caller, id, &once, Verb::Retry).await
}

/// Cancels an open delivery. 409 if it has ended.
#[utoipa::path(post, path = "/v1/deliveries/{id}:cancel", operation_id = "cancel_delivery", tag = "deliveries",
    params(("id" = String, Path), IdempotencyKey),
    responses((status = 200, body = Outcome)))]
async fn cancel(
    State(api): State<Api>,
    WriteLog(caller): WriteLog,
    id: &str,
    once: Once,
) -> Result<Response, Problem> {
    act_on_one(&api, &caller, id, &once, Verb::Cancel).await
}

/// Sends all failed deliveries again that the filter matches, those that still can be.
#[utoipa::path(post, path = "/v1/deliveries:retry", operation_id = "retry_deliveries", tag = "deliveries", request_body = Order,
    params(IdempotencyKey),
    responses((status = 200, body = Outcome)))]
pub(super) async fn retry_matching(
    State(api): State<Api>,
    WriteLog(caller): WriteLog,
    once: Once,
    body: Json,
) -> Result<Response, Problem> {
    act_on_matching(&api, &caller, &once, &body, Verb::Retry).await
}

/// Cancels all open deliveries that the filter matches.
#[utoipa::path(post, path = "/v1/deliveries:cancel", operation_id = "cancel_deliveries", tag = "deliveries", request_body = Order,
    params(IdempotencyKey),
    responses((status = 200, body = Outcome)))]
pub(super) async fn cancel_matching(
    State(api): State<Api>,
    WriteLog(caller): WriteLog,
    once: Once,
    body: Json,
) -> Result<Response, Problem> {
    act_on_matching(&api, &caller, &once, &body, Verb::Cancel).await
}

async fn act_on_one(
    api: &Api,
    caller: &Caller,
    id: &str,
    once: &Once,
    verb: Verb,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let mut tx = api.store.begin().await?;
    if let Some(before) = once.before(&mut tx, caller, "", now).await? {
        return Ok(before);
    }
    visible(&mut tx, caller, id).await?;
    let done = act(&mut tx, caller, &[id.to_owned()], verb, now).await?;
    if done == Done::default() {
        let detail = match verb {
            Verb::Retry => {
                "only a failed delivery is sent again whose deadline has not passed, whose phone is \
                 still active, and that no newer one has overtaken"
            }
            Verb::Cancel => "it has ended: only an open delivery can be cancelled",
        };
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    finish(tx, caller, once, 1, done).await
}

async fn act_on_matching(
    api: &Api,
    caller: &Caller,
    once: &Once,
    body: &Json,
    verb: Verb,
) -> Result<Response, Problem> {
    let order: Order = body.read()?;
    let filter = order.filter.within(caller)?;
    let now = api.clock.now();
    let mut tx = api.store.begin().await?;
    if let Some(before) = once.before(&mut tx, caller, &body.0, now).await? {
        return Ok(before);
    }
    let matched = match verb {
        Verb::Retry => tx.failed_matching(&filter).await?,
        Verb::Cancel => tx.open_matching(&filter).await?,
    };
    let ids = as_expected(matched, order.expected)?;
    let done = act(&mut tx, caller, &ids, verb, now).await?;
    finish(tx, caller, once, ids.len(), done).await
}

impl Filter {
    /// The same in the store's words, within what the caller sees.
    fn within(self, caller: &Caller) -> Result<DeliveryFilter, Problem> {
        Ok(DeliveryFilter {
            state: self.state.map(StateWord::text),
            channel: self.channel.map(ChannelWord::text),
            agent: self.agent.map(|word| word.0),
            workspace: within(caller, self.workspace)?,
            reason: self.reason.map(|word| word.0),
            since: self.since,
            ..DeliveryFilter::default()
        })
    }
}

/// The ids, if they are as many as expected.
fn as_expected(matched: Matched, expected: u32) -> Result<Vec<String>, Problem> {
    let (field, detail) = match matched {
        Matched::Ids(ids) if ids.len() == expected as usize => return Ok(ids),
        Matched::Ids(ids) => {
            let found = ids.len();
            let detail = format!("{found} deliveries match, not {expected}: nothing was done");
            ("expected", detail)
        }
        Matched::TooMany(most) => {
            let detail = format!("matches more than {most} deliveries: narrow it down");
            ("filter", detail)
        }
    };
    Err(Problem::field(StatusCode::CONFLICT, field, detail))
}

async fn act(
    tx: &mut Tx,
    caller: &Caller,
    ids: &[String],
    verb: Verb,
    now: Timestamp,
) -> Result<Done, Problem> {
    Ok(match verb {
        Verb::Retry => tx.retry_all(ids, now, &caller.actor()).await?,
        Verb::Cancel => tx.cancel_all(ids, now, &caller.actor()).await?,
    })
}

async fn finish(
    mut tx: Tx,
    caller: &Caller,
    once: &Once,
    matched: usize,
    done: Done,
) -> Result<Response, Problem> {
    let outcome = Outcome {
        matched,
        changed: done.changed,
        revoked: done.revoked,
    };
    let answer = once.answer(&mut tx, caller, &outcome).await?;
    tx.commit().await?;
    Ok(answer)
}
