//! Whose phones ring for what, and until when.
//!
//! A phone rings for the start or the end of hours if the agent opted in to that; for anything else that
//! changes the status on its own, if the agent opted in to either.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::Rules;
use crate::domain::{
    alert,
    delivery::AlertKind,
    hours::{Boundary, BoundaryKind, OperatingHours},
    plan::{Alert, NewAlert, Reached, Schedule},
};

/// What an agent's alerts are made of.
pub(super) struct Alarm<'a> {
    pub(super) agent: &'a str,
    pub(super) schedule: &'a Schedule,
    pub(super) rules: &'a Rules,
    pub(super) hours: &'a OperatingHours,
    pub(super) now: Timestamp,
}

impl Alarm<'_> {
    /// The boundaries reached, each with the alerts it calls for; all but the newest were missed.
    pub(super) fn boundaries(&self, reached: &[Boundary]) -> Vec<Reached> {
        let newest = reached.last().map(|b| b.at);
        reached
            .iter()
            .map(|&Boundary { at, kind }| {
                let missed = Some(at) != newest;
                Reached {
                    kind,
                    missed,
                    alert: self.alert(alert_kind(kind), at, missed),
                }
            })
            .collect()
    }

    /// What a change of status that came at `at` calls for.
    pub(super) fn of_change(&self, kind: AlertKind, at: Timestamp) -> Alert {
        self.alert(kind, at, false)
    }

    fn alert(&self, kind: AlertKind, at: Timestamp, missed: bool) -> Alert {
        let counterpart = self.hours.next_boundary(at).map(|b| b.at);
        // An alert is of no use once the shift it is about is over, or the next has begun.
        let useful = alert::deadline(at, self.rules.useful_for);
        let deadline = counterpart.map_or(useful, |c| c.min(useful));
        let expired = if missed {
            Some("missed")
        } else {
            (self.now >= deadline).then_some("too_late")
        };
        Alert {
            kind,
            at,
            counterpart,
            deadline,
            expired,
            phones: if self.schedule.notify.wants(kind) {
                self.phones(|phone| alert::delivery_id(self.agent, kind, at, phone))
            } else {
                Vec::new()
            },
        }
    }

    /// A delivery to each phone that can be reached, with the `id` of its token.
    pub(super) fn phones(&self, id: impl Fn(&str) -> Uuid) -> Vec<NewAlert> {
        let phones = self.schedule.phones.iter();
        phones
            .filter(|phone| self.rules.push.contains(&phone.channel))
            .map(|phone| NewAlert {
                delivery: id(phone.token.expose()),
                phone: phone.clone(),
            })
            .collect()
    }

    /// Pending alerts whose boundary is gone, that the agent no longer wants, or of which `holds` says
    /// that what they tell is over.
    pub(super) fn outdated(
        &self,
        holds: impl Fn(AlertKind, Timestamp) -> bool,
    ) -> Vec<(Uuid, &'static str)> {
        let pending = self.schedule.pending.iter();
        pending
            .filter_map(|pending| {
                let why = if pending.kind == AlertKind::HoursStartLead {
                    self.lead_outdated(pending)?
                } else if !self.schedule.notify.wants(pending.kind) {
                    "opted_out"
                } else if !self.is_there(pending.kind, pending.at) {
                    "boundary_gone"
                } else if !holds(pending.kind, pending.at) {
                    "status_changed"
                } else {
                    return None;
                };
                Some((pending.delivery, why))
            })
            .collect()
    }

    /// Whether hours start or end at `at`, if that is what the alert is about.
    fn is_there(&self, kind: AlertKind, at: Timestamp) -> bool {
        let boundaries = || {
            self.hours
                .boundaries(at, at + SignedDuration::from_millis(1))
        };
        match kind {
            AlertKind::HoursStart | AlertKind::HoursEnd => {
                boundaries().iter().any(|b| alert_kind(b.kind) == kind)
            }
            AlertKind::HoursStartLead
            | AlertKind::NoReply
            | AlertKind::Overflow
            | AlertKind::Test => true,
        }
    }
}

fn alert_kind(kind: BoundaryKind) -> AlertKind {
    match kind {
        BoundaryKind::Start => AlertKind::HoursStart,
        BoundaryKind::End => AlertKind::HoursEnd,
    }
}
