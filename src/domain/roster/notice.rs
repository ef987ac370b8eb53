//! What is said about lines: faults and warnings.

use std::fmt;

/// How many faults, and how many warnings, are listed; the rest are counted.
pub const LISTED: usize = 20;

/// Something to say about one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The line in the file, from 1.
    pub line: usize,
    /// Path of the field, such as `hours[2].start`; empty where the whole line is meant.
    pub field: String,
    /// What is the matter, and what to write instead.
    pub reason: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

/// The first [`LISTED`] notices, and how many more there were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// In the order of the file.
    pub listed: Vec<Notice>,
    /// How many were not listed.
    pub more: usize,
}

impl Notices {
    /// Whether there was nothing to say.
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub(in crate::domain) fn push(&mut self, line: usize, field: String, reason: String) {
        if self.listed.len() < LISTED {
            self.listed.push(Notice {
                line,
                field,
                reason,
            });
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Notices {
    /// One notice a line, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, notice) in self.listed.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{notice}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}
