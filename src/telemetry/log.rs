//! The log: one line an event, on standard error.
//!
//! JSON for machines, the same fields in the same order for people. The message becomes the field
//! `event`; everything else is as it was written at the call. The time is UTC.
//!
//! Two guarantees, proven by the tests below. No value can forge a line or turn the reader's
//! terminal around: control characters and bidirectional marks are escaped. And libraries never log
//! below `info`, whatever the filter says: HTTP stacks print request paths and headers there, and
//! those hold phones' tokens and our credentials.

use std::{
    fmt::{self, Write as _},
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use serde_json::Value;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, ParseError, filter_fn},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

use super::escape::{escape, is_treacherous};
use crate::clock::Clock;

/// What is logged if nobody says otherwise.
const DEFAULT_FILTER: &str = "warn,shiftbell=info";

/// A longer value is cut: a receiver's answer is no place to fill a disk from.
const LONGEST_VALUE: usize = 512;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `--log` or `RUST_LOG` is no filter.
    #[error(
        "the log filter {filter:?} is not understood: {source}; try \"info\" or \"shiftbell=debug\""
    )]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// There is one already.
    #[error("the log was started twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts the log on standard error: lines for people on a terminal, JSON elsewhere. `filter` is
/// `--log`, else `RUST_LOG`, in the notation of `tracing_subscriber::EnvFilter`; empty or absent
/// means this program's `info` and the libraries' `warn`.
pub fn install(clock: Clock, filter: Option<&str>) -> Result<(), LogError> {
    let json = !io::stderr().is_terminal();
    subscriber(LogLines::new(clock, json, io::stderr()), filter)?.try_init()?;
    Ok(())
}

/// A subscriber that writes to `lines` what `filter` lets through.
fn subscriber<W: Write + Send + 'static>(
    lines: LogLines<W>,
    filter: Option<&str>,
) -> Result<impl Subscriber + Send + Sync, LogError> {
    let filter = filter
        .filter(|filter| !filter.trim().is_empty())
        .unwrap_or(DEFAULT_FILTER);
    let chosen = EnvFilter::try_new(filter).map_err(|source| LogError::Filter {
        filter: filter.to_owned(),
        source,
    })?;
    let discreet = filter_fn(|meta| ours(meta.target()) || *meta.level() <= Level::INFO);
    Ok(tracing_subscriber::registry().with(lines.with_filter(chosen.and(discreet))))
}

/// Whether an event is this program's own.
fn ours(target: &str) -> bool {
    target == "shiftbell" || target.starts_with("shiftbell::")
}

/// Writes events as lines.
struct LogLines<W> {
    clock: Clock,
    json: bool,
    out: Mutex<W>,
}

impl<W: Write> LogLines<W> {
    fn new(clock: Clock, json: bool, out: W) -> Self {
        Self {
            clock,
            json,
            out: Mutex::new(out),
        }
    }
}

impl<S, W> Layer<S> for LogLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + Send + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::new(self.json);
        event.record(&mut line);
        let meta = event.metadata();
        if !ours(meta.target()) {
            line.record("library", meta.target());
        }
        let line = line.finish(self.clock.now(), *meta.level());
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to be told that the log cannot be written.
        let _ = out.write_all(line.as_bytes());
    }
}

/// An event on its way to a line: its message, and the other fields in the order of the call, each
/// written as it is met. A busy worker logs thousands a second.
struct Line {
    json: bool,
    event: String,
    fields: String,
    value: String,
}

impl Line {
    fn new(json: bool) -> Self {
        Self {
            json,
            event: String::new(),
            fields: String::with_capacity(512),
            value: String::with_capacity(64),
        }
    }

    fn record(&mut self, name: &str, value: impl fmt::Display) {
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
    fn finish(self, now: Timestamp, level: Level) -> String {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(json: bool, filter: Option<&str>, act: impl FnOnce()) -> String {
        let clock = Clock::manual("2026-03-30T07:00:00.25Z".parse().unwrap());
        let out = Buffer::default();
        let subscriber = subscriber(LogLines::new(clock, json, out.clone()), filter).unwrap();
        tracing::subscriber::with_default(subscriber, act);
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_flat_and_in_order() {
        let line = logged(true, None, || {
            tracing::info!(delivery = %"d-1", agent = "a-1", lag_ms = 250, late = false, "delivery settled");
        });
        let wanted = r#"{"ts":"2026-03-30T07:00:00.250Z","level":"info","event":"delivery settled","delivery":"d-1","agent":"a-1","lag_ms":250,"late":false}"#;
        assert_eq!(line, format!("{wanted}\n"));
    }

    #[test]
    fn people_read_the_same_fields() {
        let line = logged(false, None, || {
            tracing::warn!(agent = "a-1", reason = "no such \"file\"", "retry");
        });
        let wanted = r#"2026-03-30T07:00:00.250Z  WARN retry agent=a-1 reason="no such \"file\"""#;
        assert_eq!(line, format!("{wanted}\n"));
    }

    #[test]
    fn no_value_forges_a_line_or_turns_one_around() {
        let evil = "x\r\n{\"level\":\"error\"}\u{1b}[31m\u{202e}\u{2028}\u{85}\u{7f}";
        for json in [true, false] {
            let line = logged(json, None, || tracing::info!(reason = evil, "{evil}"));
            assert_eq!(line.lines().count(), 1, "{line:?}");
            assert!(!line.trim_end().chars().any(is_treacherous), "{line:?}");
        }
        let line = logged(true, None, || tracing::info!(reason = evil, "event"));
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["reason"], evil);
    }

    #[test]
    fn a_huge_value_is_cut() {
        let line = logged(true, None, || {
            tracing::info!(reason = "x".repeat(100_000), "event");
        });
        assert!(line.len() < 1_000, "{}", line.len());
    }

    #[test]
    fn libraries_never_log_below_info() {
        let act = || {
            tracing::trace!(target: "h2::proto", "headers: CANARY");
            tracing::debug!(target: "hyper_util::client", "path: CANARY");
            tracing::debug!(target: "shiftbellish", "CANARY");
            tracing::warn!(target: "sqlx::query", "slow");
            tracing::trace!(target: "shiftbell::workers", "turn");
        };
        let lines = logged(true, Some("trace"), act);
        assert!(!lines.contains("CANARY"), "{lines}");
        assert!(lines.contains(r#""library":"sqlx::query""#), "{lines}");
        assert!(lines.contains("turn"), "{lines}");
        assert!(!logged(true, Some(" "), act).contains("turn"));
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let lines = LogLines::new(Clock::system(), true, io::sink());
        let error = subscriber(lines, Some("shiftbell=loud"))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("shiftbell=loud") && error.contains("try"),
            "{error}"
        );
    }
}
