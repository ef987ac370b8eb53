//! Boundaries at any second, though hours are kept in minutes.
//!
//! A clock on the wall may be off by any number of seconds, so sixty made-up zones are: in
//! `Fault/S07` it is always seven seconds later than in UTC, and a slot that starts there at a full
//! minute starts seven seconds before one.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use shiftbell::domain::{
    agent::Agent,
    hours::{LocalTime, Slot},
    zone::Zones,
};

/// Compiles the zones into `folder` and loads them.
pub(crate) fn zones(folder: &Path) -> Zones {
    fs::create_dir_all(folder).unwrap();
    let mut rules = String::new();
    for second in 0..60 {
        writeln!(
            rules,
            "Zone Fault/S{second:02} 0:00:{second:02} - F{second:02}"
        )
        .unwrap();
    }
    compile(folder, &rules, "2097a");
    shiftbell::zones::load(Some(folder)).unwrap()
}

/// Compiles zone `rules` into `folder` as this version of the data.
pub(crate) fn compile(folder: &Path, rules: &str, version: &str) {
    let source = folder.join("rules.txt");
    fs::write(&source, rules).unwrap();
    let zic = Command::new("/usr/sbin/zic")
        .arg("-d")
        .arg(folder)
        .arg(source)
        .status();
    assert!(zic.expect("zic, from Debian's libc-bin").success());
    fs::write(folder.join("+VERSION"), format!("{version}\n")).unwrap();
}

/// Puts `agent` on duty from `start` to `end` (UTC, whole seconds a whole number of minutes apart),
/// and on no other day of the week.
pub(crate) fn on_duty(agent: &mut Agent, start: Timestamp, end: Timestamp) {
    let second = (60 - start.as_second().rem_euclid(60)) % 60;
    agent.timezone = format!("Fault/S{second:02}");
    let local =
        |at: Timestamp| TimeZone::UTC.to_datetime(at + jiff::SignedDuration::from_secs(second));
    let (start, end) = (local(start), local(end));
    agent.hours = vec![Slot {
        day: start.date().weekday(),
        start: time(start),
        end: time(end),
    }];
}

fn time(at: DateTime) -> LocalTime {
    assert_eq!(at.second(), 0, "{at} is no full minute");
    let minutes = u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs());
    LocalTime::from_minutes(minutes).unwrap()
}
