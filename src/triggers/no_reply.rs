//! A visitor without a reply: an agent who does not answer goes offline.
//!
//! The agent's clock starts when a visitor writes, or when the conversation comes to the agent, and runs
//! only while the agent is online and in hours: lunch does not count. When it has run for as long as the
//! agent allows, that instant is written down, and until the next start of hours, or until the agent
//! sets a status by hand, online means offline. Only what a visitor says afterwards starts the clock anew.
//!
//! The instant is computed from what is stored, not taken from the worker's own clock: reports that come
//! late, and a worker that was down, lead to the same one. Online is an agent from when that was recorded
//! on, though: nobody is blamed for the time before the platform heard of it. A reply of before it that is
//! told only after it takes the instant back: the store forgets it, and the next look finds the truth.
//!
//! `decisions_agree_with_a_clerk_who_counts_minutes` holds it against an account kept by the minute.

use jiff::{SignedDuration, Timestamp};

use super::{Desired, shift::after};
use crate::domain::{
    conversation::Waiting,
    hours::{BoundaryKind, OperatingHours},
    plan::{Recorded, Schedule},
    presence::{Reason, Status},
};

/// What came of visitors who wait for one agent.
pub(super) struct NoReply {
    /// When (UTC) the agent's time ran out last.
    pub(super) at: Option<Timestamp>,
    /// The visitor who waited, if that was found out just now.
    cause: Option<Waiting>,
    /// Whether the agent is offline for it.
    in_force: bool,
    /// When (UTC) the time runs out next, as things stand.
    pub(super) due: Option<Timestamp>,
}

impl NoReply {
    /// Looks whether the agent's time has run out by `now` (UTC). An agent who comes online by the change
    /// that is about to be recorded is so from `back` (UTC) on.
    pub(super) fn look(
        recorded: &Recorded,
        schedule: &Schedule,
        hours: &OperatingHours,
        back: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let mut found = Self {
            at: recorded.no_reply_at,
            cause: None,
            in_force: false,
            due: None,
        };
        if let Some(allowed) = schedule.auto_offline_after {
            let online = online_spans(schedule, back);
            found.run_clocks(schedule, hours, allowed, &online, now);
        }
        found.in_force = found.at.is_some_and(|at| {
            let by_hand = schedule.by_hand.is_some_and(|set| at < set.set_at);
            !by_hand && next_start(hours, at).is_none_or(|start| now < start)
        });
        found
    }

    fn run_clocks(
        &mut self,
        schedule: &Schedule,
        hours: &OperatingHours,
        allowed: SignedDuration,
        online: &[Span],
        now: Timestamp,
    ) {
        let until = hours.next_boundary(now).map_or(now + allowed, |b| b.at);
        loop {
            let new = schedule.conversations.assigned.iter();
            let new = new.filter(|waiting| Some(waiting.since) > self.at);
            let ran_out = new.filter_map(|waiting| {
                let at = run_out(waiting, allowed, online, hours, until)?;
                Some((at, waiting))
            });
            match ran_out.min_by_key(|(at, _)| *at) {
                Some((at, waiting)) if at <= now => {
                    self.at = Some(at);
                    self.cause = Some(waiting.clone());
                }
                later => {
                    self.due = later.map(|(at, _)| at);
                    return;
                }
            }
        }
    }

    /// Since when (UTC) the agent is offline for it.
    pub(super) fn in_force_since(&self) -> Option<Timestamp> {
        self.at.filter(|_| self.in_force)
    }

    /// Offline, where the hours or an earlier hand say online.
    pub(super) fn applied_to(&self, desired: Desired) -> Desired {
        match self.in_force_since() {
            Some(since) if desired.status == Status::Online => Desired {
                status: Status::Offline,
                accepts: false,
                reason: Reason::NoReply,
                since,
                cause: self.cause.clone(),
            },
            _ => desired,
        }
    }
}

/// When (UTC) the clock that `waiting` started has run for `allowed`, if it does before `until`.
fn run_out(
    waiting: &Waiting,
    allowed: SignedDuration,
    online: &[Span],
    hours: &OperatingHours,
    until: Timestamp,
) -> Option<Timestamp> {
    let mut left = allowed;
    for duty in duty_spans(hours, waiting.since, until) {
        for online in online {
            let start = duty.start.max(online.start);
            let length = duty.end.min(online.end).duration_since(start);
            if length >= left {
                return Some(start + left);
            }
            left -= length.max(SignedDuration::ZERO);
        }
    }
    None
}

/// `[start, end)`, UTC.
struct Span {
    start: Timestamp,
    end: Timestamp,
}

/// When the agent was online, as recorded, and from `back` (UTC) on; the newest status goes on.
fn online_spans(schedule: &Schedule, back: Option<Timestamp>) -> Vec<Span> {
    let mut history = schedule.conversations.history.clone();
    // Set by hand, and not recorded yet: it ends what was.
    if let Some(set) = schedule.by_hand
        && set.status != Status::Online
        && history.last().is_none_or(|(from, _)| *from < set.set_at)
    {
        history.push((set.set_at, set.status));
    }
    history.extend(back.map(|back| (back, Status::Online)));
    let ends = history.iter().skip(1).map(|(from, _)| *from);
    let ends: Vec<Timestamp> = ends.chain([Timestamp::MAX]).collect();
    let spans = history.iter().zip(ends);
    spans
        .filter(|((_, status), _)| *status == Status::Online)
        .map(|((start, _), end)| Span { start: *start, end })
        .collect()
}

/// When the hours say on duty, from `since` until `until`.
fn duty_spans(hours: &OperatingHours, since: Timestamp, until: Timestamp) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut start = hours.on_duty_at(since).then_some(since);
    for boundary in hours.boundaries(after(since), until.max(after(since))) {
        if let Some(start) = start.take() {
            let end = boundary.at;
            spans.push(Span { start, end });
        }
        if boundary.kind == BoundaryKind::Start {
            start = Some(boundary.at);
        }
    }
    spans.extend(start.map(|start| Span { start, end: until }));
    spans
}

/// The first start of hours after `at` (UTC).
fn next_start(hours: &OperatingHours, at: Timestamp) -> Option<Timestamp> {
    let next = hours.next_boundary(at)?;
    match next.kind {
        BoundaryKind::Start => Some(next.at),
        BoundaryKind::End => hours.next_boundary(next.at).map(|start| start.at),
    }
}
