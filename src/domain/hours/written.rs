//! Hours as people write them: local times, weekly slots, exceptions. No time zone yet.

use std::{fmt, str::FromStr};

use jiff::civil::{Date, DateTime, Weekday};
use serde::{Serialize, Serializer};

/// A local time of day in whole minutes since local midnight, `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalTime(u16);

impl LocalTime {
    /// `00:00`.
    pub const MIDNIGHT: Self = Self(0);
    /// `24:00`, the end of the day; only an end may say so.
    pub const END_OF_DAY: Self = Self(24 * 60);

    /// From minutes since local midnight, 0 to 1,440; `None` above.
    pub fn from_minutes(minutes: u16) -> Option<Self> {
        (minutes <= Self::END_OF_DAY.0).then_some(Self(minutes))
    }

    /// Minutes since local midnight, 0 to 1,440.
    pub fn minutes(self) -> u16 {
        self.0
    }

    /// This time on `date`; `24:00` is the midnight after it.
    pub(in crate::domain) fn on(self, date: Date) -> DateTime {
        if self.0 < Self::END_OF_DAY.0 {
            date.at((self.0 / 60) as i8, (self.0 % 60) as i8, 0, 0)
        } else {
            date.tomorrow()
                .map_or(DateTime::MAX, |next| next.at(0, 0, 0, 0))
        }
    }
}

/// A text that is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no time of day: write HH:MM, from 00:00 to 24:00")]
pub struct NotATime;

impl FromStr for LocalTime {
    type Err = NotATime;

    /// Reads `HH:MM`, five characters, `24:00` included.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let &[h1, h2, b':', m1, m2] = text.as_bytes() else {
            return Err(NotATime);
        };
        if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
            return Err(NotATime);
        }
        let two = |tens: u8, ones: u8| u16::from(tens - b'0') * 10 + u16::from(ones - b'0');
        let (hours, minutes) = (two(h1, h2), two(m1, m2));
        if minutes > 59 {
            return Err(NotATime);
        }
        Self::from_minutes(hours * 60 + minutes).ok_or(NotATime)
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for LocalTime {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A span of one day's local time, `[start, end)`. An end that is not after the start lies on the
/// next day; a slot whose start equals its end is refused by whoever reads it, and ignored here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct DaySlot {
    /// When it starts, local time.
    pub start: LocalTime,
    /// When it is over, local time.
    pub end: LocalTime,
}

impl DaySlot {
    /// Whether it ends on the day after it starts (`22:00`–`06:00`; `22:00`–`24:00` does not).
    pub fn is_overnight(self) -> bool {
        self.end <= self.start
    }

    /// Its end in minutes since the midnight at which its own day starts: up to 2,879.
    pub(super) fn end_minutes(self) -> u16 {
        self.end.0 + if self.is_overnight() { 24 * 60 } else { 0 }
    }

    /// The local civil times `[start, end)` of the occurrence that starts on `date`.
    pub fn on(self, date: Date) -> (DateTime, DateTime) {
        let end = if self.is_overnight() {
            date.tomorrow()
                .map_or(DateTime::MAX, |next| self.end.on(next))
        } else {
            self.end.on(date)
        };
        (self.start.on(date), end)
    }
}

/// A slot of the week. It belongs to the local date on which it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Slot {
    /// The weekday on which it starts.
    #[serde(serialize_with = "as_day_word")]
    pub day: Weekday,
    /// When it starts, local time.
    pub start: LocalTime,
    /// When it is over, local time, that day or the next.
    pub end: LocalTime,
}

impl Slot {
    /// Its times, without the day.
    pub fn times(self) -> DaySlot {
        DaySlot {
            start: self.start,
            end: self.end,
        }
    }
}

/// What replaces every slot that starts on one local date.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Override {
    /// The local date.
    pub date: Date,
    /// The slots that start on it; none is a day off.
    pub slots: Vec<DaySlot>,
}

/// A span of local time that takes the agent off duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Away {
    /// The first local minute of it.
    #[serde(serialize_with = "as_local_minute")]
    pub from: DateTime,
    /// The local minute at which it is over.
    #[serde(serialize_with = "as_local_minute")]
    pub until: DateTime,
}

const DAY_WORDS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The word for a weekday in files and in the database: `mon` to `sun`.
pub fn day_word(day: Weekday) -> &'static str {
    DAY_WORDS[day.to_monday_zero_offset() as usize].0
}

/// Reads [`day_word`] back; `None` for any other word.
pub fn day_from_word(word: &str) -> Option<Weekday> {
    DAY_WORDS
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, day)| *day)
}

/// A local date and time as [`Away`] is written: `2026-12-24T12:00`.
pub fn local_minute(at: DateTime) -> String {
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Reads [`local_minute`] back; `None` for anything else, a time with seconds or an offset included.
pub fn local_minute_from(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once('T')?;
    let time: LocalTime = time.parse().ok()?;
    let date = date_from(date)?;
    (time < LocalTime::END_OF_DAY || date < Date::MAX).then(|| time.on(date))
}

/// Reads a date `YYYY-MM-DD`; `None` for anything else, or a day the calendar does not have.
pub fn date_from(text: &str) -> Option<Date> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, byte)| match i {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shape.then(|| text.parse().ok()).flatten()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn as_day_word<S: Serializer>(day: &Weekday, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(day_word(*day))
}

fn as_local_minute<S: Serializer>(at: &DateTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&local_minute(*at))
}
