//! Dates and times as iCalendar writes them.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::{lines::Content, windows};
use crate::domain::{roster::shown, zone::Zones};

/// When something is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum When {
    /// A whole day, wherever one is.
    Day(Date),
    /// A local time without a zone.
    Floating(DateTime),
    /// A local time in a zone.
    Zoned(DateTime, TimeZone),
}

/// What two ways to write one instant have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Day(Date),
    Floating(DateTime),
    Instant(Timestamp),
}

impl When {
    /// The day, of a whole one.
    pub(super) fn date(&self) -> Option<Date> {
        match self {
            Self::Day(date) => Some(*date),
            _ => None,
        }
    }

    /// The day on which it is where it is.
    pub(super) fn local_date(&self) -> Date {
        match self {
            Self::Day(date) => *date,
            Self::Floating(local) | Self::Zoned(local, _) => local.date(),
        }
    }

    /// The same time of another day.
    pub(super) fn on(&self, date: Date) -> Self {
        match self {
            Self::Day(_) => Self::Day(date),
            Self::Floating(local) => Self::Floating(date.to_datetime(local.time())),
            Self::Zoned(local, zone) => Self::Zoned(date.to_datetime(local.time()), zone.clone()),
        }
    }

    pub(super) fn key(&self) -> Key {
        match self {
            Self::Day(date) => Key::Day(*date),
            Self::Floating(local) => Key::Floating(*local),
            Self::Zoned(local, zone) => {
                instant(*local, zone).map_or(Key::Floating(*local), Key::Instant)
            }
        }
    }

    /// The instant, where a time without a zone is one of `home`.
    pub(super) fn instant(&self, home: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Day(date) => instant(date.to_datetime(Time::midnight()), home),
            Self::Floating(local) => instant(*local, home),
            Self::Zoned(local, zone) => instant(*local, zone),
        }
    }
}

/// A time that the clock skips is as much later; of one that it shows twice, the first is meant.
fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_zoned_datetime(local)
        .compatible()
        .ok()
        .map(|z| z.timestamp())
}

/// Reads the one value of a property; or says why not.
pub(super) fn when(content: &Content, zones: &Zones) -> Result<When, String> {
    value(content, &content.value, zones)
}

/// Reads all values of a property.
pub(super) fn list(content: &Content, zones: &Zones) -> Result<Vec<When>, String> {
    let values = content.value.split(',');
    values
        .map(|text| value(content, text.trim(), zones))
        .collect()
}

fn value(content: &Content, text: &str, zones: &Zones) -> Result<When, String> {
    let wrong = |expected: &str| format!("{}: \"{}\" is no {expected}", content.name, shown(text));
    match content
        .parameter("VALUE")
        .map(str::to_ascii_uppercase)
        .as_deref()
    {
        Some("DATE") => {
            return date(text)
                .map(When::Day)
                .ok_or_else(|| wrong("date, YYYYMMDD"));
        }
        None | Some("DATE-TIME") => {}
        Some(other) => {
            return Err(format!(
                "{}: values of type {} are not read",
                content.name,
                shown(other)
            ));
        }
    }
    if let Some(date) = date(text) {
        return Ok(When::Day(date));
    }
    if let Some(local) = text.strip_suffix(['Z', 'z']).and_then(local) {
        return Ok(When::Zoned(local, TimeZone::UTC));
    }
    let local = local(text).ok_or_else(|| wrong("date or time, YYYYMMDD or YYYYMMDDTHHMMSS"))?;
    match content.parameter("TZID") {
        None => Ok(When::Floating(local)),
        Some(name) => match zone(name, zones) {
            Some(zone) => Ok(When::Zoned(local, zone)),
            None => Err(format!(
                "{}: the time zone {}",
                content.name,
                zones.unknown(name).reason()
            )),
        },
    }
}

/// A zone by its name, IANA's or Windows'; some programs put who defined it before it
/// (`/example.org/Europe/Paris`).
fn zone(name: &str, zones: &Zones) -> Option<TimeZone> {
    let mut rest = name.trim();
    if !rest.starts_with('/') {
        let by_windows = || zones.find(windows::iana(rest)?);
        return zones.find(rest).or_else(by_windows);
    }
    while let Some((_, after)) = rest.split_once('/') {
        rest = after;
        if let Some(zone) = zones.find(rest) {
            return Some(zone);
        }
    }
    None
}

/// `YYYYMMDD`
pub(super) fn date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (&text[..4], &text[4..6], &text[6..]);
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// `YYYYMMDDTHHMMSS`; a leap second is the one before it.
pub(super) fn local(text: &str) -> Option<DateTime> {
    let (day, time) = text.split_once(['T', 't'])?;
    if time.len() != 6 || !time.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
    let second = second.parse::<i8>().ok()?;
    let second = if second == 60 { 59 } else { second };
    let time = Time::new(hour.parse().ok()?, minute.parse().ok()?, second, 0).ok()?;
    Some(date(day)?.to_datetime(time))
}

/// A thousand years: nothing lasts longer, and no reckoning overflows.
const MOST_DAYS: i64 = 366_000;

/// How long something lasts: days of the calendar, then time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) days: i64,
    pub(super) time: SignedDuration,
}

impl Length {
    pub(super) fn days(days: i64) -> Self {
        let time = SignedDuration::ZERO;
        Self { days, time }
    }

    pub(super) fn time(time: SignedDuration) -> Self {
        Self { days: 0, time }
    }

    /// `P1D`, `PT1H30M`, `P2W` …, none of it negative.
    pub(super) fn read(text: &str) -> Option<Self> {
        let digits = |part: &str| part.parse::<u32>().ok().map(i64::from);
        let text = text.trim().trim_start_matches('+').to_ascii_uppercase();
        let (days, time) = match text.strip_prefix('P')?.split_once('T') {
            Some((days, time)) => (days.to_owned(), time.to_owned()),
            None => (text[1..].to_owned(), String::new()),
        };
        let mut length = Self::days(0);
        let mut said = false;
        for (part, is_time) in [(days, false), (time, true)] {
            let mut rest = part.as_str();
            while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
                let number = digits(&rest[..at])?;
                let time = |seconds: i64| SignedDuration::from_secs(number * seconds);
                match (&rest[at..=at], is_time) {
                    ("W", false) => length.days += 7 * number,
                    ("D", false) => length.days += number,
                    ("H", true) => length.time = length.time.checked_add(time(3600))?,
                    ("M", true) => length.time = length.time.checked_add(time(60))?,
                    ("S", true) => length.time = length.time.checked_add(time(1))?,
                    _ => return None,
                }
                said = true;
                rest = &rest[at + 1..];
            }
            if !rest.is_empty() {
                return None;
            }
        }
        (said && length.days <= MOST_DAYS).then_some(length)
    }

    /// The end of what begins at `start`.
    pub(super) fn after(self, start: &When, home: &TimeZone) -> Option<Timestamp> {
        let date = start.local_date().checked_add(self.days.days()).ok()?;
        let late = start.on(date).instant(home)?;
        late.checked_add(self.time).ok()
    }
}
