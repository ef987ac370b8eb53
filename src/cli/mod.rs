//! cli

pub mod completions;
pub mod output;
