//! shiftbell keeps chat agents' working hours.
//!
//! One shift, from stored hours to a phone:
//!
//! 1. [`store`] holds what people typed: slots, overrides, holidays, away spans, devices.
//! 2. [`domain::hours`] turns them into boundaries, the UTC instants at which hours start or end.
//! 3. [`triggers`] compare the status that is true now with the one recorded last.
//! 4. `workers::scan` records the difference as a transition together with every delivery it
//!    calls for, in one database transaction.
//! 5. A `workers::lane` leases what is due and hands it to a [`channels`] client, which sends it
//!    and judges the answer.
//! 6. The judgement settles the delivery and its attempt, in one transaction again.
//! 7. [`domain::explain`] follows the trail back: why a phone rang, or why it did not.
//!
//! `domain` knows nobody. `store` and `channels` know `domain` and never each other (a channel has
//! a stopwatch besides);
//! `triggers` know `domain`; `workers` join them; [`cli`] and [`http`] sit on top. The test
//! `tests/architecture.rs` reads the imports and holds this.

pub mod channels;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod lifecycle;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod triggers;
pub mod workers;
pub mod zones;
