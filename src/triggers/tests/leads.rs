//! Alerts ahead of hours: the rules one by one.

use jiff::SignedDuration;

use super::*;
use crate::domain::{alert, hours::OperatingHours, lead::Lead};

const QUARTER: Lead = Lead::Minutes(15);

pub(super) fn eve(time: &str) -> Lead {
    Lead::DayBefore(time.parse().unwrap())
}

pub(super) fn chosen(leads: &[Lead]) -> Schedule {
    Schedule {
        leads: leads.to_vec(),
        ..schedule()
    }
}

/// Recorded at `looked` (UTC) on that Monday, with a lead planned for 06:45.
fn before(looked: &str) -> Recorded {
    Recorded {
        evaluated_at: Some(at(looked)),
        lead_at: Some(at("06:45")),
        ..recorded(Some(Status::Offline))
    }
}

/// Lead, verdict and number of phones of each that was decided.
fn told(decision: &Decision) -> Vec<(Lead, Option<&'static str>, usize)> {
    let leads = decision.leads.iter();
    leads
        .map(|lead| {
            let alert = &lead.alert;
            (lead.ahead.lead, alert.expired, alert.phones.len())
        })
        .collect()
}

#[test]
fn a_lead_rings_when_it_comes_and_changes_nothing() {
    let planned = decided(before("06:00"), chosen(&[QUARTER]), at("06:44"));
    assert!(planned.leads.is_empty());
    assert_eq!(
        (planned.next_lead, planned.due, planned.next),
        (Some(at("06:45")), Some(at("06:45")), Some(at("07:00")))
    );
    let came = decided(before("06:44"), chosen(&[QUARTER]), at("06:45"));
    assert_eq!(told(&came), [(QUARTER, None, 1)]);
    assert_eq!((&came.change, came.boundaries.len()), (&None, 0));
    let alert = &came.leads[0].alert;
    assert_eq!(
        (alert.kind, alert.at, alert.deadline),
        (AlertKind::HoursStartLead, at("07:00"), at("07:00"))
    );
    let id = alert::lead_delivery_id("a-1", QUARTER, at("07:00"), "aa11");
    assert_eq!(alert.phones[0].delivery, id);
    assert_eq!(came.due, Some(at("07:00")), "the next lead is a week away");
}

#[test]
fn it_is_of_use_until_hours_start_and_no_longer_than_other_alerts() {
    let hour = Lead::Minutes(60);
    let late = |lead, looked, now| told(&decided(before(looked), chosen(&[lead]), at(now)));
    assert_eq!(late(hour, "05:59", "06:14"), [(hour, None, 1)]);
    assert_eq!(late(hour, "05:59", "06:15"), [(hour, Some("too_late"), 1)]);
    let five = Lead::Minutes(5);
    assert_eq!(late(five, "06:50", "06:59"), [(five, None, 1)]);
    assert_eq!(late(five, "06:50", "07:00"), [(five, Some("missed"), 1)]);
    let soon = decided(before("06:50"), chosen(&[five]), at("06:55"));
    assert_eq!(soon.leads[0].alert.deadline, at("07:00"), "not 07:10");
    let over_both = decided(before("06:00"), chosen(&[QUARTER]), at("07:01"));
    assert!(over_both.leads[0].missed);
    assert_eq!(ringing(&over_both), [(BoundaryKind::Start, None)]);
}

#[test]
fn two_leads_are_two_alerts_even_at_one_instant() {
    let leads = [Lead::Minutes(13 * 60), eve("20:00"), QUARTER];
    let sunday: Timestamp = "2026-03-29T18:00:00Z".parse().unwrap();
    let looked = Recorded {
        evaluated_at: Some(sunday - SignedDuration::from_mins(1)),
        ..recorded(Some(Status::Offline))
    };
    let both = decided(looked, chosen(&leads), sunday);
    assert_eq!(told(&both), [(leads[0], None, 1), (leads[1], None, 1)]);
    let ids = [0, 1].map(|n: usize| both.leads[n].alert.phones[0].delivery);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(both.next_lead, Some(at("06:45")));
}

#[test]
fn choosing_a_lead_is_the_consent_and_phones_are_needed() {
    let only_lead = Schedule {
        notify: Notify::default(),
        ..chosen(&[QUARTER])
    };
    let came = decided(before("06:44"), only_lead, at("06:45"));
    assert_eq!(told(&came), [(QUARTER, None, 1)]);
    let no_phone = Schedule {
        phones: vec![],
        ..chosen(&[QUARTER])
    };
    let came = decided(before("06:44"), no_phone, at("06:45"));
    assert_eq!(told(&came), [(QUARTER, None, 0)], "recorded all the same");
}

#[test]
fn an_edit_is_not_a_lead() {
    let edited = |edited: &str, planned: Option<&str>| Recorded {
        stale_at: Some(at(edited)),
        lead_at: planned.map(at),
        ..before("06:30")
    };
    let look = |recorded| told(&decided(recorded, chosen(&[QUARTER]), at("06:50")));
    assert!(look(edited("06:50", None)).is_empty(), "chosen after it");
    assert!(look(edited("06:45", Some("06:40"))).is_empty());
    assert_eq!(look(edited("06:44", None)), [(QUARTER, None, 1)]);
    assert_eq!(look(edited("06:46", Some("06:45"))), [(QUARTER, None, 1)]);
    let first = recorded(None);
    assert!(look(first).is_empty(), "a first start rings nobody");
}

#[test]
fn a_clock_that_ran_ahead_tells_it_again_under_the_same_id() {
    let ahead = Recorded {
        evaluated_at: Some(at("08:00")),
        ..before("06:00")
    };
    let again = decided(ahead, chosen(&[QUARTER]), at("06:46"));
    let once = decided(before("06:44"), chosen(&[QUARTER]), at("06:45"));
    assert_eq!(again.leads, once.leads);
}

#[test]
fn pending_leads_go_with_their_start_or_their_choice() {
    let pending = |lead, start| PendingAlert {
        delivery: uuid::Uuid::nil(),
        kind: AlertKind::HoursStartLead,
        at: at(start),
        lead,
    };
    let cancelled = |pending: PendingAlert| {
        let schedule = Schedule {
            notify: Notify::default(),
            pending: vec![pending],
            ..chosen(&[QUARTER, eve("20:00")])
        };
        let decision = decided(before("06:46"), schedule, at("06:47"));
        decision.cancel.first().map(|(_, why)| *why)
    };
    assert_eq!(cancelled(pending(Some(QUARTER), "07:00")), None);
    assert_eq!(cancelled(pending(Some(eve("20:00")), "07:00")), None);
    let gone = cancelled(pending(Some(QUARTER), "07:05"));
    assert_eq!(gone, Some("boundary_gone"));
    assert_eq!(cancelled(pending(None, "07:00")), Some("opted_out"));
}

#[test]
fn the_day_before_is_told_of_the_first_start_of_a_date_only() {
    let split = |leads: &[Lead]| Schedule {
        slots: vec![slot("09:00", "12:00"), slot("13:00", "18:00")],
        ..chosen(leads)
    };
    let starts = |lead: Lead| {
        let leads = split(&[lead]);
        let zone = ZONES.get("Europe/Paris").unwrap();
        let hours = OperatingHours::new(zone, &leads.slots, &[], &[], &[]);
        [at("07:00"), at("10:00"), at("11:00")].map(|start| lead.announces(&hours, start))
    };
    let sunday: Timestamp = "2026-03-29T18:00:00Z".parse().unwrap();
    assert_eq!(starts(eve("20:00")), [Some(sunday), None, None]);
    assert_eq!(
        starts(QUARTER),
        [Some(at("06:45")), None, Some(at("10:45"))]
    );
}
