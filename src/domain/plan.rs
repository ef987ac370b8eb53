//! What is known of an agent when it is due, and what was decided about it.
//!
//! A trigger is a pure function from [`Facts`] to [`Decision`]; the store reads the one and writes
//! the other, in one transaction.

use jiff::{SignedDuration, Timestamp, civil::Date};
use uuid::Uuid;

use super::{
    agent::Notify,
    conversation::Waiting,
    delivery::{AlertKind, ChannelKind},
    device::{DeviceToken, Environment},
    hours::{Away, BoundaryKind, OperatingHours, Override, Slot},
    lead::{Ahead, Lead},
    presence::{Reason, Status},
};

/// What the worker recorded of an agent when it last looked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The agent's id.
    pub agent: String,
    /// The workspace it was in then.
    pub workspace: String,
    /// `None` until the agent was evaluated for the first time.
    pub status: Option<Status>,
    /// Whether the agent accepted new conversations.
    pub accepts: bool,
    /// The last sequence used; 0 before the first.
    pub sequence: i64,
    /// When (UTC) the agent was last evaluated.
    pub evaluated_at: Option<Timestamp>,
    /// The next boundary (UTC) as planned then.
    pub boundary_at: Option<Timestamp>,
    /// When (UTC) a lead comes next, as planned then.
    pub lead_at: Option<Timestamp>,
    /// When (UTC) somebody changed the schedule since; `None` if nobody did.
    pub stale_at: Option<Timestamp>,
    /// When (UTC) the agent's time to answer a visitor ran out last.
    pub no_reply_at: Option<Timestamp>,
}

/// An agent's schedule as stored, still in local time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The workspace the agent belongs to now.
    pub workspace: String,
    /// IANA name, not yet looked up.
    pub timezone: String,
    /// The agent's language, if one was given.
    pub locale: Option<String>,
    /// Which alerts the agent opted in to.
    pub notify: Notify,
    /// How long before hours start the phones ring as well.
    pub leads: Vec<Lead>,
    /// How long the agent may leave a visitor without a reply; for ever, without.
    pub auto_offline_after: Option<SignedDuration>,
    /// Whether the agent gets conversations while invisible when the others are slow.
    pub receive_when_invisible: bool,
    /// Weekly slots.
    pub slots: Vec<Slot>,
    /// Dates with slots of their own.
    pub overrides: Vec<Override>,
    /// The workspace's holidays.
    pub holidays: Vec<Date>,
    /// Spans off duty.
    pub away: Vec<Away>,
    /// The status that was set by hand last, which may be over.
    pub by_hand: Option<ByHand>,
    /// Phones that may ring.
    pub phones: Vec<Phone>,
    /// Alerts recorded and not yet under way.
    pub pending: Vec<PendingAlert>,
    /// What the platform reported that may concern the agent.
    pub conversations: Conversations,
}

/// What the platform reported that may concern one agent. Where its settings make no use of a part, that
/// part is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversations {
    /// What visitors said in conversations of the agent that nobody has answered, each since it was said
    /// or since the conversation came to the agent.
    pub assigned: Vec<Waiting>,
    /// The statuses recorded since the first of those, oldest first, each with its beginning (UTC); online
    /// begins when it was recorded.
    pub history: Vec<(Timestamp, Status)>,
    /// The conversation of the workspace that has waited longest.
    pub longest: Option<Waiting>,
    /// For how long one may wait in this workspace before invisible agents are asked; for ever, without.
    pub ask_invisible_after: Option<SignedDuration>,
}

/// A status that somebody set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByHand {
    /// Which.
    pub status: Status,
    /// When, UTC.
    pub set_at: Timestamp,
    /// Until when (UTC) it holds, over boundaries; none: until the next boundary.
    pub until: Option<Timestamp>,
}

impl ByHand {
    /// When (UTC) it is over: at the time given with it, or at the first boundary after it was set.
    pub fn over_at(&self, hours: &OperatingHours) -> Option<Timestamp> {
        self.until
            .or_else(|| hours.next_boundary(self.set_at).map(|b| b.at))
    }

    /// Whether it holds at `now` (UTC): it is not over, and the agent's time to answer a visitor has not
    /// run out since.
    pub fn holds(
        &self,
        hours: &OperatingHours,
        no_reply_at: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        no_reply_at < Some(self.set_at) && self.over_at(hours).is_none_or(|over| now < over)
    }
}

/// A phone that may ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// APNs or FCM.
    pub channel: ChannelKind,
    /// Its address.
    pub token: DeviceToken,
    /// Which of Apple's hosts knows it.
    pub environment: Environment,
}

/// An alert recorded and not yet under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingAlert {
    /// The delivery's id.
    pub delivery: Uuid,
    /// What it is about.
    pub kind: AlertKind,
    /// The instant it is about, UTC.
    pub at: Timestamp,
    /// The lead that it is of; `None` once the agent has taken that away.
    pub lead: Option<Lead>,
}

/// One agent that is due.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What was recorded.
    pub recorded: Recorded,
    /// What holds now: `Ok(None)` once the agent was removed, `Err` says which table, column and
    /// row cannot be read.
    pub schedule: Result<Option<Schedule>, String>,
}

/// What was decided about one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The agent's id.
    pub agent: String,
    /// The workspace it belongs to now.
    pub workspace: String,
    /// The workspace it left, whose mode may change too.
    pub left_workspace: Option<String>,
    /// The next boundary, UTC.
    pub next: Option<Timestamp>,
    /// When (UTC) a lead comes next.
    pub next_lead: Option<Timestamp>,
    /// When (UTC) to look again: then, or when something else ends before.
    pub due: Option<Timestamp>,
    /// Why the agent could not be evaluated; its recorded status stays.
    pub problem: Option<String>,
    /// A change of status, with the sequence it takes.
    pub change: Option<StatusChange>,
    /// Boundaries reached, oldest first; all but the last were passed over.
    pub boundaries: Vec<Reached>,
    /// Leads that came, oldest first.
    pub leads: Vec<Announced>,
    /// The agent is gone: all its pending alerts are cancelled.
    pub removed: bool,
    /// Pending alerts to cancel, each with the reason.
    pub cancel: Vec<(Uuid, &'static str)>,
    /// When (UTC) the agent's time to answer a visitor ran out last.
    pub no_reply_at: Option<Timestamp>,
}

/// A change of status to record and to post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// The new status.
    pub status: Status,
    /// Whether the agent accepts new conversations from now on.
    pub accepts: bool,
    /// Why.
    pub reason: Reason,
    /// From when on, UTC.
    pub effective_at: Timestamp,
    /// Its place among the agent's changes.
    pub sequence: i64,
    /// The alert that this change itself calls for; that of a boundary is in [`Reached`].
    pub alert: Option<Alert>,
    /// The visitor on whose account it changed, if there was one, and since when they waited for it.
    pub cause: Option<Waiting>,
}

/// A boundary that came, and the alert it calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Start or end.
    pub kind: BoundaryKind,
    /// Passed over wholly: a newer boundary came before anybody looked.
    pub missed: bool,
    /// Its alert, which has no phones if nobody is to be rung.
    pub alert: Alert,
}

/// A lead that came, and the alert it calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The lead, and the start of hours it announces.
    pub ahead: Ahead,
    /// Passed over wholly: that start came as well before anybody looked.
    pub missed: bool,
    /// Its alert, which has no phones if nobody is to be rung.
    pub alert: Alert,
}

/// An alert to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: AlertKind,
    /// The boundary, or the instant of the change, UTC.
    pub at: Timestamp,
    /// The next boundary after that: when this shift ends, or the next one starts, UTC.
    pub counterpart: Option<Timestamp>,
    /// The instant (UTC) after which it is of no use.
    pub deadline: Timestamp,
    /// Why it will not ring, if it will not.
    pub expired: Option<&'static str>,
    /// A delivery for each phone.
    pub phones: Vec<NewAlert>,
}

/// One phone that an alert is to ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// The delivery's id, made of its identity alone.
    pub delivery: Uuid,
    /// The phone.
    pub phone: Phone,
}
