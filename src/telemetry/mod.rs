//! What ops see: the log ([`log`]) and the metrics ([`metrics`]).

pub mod log;
pub mod metrics;
mod textfile;

pub use log::{LogError, escape};
pub use textfile::write_textfile;
