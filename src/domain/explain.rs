//! Why a phone rang at an instant, or why it did not: the story of one alert, told from what is stored.
//!
//! [`Facts`] go in, a [`Story`] comes out: a verdict in one sentence, then the steps that led to it. The
//! [`timetable`] says which rule decided and where a boundary went that somebody expected; [`occasion`]
//! picks what the question is about; `tell` and `sent` walk from there over the transition to the deliveries and
//! their attempts; `why` finds what was missing where one of them is; `words` has the wording.
//!
//! The rules are those stored now, for no older ones are kept. What was recorded under others is told
//! all the same, and that the hours have changed since.
//!
//! A new reason or kind of alert is one line in `words`, and one in `occasion::told_of` if phones ring
//! for it. A lead comes at one instant and is about another, the start of hours to come.

mod ahead;
mod facts;
pub mod occasion;
mod rules;
mod sent;
mod tell;
pub mod timetable;
mod verdict;
mod why;
mod words;

#[cfg(test)]
mod tests;

use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use utoipa::ToSchema;

pub use facts::{Attempt, Delivery, Facts, Phone, Setting, State, Transition};
pub use occasion::{Occasion, meant};
pub use tell::story;
pub use timetable::Timetable;

use super::presence::{Status, words};

/// Why a phone rang, or why it did not. Instants are UTC, `local` is what the agent's clock reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Explanation)]
pub struct Story {
    /// The agent's id.
    pub agent: String,
    /// The workspace it belongs to, or belonged to last.
    pub workspace: String,
    /// The agent's zone; none once the agent was removed.
    pub timezone: Option<String>,
    /// The instant asked about.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The same on the agent's clock.
    pub local: Option<String>,
    /// What it came to, in a word: `sent`, `partly_sent`, `not_sent`, `waiting`, `no_alert`,
    /// `not_recorded`, `to_come` or `nothing`.
    #[schema(value_type = String)]
    pub outcome: Outcome,
    /// What it came to, in a sentence or two.
    pub verdict: String,
    /// What the phone was to ring for: what happened at that minute, else what happened last before it.
    pub occasion: Option<OccasionTold>,
    /// The rule that decided at the instant asked about; none where the hours cannot be known.
    pub rule: Option<RuleTold>,
    /// How it came about.
    pub steps: Vec<Step>,
}

/// What a phone rings for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedOccasion)]
pub struct OccasionTold {
    /// `hours_start`, `hours_end`, `hours_start_lead`, `no_reply` or `overflow`.
    pub reason: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The same on the agent's clock.
    pub local: Option<String>,
}

/// The rule that decided whether the agent was on duty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedRule)]
pub struct RuleTold {
    /// `weekly`, `override`, `holiday`, `away`, `by_hand`, `no_reply`, or `none` where no slot holds the instant.
    pub by: &'static str,
    /// The status that follows.
    #[schema(value_type = String)]
    pub status: Status,
    /// The local date to which the slot, the override or the holiday belongs.
    #[schema(value_type = Option<String>, format = Date)]
    pub date: Option<Date>,
    /// From when on: a slot's and an away span's local time as written, the instant of a status by hand.
    pub from: Option<String>,
    /// Until when, likewise; none for a status by hand that holds until hours start or end.
    pub until: Option<String>,
}

/// One step of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExplainedStep)]
pub struct Step {
    /// `rule`, `clock_change`, `boundary`, `status`, `transition`, `delivery`, `attempt`, `end`, `phone`
    /// or `note`.
    #[schema(value_type = String)]
    pub kind: StepKind,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The same on the agent's clock.
    pub local: Option<String>,
    /// What happened.
    pub text: String,
    /// What was recorded, with the steps `transition` and `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// What was to be sent, with `delivery` and `end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// What the receiver answered, with `attempt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

/// What a step tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The rule that decided at the instant asked about.
    Rule,
    /// The zone's clock skipped or repeated local times close by.
    ClockChange,
    /// What the phone was to ring for.
    Boundary,
    /// The status that was in force before.
    Status,
    /// What was recorded.
    Transition,
    /// A message to one receiver.
    Delivery,
    /// One try at it.
    Attempt,
    /// How a delivery ended, or where it stands.
    End,
    /// A phone that was not rung.
    Phone,
    /// Why something was late, or is not there.
    Note,
}

/// What a story comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The receivers accepted every alert.
    Sent,
    /// They accepted some.
    PartlySent,
    /// They accepted none, and none will be sent any more.
    NotSent,
    /// Alerts are still to be sent.
    Waiting,
    /// It was recorded and called for no alert.
    NoAlert,
    /// It came and was not recorded.
    NotRecorded,
    /// It is still to come.
    ToCome,
    /// Nothing was to ring.
    Nothing,
}

words!(Outcome {
    Sent => "sent", PartlySent => "partly_sent", NotSent => "not_sent", Waiting => "waiting",
    NoAlert => "no_alert", NotRecorded => "not_recorded", ToCome => "to_come", Nothing => "nothing",
});
