//! Cases worked out by hand, each with the rule or the odd clock it is about.

use jiff::{Timestamp, civil::Weekday};

use super::*;
use crate::domain::zone::Zones;

const EVERY_DAY: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn times(text: &str) -> DaySlot {
    let (start, end) = text.split_once('-').unwrap();
    DaySlot {
        start: start.parse().unwrap(),
        end: end.parse().unwrap(),
    }
}

/// `"mon 09:00-17:00, * 22:00-06:00"`
fn week(text: &str) -> Vec<Slot> {
    let mut slots = Vec::new();
    for part in text.split(", ").filter(|part| !part.is_empty()) {
        let (day, span) = part.split_once(' ').unwrap();
        let days = EVERY_DAY
            .iter()
            .filter(|known| day == "*" || day == day_word(**known));
        let DaySlot { start, end } = times(span);
        slots.extend(days.map(|day| Slot {
            day: *day,
            start,
            end,
        }));
    }
    slots
}

struct Team {
    zone: &'static str,
    week: &'static str,
    overrides: &'static [(&'static str, &'static [&'static str])],
    holidays: &'static [&'static str],
    away: &'static [(&'static str, &'static str)],
}

const TEAM: Team = Team {
    zone: "UTC",
    week: "",
    overrides: &[],
    holidays: &[],
    away: &[],
};

impl Team {
    fn hours(&self) -> OperatingHours {
        let own = |(date, slots): &(&str, &[&str])| Override {
            date: date_from(date).unwrap(),
            slots: slots.iter().map(|slot| times(slot)).collect(),
        };
        let minute = |text| local_minute_from(text).unwrap();
        OperatingHours::new(
            Zones::built_in().get(self.zone).unwrap(),
            &week(self.week),
            &self.overrides.iter().map(own).collect::<Vec<_>>(),
            &self
                .holidays
                .iter()
                .map(|date| date_from(date).unwrap())
                .collect::<Vec<_>>(),
            &self
                .away
                .iter()
                .map(|(from, until)| Away {
                    from: minute(from),
                    until: minute(until),
                })
                .collect::<Vec<_>>(),
        )
    }

    /// Boundaries within `[from, until)`, such as `"start 2026-03-30T07:00:00Z"`; also holds
    /// `next_boundary`, `last_boundary` and `on_duty_at` to the same answer.
    #[track_caller]
    fn rings(&self, from: &str, until: &str, expected: &[&str]) {
        let hours = self.hours();
        let (from, until) = (instant(from), instant(until));
        let found = hours.boundaries(from, until);
        let words: Vec<String> = found
            .iter()
            .map(|boundary| format!("{} {}", boundary.kind.as_str(), boundary.at))
            .collect();
        assert_eq!(words, expected);
        let mut at = from - jiff::SignedDuration::from_nanos(1);
        for boundary in &found {
            assert_eq!(hours.next_boundary(at), Some(*boundary), "after {at}");
            at = boundary.at;
            assert_eq!(
                hours.on_duty_at(at),
                boundary.kind == BoundaryKind::Start,
                "at {at}"
            );
            assert_eq!(hours.last_boundary(at, from), Some(*boundary), "up to {at}");
        }
        assert!(
            hours.next_boundary(at).is_none_or(|next| next.at >= until),
            "after {at}"
        );
    }
}

#[test]
fn the_readme_s_own_example_starts_at_nine_in_paris() {
    let ana = Team {
        zone: "Europe/Paris",
        week: "mon 09:00-12:30, mon 14:00-18:00, fri 22:00-06:00",
        ..TEAM
    };
    ana.rings(
        "2026-03-30T00:00:00Z",
        "2026-04-06T00:00:00Z",
        &[
            "start 2026-03-30T07:00:00Z",
            "end 2026-03-30T10:30:00Z",
            "start 2026-03-30T12:00:00Z",
            "end 2026-03-30T16:00:00Z",
            "start 2026-04-03T20:00:00Z",
            "end 2026-04-04T04:00:00Z",
        ],
    );
}

#[test]
fn spans_are_half_open_and_next_is_strictly_after() {
    let hours = Team {
        week: "mon 09:00-17:00",
        ..TEAM
    }
    .hours();
    let start = instant("2026-03-30T09:00:00Z");
    assert!(hours.on_duty_at(start));
    assert!(!hours.on_duty_at(instant("2026-03-30T17:00:00Z")));
    assert_eq!(
        hours.next_boundary(start).unwrap().at,
        instant("2026-03-30T17:00:00Z")
    );
    assert_eq!(hours.boundaries(start, start), []);
    assert_eq!(
        hours
            .boundaries(start, instant("2026-03-30T17:00:00Z"))
            .len(),
        1
    );
    assert_eq!(
        hours.last_boundary(
            instant("2026-03-30T08:00:00Z"),
            instant("2026-03-28T00:00:00Z")
        ),
        None
    );
    let long_ago = hours.last_boundary(
        instant("2026-03-30T08:00:00Z"),
        instant("2026-01-01T00:00:00Z"),
    );
    assert_eq!(long_ago.unwrap().at, instant("2026-03-23T17:00:00Z"));
}

#[test]
fn a_gap_s_start_and_end_are_the_instant_of_the_skip() {
    // Paris skips 02:00 to 03:00 on 2026-03-29, at 01:00Z.
    let on_the_day = |week| Team {
        zone: "Europe/Paris",
        week,
        ..TEAM
    };
    let span = ("2026-03-28T12:00:00Z", "2026-03-29T20:00:00Z");
    on_the_day("sun 02:30-05:00").rings(
        span.0,
        span.1,
        &["start 2026-03-29T01:00:00Z", "end 2026-03-29T03:00:00Z"],
    );
    on_the_day("sun 00:30-02:30").rings(
        span.0,
        span.1,
        &["start 2026-03-28T23:30:00Z", "end 2026-03-29T01:00:00Z"],
    );
    on_the_day("sun 02:15-02:45").rings(span.0, span.1, &[]);
    on_the_day("sun 02:00-03:00").rings(span.0, span.1, &[]);
    on_the_day("sun 01:59-03:00").rings(
        span.0,
        span.1,
        &["start 2026-03-29T00:59:00Z", "end 2026-03-29T01:00:00Z"],
    );
    // What the skip brings together is joined.
    on_the_day("sun 01:00-02:15, sun 02:45-04:00").rings(
        span.0,
        span.1,
        &["start 2026-03-29T00:00:00Z", "end 2026-03-29T02:00:00Z"],
    );
}

#[test]
fn a_fold_s_start_is_the_first_reading_and_its_end_the_last() {
    // Paris reads 02:00 to 03:00 twice on 2026-10-25: from 00:00Z and from 01:00Z.
    let on_the_day = |week| Team {
        zone: "Europe/Paris",
        week,
        ..TEAM
    };
    let span = ("2026-10-24T20:00:00Z", "2026-10-25T20:00:00Z");
    on_the_day("sun 02:30-05:00").rings(
        span.0,
        span.1,
        &["start 2026-10-25T00:30:00Z", "end 2026-10-25T04:00:00Z"],
    );
    on_the_day("sun 01:00-02:30").rings(
        span.0,
        span.1,
        &["start 2026-10-24T23:00:00Z", "end 2026-10-25T01:30:00Z"],
    );
    on_the_day("sun 02:15-02:45").rings(
        span.0,
        span.1,
        &["start 2026-10-25T00:15:00Z", "end 2026-10-25T01:45:00Z"],
    );
    on_the_day("sun 02:00-03:00").rings(
        span.0,
        span.1,
        &["start 2026-10-25T00:00:00Z", "end 2026-10-25T02:00:00Z"],
    );
    on_the_day("sun 03:00-04:00").rings(
        span.0,
        span.1,
        &["start 2026-10-25T02:00:00Z", "end 2026-10-25T03:00:00Z"],
    );
    // On the first minute of the repeated hour an end is over the first time; one later, the last.
    on_the_day("sun 01:00-02:00").rings(
        span.0,
        span.1,
        &["start 2026-10-24T23:00:00Z", "end 2026-10-25T00:00:00Z"],
    );
    on_the_day("sun 01:00-02:01").rings(
        span.0,
        span.1,
        &["start 2026-10-24T23:00:00Z", "end 2026-10-25T01:01:00Z"],
    );
}

#[test]
fn away_is_read_as_a_slot_is() {
    let team = |away| Team {
        zone: "Europe/Paris",
        week: "* 00:00-24:00",
        away,
        ..TEAM
    };
    team(&[("2026-10-25T02:30", "2026-10-25T02:45")]).rings(
        "2026-10-24T00:00:00Z",
        "2026-10-27T00:00:00Z",
        &["end 2026-10-25T00:30:00Z", "start 2026-10-25T01:45:00Z"],
    );
    team(&[("2026-03-29T02:10", "2026-03-29T02:50")]).rings(
        "2026-03-28T00:00:00Z",
        "2026-03-31T00:00:00Z",
        &[],
    );
    // Absences that touch count as one, and one that ends as another begins rings once.
    team(&[
        ("2026-05-02T08:00", "2026-05-03T08:00"),
        ("2026-05-01T08:00", "2026-05-02T08:00"),
    ])
    .rings(
        "2026-04-01T00:00:00Z",
        "2026-07-01T00:00:00Z",
        &["end 2026-05-01T06:00:00Z", "start 2026-05-03T06:00:00Z"],
    );
}

#[test]
fn away_is_cut_after_joining() {
    let lunch = Team {
        week: "mon 09:00-13:00, mon 12:00-17:00",
        away: &[("2026-03-30T10:00", "2026-03-30T11:00")],
        ..TEAM
    };
    lunch.rings(
        "2026-03-30T00:00:00Z",
        "2026-03-31T00:00:00Z",
        &[
            "start 2026-03-30T09:00:00Z",
            "end 2026-03-30T10:00:00Z",
            "start 2026-03-30T11:00:00Z",
            "end 2026-03-30T17:00:00Z",
        ],
    );
    let whole_days = Team {
        week: "* 09:00-17:00",
        away: &[("2026-03-30T09:00", "2026-04-02T17:00")],
        ..TEAM
    };
    whole_days.rings(
        "2026-03-29T12:00:00Z",
        "2026-04-03T12:00:00Z",
        &["end 2026-03-29T17:00:00Z", "start 2026-04-03T09:00:00Z"],
    );
}

#[test]
fn slots_that_touch_ring_no_bell() {
    let team = Team {
        week: "mon 09:00-12:00, mon 12:00-17:00, mon 22:00-24:00, tue 00:00-06:00",
        ..TEAM
    };
    team.rings(
        "2026-03-30T00:00:00Z",
        "2026-04-01T00:00:00Z",
        &[
            "start 2026-03-30T09:00:00Z",
            "end 2026-03-30T17:00:00Z",
            "start 2026-03-30T22:00:00Z",
            "end 2026-03-31T06:00:00Z",
        ],
    );
}

#[test]
fn an_overnight_slot_belongs_to_the_date_it_starts_on() {
    let nights = "* 22:00-06:00";
    // A day off takes the night that begins on it, and leaves the one that ends on it.
    let off = Team {
        week: nights,
        overrides: &[("2026-03-31", &[])],
        ..TEAM
    };
    off.rings(
        "2026-03-30T12:00:00Z",
        "2026-04-02T00:00:00Z",
        &[
            "start 2026-03-30T22:00:00Z",
            "end 2026-03-31T06:00:00Z",
            "start 2026-04-01T22:00:00Z",
        ],
    );
    let midnight = Team {
        week: "mon 22:00-00:00",
        ..TEAM
    };
    midnight.rings(
        "2026-03-30T00:00:00Z",
        "2026-04-01T00:00:00Z",
        &["start 2026-03-30T22:00:00Z", "end 2026-03-31T00:00:00Z"],
    );
}

#[test]
fn an_override_beats_a_holiday_and_a_holiday_beats_the_week() {
    let team = Team {
        week: "* 09:00-17:00",
        overrides: &[("2026-12-25", &["10:00-11:00"]), ("2026-12-28", &[])],
        holidays: &["2026-12-26", "2026-12-25"],
        ..TEAM
    };
    team.rings(
        "2026-12-25T00:00:00Z",
        "2026-12-29T00:00:00Z",
        &[
            "start 2026-12-25T10:00:00Z",
            "end 2026-12-25T11:00:00Z",
            "start 2026-12-27T09:00:00Z",
            "end 2026-12-27T17:00:00Z",
        ],
    );
}

#[test]
fn round_the_clock_has_no_boundaries() {
    for week in [
        "* 00:00-24:00",
        "* 06:00-18:00, * 18:00-06:00",
        "* 12:00-11:00, * 08:00-13:00",
    ] {
        for zone in ["UTC", "Europe/Paris", "Australia/Lord_Howe", "Africa/Cairo"] {
            let team = Team { zone, week, ..TEAM };
            team.rings("2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z", &[]);
            assert_eq!(
                team.hours().next_boundary(instant("2026-01-01T00:00:00Z")),
                None
            );
            assert!(team.hours().on_duty_at(instant("2026-06-01T12:34:56Z")));
        }
    }
}

#[test]
fn a_chain_of_months_ends_where_an_exception_ends_it() {
    let after = instant("2026-01-01T00:00:00Z");
    let next = |team: Team| {
        team.hours()
            .next_boundary(after)
            .map(|boundary| boundary.at.to_string())
    };
    let all = Team {
        week: "* 00:00-24:00",
        ..TEAM
    };
    let is = |found: Option<String>, at: &str| assert_eq!(found.as_deref(), Some(at));
    is(
        next(Team {
            overrides: &[("2031-05-05", &[])],
            ..all
        }),
        "2031-05-05T00:00:00Z",
    );
    is(
        next(Team {
            holidays: &["2031-05-05"],
            ..all
        }),
        "2031-05-05T00:00:00Z",
    );
    is(
        next(Team {
            away: &[("2031-05-05T10:00", "2031-05-05T11:00")],
            ..all
        }),
        "2031-05-05T10:00:00Z",
    );
    is(
        next(Team {
            overrides: &[("9000-05-05", &["00:00-23:00"])],
            ..all
        }),
        "9000-05-05T23:00:00Z",
    );
    // An exception that keeps the chain whole does not end it, the next one does.
    is(
        next(Team {
            overrides: &[("2030-01-01", &["00:00-24:00"]), ("2031-05-05", &[])],
            ..all
        }),
        "2031-05-05T00:00:00Z",
    );
    // Nights round the clock: the day off leaves the morning that belongs to the day before.
    let nights = Team {
        week: "* 06:00-06:01, * 06:01-06:00",
        overrides: &[("2031-05-05", &[])],
        ..TEAM
    };
    is(next(nights), "2031-05-05T06:00:00Z");
}

#[test]
fn an_empty_week_has_only_its_overrides() {
    let team = Team {
        overrides: &[
            ("2030-02-02", &["09:00-10:00"]),
            ("2030-02-01", &["23:00-09:00"]),
        ],
        ..TEAM
    };
    team.rings(
        "2026-01-01T00:00:00Z",
        "2040-01-01T00:00:00Z",
        &["start 2030-02-01T23:00:00Z", "end 2030-02-02T10:00:00Z"],
    );
    assert_eq!(
        team.hours().next_boundary(instant("2030-02-02T10:00:00Z")),
        None
    );
    assert_eq!(
        TEAM.hours().next_boundary(instant("2026-01-01T00:00:00Z")),
        None
    );
    assert_eq!(TEAM.hours().boundaries(Timestamp::MIN, Timestamp::MAX), []);
}

#[test]
fn a_very_long_absence_is_stepped_over() {
    let gone = Team {
        week: "* 09:00-17:00",
        away: &[("2026-01-01T12:00", "9999-12-31T23:59")],
        ..TEAM
    };
    gone.rings(
        "2026-01-01T00:00:00Z",
        "9990-01-01T00:00:00Z",
        &["start 2026-01-01T09:00:00Z", "end 2026-01-01T12:00:00Z"],
    );
    assert_eq!(
        gone.hours().next_boundary(instant("2026-02-01T00:00:00Z")),
        None
    );
    let back = Team {
        away: &[("2026-01-01T12:00", "8000-01-01T12:00")],
        ..gone
    };
    back.rings(
        "2026-02-01T00:00:00Z",
        "8000-01-02T00:00:00Z",
        &["start 8000-01-01T12:00:00Z", "end 8000-01-01T17:00:00Z"],
    );
}

#[test]
fn lord_howe_moves_by_half_an_hour() {
    let team = |week| Team {
        zone: "Australia/Lord_Howe",
        week,
        ..TEAM
    };
    // 2026-10-04 02:00 +10:30 becomes 02:30 +11:00, at 2026-10-03T15:30Z.
    let span = ("2026-10-03T00:00:00Z", "2026-10-04T12:00:00Z");
    team("sun 02:15-04:00").rings(
        span.0,
        span.1,
        &["start 2026-10-03T15:30:00Z", "end 2026-10-03T17:00:00Z"],
    );
    team("sun 02:00-02:30").rings(span.0, span.1, &[]);
    // 2026-04-05 02:00 +11:00 becomes 01:30 +10:30, at 2026-04-04T15:00Z.
    let span = ("2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z");
    team("sun 01:45-03:00").rings(
        span.0,
        span.1,
        &["start 2026-04-04T14:45:00Z", "end 2026-04-04T16:30:00Z"],
    );
    team("sun 01:00-01:30").rings(
        span.0,
        span.1,
        &["start 2026-04-04T14:00:00Z", "end 2026-04-04T14:30:00Z"],
    );
    team("sun 01:00-01:45").rings(
        span.0,
        span.1,
        &["start 2026-04-04T14:00:00Z", "end 2026-04-04T15:15:00Z"],
    );
}

#[test]
fn troll_moves_by_two_hours() {
    let team = |week| Team {
        zone: "Antarctica/Troll",
        week,
        ..TEAM
    };
    // 2026-03-29 01:00 +00 becomes 03:00 +02, at 01:00Z; back at 2026-10-25T01:00Z, 03:00 becomes 01:00.
    team("sun 01:30-02:30, sun 02:45-05:00").rings(
        "2026-03-28T12:00:00Z",
        "2026-03-29T12:00:00Z",
        &["start 2026-03-29T01:00:00Z", "end 2026-03-29T03:00:00Z"],
    );
    team("sun 01:30-02:30").rings(
        "2026-10-24T12:00:00Z",
        "2026-10-25T12:00:00Z",
        &["start 2026-10-24T23:30:00Z", "end 2026-10-25T02:30:00Z"],
    );
}

#[test]
fn cairo_changes_at_midnight() {
    // Friday 2026-04-24 has no 00:00: at 2026-04-23T22:00Z the clock goes to 01:00 (+03:00).
    let team = |week| Team {
        zone: "Africa/Cairo",
        week,
        ..TEAM
    };
    let span = ("2026-04-23T10:00:00Z", "2026-04-24T18:00:00Z");
    team("thu 20:00-24:00").rings(
        span.0,
        span.1,
        &["start 2026-04-23T18:00:00Z", "end 2026-04-23T22:00:00Z"],
    );
    team("fri 00:00-02:00").rings(
        span.0,
        span.1,
        &["start 2026-04-23T22:00:00Z", "end 2026-04-23T23:00:00Z"],
    );
    team("thu 20:00-00:30, fri 01:00-02:00").rings(
        span.0,
        span.1,
        &["start 2026-04-23T18:00:00Z", "end 2026-04-23T23:00:00Z"],
    );
    // Thursday 2026-10-29 reads 23:00 to 24:00 twice, from 20:00Z and from 21:00Z.
    let span = ("2026-10-29T10:00:00Z", "2026-10-30T10:00:00Z");
    team("thu 20:00-24:00").rings(
        span.0,
        span.1,
        &["start 2026-10-29T17:00:00Z", "end 2026-10-29T22:00:00Z"],
    );
    team("thu 20:00-23:00").rings(
        span.0,
        span.1,
        &["start 2026-10-29T17:00:00Z", "end 2026-10-29T20:00:00Z"],
    );
    team("thu 23:30-00:30").rings(
        span.0,
        span.1,
        &["start 2026-10-29T20:30:00Z", "end 2026-10-29T22:30:00Z"],
    );
}

#[test]
fn havana_repeats_the_hour_after_midnight() {
    // Sunday 2025-11-02 reads 00:00 to 01:00 twice, from 04:00Z and from 05:00Z.
    let team = |week| Team {
        zone: "America/Havana",
        week,
        ..TEAM
    };
    let span = ("2025-11-01T12:00:00Z", "2025-11-02T12:00:00Z");
    team("sat 20:00-24:00").rings(
        span.0,
        span.1,
        &["start 2025-11-02T00:00:00Z", "end 2025-11-02T04:00:00Z"],
    );
    team("sun 00:00-03:00").rings(
        span.0,
        span.1,
        &["start 2025-11-02T04:00:00Z", "end 2025-11-02T08:00:00Z"],
    );
    team("sat 20:00-00:30").rings(
        span.0,
        span.1,
        &["start 2025-11-02T00:00:00Z", "end 2025-11-02T05:30:00Z"],
    );
    // Sunday 2026-03-08 has no 00:00 to 01:00.
    team("sun 00:00-02:00").rings(
        "2026-03-07T12:00:00Z",
        "2026-03-08T12:00:00Z",
        &["start 2026-03-08T05:00:00Z", "end 2026-03-08T06:00:00Z"],
    );
}

#[test]
fn dublin_s_summer_is_the_standard_and_chatham_is_45_minutes_off() {
    let dublin = Team {
        zone: "Europe/Dublin",
        week: "sun 01:30-05:00",
        ..TEAM
    };
    dublin.rings(
        "2026-03-28T12:00:00Z",
        "2026-03-29T12:00:00Z",
        &["start 2026-03-29T01:00:00Z", "end 2026-03-29T04:00:00Z"],
    );
    dublin.rings(
        "2026-10-24T12:00:00Z",
        "2026-10-25T12:00:00Z",
        &["start 2026-10-25T00:30:00Z", "end 2026-10-25T05:00:00Z"],
    );
    // 2026-04-05 03:45 +13:45 becomes 02:45 +12:45, at 2026-04-04T14:00Z.
    let chatham = Team {
        zone: "Pacific/Chatham",
        week: "sun 03:00-03:30",
        ..TEAM
    };
    chatham.rings(
        "2026-04-04T00:00:00Z",
        "2026-04-05T00:00:00Z",
        &["start 2026-04-04T13:15:00Z", "end 2026-04-04T14:45:00Z"],
    );
}

#[test]
fn casablanca_turns_back_for_ramadan() {
    // 2025-02-23 03:00 +01 becomes 02:00 +00 at 02:00Z; 2025-04-06 02:00 becomes 03:00 at 02:00Z.
    let team = Team {
        zone: "Africa/Casablanca",
        week: "sun 02:30-05:00",
        ..TEAM
    };
    team.rings(
        "2025-02-22T12:00:00Z",
        "2025-02-23T12:00:00Z",
        &["start 2025-02-23T01:30:00Z", "end 2025-02-23T05:00:00Z"],
    );
    team.rings(
        "2025-04-05T12:00:00Z",
        "2025-04-06T12:00:00Z",
        &["start 2025-04-06T02:00:00Z", "end 2025-04-06T04:00:00Z"],
    );
}

#[test]
fn apia_s_thirtieth_of_december_2011_never_was() {
    // At 2011-12-30T10:00Z the clock went from the 29th, 24:00, to the 31st, 00:00.
    let team = |week| Team {
        zone: "Pacific/Apia",
        week,
        ..TEAM
    };
    let span = ("2011-12-29T12:00:00Z", "2011-12-31T09:00:00Z");
    team("fri 09:00-17:00").rings(span.0, span.1, &[]);
    team("thu 22:00-06:00").rings(
        span.0,
        span.1,
        &["start 2011-12-30T08:00:00Z", "end 2011-12-30T10:00:00Z"],
    );
    team("fri 22:00-06:00").rings(
        span.0,
        span.1,
        &["start 2011-12-30T10:00:00Z", "end 2011-12-30T16:00:00Z"],
    );
    team("* 00:00-24:00").rings(span.0, span.1, &[]);
}

#[test]
fn a_clock_turned_back_over_midnight_lengthens_the_night_before() {
    // St John's, 2010-11-07: 00:01 -02:30 became 23:01 -03:30 of the 6th, at 02:31Z.
    let team = |week| Team {
        zone: "America/St_Johns",
        week,
        ..TEAM
    };
    let span = ("2010-11-06T04:00:00Z", "2010-11-08T00:00:00Z");
    team("fri 23:50-23:45").rings(span.0, span.1, &["end 2010-11-07T03:15:00Z"]);
    team("sun 00:00-01:00").rings(
        span.0,
        span.1,
        &["start 2010-11-07T02:30:00Z", "end 2010-11-07T04:30:00Z"],
    );
}

#[test]
fn the_ends_of_the_calendar_are_no_trap() {
    for zone in ["UTC", "America/New_York", "Pacific/Apia"] {
        for week in ["* 09:00-17:00", "* 00:00-24:00", "* 22:00-06:00", ""] {
            let hours = Team { zone, week, ..TEAM }.hours();
            for at in [Timestamp::MIN, Timestamp::MAX] {
                hours.on_duty_at(at);
                hours.next_boundary(at);
                hours.last_boundary(at, at);
            }
            assert_eq!(hours.next_boundary(Timestamp::MAX), None);
        }
    }
}

#[test]
fn times_of_day_are_read_to_the_letter() {
    for good in ["00:00", "09:30", "23:59", "24:00"] {
        assert_eq!(good.parse::<LocalTime>().unwrap().to_string(), good);
    }
    for bad in [
        "25:00",
        "24:01",
        "9:00",
        "09:60",
        "0900",
        "09:00:00",
        "+9:00",
        "٠٩:٠٠",
        "",
        "-1:00",
    ] {
        assert!(bad.parse::<LocalTime>().is_err(), "{bad}");
    }
    for bad in [
        "2026-02-29",
        "2026-13-01",
        "2026-1-01",
        "20260101",
        "+002026-01-01",
        "2026-01-01T00:00",
    ] {
        assert_eq!(date_from(bad), None, "{bad}");
    }
    for bad in [
        "2026-12-24",
        "2026-12-24 12:00",
        "2026-12-24T12:00:00",
        "2026-12-24T12:00Z",
    ] {
        assert_eq!(local_minute_from(bad), None, "{bad}");
    }
    let noon = local_minute_from("2026-12-24T12:00").unwrap();
    assert_eq!(local_minute(noon), "2026-12-24T12:00");
}
