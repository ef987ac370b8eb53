//! `POST /v1/agents/{id}/devices/{platform}/{token}:test`: does this phone ring? Asked of its push
//! service then and there: not a delivery, so neither lanes nor log know of it.

use axum::{
    Json as Answer,
    extract::State,
    http::{Method, StatusCode},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::{
    Api, agents,
    auth::OwnPage,
    input::{Path, Token, Word},
};
use crate::{
    domain::{
        agent::{Agent, Device},
        alert,
        delivery::{AlertKind, ChannelKind, Push, Verdict},
        device::Platform,
    },
    http::Problem,
};

/// For how long a test is of use.
const USEFUL: SignedDuration = SignedDuration::from_mins(1);

/// The verb on one phone, whose address the router cannot tell from the phone's own.
#[derive(Debug, OpenApi)]
#[openapi(paths(test))]
pub(super) struct OnOne;

/// What the push service said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rung {
    /// `apns` or `fcm`.
    channel: &'static str,
    /// Whether it took the alert. The phone may still be switched off, or silence it.
    accepted: bool,
    /// What it said, or what became of the request.
    reason: String,
    /// The answer's HTTP status; null if there was no answer.
    http_status: Option<u16>,
    /// Its id of the alert.
    receipt: Option<String>,
}

/// The verb, at an address that ends with it.
pub(super) async fn one(
    api: State<Api>,
    caller: OwnPage,
    Path((id, platform, token)): Path<(Word, Word, Word)>,
) -> Result<Answer<Rung>, Problem> {
    let Some(token) = token.strip_suffix(":test") else {
        return Err(not_allowed(Method::POST, Path((id, platform, token))).await);
    };
    test(api, caller, Path((id, platform, Token::new(token)))).await
}

/// A method that is not for this address: the test takes POST, the phone itself none.
pub(super) async fn not_allowed(
    method: Method,
    Path((_, _, token)): Path<(Word, Word, Word)>,
) -> Problem {
    if token.ends_with(":test") {
        Problem::not_allowed(&method, "POST")
    } else {
        Problem::not_allowed(&method, "GET,HEAD,PUT,DELETE")
    }
}

/// Rings the phone once, whatever its agent opted in to, and answers with what APNs or FCM said. 409 where
/// that push service is not configured.
#[utoipa::path(post, path = "/v1/agents/{id}/devices/{platform}/{token}:test", operation_id = "test_device", tag = "devices",
    params(("id" = String, Path), ("platform" = String, Path, pattern = "^(ios|android)$"), ("token" = String, Path)),
    responses((status = 200, body = Rung)))]
async fn test(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path((id, platform, token)): Path<(Word, Word, Token)>,
) -> Result<Answer<Rung>, Problem> {
    let now = api.clock.now();
    let mut tx = api.store.begin().await?;
    let agent = agents::visible(&mut tx, &caller, &id).await?;
    let phone = tx.phone(&id, &platform, token.expose()).await?;
    let phone = phone.ok_or_else(|| Problem::absent("device"))?;
    let device = agent.devices.iter().find(|device| {
        let ours = device.token.expose();
        device.platform.as_str() == &*platform && ours.eq_ignore_ascii_case(token.expose())
    });
    let device = device.ok_or_else(|| Problem::absent("device"))?;
    let target = (phone.fingerprint.as_str(), Some(agent.workspace.as_str()));
    tx.audit(&caller.actor(), "device.test", &[target], now)
        .await?;
    tx.commit().await?;
    let (channel, push) = push(&agent, device, now);
    let judgement = (api.worker.ring)(channel, push, now).await.ok_or_else(|| {
        let channel = channel.as_str();
        let detail = format!("{channel} is not configured here: [{channel}] is missing");
        Problem::new(StatusCode::CONFLICT, detail)
    })?;
    Ok(Answer(Rung {
        channel: channel.as_str(),
        accepted: judgement.verdict == Verdict::Sent,
        reason: judgement.reason,
        http_status: judgement.http_status,
        receipt: judgement.receipt,
    }))
}

fn push(agent: &Agent, device: &Device, now: Timestamp) -> (ChannelKind, Push) {
    let event = AlertKind::Test;
    let delivery = alert::delivery_id(&agent.id, event, now, device.token.expose());
    let facts = alert::Facts {
        zone: &TimeZone::UTC,
        at: now,
        counterpart: None,
        minutes: 0,
        now,
    };
    let text = alert::render(event, agent.locale.as_deref().unwrap_or("en"), &facts);
    let channel = match device.platform {
        Platform::Ios => ChannelKind::Apns,
        Platform::Android => ChannelKind::Fcm,
    };
    let push = Push {
        delivery,
        token: device.token.clone(),
        environment: device.environment,
        event,
        agent: agent.id.clone(),
        transition: delivery,
        at: now,
        since: now,
        deadline: now + USEFUL,
        collapse_id: alert::collapse_id(&agent.id, event, now),
        title: text.title,
        body: text.body,
    };
    (channel, push)
}
