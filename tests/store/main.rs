//! What `store` promises, on both engines.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

#[path = "../stage/mod.rs"]
#[expect(dead_code, reason = "a stage has more than these stories need")]
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod begin;
mod conversations;
mod decisions;
mod dispatch;
mod explain;
mod external;
mod leads;
mod modes;
mod opening;
mod outbox;
mod plans;
mod roster;
mod schedule;
mod service;
mod slots;
mod statements;
mod tokens;
mod upkeep;
mod world;
