//! `/v1/boundaries:preview`: what an edit would change, before it is saved.

use axum::{Json as Answer, extract::State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api, agents,
    auth::OwnPage,
    body::{AgentEdit, Warning, judged},
    boundaries::{self, BoundaryBody, LONGEST},
    input::{Json, Word},
    once::Once,
    span::span,
};
use crate::{
    domain::{
        agent::Agent,
        clock_changes::{ClockChange, clock_changes},
        roster,
        zone::Zones,
    },
    http::Problem,
    store::Tx,
};

/// The most boundaries that are listed as added, or as removed.
const MOST: usize = 1000;

/// What to preview.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The agent to be edited; without it `edit` is a whole agent that is not there yet.
    #[schema(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    agent: Option<Word>,
    /// As a PATCH of the agent would have it.
    #[schema(value_type = AgentEdit)]
    edit: serde_json::Value,
    /// From when on; now where it is not said.
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before when; a week after `from` where it is not said, at most 366 days after it.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// What an edit would change. At most 1,000 boundaries are in each list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Preview {
    /// Whether the agent is on duty now.
    on_duty_now: bool,
    /// Whether the agent would be on duty now, once it is saved.
    would_be_on_duty_now: bool,
    /// Boundaries that would come.
    added: Vec<BoundaryBody>,
    /// Boundaries that would no longer come.
    removed: Vec<BoundaryBody>,
    /// How many would stay as they are.
    kept: usize,
    /// When the clocks of the agent's zone change within the span.
    clock_changes: Vec<ClockChangeBody>,
    /// What would be accepted but is probably not meant.
    warnings: Vec<Warning>,
}

/// A change of a zone's clocks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClockChange)]
pub(super) struct ClockChangeBody {
    /// When, UTC.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What the clock on the wall would read then without the change.
    from: String,
    /// What it reads.
    to: String,
}

/// Previews an edit. Nothing is saved.
#[utoipa::path(post, path = "/v1/boundaries:preview", operation_id = "preview_boundaries", tag = "agents", request_body = Question,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Has no effect: nothing is done")),
    responses((status = 200, body = Preview)))]
pub(super) async fn preview(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    _: Once,
    body: Json,
) -> Result<Answer<Preview>, Problem> {
    let question: Question = body.read()?;
    let (now, zones) = (api.clock.now(), api.zones());
    let within = span(question.from, question.until, now, LONGEST)?;
    let mut tx = api.store.snapshot().await?;
    let stored = match &question.agent {
        Some(id) => Some(agents::visible(&mut tx, &caller, id).await?),
        None => None,
    };
    let (id, edit) = (
        question.agent.as_deref().unwrap_or("new"),
        question.edit.to_string(),
    );
    let read = roster::agent(&edit, id, stored.as_ref(), &zones, now);
    let (edit, warnings) = judged(read.map_err(within_edit))?;
    agents::may_move(&caller, stored.as_ref(), &edit)?;
    let (before, after) = match stored {
        Some(stored) => {
            let before = Side::of(&mut tx, &stored, &zones, within, now).await?;
            (before, edit.over(&stored))
        }
        None => (Side::default(), edit),
    };
    let after = Side::of(&mut tx, &after, &zones, within, now).await?;
    tx.commit().await?;
    Ok(Answer(before.beside(&after, warnings)))
}

/// What comes of one version of an agent.
#[derive(Debug, Default)]
struct Side {
    boundaries: Vec<BoundaryBody>,
    on_duty_now: bool,
    clock_changes: Vec<ClockChange>,
}

impl Side {
    async fn of(
        tx: &mut Tx,
        agent: &Agent,
        zones: &Zones,
        (from, until): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let (hours, zone) = boundaries::compiled(tx, agent, zones).await?;
        Ok(Self {
            boundaries: boundaries::bodies(&hours, &zone, from, until),
            on_duty_now: hours.on_duty_at(now),
            clock_changes: clock_changes(&zone, from, until),
        })
    }

    /// What changes where `after` takes the place of this one.
    fn beside(&self, after: &Self, warnings: Vec<Warning>) -> Preview {
        let added = missing(&after.boundaries, &self.boundaries);
        let removed = missing(&self.boundaries, &after.boundaries);
        Preview {
            on_duty_now: self.on_duty_now,
            would_be_on_duty_now: after.on_duty_now,
            kept: after.boundaries.len() - added.len(),
            added: listed(added),
            removed: listed(removed),
            clock_changes: after
                .clock_changes
                .iter()
                .map(ClockChangeBody::from)
                .collect(),
            warnings,
        }
    }
}

impl From<&ClockChange> for ClockChangeBody {
    fn from(change: &ClockChange) -> Self {
        Self {
            at: change.at,
            from: change.from.to_string(),
            to: change.to.to_string(),
        }
    }
}

/// Faults of the edit, as paths of the whole body.
fn within_edit(faults: Vec<roster::Fault>) -> Vec<roster::Fault> {
    let within = |fault: roster::Fault| roster::Fault {
        field: if fault.field.is_empty() {
            "edit".to_owned()
        } else {
            format!("edit.{}", fault.field)
        },
        ..fault
    };
    faults.into_iter().map(within).collect()
}

/// Those of `these` that are missing from `from`; both in order of time.
fn missing(these: &[BoundaryBody], from: &[BoundaryBody]) -> Vec<BoundaryBody> {
    let absent = |one: &&BoundaryBody| {
        let first = from.partition_point(|other| other.at < one.at);
        let same = from[first..].iter().take_while(|other| other.at == one.at);
        !same.into_iter().any(|other| other.is_same(one))
    };
    these.iter().filter(absent).cloned().collect()
}

fn listed(mut boundaries: Vec<BoundaryBody>) -> Vec<BoundaryBody> {
    boundaries.truncate(MOST);
    boundaries
}
