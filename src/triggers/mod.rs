//! What can change a status. Each trigger is pure: from stored facts and `now` to what it asks for.
//!
//! The desired status is a pure function of what is stored; the decision acts on its difference
//! from the status recorded last and never replays history. The clock (`shift`) says what the hours
//! or a hand ask for; a visitor left without a reply (`no_reply`) turns online into offline; slow
//! colleagues (`overflow`) let an invisible agent have conversations. What an agent wants to hear ahead of
//! hours (`leads`) rings and changes nothing.
//!
//! A new trigger is a file here and a line in [`decide`], which joins what they ask for into one
//! [`Decision`]. `tests` walks through the behaviour table row by row.

mod alerts;
mod leads;
mod no_reply;
mod overflow;
mod shift;

use std::time::Duration;

use jiff::Timestamp;

use self::{alerts::Alarm, no_reply::NoReply, overflow::Overflow};
use crate::domain::{
    conversation::Waiting,
    delivery::{AlertKind, ChannelKind},
    hours::OperatingHours,
    plan::{Decision, Facts, Recorded, Schedule, StatusChange},
    presence::{Reason, Status},
    zone::Zones,
};

/// What holds for every agent of the installation.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long after its boundary an alert is of use.
    pub useful_for: Duration,
    /// The push services that are switched on.
    pub push: Vec<ChannelKind>,
}

/// What ought to be, and what made it so.
struct Desired {
    status: Status,
    accepts: bool,
    reason: Reason,
    /// Since when, UTC.
    since: Timestamp,
    /// The visitor on whose account, if there is one.
    cause: Option<Waiting>,
}

/// Decides what is to be done about one agent at `now` (UTC).
pub fn decide(facts: &Facts, zones: &Zones, rules: &Rules, now: Timestamp) -> Decision {
    let recorded = &facts.recorded;
    let schedule = match &facts.schedule {
        Ok(Some(schedule)) => schedule,
        Ok(None) => return removed(recorded, now),
        Err(problem) => return unreadable(recorded, problem.clone()),
    };
    match zones.get(&schedule.timezone) {
        Ok(zone) => {
            let hours = OperatingHours::new(
                zone,
                &schedule.slots,
                &schedule.overrides,
                &schedule.holidays,
                &schedule.away,
            );
            readable(recorded, schedule, &hours, rules, now)
        }
        Err(unknown) => {
            let problem = format!("agents.timezone of row {}: {unknown}", recorded.agent);
            unreadable(recorded, problem)
        }
    }
}

fn readable(
    recorded: &Recorded,
    schedule: &Schedule,
    hours: &OperatingHours,
    rules: &Rules,
    now: Timestamp,
) -> Decision {
    let next = hours.next_boundary(now).map(|b| b.at);
    let reached = shift::reached(recorded, hours, rules, now);
    let mut no_reply = NoReply::look(recorded, schedule, hours, None, now);
    let (desired, by_hand) = shift::desired(recorded, schedule, hours, &no_reply, &reached, now);
    let desired = no_reply.applied_to(desired);
    if desired.status == Status::Online && recorded.status != Some(Status::Online) {
        // Visitors may wait already: their time begins now.
        no_reply = NoReply::look(recorded, schedule, hours, Some(now), now);
    }
    let left_workspace =
        (recorded.workspace != schedule.workspace).then(|| recorded.workspace.clone());
    let overflow = Overflow::look(schedule, hours, desired.status, now);
    let desired = overflow.applied_to(desired, recorded, &reached, now);
    let alarm = Alarm {
        agent: &recorded.agent,
        schedule,
        rules,
        hours,
        now,
    };
    let ends = by_hand.and_then(|set| set.until);
    let next_lead = leads::next(schedule, hours, now);
    let looks = [next, next_lead, ends, no_reply.due, overflow.due];
    let holds = |kind, at| match kind {
        AlertKind::NoReply => no_reply.in_force_since() == Some(at),
        AlertKind::Overflow => overflow.since().is_some(),
        AlertKind::HoursStart
        | AlertKind::HoursEnd
        | AlertKind::HoursStartLead
        | AlertKind::Test => true,
    };
    Decision {
        agent: recorded.agent.clone(),
        workspace: schedule.workspace.clone(),
        left_workspace,
        next,
        next_lead,
        due: looks.into_iter().flatten().min(),
        problem: None,
        boundaries: alarm.boundaries(&reached),
        leads: alarm.leads(&leads::reached(recorded, schedule, hours, rules, now)),
        cancel: alarm.outdated(holds),
        change: change(recorded, desired, Some(&alarm)),
        no_reply_at: no_reply.at,
        removed: false,
    }
}

/// The change that makes the recorded status the desired one; its alert, if it calls for one. Another
/// workspace has heard nothing of the agent yet, so there every status is a change.
fn change(
    recorded: &Recorded,
    desired: Desired,
    alarm: Option<&Alarm<'_>>,
) -> Option<StatusChange> {
    let moved = alarm.is_some_and(|alarm| alarm.schedule.workspace != recorded.workspace);
    if !moved && (recorded.status, recorded.accepts) == (Some(desired.status), desired.accepts) {
        return None;
    }
    let kind = match desired.reason {
        Reason::NoReply => Some(AlertKind::NoReply),
        Reason::Overflow if desired.accepts => Some(AlertKind::Overflow),
        _ => None,
    };
    let alert = kind.zip(alarm);
    Some(StatusChange {
        status: desired.status,
        accepts: desired.accepts,
        reason: desired.reason,
        effective_at: desired.since,
        sequence: recorded.sequence + 1,
        alert: alert.map(|(kind, alarm)| alarm.of_change(kind, desired.since)),
        cause: desired.cause,
    })
}

/// A removed agent goes offline once; all that is pending for it is cancelled.
fn removed(recorded: &Recorded, now: Timestamp) -> Decision {
    let gone = Desired {
        status: Status::Offline,
        accepts: false,
        reason: Reason::Sync,
        since: now,
        cause: None,
    };
    let known = recorded.status.is_some();
    Decision {
        change: known.then(|| change(recorded, gone, None)).flatten(),
        problem: None,
        no_reply_at: None,
        removed: true,
        ..unreadable(recorded, String::new())
    }
}

/// One schedule that cannot be read stops nobody else; its agent stays as recorded.
fn unreadable(recorded: &Recorded, problem: String) -> Decision {
    Decision {
        agent: recorded.agent.clone(),
        workspace: recorded.workspace.clone(),
        left_workspace: None,
        next: None,
        next_lead: None,
        due: None,
        problem: Some(problem),
        change: None,
        boundaries: Vec::new(),
        leads: Vec::new(),
        no_reply_at: recorded.no_reply_at,
        removed: false,
        cancel: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
