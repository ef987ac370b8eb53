//! Every driver against a stand-in that keeps to its product's documentation: each status set and read
//! back, every fault that the presence API's own receiver is put through, and each product's odd
//! answers.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

mod brevo;
mod chatwoot;
mod desk;
mod drift;
mod every;
mod front;
mod graph;
mod helpscout;
mod intercom;
mod lease;
mod lease_shift;
mod livechat;
mod mattermost;
mod rocketchat;
mod rocketchat_user;
mod slack;
#[path = "../stage/mod.rs"]
mod stage;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "these stories look at products")]
mod support;
mod zendesk;
