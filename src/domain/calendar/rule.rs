//! Recurrence rules as iCalendar writes them.
//!
//! What calendars of holidays and absences hold is read: `FREQ` from `DAILY` to `YEARLY` with `INTERVAL`,
//! `COUNT`, `UNTIL`, `BYMONTH`, `BYMONTHDAY`, `BYDAY`, `BYSETPOS` and `WKST`. Anything else is refused by
//! name.

use jiff::{civil::Weekday, tz::TimeZone};

use super::times::{self, When};
use crate::domain::roster::shown;

const DAYS: [(&str, Weekday); 7] = [
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
    ("SU", Weekday::Sunday),
];

/// The most numbers or days in one part of a rule.
const MOST_NUMBERS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Freq {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A recurrence rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) freq: Freq,
    pub(super) interval: i64,
    pub(super) count: Option<usize>,
    pub(super) until: Option<When>,
    pub(super) months: Vec<i64>,
    pub(super) month_days: Vec<i64>,
    /// Which of them in the month or year, 0 for all; and the weekday.
    pub(super) days: Vec<(i64, Weekday)>,
    pub(super) positions: Vec<i64>,
    pub(super) week_start: Weekday,
}

impl Rule {
    /// Reads the rule of a series that begins at `start`; or says why not.
    pub(super) fn read(text: &str, start: &When) -> Result<Self, String> {
        let mut freq = None;
        let mut rule = Self {
            freq: Freq::Daily,
            interval: 1,
            count: None,
            until: None,
            months: Vec::new(),
            month_days: Vec::new(),
            days: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
        };
        let text = text.to_ascii_uppercase();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if name == "FREQ" {
                freq = Some(frequency(value)?);
            } else {
                rule.part(name, value, start)?;
            }
        }
        rule.freq = freq.ok_or("FREQ is missing")?;
        let numbered = rule.days.iter().any(|(nth, _)| *nth != 0);
        if numbered && matches!(rule.freq, Freq::Daily | Freq::Weekly) {
            return Err("BYDAY with a number needs FREQ=MONTHLY or YEARLY".to_owned());
        }
        Ok(rule)
    }

    fn part(&mut self, name: &str, value: &str, start: &When) -> Result<(), String> {
        let wrong = || format!("{name}={} cannot be read", shown(value));
        let list = |most: i64, negative: bool| numbers(value, most, negative).ok_or_else(wrong);
        let one = |most: i64| {
            let numbers = numbers(value, most, false).filter(|numbers| numbers.len() == 1);
            numbers.map(|numbers| numbers[0]).ok_or_else(wrong)
        };
        match name {
            "INTERVAL" => self.interval = one(10_000)?,
            "COUNT" => self.count = Some(one(1_000_000)? as usize),
            "UNTIL" => self.until = Some(until(value, start).ok_or_else(wrong)?),
            "BYMONTH" => self.months = list(12, false)?,
            "BYMONTHDAY" => self.month_days = list(31, true)?,
            "BYSETPOS" => self.positions = list(366, true)?,
            "BYDAY" => self.days = week_days(value).ok_or_else(wrong)?,
            "WKST" => self.week_start = week_day(value).ok_or_else(wrong)?,
            _ => return Err(format!("{} is not read", shown(name))),
        }
        Ok(())
    }
}

fn frequency(word: &str) -> Result<Freq, String> {
    match word {
        "DAILY" => Ok(Freq::Daily),
        "WEEKLY" => Ok(Freq::Weekly),
        "MONTHLY" => Ok(Freq::Monthly),
        "YEARLY" => Ok(Freq::Yearly),
        _ => Err(format!("FREQ={} is not read", shown(word))),
    }
}

/// A rule's end is a day, a UTC time, or a time in the zone of the start.
fn until(text: &str, start: &When) -> Option<When> {
    if let Some(date) = times::date(text) {
        return Some(When::Day(date));
    }
    if let Some(local) = text.strip_suffix('Z').and_then(times::local) {
        return Some(match start {
            When::Day(_) => When::Day(local.date()),
            _ => When::Zoned(local, TimeZone::UTC),
        });
    }
    let local = times::local(text)?;
    Some(match start {
        When::Day(_) => When::Day(local.date()),
        When::Floating(_) => When::Floating(local),
        When::Zoned(_, zone) => When::Zoned(local, zone.clone()),
    })
}

/// Whole numbers from 1 to `most`, and from -1 down where `negative`.
fn numbers(text: &str, most: i64, negative: bool) -> Option<Vec<i64>> {
    let one = |text: &str| {
        let number: i64 = text.parse().ok()?;
        let fits = (1..=most).contains(&number.abs()) && (negative || number > 0);
        fits.then_some(number)
    };
    let numbers: Option<Vec<i64>> = text.split(',').map(one).collect();
    numbers.filter(|numbers| numbers.len() <= MOST_NUMBERS)
}

fn week_days(text: &str) -> Option<Vec<(i64, Weekday)>> {
    let one = |text: &str| {
        let at = text
            .len()
            .checked_sub(2)
            .filter(|at| text.is_char_boundary(*at))?;
        let (nth, day) = text.split_at(at);
        let nth = match nth {
            "" => 0,
            nth => numbers(nth, 53, true).filter(|n| n.len() == 1)?[0],
        };
        Some((nth, week_day(day)?))
    };
    let days: Option<Vec<_>> = text.split(',').map(one).collect();
    days.filter(|days| days.len() <= MOST_NUMBERS)
}

fn week_day(text: &str) -> Option<Weekday> {
    DAYS.iter()
        .find(|(word, _)| *word == text)
        .map(|(_, day)| *day)
}
