//! Processes whose clocks are wrong, by Debian's libfaketime.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

/// The environment of a process whose wall clock is off by `seconds`.
pub(crate) fn off_by(seconds: i64) -> [(&'static str, String); 3] {
    [
        ("LD_PRELOAD", library().display().to_string()),
        ("FAKETIME", format!("{seconds:+}s")),
        // A monotonic clock does not step.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// Whether the first line of this log was written by a clock that is off by about `seconds`.
pub(crate) fn was_off(printed: &str, now: Timestamp, seconds: i64) -> bool {
    let first = printed.lines().next().unwrap_or_default();
    let line: serde_json::Value = serde_json::from_str(first).unwrap_or_default();
    let stamp = line["ts"]
        .as_str()
        .and_then(|t| t.parse::<Timestamp>().ok());
    let off = |t: Timestamp| (t.duration_since(now) - SignedDuration::from_secs(seconds)).abs();
    stamp.is_some_and(|t| off(t) < SignedDuration::from_mins(2))
}

fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap();
    let found = folders
        .filter_map(Result::ok)
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.is_file());
    found.expect("libfaketimeMT.so.1, from Debian's libfaketime")
}
