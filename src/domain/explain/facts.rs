//! What is stored about one agent around one instant. All instants are UTC.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    delivery::ChannelKind, hours::BoundaryKind, plan::Schedule, presence::Status, zone::Zones,
};

/// What is stored about one agent around one instant.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The agent's id.
    pub agent: String,
    /// The workspace it belongs to, or belonged to last.
    pub workspace: String,
    /// The instant asked about.
    pub at: Timestamp,
    /// What holds now: `Ok(None)` once the agent was removed, `Err` says which table, column and row
    /// cannot be read.
    pub schedule: Result<Option<Schedule>, String>,
    /// What the worker last made of the agent.
    pub state: State,
    /// When a worker last evaluated anybody.
    pub last_look: Option<Timestamp>,
    /// When the agent's first status was recorded.
    pub first_recorded: Option<Timestamp>,
    /// What was recorded around the instant, oldest first.
    pub transitions: Vec<Transition>,
    /// What was to be sent, oldest first.
    pub deliveries: Vec<Delivery>,
    /// The phones the agent has now.
    pub phones: Vec<Phone>,
}

/// What holds for all agents when a story is told.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The time-zone data in use.
    pub zones: &'a Zones,
    /// The receivers that are switched on.
    pub receivers: &'a [ChannelKind],
    /// The present.
    pub now: Timestamp,
}

/// What the worker last made of an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// When it looked last.
    pub evaluated_at: Option<Timestamp>,
    /// Since when somebody's edit waits for it.
    pub stale_at: Option<Timestamp>,
    /// Why it could not evaluate the agent.
    pub problem: Option<String>,
}

/// Something recorded: a status that changed, a boundary that came, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedTransition)]
pub struct Transition {
    /// Its id.
    pub id: String,
    /// Why, a [`crate::domain::presence::Reason`]'s word, or `hours_start_lead`.
    pub reason: String,
    /// The new status; none where it did not change.
    #[schema(value_type = Option<String>)]
    pub status: Option<Status>,
    /// Whether the agent accepted new conversations from then on.
    pub accepts_conversations: bool,
    /// The conversation on whose account, if there was one.
    pub cause: Option<String>,
    /// Since when its visitor had waited.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waiting_since: Option<Timestamp>,
    /// Its place among the agent's changes; none where the status did not change.
    pub sequence: Option<i64>,
    /// The boundary that came, if one did.
    #[serde(skip)]
    pub boundary: Option<(BoundaryKind, Timestamp)>,
    /// The start of hours that a lead announced, if it is of one.
    #[serde(skip)]
    pub announces: Option<Timestamp>,
    /// From when on it holds.
    #[schema(value_type = String, format = DateTime)]
    pub effective_at: Timestamp,
    /// When the worker recorded it.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// Passed over: a newer boundary came before anybody looked.
    pub missed: bool,
}

/// One message to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedDelivery)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// The transition that called for it.
    pub transition: String,
    /// `apns`, `fcm` or `presence`.
    pub channel: String,
    /// What it says: an alert's kind or an event's type.
    pub kind: String,
    /// A phone's fingerprint, or who the event is about.
    pub receiver: String,
    /// Where it stands.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// The instant an alert is about; none for an event.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub boundary: Option<Timestamp>,
    /// An event's place among the agent's.
    pub sequence: Option<i64>,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is, or was last, due.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// After which it is of no use.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
    /// When it reached its final state.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
    /// Every try, oldest first.
    #[serde(skip)]
    pub attempts: Vec<Attempt>,
}

/// One try at a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedAttempt)]
pub struct Attempt {
    /// The delivery's id.
    pub delivery: String,
    /// The lease's number.
    pub epoch: i64,
    /// Who made it.
    pub worker: String,
    /// When the lease was taken.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When the answer came.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// What it came to; none while it is under way.
    pub outcome: Option<String>,
    /// The answer came after the lease had been taken over.
    pub late: bool,
    /// The answer's status.
    pub http_status: Option<i64>,
    /// The receiver's word for it, or ours.
    pub reason: Option<String>,
    /// When it was to be tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retry_at: Option<Timestamp>,
}

/// A phone, by what stands for its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// The push service that reaches it.
    pub channel: ChannelKind,
    /// What stands for its token in the delivery log.
    pub fingerprint: String,
    /// `active`, `quarantined` or `disabled`.
    pub state: String,
    /// Why it is no longer active.
    pub reason: Option<String>,
    /// When the receiver said so, where the log tells.
    pub since: Option<Timestamp>,
    /// When the app registered it last.
    pub registered_at: Timestamp,
}
