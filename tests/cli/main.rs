//! The real program, run as a user runs it: what it prints, where, and with which exit code.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

#[path = "../stage/mod.rs"]
mod stage;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "these stories look at a database from outside")]
mod support;

mod api;
mod config;
mod deliveries;
mod demo;
mod doctor;
mod explain;
mod ics;
mod presence;
mod preview;
mod readme;
mod roster;
mod run;
mod shell;
mod shift;
mod tick;
mod token;
mod usage;
mod whole;
