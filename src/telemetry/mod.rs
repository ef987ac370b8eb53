//! What ops see: the log ([`log`]) and the metrics ([`metrics`]).

mod escape;
pub mod log;
pub mod metrics;
mod textfile;

pub use escape::escape;
pub use log::LogError;
pub use textfile::write_textfile;
