//! When nobody of a team is on duty, so that visitors can only leave a message.

use jiff::Timestamp;

use super::hours::{BoundaryKind, OperatingHours};

/// A span in which nobody is on duty, `[start, end)`, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The first instant.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

/// Counts who is on duty, agent by agent.
#[derive(Debug)]
pub struct Coverage {
    from: Timestamp,
    until: Timestamp,
    on_duty: i64,
    /// Each with how many more are on duty from then on, negative if fewer.
    changes: Vec<(Timestamp, i64)>,
}

impl Coverage {
    /// Of nobody yet, for the span `[from, until)`, UTC.
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            on_duty: 0,
            changes: Vec::new(),
        }
    }

    /// Adds one agent.
    pub fn add(&mut self, hours: &OperatingHours) {
        self.on_duty += i64::from(hours.on_duty_at(self.from));
        let later = hours.boundaries(self.from, self.until).into_iter();
        self.changes
            .extend(later.filter(|b| b.at > self.from).map(|b| match b.kind {
                BoundaryKind::Start => (b.at, 1),
                BoundaryKind::End => (b.at, -1),
            }));
    }

    /// The gaps, in order. Where one agent hands over to another there is none.
    pub fn gaps(mut self) -> Vec<Gap> {
        self.changes.sort_unstable();
        let mut gaps = Vec::new();
        let mut open = (self.on_duty == 0).then_some(self.from);
        for now in self.changes.chunk_by(|a, b| a.0 == b.0) {
            let at = now[0].0;
            self.on_duty += now.iter().map(|(_, more)| more).sum::<i64>();
            match (self.on_duty, open) {
                (0, None) => open = Some(at),
                (1.., Some(start)) => {
                    gaps.push(Gap { start, end: at });
                    open = None;
                }
                _ => {}
            }
        }
        if let Some(start) = open.filter(|start| *start < self.until) {
            gaps.push(Gap {
                start,
                end: self.until,
            });
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Weekday;

    use super::*;
    use crate::domain::{agent::Agent, hours::Slot, zone::Zones};

    fn monday(start: &str, end: &str) -> OperatingHours {
        let agent = Agent {
            hours: vec![Slot {
                day: Weekday::Monday,
                start: start.parse().unwrap(),
                end: end.parse().unwrap(),
            }],
            ..Agent::new("a", "acme", "A", "UTC")
        };
        agent.operating_hours(&Zones::built_in(), &[]).unwrap()
    }

    fn gaps(team: &[OperatingHours], from: &str, until: &str) -> Vec<String> {
        let at = |time: &str| format!("2026-03-30T{time}:00Z").parse().unwrap();
        let mut coverage = Coverage::new(at(from), at(until));
        for hours in team {
            coverage.add(hours);
        }
        let shown = |gap: &Gap| format!("{} {}", gap.start, gap.end);
        coverage
            .gaps()
            .iter()
            .map(|gap| shown(gap).replace("2026-03-30T", "").replace(":00Z", ""))
            .collect()
    }

    #[test]
    fn a_hand_over_leaves_no_gap_and_lunch_does() {
        let team = [
            monday("09:00", "12:00"),
            monday("12:00", "14:00"),
            monday("15:00", "18:00"),
        ];
        assert_eq!(
            gaps(&team, "08:00", "20:00"),
            ["08:00 09:00", "14:00 15:00", "18:00 20:00"]
        );
        assert_eq!(gaps(&team, "09:00", "14:00"), [""; 0]);
        assert_eq!(gaps(&team, "13:00", "14:30"), ["14:00 14:30"]);
    }

    #[test]
    fn without_a_team_all_of_it_is_a_gap() {
        assert_eq!(gaps(&[], "08:00", "09:00"), ["08:00 09:00"]);
        assert_eq!(gaps(&[], "08:00", "08:00"), [""; 0]);
    }
}
