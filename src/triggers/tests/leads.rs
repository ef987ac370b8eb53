//! Alerts ahead of hours: the rules one by one, then days in zones whose clocks change, held against a clerk
//! who looks at the clock on the wall every minute.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, civil::DateTime};
use proptest::prelude::*;

use super::*;
use crate::domain::{
    alert,
    hours::OperatingHours,
    lead::{Ahead, Lead},
};

const QUARTER: Lead = Lead::Minutes(15);

fn eve(time: &str) -> Lead {
    Lead::DayBefore(time.parse().unwrap())
}

fn chosen(leads: &[Lead]) -> Schedule {
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

const DAYS: i64 = 3;
const MINUTES: i64 = DAYS * 24 * 60;

/// Zones, and a UTC midnight shortly before their clocks change.
const CHANGES: [(&str, &str); 8] = [
    ("Europe/Paris", "2026-03-28T00:00:00Z"),
    ("Europe/Paris", "2026-10-24T00:00:00Z"),
    ("Africa/Cairo", "2026-04-23T00:00:00Z"),
    ("Africa/Cairo", "2026-10-28T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-03T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-02T00:00:00Z"),
    ("America/Havana", "2026-10-31T00:00:00Z"),
    ("Asia/Kathmandu", "2026-03-28T00:00:00Z"),
];

/// The clerk: the wall clock at every minute from two days before, and the starts of hours by minute.
struct Clerk {
    wall: Vec<(i64, DateTime)>,
    starts: Vec<i64>,
}

impl Clerk {
    fn new(hours: &OperatingHours, midnight: Timestamp) -> Self {
        let minute = |n| midnight + SignedDuration::from_mins(n);
        let (first, last) = (-2 * 24 * 60, MINUTES + 4 * 24 * 60);
        let boundaries = hours.boundaries(minute(first), minute(last)).into_iter();
        let starts = boundaries.filter(|b| b.kind == BoundaryKind::Start);
        let read = |n| (n, hours.zone().to_datetime(minute(n)));
        Self {
            starts: starts
                .map(|b| b.at.duration_since(midnight).as_mins())
                .collect(),
            wall: (first..last).map(read).collect(),
        }
    }

    fn reads(&self, minute: i64) -> DateTime {
        self.wall[usize::try_from(minute + 2 * 24 * 60).unwrap()].1
    }

    /// Each minute at which `lead` comes, with the start it announces.
    fn comes(&self, lead: Lead) -> Vec<(i64, i64)> {
        let starts = self.starts.iter().copied();
        match lead {
            Lead::Minutes(minutes) => starts.map(|s| (s - i64::from(minutes), s)).collect(),
            Lead::DayBefore(time) => {
                let mut told = Vec::new();
                let mut all = Vec::new();
                for start in starts {
                    let date = self.reads(start).date();
                    if told.contains(&date) {
                        continue;
                    }
                    told.push(date);
                    let time = date.yesterday().unwrap().at(
                        (time.minutes() / 60) as i8,
                        (time.minutes() % 60) as i8,
                        0,
                        0,
                    );
                    let first = self
                        .wall
                        .iter()
                        .find(|(_, reads)| *reads >= time)
                        .unwrap()
                        .0;
                    all.extend((first < start).then_some((first, start)));
                }
                all
            }
        }
    }

    /// What `leads` announce, in order.
    fn announces(&self, leads: &[Lead]) -> Vec<(Lead, i64, i64)> {
        let all = leads.iter().flat_map(|&lead| {
            let comes = self.comes(lead).into_iter();
            comes.map(move |(at, start)| (lead, at, start))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(lead, at, start)| (*at, *start, *lead));
        all
    }
}

fn verdict(now: i64, at: i64, start: i64) -> Option<&'static str> {
    if start <= now {
        Some("missed")
    } else {
        (now >= start.min(at + 15)).then_some("too_late")
    }
}

fn lead() -> impl Strategy<Value = Lead> {
    let eves = [
        "00:00", "00:30", "01:45", "02:15", "20:00", "23:30", "23:59",
    ];
    prop_oneof![
        prop::sample::select(vec![1, 5, 15, 90, 600, 1440, 4000]).prop_map(Lead::Minutes),
        prop::sample::select(eves.to_vec()).prop_map(eve),
    ]
}

fn leads() -> impl Strategy<Value = Vec<Lead>> {
    prop::collection::btree_set(lead(), 0..4).prop_map(|leads| leads.into_iter().collect())
}

/// Slots of every day, in quarters of an hour.
fn slots() -> impl Strategy<Value = Vec<Slot>> {
    let times = prop::collection::btree_set(0..96_u16, 2..=6);
    times.prop_map(|quarters| {
        let quarters: Vec<_> = quarters.into_iter().collect();
        let time = |n: u16| LocalTime::from_minutes(n * 15).unwrap();
        let spans = quarters
            .chunks_exact(2)
            .map(|span| (time(span[0]), time(span[1])));
        let days = (0..7_i8).map(|day| Weekday::from_monday_zero_offset(day).unwrap());
        let spans: Vec<_> = spans.collect();
        days.flat_map(|day| {
            spans
                .iter()
                .map(move |&(start, end)| Slot { day, start, end })
        })
        .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn leads_agree_with_a_clerk_who_reads_the_wall(
        (zone, midnight) in prop::sample::select(CHANGES.to_vec()),
        slots in slots(),
        first in leads(),
        edits in prop::collection::btree_map(1..MINUTES, leads(), 0..4),
        down in prop::collection::btree_map(1..MINUTES, 1..300_i64, 0..4),
    ) {
        let midnight: Timestamp = midnight.parse().unwrap();
        let minute = |n: i64| midnight + SignedDuration::from_mins(n);
        let hours = OperatingHours::new(ZONES.get(zone).unwrap(), &slots, &[], &[], &[]);
        let clerk = Clerk::new(&hours, midnight);
        let mut leads = first;
        let mut announced = clerk.announces(&leads);
        let came = |announced: &[(Lead, i64, i64)], minutes: RangeInclusive<i64>| {
            let came = announced.iter().filter(|(_, at, _)| minutes.contains(at));
            came.copied().collect::<Vec<_>>()
        };
        let mut state = Recorded { agent: "a-1".into(), workspace: "acme".into(), ..Recorded::default() };
        let (mut due, mut looked, mut up_at) = (Some(minute(0)), -1, 0);
        for now in 0..MINUTES {
            up_at = down.get(&now).map_or(up_at, |length| up_at.max(now + length));
            if now < up_at {
                continue;
            }
            let edit = edits.get(&now).filter(|edited| **edited != leads);
            let planned = !came(&announced, now..=now).is_empty();
            if edit.is_none() && due.is_none_or(|due| minute(now) < due) {
                prop_assert!(!planned, "asleep at {} of {:?}", minute(now), &leads);
                continue;
            }
            let mut expected = if now == 0 { Vec::new() } else { came(&announced, looked + 1..=now) };
            if let Some(edited) = edit {
                // What came while the worker was down was planned if nothing had come before it.
                let earliest = expected.iter().map(|(_, at, _)| *at).min();
                leads.clone_from(edited);
                announced = clerk.announces(&leads);
                expected = came(&announced, looked + 1..=now);
                expected.retain(|(_, at, _)| Some(*at) == earliest);
                state.stale_at = Some(minute(now));
            }
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(lead, at, start)| {
                    let ahead = Ahead { lead, at: minute(at), start: minute(start) };
                    (ahead, verdict(now, at, start))
                })
                .collect();
            let schedule = Schedule {
                timezone: zone.into(),
                slots: slots.clone(),
                ..chosen(&leads)
            };
            let decision = decided(state.clone(), schedule, minute(now));
            let rung: Vec<_> = decision.leads.iter().map(|l| (l.ahead, l.alert.expired)).collect();
            prop_assert_eq!(rung, expected, "at {} in {} of {:?}", minute(now), zone, &leads);
            state.evaluated_at = Some(minute(now));
            state.boundary_at = decision.next;
            state.lead_at = decision.next_lead;
            state.stale_at = None;
            if let Some(change) = decision.change {
                state.status = Some(change.status);
                state.sequence = change.sequence;
            }
            (due, looked) = (decision.due, now);
        }
    }
}
