//! The API as a program sees it that asks over TCP: the real router, both databases.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "these stories open no cluster of their own")]
mod support;

mod agents;
mod day;
mod deliveries;
mod desk;
mod devices;
mod document;
mod explain;
mod feed;
mod hours;
mod office;
mod others;
mod status;
mod tenants;
mod tokens;
mod workspaces;
mod wrong;
