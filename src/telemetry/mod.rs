//! What ops see: the log ([`log`]) and the metrics ([`metrics`]).

mod escape;
mod line;
pub mod log;
pub mod metrics;
mod textfile;
pub mod together;

pub use escape::escape;
pub use log::LogError;
pub use textfile::write_textfile;
