//! The clock: operating hours start and end.
//!
//! The desired status is a pure function of what is stored; the decision acts on its difference
//! from the status recorded last and never replays history. A boundary rings only if it was
//! planned before it came, or came after the edit that made it: an edit is not a shift. A status set by
//! hand goes before the hours until it is over; boundaries ring all the same.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    alert,
    delivery::{AlertKind, ChannelKind},
    hours::{Boundary, BoundaryKind, OperatingHours},
    plan::{ByHand, Decision, Facts, NewAlert, Reached, Recorded, Schedule, StatusChange},
    presence::{Reason, Status},
    zone::Zones,
};

/// How far back boundaries that were passed over are looked for.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(31 * 24);

/// What holds for every agent of the installation.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How long after its boundary an alert is of use.
    pub useful_for: Duration,
    /// The push services that are switched on.
    pub push: Vec<ChannelKind>,
}

/// Decides what is to be done about one agent at `now` (UTC).
pub fn decide(facts: &Facts, zones: &Zones, rules: &Rules, now: Timestamp) -> Decision {
    let recorded = &facts.recorded;
    let schedule = match &facts.schedule {
        Ok(Some(schedule)) => schedule,
        Ok(None) => return removed(recorded, now),
        Err(problem) => return unreadable(recorded, problem.clone()),
    };
    let hours = match zones.get(&schedule.timezone) {
        Ok(zone) => OperatingHours::new(
            zone,
            &schedule.slots,
            &schedule.overrides,
            &schedule.holidays,
            &schedule.away,
        ),
        Err(unknown) => {
            let problem = format!("agents.timezone of row {}: {unknown}", recorded.agent);
            return unreadable(recorded, problem);
        }
    };
    let next = hours.next_boundary(now).map(|b| b.at);
    let reached = if recorded.status.is_some() {
        reached(recorded, &hours, rules, now)
    } else {
        Vec::new()
    };
    let by_hand = schedule
        .by_hand
        .filter(|set| set.over_at(&hours).is_none_or(|over| now < over));
    // A time given with it that has run out since the agent was looked at last.
    let over = schedule.by_hand.and_then(|set| set.until);
    let over = over.filter(|over| recorded.evaluated_at < Some(*over) && *over <= now);
    let desired = Desired {
        status: match &by_hand {
            Some(set) => set.status,
            None if hours.on_duty_at(now) => Status::Online,
            None => Status::Offline,
        },
        since: since(by_hand.as_ref(), over, reached.last(), now),
    };
    let ends = by_hand.and_then(|set| set.until);
    Decision {
        agent: recorded.agent.clone(),
        workspace: schedule.workspace.clone(),
        left_workspace: (recorded.workspace != schedule.workspace)
            .then(|| recorded.workspace.clone()),
        next,
        due: next.into_iter().chain(ends).min(),
        problem: None,
        change: change(recorded, &desired),
        boundaries: ring(&reached, &hours, recorded, schedule, rules, now),
        removed: false,
        cancel: outdated(schedule, &hours),
    }
}

/// Boundaries that came since the agent was looked at last, oldest first; none if the newest of
/// them was made by an edit after the fact.
fn reached(
    recorded: &Recorded,
    hours: &OperatingHours,
    rules: &Rules,
    now: Timestamp,
) -> Vec<Boundary> {
    let Some(evaluated_at) = recorded.evaluated_at else {
        return Vec::new();
    };
    let after = |t: Timestamp| t + SignedDuration::from_nanos(1);
    // Looked at by a clock that ran ahead: what came meanwhile by the true one is still to be told, and
    // what rang early does not ring again, since an alert's identity is its boundary.
    let since = if evaluated_at > now {
        now - rules.useful_for
    } else {
        evaluated_at
    };
    let from = after(since).max(now - LOOK_BACK);
    let mut came = hours.boundaries(from, after(now).max(from));
    if let Some(edited_at) = recorded.stale_at {
        came.retain(|b| b.at > edited_at || Some(b.at) == recorded.boundary_at);
        let newest = hours.last_boundary(now, from);
        if newest.is_none() || came.last() != newest.as_ref() {
            came.clear();
        }
    }
    came
}

/// The status that ought to be, and what made it so.
struct Desired {
    status: Status,
    since: (Reason, Timestamp),
}

/// What made the status what it ought to be at `now`, and when (UTC): the hand that set it, the
/// newest boundary, the end of the time for which it was set; or else it just was not the recorded one.
fn since(
    by_hand: Option<&ByHand>,
    over: Option<Timestamp>,
    newest: Option<&Boundary>,
    now: Timestamp,
) -> (Reason, Timestamp) {
    match (by_hand, newest) {
        (Some(set), _) => (Reason::Manual, set.set_at.min(now)),
        (None, Some(b)) if b.kind == BoundaryKind::Start => (Reason::HoursStart, b.at),
        (None, Some(b)) => (Reason::HoursEnd, b.at),
        (None, None) => (Reason::Sync, over.unwrap_or(now)),
    }
}

fn change(recorded: &Recorded, desired: &Desired) -> Option<StatusChange> {
    if recorded.status == Some(desired.status) {
        return None;
    }
    let (reason, effective_at) = desired.since;
    Some(StatusChange {
        status: desired.status,
        reason,
        effective_at,
        sequence: recorded.sequence + 1,
    })
}

fn ring(
    reached: &[Boundary],
    hours: &OperatingHours,
    recorded: &Recorded,
    schedule: &Schedule,
    rules: &Rules,
    now: Timestamp,
) -> Vec<Reached> {
    let newest = reached.last().map(|b| b.at);
    reached
        .iter()
        .map(|&Boundary { at, kind }| {
            let counterpart = hours.next_boundary(at).map(|b| b.at);
            // An alert is of no use once the shift it announces is over, or the next has begun.
            let useful = alert::deadline(at, rules.useful_for);
            let deadline = counterpart.map_or(useful, |c| c.min(useful));
            let missed = Some(at) != newest;
            let expired = if missed {
                Some("missed")
            } else {
                (now >= deadline).then_some("too_late")
            };
            let alerts = alerts(
                recorded,
                schedule,
                rules,
                alert_kind(kind),
                at,
                deadline,
                expired,
            );
            Reached {
                kind,
                at,
                counterpart,
                missed,
                alerts,
            }
        })
        .collect()
}

fn alerts(
    recorded: &Recorded,
    schedule: &Schedule,
    rules: &Rules,
    kind: AlertKind,
    at: Timestamp,
    deadline: Timestamp,
    expired: Option<&'static str>,
) -> Vec<NewAlert> {
    if !wants(schedule, kind) {
        return Vec::new();
    }
    schedule
        .phones
        .iter()
        .filter(|phone| rules.push.contains(&phone.channel))
        .map(|phone| NewAlert {
            delivery: alert::delivery_id(&recorded.agent, kind, at, phone.token.expose()),
            phone: phone.clone(),
            deadline,
            expired,
        })
        .collect()
}

/// Pending alerts whose boundary is gone, or that the agent no longer wants.
fn outdated(schedule: &Schedule, hours: &OperatingHours) -> Vec<(uuid::Uuid, &'static str)> {
    schedule
        .pending
        .iter()
        .filter_map(|pending| {
            if !wants(schedule, pending.kind) {
                return Some((pending.delivery, "opted_out"));
            }
            let there = hours
                .boundaries(pending.at, pending.at + SignedDuration::from_millis(1))
                .iter()
                .any(|b| alert_kind(b.kind) == pending.kind);
            (!there).then_some((pending.delivery, "boundary_gone"))
        })
        .collect()
}

fn wants(schedule: &Schedule, kind: AlertKind) -> bool {
    match kind {
        AlertKind::HoursStart => schedule.notify_start,
        AlertKind::HoursEnd => schedule.notify_end,
    }
}

fn alert_kind(kind: BoundaryKind) -> AlertKind {
    match kind {
        BoundaryKind::Start => AlertKind::HoursStart,
        BoundaryKind::End => AlertKind::HoursEnd,
    }
}

/// A removed agent goes offline once; all that is pending for it is cancelled.
fn removed(recorded: &Recorded, now: Timestamp) -> Decision {
    let known = recorded.status.is_some();
    Decision {
        change: if known {
            let gone = Desired {
                status: Status::Offline,
                since: (Reason::Sync, now),
            };
            change(recorded, &gone)
        } else {
            None
        },
        problem: None,
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
        due: None,
        problem: Some(problem),
        change: None,
        boundaries: Vec::new(),
        removed: false,
        cancel: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
