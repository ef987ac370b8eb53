//! Slow colleagues: an invisible agent who agreed to it gets conversations while one of the workspace has
//! waited longer than the workspace allows, and only then.
//!
//! In hours only: somebody who stays invisible over the night is not asked at three in the morning.

use jiff::Timestamp;

use super::{Desired, shift::told};
use crate::domain::{
    conversation::Waiting,
    hours::{Boundary, OperatingHours},
    plan::{Recorded, Schedule},
    presence::{Reason, Status},
};

/// Whether an invisible agent is asked.
#[derive(Default)]
pub(super) struct Overflow {
    /// Since when (UTC), and the visitor for whom.
    asked: Option<(Timestamp, Waiting)>,
    /// When (UTC) the agent will be, as things stand.
    pub(super) due: Option<Timestamp>,
}

impl Overflow {
    /// Looks whether somebody has waited for too long by `now` (UTC). `status` is the one the agent ought
    /// to have.
    pub(super) fn look(
        schedule: &Schedule,
        hours: &OperatingHours,
        status: Status,
        now: Timestamp,
    ) -> Self {
        let conversations = &schedule.conversations;
        let limit = conversations.ask_invisible_after;
        let (Some(longest), Some(limit)) = (&conversations.longest, limit) else {
            return Self::default();
        };
        let willing = status == Status::Invisible && schedule.receive_when_invisible;
        if !willing || !hours.on_duty_at(now) {
            return Self::default();
        }
        let too_long = longest.since + limit;
        if now < too_long {
            return Self {
                asked: None,
                due: Some(too_long),
            };
        }
        let set_at = schedule.by_hand.map(|set| set.set_at);
        let started = hours.last_boundary(now, too_long).map(|start| start.at);
        let since = set_at.into_iter().chain(started).fold(too_long, Ord::max);
        Self {
            asked: Some((since, longest.clone())),
            due: None,
        }
    }

    /// Since when (UTC) the agent is asked.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.asked.as_ref().map(|(since, _)| *since)
    }

    /// Accepting conversations, while asked. A change of nothing but that is put down to the overflow,
    /// its end as well as its beginning, unless hours have just ended.
    pub(super) fn applied_to(
        &self,
        desired: Desired,
        recorded: &Recorded,
        reached: &[Boundary],
        now: Timestamp,
    ) -> Desired {
        let same_status = recorded.status == Some(desired.status);
        let by_overflow = same_status && desired.status == Status::Invisible;
        match &self.asked {
            Some((since, visitor)) if by_overflow => Desired {
                accepts: true,
                reason: Reason::Overflow,
                since: *since,
                cause: Some(visitor.clone()),
                ..desired
            },
            Some((_, visitor)) => Desired {
                accepts: true,
                cause: Some(visitor.clone()),
                ..desired
            },
            None if by_overflow => {
                let (reason, since) = reached.last().map_or((Reason::Overflow, now), told);
                Desired {
                    reason,
                    since,
                    ..desired
                }
            }
            None => desired,
        }
    }
}
