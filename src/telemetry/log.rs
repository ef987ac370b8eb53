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
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex},
};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, ParseError, filter_fn},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

use super::{line::Line, together};
use crate::clock::Clock;

/// What is logged if nobody says otherwise.
const DEFAULT_FILTER: &str = "warn,shiftbell=info";

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
    out: Arc<Mutex<W>>,
}

impl<W: Write> LogLines<W> {
    fn new(clock: Clock, json: bool, out: W) -> Self {
        Self {
            clock,
            json,
            out: Arc::new(Mutex::new(out)),
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
        together::write(&self.out, &line);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::{super::escape::is_treacherous, *};

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
    fn lines_told_together_are_written_at_once_and_in_order() {
        let out = Buffer::default();
        let lines = LogLines::new(Clock::manual(Timestamp::UNIX_EPOCH), true, out.clone());
        let written = || {
            let text = String::from_utf8(out.0.lock().unwrap().clone());
            text.unwrap().lines().count()
        };
        tracing::subscriber::with_default(subscriber(lines, None).unwrap(), || {
            tracing::info!("first");
            together::tell(|| {
                tracing::info!("second");
                tracing::info!("third");
                assert_eq!(written(), 1);
            });
            assert_eq!(written(), 3);
            let torn = std::panic::AssertUnwindSafe(|| {
                together::tell(|| {
                    tracing::info!("fourth");
                    panic!("in the middle");
                });
            });
            assert!(std::panic::catch_unwind(torn).is_err());
            tracing::info!("fifth");
        });
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let order = ["first", "second", "third", "fourth", "fifth"];
        assert_eq!(text.lines().count(), order.len());
        for (line, event) in text.lines().zip(order) {
            assert!(line.contains(event), "{text}");
        }
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
