//! The clock: operating hours start and end. And the hand that goes before it.
//!
//! A boundary rings only if it was planned before it came, or came after the edit that made it: an edit
//! is not a shift. A status set by hand goes before the hours until it is over; boundaries ring all the
//! same.

use jiff::{SignedDuration, Timestamp};

use super::{Desired, NoReply, Rules};
use crate::domain::{
    hours::{Boundary, OperatingHours},
    plan::{ByHand, Recorded, Schedule},
    presence::{Reason, Status},
};

/// How far back boundaries that were passed over are looked for.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(31 * 24);

/// The first instant after `t`.
pub(super) fn after(t: Timestamp) -> Timestamp {
    t + SignedDuration::from_nanos(1)
}

/// From when on (UTC) is still to be told what came; `None` if nobody looked before.
pub(super) fn looked_from(recorded: &Recorded, rules: &Rules, now: Timestamp) -> Option<Timestamp> {
    let evaluated_at = recorded
        .evaluated_at
        .filter(|_| recorded.status.is_some())?;
    // Looked at by a clock that ran ahead: what came meanwhile by the true one is still to be told, and
    // what rang early does not ring again, since an alert's identity is its boundary.
    let since = if evaluated_at > now {
        now - rules.useful_for
    } else {
        evaluated_at
    };
    Some(after(since).max(now - LOOK_BACK))
}

/// Boundaries that came since the agent was looked at last, oldest first; none if the newest of
/// them was made by an edit after the fact, or if nobody looked before.
pub(super) fn reached(
    recorded: &Recorded,
    hours: &OperatingHours,
    rules: &Rules,
    now: Timestamp,
) -> Vec<Boundary> {
    let Some(from) = looked_from(recorded, rules, now) else {
        return Vec::new();
    };
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

/// What the hours ask for, or the hand that goes before them, which is told too while it holds.
pub(super) fn desired(
    recorded: &Recorded,
    schedule: &Schedule,
    hours: &OperatingHours,
    no_reply: &NoReply,
    reached: &[Boundary],
    now: Timestamp,
) -> (Desired, Option<ByHand>) {
    let by_hand = schedule
        .by_hand
        .filter(|set| set.holds(hours, no_reply.at, now));
    // A time given with it that has run out since the agent was looked at last.
    let over = schedule.by_hand.and_then(|set| set.until);
    let over = over.filter(|over| recorded.evaluated_at < Some(*over) && *over <= now);
    let status = match &by_hand {
        Some(set) => set.status,
        None if hours.on_duty_at(now) => Status::Online,
        None => Status::Offline,
    };
    let (reason, since) = since(by_hand.as_ref(), over, reached.last(), now);
    let desired = Desired {
        status,
        accepts: status == Status::Online,
        reason,
        since,
        cause: None,
    };
    (desired, by_hand)
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
        (None, Some(boundary)) => told(boundary),
        (None, None) => (Reason::Sync, over.unwrap_or(now)),
    }
}

/// A boundary, as the reason for a change.
pub(super) fn told(boundary: &Boundary) -> (Reason, Timestamp) {
    (boundary.kind.into(), boundary.at)
}
