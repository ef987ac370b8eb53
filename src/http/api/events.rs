//! `POST /v1/events`: what the chat platform reports of its conversations.

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Caller, Teams},
    input::{Json, Word},
    once::{IdempotencyKey, Once},
};
use crate::{
    domain::conversation::{Happened, Report},
    http::Problem,
    store::Tx,
};

/// The most events in one request.
const MOST: usize = 1000;
/// By how much the platform's clock may run ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Events of the platform, in any order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Events {
    #[schema(max_items = 1000)]
    events: Vec<Event>,
}

/// Something that happened in a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    /// The platform's own id of the event: one that comes twice counts once.
    #[schema(value_type = String, pattern = "^[^\\x00]*$", max_length = 255)]
    id: Word,
    /// `conversation.waiting`: a visitor asks for somebody; `conversation.assigned`: an agent has it from
    /// now on; `visitor.message`; `agent.reply`; `conversation.closed`.
    #[schema(value_type = String,
        pattern = "^(conversation\\.(waiting|assigned|closed)|visitor\\.message|agent\\.reply)$")]
    r#type: Happened,
    #[schema(value_type = String, pattern = "^[^\\x00]*$", max_length = 255)]
    workspace: Word,
    /// The platform's own id of the conversation.
    #[schema(value_type = String, pattern = "^[^\\x00]*$", max_length = 255)]
    conversation: Word,
    /// Who has the conversation from now on (required where it is assigned), or who replied.
    #[schema(value_type = Option<String>, pattern = "^[^\\x00]*$", max_length = 255)]
    agent: Option<Word>,
    /// When it happened, which may be long ago.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Heard {
    /// How many events were in the request.
    received: usize,
    /// How many of them had not been heard before.
    new: usize,
}

/// Takes in what the platform reports: who waits decides who goes offline for want of a reply, and when
/// invisible agents are asked. Late, twice and in any order is fine.
#[utoipa::path(post, path = "/v1/events", operation_id = "report_events", tag = "events", params(IdempotencyKey),
    request_body = Events, responses((status = 200, body = Heard)))]
pub(super) async fn post(
    State(api): State<Api>,
    Teams(caller): Teams,
    once: Once,
    body: Json,
) -> Result<Response, Problem> {
    let now = api.clock.now();
    let Events { events } = body.read()?;
    let reports = reports(events, now)?;
    let mut tx = api.store.begin().await?;
    if let Some(answer) = once.before(&mut tx, &caller, &body.0, now).await? {
        return Ok(answer);
    }
    known_workspaces(&mut tx, &caller, &reports).await?;
    let heard = Heard {
        received: reports.len(),
        new: tx.report(&reports, now).await?,
    };
    let answer = once.answer(&mut tx, &caller, &heard).await?;
    tx.commit().await?;
    Ok(answer)
}

fn reports(events: Vec<Event>, now: Timestamp) -> Result<Vec<Report>, Problem> {
    let wrong = |field: &str, detail| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Problem::field(status, field, detail)
    };
    if events.len() > MOST {
        let detail = format!("holds more than {MOST}: send several");
        return Err(wrong("events", detail));
    }
    let events = events.into_iter().enumerate();
    events
        .map(|(i, event)| {
            let field = |name| format!("events[{i}].{name}");
            if event.at > now + AHEAD {
                let detail = format!("is later than now, {now:.0}");
                return Err(wrong(&field("at"), detail));
            }
            if event.r#type == Happened::Assigned && event.agent.is_none() {
                let detail = "is required: who has the conversation now?".to_owned();
                return Err(wrong(&field("agent"), detail));
            }
            Ok(Report {
                id: event.id.0,
                happened: event.r#type,
                workspace: event.workspace.0,
                conversation: event.conversation.0,
                agent: event.agent.map(|agent| agent.0),
                at: event.at,
            })
        })
        .collect()
}

/// Refuses the first report of a workspace that does not exist for this caller.
async fn known_workspaces(tx: &mut Tx, caller: &Caller, reports: &[Report]) -> Result<(), Problem> {
    let mut known: Vec<&str> = Vec::new();
    for (i, report) in reports.iter().enumerate() {
        let workspace = report.workspace.as_str();
        if known.contains(&workspace) {
            continue;
        }
        let visible = caller.workspace(workspace).is_ok();
        if !visible || tx.workspace(workspace).await?.is_none() {
            let absent = Problem::absent("workspace");
            return Err(absent.and_field(&format!("events[{i}].workspace"), "is unknown"));
        }
        known.push(workspace);
    }
    Ok(())
}
