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
