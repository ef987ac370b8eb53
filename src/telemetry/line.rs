//! An event as a line of the log, for machines or for people.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde_json::Value;
use tracing::{
    Level,
    field::{Field, Visit},
};

use super::escape::{escape, is_treacherous};

/// A longer value is cut: a receiver's answer is no place to fill a disk from.
const LONGEST_VALUE: usize = 512;

/// An event on its way to a line: its message, and the other fields in the order of the call, each
/// written as it is met. A busy worker logs thousands a second.
pub(super) struct Line {
    json: bool,
    event: String,
    fields: String,
    value: String,
}

impl Line {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            event: String::new(),
            fields: String::with_capacity(512),
            value: String::with_capacity(64),
        }
    }

    pub(super) fn record(&mut self, name: &str, value: impl fmt::Display) {
        self.value.clear();
        let mut room = Cut(&mut self.value, LONGEST_VALUE);
        // What does not fit ends the writing: that is no failure.
        let _ = write!(room, "{value}");
        self.field(name, true);
    }

    fn number(&mut self, name: &str, value: impl fmt::Display) {
        self.value.clear();
        let _ = write!(self.value, "{value}");
        self.field(name, false);
    }

    fn field(&mut self, name: &str, text: bool) {
        if matches!(name, "message" | "event") && self.event.is_empty() {
            std::mem::swap(&mut self.event, &mut self.value);
        } else if self.json {
            self.fields.push(',');
            quote(&mut self.fields, name);
            self.fields.push(':');
            if text {
                quote(&mut self.fields, &self.value);
            } else {
                self.fields.push_str(&self.value);
            }
        } else {
            let value = escape(&self.value);
            let bare = !value.is_empty() && !value.contains([' ', '"', '=']);
            let quote = if bare { "" } else { "\"" };
            let value = value.replace('"', "\\\"");
            let _ = write!(self.fields, " {name}={quote}{value}{quote}");
        }
    }

    /// The line, of an event at `now` (UTC).
    pub(super) fn finish(self, now: Timestamp, level: Level) -> String {
        let mut line = String::with_capacity(self.event.len() + self.fields.len() + 80);
        if self.json {
            let level = level.as_str().to_ascii_lowercase();
            let _ = write!(line, r#"{{"ts":"{now:.3}","level":"{level}","event":"#);
            quote(&mut line, &self.event);
            line.push_str(&self.fields);
            line.push_str("}\n");
        } else {
            let event = escape(&self.event);
            let _ = writeln!(line, "{now:.3} {level:>5} {event}{}", self.fields);
        }
        line
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field.name(), format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field.name(), value);
    }
}

/// Takes so many characters, and a mark where there were more.
struct Cut<'a>(&'a mut String, usize);

impl fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.1 {
            self.0.push_str(text);
            self.1 -= text.chars().count();
            return Ok(());
        }
        match text.char_indices().nth(self.1) {
            None => {
                self.0.push_str(text);
                self.1 -= text.chars().count();
                Ok(())
            }
            Some((end, _)) => {
                self.0.push_str(&text[..end]);
                self.0.push('…');
                Err(fmt::Error)
            }
        }
    }
}

/// `text` as a JSON string in which nothing can end the line or turn it around.
fn quote(line: &mut String, text: &str) {
    line.push('"');
    // Nearly everything that is logged is plain.
    let plain = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    if text.bytes().all(plain) {
        line.push_str(text);
        line.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if is_treacherous(c) => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('"');
}
