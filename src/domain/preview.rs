//! The boundaries of several agents in one list, as `shiftbell preview` prints it.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::hours::{BoundaryKind, OperatingHours};

/// One boundary of one agent; serialised as `{"agent":"a-1","kind":"start","at":"2026-03-30T07:00:00Z"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Upcoming<'a> {
    /// The agent's id.
    pub agent: &'a str,
    /// Which end of the hours.
    #[serde(serialize_with = "as_word")]
    pub kind: BoundaryKind,
    /// When, UTC.
    pub at: Timestamp,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn as_word<S: Serializer>(kind: &BoundaryKind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(kind.as_str())
}

/// The boundaries with `from <= at < until` (UTC) of all `agents`, in order of time, then of the
/// agent's id (compared byte by byte).
pub fn preview<'a>(
    agents: impl IntoIterator<Item = (&'a str, OperatingHours)>,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Upcoming<'a>> {
    let mut upcoming: Vec<Upcoming<'a>> = agents
        .into_iter()
        .flat_map(|(agent, hours)| {
            let boundaries = hours.boundaries(from, until).into_iter();
            boundaries.map(move |boundary| Upcoming {
                agent,
                kind: boundary.kind,
                at: boundary.at,
            })
        })
        .collect();
    upcoming.sort_unstable_by_key(|one| (one.at, one.agent));
    upcoming
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{agent::Agent, hours::Slot, zone::Zones};

    fn agent(id: &str, timezone: &str, start: &str, end: &str) -> Agent {
        let day = jiff::civil::Weekday::Monday;
        let slot = Slot {
            day,
            start: start.parse().unwrap(),
            end: end.parse().unwrap(),
        };
        Agent {
            hours: vec![slot],
            ..Agent::new(id, "acme", "Ana", timezone)
        }
    }

    #[test]
    fn boundaries_come_in_order_of_time_then_agent() {
        let zones = Zones::built_in();
        let team = [
            agent("b", "Europe/Paris", "09:00", "12:00"),
            agent("a-10", "UTC", "07:00", "10:00"),
            agent("a-2", "Europe/Paris", "11:00", "11:30"),
        ];
        let hours = |agent: &'_ Agent| agent.operating_hours(&zones, &[]).unwrap();
        let at = |text: &str| text.parse().unwrap();
        let found = preview(
            team.iter().map(|agent| (agent.id.as_str(), hours(agent))),
            at("2026-03-30T07:00:00Z"),
            at("2026-03-30T10:00:00Z"),
        );
        let lines: Vec<String> = found
            .iter()
            .map(|one| serde_json::to_string(one).unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                r#"{"agent":"a-10","kind":"start","at":"2026-03-30T07:00:00Z"}"#,
                r#"{"agent":"b","kind":"start","at":"2026-03-30T07:00:00Z"}"#,
                r#"{"agent":"a-2","kind":"start","at":"2026-03-30T09:00:00Z"}"#,
                r#"{"agent":"a-2","kind":"end","at":"2026-03-30T09:30:00Z"}"#,
            ]
        );
    }
}
