//! From operating hours to boundaries, the UTC instants at which an agent's duty starts or ends.
//!
//! The wall clock decides: an agent is on duty whenever the clock of their zone reads inside a slot.
//! A slot's occurrence is the span from the first instant to the last at which it does, so every
//! odd clock (half-hour changes, changes at midnight, a date that never was) follows from one
//! definition instead of a list of cases. In order: slots belong to the local date on which they
//! start; an override, else the workspace's holiday, replaces that date's; occurrences that touch
//! or overlap are joined; then `away` spans are cut out. What is left are the boundaries.
//!
//! Dates are walked lazily, from two days before the instant asked about until the answer is
//! known, which for a usual week is a handful of conversions. Two shortcuts keep the walk short
//! where the answer lies far off: a week without slots goes from exception to exception, and a
//! week without a gap is one span from exception to exception (it is contiguous on the wall clock,
//! so no clock change opens a gap in it).
//!
//! `tests/hours_oracle.rs` compares all this with a walk from minute to minute over every IANA
//! zone; `hours/tests.rs` holds cases worked out by hand.

mod boundaries;
mod occurrences;
mod operating;
mod wall;
mod written;

#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use operating::OperatingHours;
pub use wall::{Span, first_from as local_start, span as local_span};
pub use written::{
    Away, DaySlot, LocalTime, NotATime, Override, Slot, date_from, day_from_word, day_word,
    local_minute, local_minute_from,
};

use super::presence::words;

/// An instant at which an agent's duty starts or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Boundary {
    /// When, UTC.
    pub at: Timestamp,
    /// Which of the two.
    pub kind: BoundaryKind,
}

/// Which end of a span on duty a boundary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BoundaryKind {
    /// Duty starts.
    Start,
    /// Duty ends.
    End,
}

words!(BoundaryKind { Start => "start", End => "end" });
