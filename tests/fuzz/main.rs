//! Fuzzing on a stable compiler: what people write and what receivers answer, spoilt at random. Nothing
//! of it may panic, hang or bring a secret to light.
//!
//! Each target runs for `SHIFTBELL_FUZZ_SECONDS` (3 if nobody says otherwise) from a seed of its own.
//! A case is a function of its seed alone: `SHIFTBELL_SEED=17 cargo test --test fuzz import` makes
//! case 17 the first. A case that fails is saved, and its file and seed are printed.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

#[path = "../config/mod.rs"]
#[expect(dead_code, reason = "shared with tests that load texts")]
mod config;

mod answers;
mod calendar;
mod import;
mod mutate;
mod run;
mod settings;
