//! When a zone's clocks change: days on which a shift is an hour longer, shorter or missing.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// One change of a zone's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockChange {
    /// When, UTC.
    pub at: Timestamp,
    /// What the clock on the wall would read then without the change.
    pub from: DateTime,
    /// What it reads.
    pub to: DateTime,
}

impl ClockChange {
    /// Whether local times are skipped; else some happen twice.
    pub fn skips(&self) -> bool {
        self.from < self.to
    }
}

/// The changes with `from < at < until` (UTC), in order.
pub fn clock_changes(zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<ClockChange> {
    zone.following(from)
        .take_while(|change| change.timestamp() < until)
        .filter_map(|change| {
            let at = change.timestamp();
            let just = at.checked_sub(SignedDuration::from_nanos(1)).ok()?;
            let (before, after) = (zone.to_offset(just), change.offset());
            (before != after).then(|| ClockChange {
                at,
                from: before.to_datetime(at),
                to: after.to_datetime(at),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::zone::Zones;

    #[test]
    fn paris_skips_an_hour_in_march_and_repeats_one_in_october() {
        let zone = Zones::built_in().get("Europe/Paris").unwrap();
        let year = ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"];
        let [from, until] = year.map(|text| text.parse().unwrap());
        let shown: Vec<_> = clock_changes(&zone, from, until)
            .iter()
            .map(|c| format!("{} {} {}", c.from, c.to, c.skips()))
            .collect();
        assert_eq!(
            shown,
            [
                "2026-03-29T02:00:00 2026-03-29T03:00:00 true",
                "2026-10-25T03:00:00 2026-10-25T02:00:00 false",
            ]
        );
        let utc = Zones::built_in().get("UTC").unwrap();
        assert!(clock_changes(&utc, from, until).is_empty());
    }
}
