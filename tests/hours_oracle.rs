//! Hours against a second implementation that shares nothing with the first but the definition.
//!
//! The oracle walks the instants of a few days minute by minute, reads the wall clock, notes for
//! each occurrence the first and the last instant that reads inside it, and takes the away spans
//! the same way. Random teams in all zones, around their clock changes and elsewhere.
//! `SHIFTBELL_ORACLE_CASES` raises the number of cases from the default of 400.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

use std::fmt;

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};
use proptest::prelude::*;
use shiftbell::domain::{
    hours::{Away, Boundary, BoundaryKind, DaySlot, LocalTime, OperatingHours, Override, Slot},
    zone::Zones,
};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const MARGIN: SignedDuration = SignedDuration::from_hours(60);

struct Team {
    zone: TimeZone,
    slots: Vec<Slot>,
    overrides: Vec<Override>,
    holidays: Vec<Date>,
    away: Vec<Away>,
    from: Timestamp,
    until: Timestamp,
}

impl fmt::Debug for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            zone,
            slots,
            overrides,
            holidays,
            away,
            from,
            until,
        } = self;
        let zone = zone.iana_name();
        write!(
            f,
            "{zone:?} {from} {until} {slots:?} {overrides:?} {holidays:?} {away:?}"
        )
    }
}

impl Team {
    fn hours(&self) -> OperatingHours {
        let Self {
            zone,
            slots,
            overrides,
            holidays,
            away,
            ..
        } = self;
        OperatingHours::new(zone.clone(), slots, overrides, holidays, away)
    }

    /// The local spans of the slots that start from `first` to `last`.
    fn occurrences(&self, first: Date, last: Date) -> Vec<(DateTime, DateTime)> {
        let mut spans = Vec::new();
        let mut date = first;
        while date <= last {
            let own = self.overrides.iter().find(|own| own.date == date);
            let times: Vec<DaySlot> = match own {
                Some(own) => own.slots.clone(),
                None if self.holidays.contains(&date) => Vec::new(),
                None => {
                    let today = self.slots.iter().filter(|slot| slot.day == date.weekday());
                    today
                        .map(|slot| DaySlot {
                            start: slot.start,
                            end: slot.end,
                        })
                        .collect()
                }
            };
            for times in times {
                let midnight = date.at(0, 0, 0, 0);
                let (start, end) = (
                    i64::from(times.start.minutes()),
                    i64::from(times.end.minutes()),
                );
                let end = if end <= start { end + 24 * 60 } else { end };
                spans.push((midnight + start.minutes(), midnight + end.minutes()));
            }
            date = date.tomorrow().unwrap();
        }
        spans
    }

    /// Whether the agent is on duty, minute by minute, some days more than the window.
    fn walk(&self) -> Vec<(Timestamp, bool)> {
        let (first, last) = (self.from - MARGIN, self.until + MARGIN);
        let mut clock: Vec<(Timestamp, DateTime)> = Vec::new();
        let mut at = first;
        while at < last {
            clock.push((at, self.zone.to_datetime(at)));
            at += MINUTE;
        }
        let dates = clock.iter().map(|(_, local)| local.date());
        let (early, late) = (dates.clone().min().unwrap(), dates.max().unwrap());
        let occurrences = self.occurrences(early - 2.days(), late + 1.day());
        let away: Vec<_> = self
            .away
            .iter()
            .map(|away| (away.from, away.until))
            .collect();
        let mut on = vec![false; clock.len()];
        for (spans, value) in [(occurrences, true), (away, false)] {
            for (start, end) in spans {
                let inside = |(_, local): &(Timestamp, DateTime)| start <= *local && *local < end;
                let Some(first) = clock.iter().position(inside) else {
                    continue;
                };
                let last = clock.iter().rposition(inside).unwrap();
                on[first..=last].fill(value);
            }
        }
        clock.into_iter().map(|(at, _)| at).zip(on).collect()
    }
}

fn check(team: &Team) -> Result<(), TestCaseError> {
    let hours = team.hours();
    let walk = team.walk();
    let changes = walk.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    let expected: Vec<Boundary> = changes
        .map(|pair| Boundary {
            at: pair[1].0,
            kind: if pair[1].1 {
                BoundaryKind::Start
            } else {
                BoundaryKind::End
            },
        })
        .filter(|boundary| team.from <= boundary.at && boundary.at < team.until)
        .collect();
    prop_assert_eq!(&hours.boundaries(team.from, team.until), &expected);
    let window = walk
        .iter()
        .filter(|(at, _)| team.from <= *at && *at < team.until);
    for (at, on) in window.step_by(17) {
        prop_assert_eq!(hours.on_duty_at(*at), *on, "on duty at {}", at);
        let coming = expected.iter().find(|boundary| boundary.at > *at).copied();
        let next = hours.next_boundary(*at).filter(|next| next.at < team.until);
        prop_assert_eq!(next, coming, "next after {}", at);
        let past = expected
            .iter()
            .rfind(|boundary| boundary.at <= *at)
            .copied();
        prop_assert_eq!(
            hours.last_boundary(*at, team.from),
            past,
            "last up to {}",
            at
        );
    }
    Ok(())
}

/// Minutes of a day: anywhere, or close to those given.
fn minute(near: Vec<u16>) -> impl Strategy<Value = u16> {
    let exact = proptest::sample::select(near);
    let close = (exact.clone(), -61_i32..=61)
        .prop_map(|(near, by)| (i32::from(near) + by).rem_euclid(24 * 60) as u16);
    let quarter = close.clone().prop_map(|minute| minute / 15 * 15);
    prop_oneof![0_u16..24 * 60, exact, close, quarter]
}

fn time(minutes: u16) -> LocalTime {
    LocalTime::from_minutes(minutes).unwrap()
}

fn day_slot(near: Vec<u16>) -> impl Strategy<Value = DaySlot> {
    let end = prop_oneof![4 => minute(near.clone()), 1 => Just(24 * 60)];
    (minute(near), end)
        .prop_filter("a slot has a length", |(start, end)| start != end)
        .prop_map(|(start, end)| DaySlot {
            start: time(start),
            end: time(end),
        })
}

fn every_day(times: &[DaySlot]) -> Vec<Slot> {
    let days = (0..7).map(|day| Weekday::from_monday_zero_offset(day).unwrap());
    let slots = days.flat_map(|day| times.iter().map(move |times| (day, *times)));
    slots
        .map(|(day, times)| Slot {
            day,
            start: times.start,
            end: times.end,
        })
        .collect()
}

fn week(near: &[u16]) -> impl Strategy<Value = Vec<Slot>> + use<> {
    let slot = (0_i8..7, day_slot(near.to_vec())).prop_map(|(day, times)| Slot {
        day: Weekday::from_monday_zero_offset(day).unwrap(),
        start: times.start,
        end: times.end,
    });
    let any_day = prop::collection::vec(slot, 0..14);
    let daily =
        prop::collection::vec(day_slot(near.to_vec()), 1..3).prop_map(|times| every_day(&times));
    let round_the_clock = day_slot(near.to_vec()).prop_map(|times| {
        let end = time(times.end.minutes() % (24 * 60));
        every_day(&[
            times,
            DaySlot {
                start: end,
                end: times.start,
            },
        ])
    });
    prop_oneof![3 => any_day, 3 => daily, 1 => round_the_clock]
}

/// A team whose hours crowd around `change`.
fn team_around(zone: TimeZone, change: Timestamp) -> impl Strategy<Value = Team> {
    let of_day = |local: DateTime| i16::from(local.hour()) * 60 + i16::from(local.minute());
    let before = zone.to_datetime(change - MINUTE);
    let near = vec![
        of_day(before + 1.minute()) as u16,
        of_day(zone.to_datetime(change)) as u16,
    ];
    let date = before.date();
    let nearby = move || (-2_i64..=2).prop_map(move |by| date + by.days());
    let own = (
        nearby(),
        prop::collection::vec(day_slot(near.clone()), 0..3),
    )
        .prop_map(|(date, slots)| Override { date, slots });
    let overrides = prop::collection::vec(own, 0..3).prop_map(|mut list| {
        list.sort_by_key(|own| own.date);
        list.dedup_by_key(|own| own.date);
        list
    });
    let away = (nearby(), minute(near.clone()), 1_i64..3000).prop_map(|(date, minute, long)| {
        let from = date.at(0, 0, 0, 0) + i64::from(minute).minutes();
        Away {
            from,
            until: from + long.minutes(),
        }
    });
    let holidays = prop::collection::vec(nearby(), 0..2);
    let away = prop::collection::vec(away, 0..3);
    (week(&near), overrides, holidays, away, 0_i64..2000).prop_map(
        move |(slots, overrides, holidays, away, early)| {
            let from = change - SignedDuration::from_mins(early);
            let until = from + SignedDuration::from_hours(48);
            Team {
                zone: zone.clone(),
                slots,
                overrides,
                holidays,
                away,
                from,
                until,
            }
        },
    )
}

#[test]
fn hours_agree_with_a_walk_from_minute_to_minute() {
    let cases = std::env::var("SHIFTBELL_ORACLE_CASES").ok();
    let zones = Zones::built_in();
    let mut names: Vec<String> = zones.names().map(str::to_owned).collect();
    names.sort_unstable();
    let start: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let end: Timestamp = "2030-12-31T00:00:00Z".parse().unwrap();
    let moves = |zone: &TimeZone| -> Vec<Timestamp> {
        let changes = zone
            .following(start)
            .take_while(|change| change.timestamp() < end);
        changes.map(|change| change.timestamp()).collect()
    };
    let place = (
        proptest::sample::select(names),
        any::<prop::sample::Index>(),
        0_u8..4,
        0_i64..3_600_000,
    );
    let team = place.prop_flat_map(|(name, index, kind, minutes)| {
        let zone = zones.get(&name).unwrap();
        let moves = moves(&zone);
        let change = if kind == 0 || moves.is_empty() {
            start + SignedDuration::from_mins(minutes)
        } else {
            moves[index.index(moves.len())]
        };
        team_around(zone, change)
    });
    let config = ProptestConfig {
        cases: cases.map_or(400, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    if let Err(error) = runner.run(&team, |team| check(&team)) {
        panic!("{error}");
    }
}
