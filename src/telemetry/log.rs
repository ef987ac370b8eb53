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
        let mut fields = Fields::default();
        event.record(&mut fields);
        let meta = event.metadata();
        if !ours(meta.target()) {
            fields.others.push(("library", meta.target().into()));
        }
        let now = format!("{:.3}", self.clock.now());
        let line = if self.json {
            json(&now, *meta.level(), fields)
        } else {
            plain(&now, *meta.level(), fields)
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to be told that the log cannot be written.
        let _ = out.write_all(line.as_bytes());
    }
}

/// An event's fields: its message, and the others in the order of the call.
#[derive(Default)]
struct Fields {
    event: String,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn push(&mut self, field: &Field, value: Value) {
        match field.name() {
            "message" | "event" if self.event.is_empty() => self.event = words(value),
            name => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, cut(&format!("{value:?}")).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, cut(value).into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value.into());
    }
}

fn json(now: &str, level: Level, fields: Fields) -> String {
    let level = level.as_str().to_ascii_lowercase();
    let first = [
        ("ts", now.into()),
        ("level", level.into()),
        ("event", fields.event.into()),
    ];
    let pairs: Vec<String> = first
        .into_iter()
        .chain(fields.others)
        .map(|(name, value)| format!("{}:{value}", Value::from(name)))
        .collect();
    // Outside of strings JSON has none of these characters, so an escape is right wherever one is.
    let mut line = String::new();
    for c in pairs.join(",").chars() {
        if is_treacherous(c) {
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
    format!("{{{line}}}\n")
}

fn plain(now: &str, level: Level, fields: Fields) -> String {
    let mut line = format!("{now} {level:>5} {}", escape(&fields.event));
    for (name, value) in fields.others {
        let value = escape(&words(value));
        let bare = !value.is_empty() && !value.contains([' ', '"', '=']);
        let quote = if bare { "" } else { "\"" };
        let value = value.replace('"', "\\\"");
        let _ = write!(line, " {name}={quote}{value}{quote}");
    }
    line.push('\n');
    line
}

fn words(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn cut(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST_VALUE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
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
