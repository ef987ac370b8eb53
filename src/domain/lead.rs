//! Alerts ahead: before hours start, an agent's phones may ring as often as the agent chose, each time
//! as an alert of its own.
//!
//! A [`Lead`] says how long before; with a start of hours it comes to an instant ([`Lead::instant`]). A
//! number of minutes is told of every start, the day before only of the first start of a local date: who
//! comes back from lunch was told the evening before already. Pure; `triggers/tests/wall.rs` holds it
//! against a clerk who looks at the clock on the wall every minute.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::Serialize;

use super::hours::{LocalTime, OperatingHours, local_start};

/// An agent chooses no more than so many.
pub const MOST: usize = 5;

/// A week: nobody is told earlier than that, in minutes.
pub const LONGEST: u16 = 7 * 24 * 60;

/// The day before is no longer before a start than two days, and a date that the clock skips or repeats.
const LONGEST_EVE: SignedDuration = SignedDuration::from_hours(3 * 24 + 1);

/// How long before hours start a phone rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lead {
    /// So many minutes that pass, 1 to [`LONGEST`].
    Minutes(u16),
    /// When the agent's own clock reads this on the local date before the one on which hours start.
    /// Where the clock skips it, at the skip; where it reads it twice, the first time.
    DayBefore(LocalTime),
}

/// A lead and the start of hours that it announces. Instants are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// How long before.
    pub lead: Lead,
    /// When it comes; before the start.
    pub at: Timestamp,
    /// When hours start.
    pub start: Timestamp,
}

impl Lead {
    /// When (UTC) it comes for hours that start at `start` (UTC) on the clock of `zone`; `None` where
    /// that is no instant before the start.
    pub fn instant(self, start: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let at = match self {
            Self::Minutes(minutes) => start.checked_sub(minutes_long(minutes)).ok()?,
            Self::DayBefore(time) => {
                let eve = zone.to_datetime(start).date().yesterday().ok()?;
                local_start(zone, time.on(eve))
            }
        };
        (at < start).then_some(at)
    }

    /// When (UTC) it announces that hours start at `start` (UTC); `None` where they do not, or where it
    /// does not announce that start.
    pub fn announces(self, hours: &OperatingHours, start: Timestamp) -> Option<Timestamp> {
        let just = SignedDuration::from_nanos(1);
        let starts = hours.starts_after(start.checked_sub(just).ok()?).next();
        self.of_start(hours, starts.filter(|next| *next == start)?)
    }

    /// The first instant after `after` (UTC) at which it announces a start.
    pub fn next(self, hours: &OperatingHours, after: Timestamp) -> Option<Timestamp> {
        let starts_after = match self {
            Self::Minutes(minutes) => after.checked_add(minutes_long(minutes)).ok()?,
            Self::DayBefore(_) => after,
        };
        let mut starts = hours.starts_after(starts_after);
        starts.find_map(|start| self.of_start(hours, start).filter(|at| *at > after))
    }

    /// What names it for good, in ids.
    pub fn key(self) -> String {
        match self {
            Self::Minutes(minutes) => format!("minutes:{minutes}"),
            Self::DayBefore(time) => format!("day_before:{time}"),
        }
    }

    /// [`Lead::announces`], of a known start.
    fn of_start(self, hours: &OperatingHours, start: Timestamp) -> Option<Timestamp> {
        let first = match self {
            Self::Minutes(_) => true,
            Self::DayBefore(_) => is_first_of_its_date(hours, start),
        };
        first.then(|| self.instant(start, hours.zone())).flatten()
    }

    /// The longest that it comes before a start.
    fn reach(self) -> SignedDuration {
        match self {
            Self::Minutes(minutes) => minutes_long(minutes),
            Self::DayBefore(_) => LONGEST_EVE,
        }
    }
}

/// What these leads announce with `from <= at < until` (UTC), in order.
pub fn between(
    leads: &[Lead],
    hours: &OperatingHours,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Ahead> {
    let mut all = Vec::new();
    for &lead in leads {
        // What it announces starts later than it comes.
        let last = until.saturating_add(lead.reach()).unwrap_or(Timestamp::MAX);
        let starts = hours.starts_after(from).take_while(|start| *start <= last);
        let ahead = starts.filter_map(|start| {
            let at = lead.of_start(hours, start)?;
            Some(Ahead { lead, at, start })
        });
        all.extend(ahead.filter(|ahead| from <= ahead.at && ahead.at < until));
    }
    all.sort_by_key(|ahead| (ahead.at, ahead.start, ahead.lead));
    all
}

fn minutes_long(minutes: u16) -> SignedDuration {
    SignedDuration::from_mins(i64::from(minutes))
}

/// Whether no hours start earlier on the local date on which they start at `start` (UTC).
fn is_first_of_its_date(hours: &OperatingHours, start: Timestamp) -> bool {
    let date = |at| hours.zone().to_datetime(at).date();
    let before = start.checked_sub(LONGEST_EVE).unwrap_or(Timestamp::MIN);
    let mut earlier = hours.starts_after(before).take_while(|at| *at < start);
    !earlier.any(|at| date(at) == date(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{hours::Slot, zone::Zones};

    fn came(lead: Lead, zone: &str, start: &str) -> Option<String> {
        let zone = Zones::built_in().get(zone).unwrap();
        let at = lead.instant(start.parse().unwrap(), &zone);
        at.map(|at| at.to_string())
    }

    fn eve(time: &str) -> Lead {
        Lead::DayBefore(time.parse().unwrap())
    }

    #[test]
    fn what_comes_within_a_span_holds_its_beginning_and_not_its_end() {
        let zone = Zones::built_in().get("UTC").unwrap();
        let slot = Slot {
            day: jiff::civil::Weekday::Monday,
            start: "09:00".parse().unwrap(),
            end: "18:00".parse().unwrap(),
        };
        let hours = OperatingHours::new(zone, &[slot], &[], &[], &[]);
        let at = |time: &str| format!("2026-03-30T{time}:00Z").parse().unwrap();
        let leads = [Lead::Minutes(15), Lead::Minutes(30)];
        let came = |from, until| {
            let came = between(&leads, &hours, at(from), at(until));
            came.into_iter().map(|ahead| ahead.at).collect::<Vec<_>>()
        };
        assert_eq!(came("08:30", "08:45"), [at("08:30")]);
        assert_eq!(came("08:30", "08:46"), [at("08:30"), at("08:45")]);
        assert_eq!(leads[0].announces(&hours, at("09:00")), Some(at("08:45")));
        assert_eq!(leads[0].announces(&hours, at("13:00")), None);
        let week = SignedDuration::from_hours(7 * 24);
        assert_eq!(leads[0].next(&hours, at("08:45")), Some(at("08:45") + week));
    }

    #[test]
    fn minutes_pass_and_the_eve_is_read_off_the_wall() {
        // The clock of Paris skips 02:00 to 03:00 on 2026-03-29 and repeats that hour on 2026-10-25.
        for (lead, zone, start, expected) in [
            (
                Lead::Minutes(15),
                "Europe/Paris",
                "2026-03-30T07:00:00Z",
                Some("2026-03-30T06:45:00Z"),
            ),
            (
                Lead::Minutes(1440),
                "Europe/Paris",
                "2026-03-29T07:00:00Z",
                Some("2026-03-28T07:00:00Z"),
            ),
            (
                eve("20:00"),
                "Europe/Paris",
                "2026-03-30T07:00:00Z",
                Some("2026-03-29T18:00:00Z"),
            ),
            (
                eve("20:00"),
                "Europe/Paris",
                "2026-03-29T07:00:00Z",
                Some("2026-03-28T19:00:00Z"),
            ),
            (
                eve("02:30"),
                "Europe/Paris",
                "2026-03-30T07:00:00Z",
                Some("2026-03-29T01:00:00Z"),
            ),
            (
                eve("02:30"),
                "Europe/Paris",
                "2026-10-26T08:00:00Z",
                Some("2026-10-25T00:30:00Z"),
            ),
            // A shift at midnight belongs to the date that begins with it.
            (
                eve("23:59"),
                "Europe/Paris",
                "2026-03-30T22:00:00Z",
                Some("2026-03-30T21:59:00Z"),
            ),
            // Samoa had no 30 December 2011: the eve of the 31st is the skip, at which the day began.
            (
                eve("20:00"),
                "Pacific/Apia",
                "2011-12-30T19:00:00Z",
                Some("2011-12-30T10:00:00Z"),
            ),
            (eve("20:00"), "Pacific/Apia", "2011-12-30T10:00:00Z", None),
            (Lead::Minutes(1), "UTC", "-009999-01-02T01:59:59Z", None),
        ] {
            assert_eq!(
                came(lead, zone, start).as_deref(),
                expected,
                "{lead:?} before {start}"
            );
        }
    }
}
