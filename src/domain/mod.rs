//! The pure core: no I/O, no clock, no database. Everything here is a function of its arguments.

pub mod access;
pub mod agent;
pub mod alert;
pub mod breaker;
pub mod calendar;
pub mod clock_changes;
pub mod conversation;
pub mod coverage;
pub mod delivery;
pub mod device;
pub mod driver;
pub mod explain;
pub mod hours;
pub mod lead;
pub mod pace;
pub mod plan;
pub mod presence;
pub mod preview;
pub mod retry;
pub mod roster;
pub mod zone;
