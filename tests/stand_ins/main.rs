//! The stand-ins keep to the receivers' published rules, and misbehave as told.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

mod apns;
mod client;
mod faults;
mod fcm;
mod presence;
mod record;
