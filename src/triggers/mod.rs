//! What can change a status. Each trigger is one pure function from facts and `now` to a decision.
//!
//! A new trigger is a file here and a line in `workers::scan`, which reads the facts, asks, and
//! writes what was decided.

pub mod shift;
