//! `/v1/agents/{id}/devices`: the phones of an agent. A token comes in with the address and never goes
//! out; the delivery log's fingerprint stands for it.

use axum::{
    Json as Answer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api, agents,
    auth::{Caller, OwnPage},
    body::judged,
    input::{Json, Path, Token, Word},
};
use crate::{
    domain::{agent::Device, roster},
    http::Problem,
    store::{PhoneRow, Tx},
};

/// A phone.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct DeviceBody {
    /// `ios` or `android`.
    platform: String,
    /// What stands for its token in the delivery log.
    fingerprint: String,
    /// Which of Apple's hosts knows the token: `production` or `sandbox`.
    environment: String,
    /// `active`; or `quarantined` or `disabled`, and it rings no more until it registers again.
    state: String,
    /// Why it is no longer active.
    state_reason: Option<String>,
    /// When the app registered it last.
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
}

impl From<PhoneRow> for DeviceBody {
    fn from(row: PhoneRow) -> Self {
        Self {
            platform: row.platform,
            fingerprint: row.fingerprint,
            environment: row.environment,
            state: row.state,
            state_reason: row.state_reason,
            registered_at: row.registered_at,
        }
    }
}

/// An agent's phones.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Devices {
    items: Vec<DeviceBody>,
}

/// How to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(super) struct Registration {
    /// Which of Apple's hosts knows the token; production where it is not said.
    #[schema(pattern = "^(production|sandbox)$")]
    environment: Option<String>,
}

type Address = Path<(Word, Word, Token)>;

/// The agent's phones, in the order in which they were registered.
#[utoipa::path(get, path = "/v1/agents/{id}/devices", operation_id = "list_devices", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = Devices)))]
pub(super) async fn list(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
) -> Result<Answer<Devices>, Problem> {
    let mut tx = api.store.snapshot().await?;
    agents::visible(&mut tx, &caller, &id).await?;
    let phones = tx.phones(&id).await?;
    tx.commit().await?;
    let items = phones.into_iter().map(DeviceBody::from).collect();
    Ok(Answer(Devices { items }))
}

/// One phone.
#[utoipa::path(get, path = "/v1/agents/{id}/devices/{platform}/{token}", operation_id = "get_device", tag = "devices",
    params(("id" = String, Path), ("platform" = String, Path, pattern = "^(ios|android)$"), ("token" = String, Path)),
    responses((status = 200, body = DeviceBody)))]
pub(super) async fn get(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path((id, platform, token)): Address,
) -> Result<Answer<DeviceBody>, Problem> {
    let mut tx = api.store.snapshot().await?;
    agents::visible(&mut tx, &caller, &id).await?;
    let phone = tx.phone(&id, &platform, token.expose()).await?;
    tx.commit().await?;
    let phone = phone.ok_or_else(|| Problem::absent("device"))?;
    Ok(Answer(phone.into()))
}

/// Registers a phone; whoever had it before has it no more. Registering it again wakes one that was
/// quarantined or disabled.
#[utoipa::path(put, path = "/v1/agents/{id}/devices/{platform}/{token}", operation_id = "put_device", tag = "devices",
    params(("id" = String, Path), ("platform" = String, Path, pattern = "^(ios|android)$"), ("token" = String, Path)),
    request_body = Registration,
    responses(
        (status = 200, body = DeviceBody, description = "Registered again"),
        (status = 201, body = DeviceBody, description = "Registered")))]
pub(super) async fn put(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path((id, platform, token)): Address,
    body: Json,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let (device, _) = judged(roster::device(&body.0, &platform, token.expose()))?;
    let mut tx = api.store.begin().await?;
    let agent = agents::visible(&mut tx, &caller, &id).await?;
    let known = tx.phone(&id, &platform, token.expose()).await?;
    register(&mut tx, &caller, &id, &agent.workspace, &device, now).await?;
    let phone = tx.phone(&id, &platform, token.expose()).await?;
    tx.commit().await?;
    let status = match known {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    let phone = DeviceBody::from(phone.ok_or_else(|| Problem::absent("device"))?);
    Ok((status, Answer(phone)).into_response())
}

/// Removes a phone.
#[utoipa::path(delete, path = "/v1/agents/{id}/devices/{platform}/{token}", operation_id = "delete_device", tag = "devices",
    params(("id" = String, Path), ("platform" = String, Path, pattern = "^(ios|android)$"), ("token" = String, Path)),
    responses((status = 204, description = "Removed")))]
pub(super) async fn delete(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path((id, platform, token)): Address,
) -> Result<StatusCode, Problem> {
    let mut tx = api.store.begin().await?;
    let agent = agents::visible(&mut tx, &caller, &id).await?;
    let known = tx.phone(&id, &platform, token.expose()).await?;
    let phone = known.ok_or_else(|| Problem::absent("device"))?;
    tx.unregister(&id, &platform, token.expose()).await?;
    let target = (phone.fingerprint.as_str(), Some(agent.workspace.as_str()));
    tx.audit(&caller.actor(), "device.delete", &[target], api.clock.now())
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn register(
    tx: &mut Tx,
    caller: &Caller,
    agent: &str,
    workspace: &str,
    device: &Device,
    now: Timestamp,
) -> Result<(), Problem> {
    tx.register(agent, device, now).await?;
    tx.audit(
        &caller.actor(),
        "device.put",
        &[(agent, Some(workspace))],
        now,
    )
    .await?;
    Ok(())
}
