//! Alerts ahead: what an agent chose to hear before hours start.
//!
//! They change no status. As with boundaries, an edit is not a shift: a lead rings only if it was planned
//! before it came, or came after the edit that made it. Each is an alert of its own, of use until hours
//! start and not for longer than other alerts are; if the worker was down over the start as well, it was
//! missed. A lead needs no other consent: choosing it is one.

use jiff::Timestamp;

use super::{
    Rules,
    alerts::Alarm,
    shift::{after, looked_from},
};
use crate::domain::{
    alert,
    delivery::AlertKind,
    hours::OperatingHours,
    lead::{self, Ahead},
    plan::{Alert, Announced, PendingAlert, Recorded, Schedule},
};

/// Leads that came since the agent was looked at last, oldest first, without those that an edit made
/// after the fact.
pub(super) fn reached(
    recorded: &Recorded,
    schedule: &Schedule,
    hours: &OperatingHours,
    rules: &Rules,
    now: Timestamp,
) -> Vec<Ahead> {
    let from = looked_from(recorded, rules, now).filter(|_| !schedule.leads.is_empty());
    let Some(from) = from else {
        return Vec::new();
    };
    let mut came = lead::between(&schedule.leads, hours, from, after(now).max(from));
    if let Some(edited_at) = recorded.stale_at {
        came.retain(|ahead| ahead.at > edited_at || Some(ahead.at) == recorded.lead_at);
    }
    came
}

/// When (UTC) a lead comes next after `now` (UTC).
pub(super) fn next(
    schedule: &Schedule,
    hours: &OperatingHours,
    now: Timestamp,
) -> Option<Timestamp> {
    let leads = schedule.leads.iter();
    leads.filter_map(|lead| lead.next(hours, now)).min()
}

impl Alarm<'_> {
    /// The leads reached, each with the alerts it calls for.
    pub(super) fn leads(&self, reached: &[Ahead]) -> Vec<Announced> {
        let announced = reached.iter().map(|&ahead| {
            let missed = ahead.start <= self.now;
            let alert = self.ahead(ahead, missed);
            Announced {
                ahead,
                missed,
                alert,
            }
        });
        announced.collect()
    }

    fn ahead(&self, ahead: Ahead, missed: bool) -> Alert {
        let Ahead { lead, at, start } = ahead;
        // Once hours start, that is told by another.
        let deadline = alert::deadline(at, self.rules.useful_for).min(start);
        let late = (self.now >= deadline).then_some("too_late");
        let id = |phone: &str| alert::lead_delivery_id(self.agent, lead, start, phone);
        Alert {
            kind: AlertKind::HoursStartLead,
            at: start,
            counterpart: None,
            deadline,
            expired: if missed { Some("missed") } else { late },
            phones: self.phones(id),
        }
    }

    /// Why a pending lead is not to ring any more, if it is not.
    pub(super) fn lead_outdated(&self, pending: &PendingAlert) -> Option<&'static str> {
        match pending.lead {
            None => Some("opted_out"),
            Some(lead) => {
                let there = lead.announces(self.hours, pending.at);
                there.is_none().then_some("boundary_gone")
            }
        }
    }
}
