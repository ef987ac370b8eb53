//! Days in zones whose clocks change, lived twice: by [`decide`], asked only when it said to look again,
//! somebody chose other leads or the worker was up again, and by a clerk who looks at the clock on the
//! wall every minute. They must agree on every lead and its verdict.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, civil::DateTime};
use proptest::prelude::*;

use super::{
    leads::{chosen, eve},
    *,
};
use crate::domain::{
    hours::OperatingHours,
    lead::{Ahead, Lead},
};

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
