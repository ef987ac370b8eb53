//! What `store` promises, on both engines.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

#[path = "../support/mod.rs"]
mod support;

mod decisions;
mod modes;
mod opening;
mod outbox;
mod plans;
mod roster;
mod schedule;
mod slots;
mod statements;
mod tokens;
mod world;
