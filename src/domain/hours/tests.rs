//! Cases worked out by hand: the rules of the contract, far answers, odd clocks.

mod clocks;
mod far;
mod rules;

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
