//! One event: when it is, how often, and whether it counts.

use std::collections::{BTreeMap, HashSet};

use jiff::{
    RoundMode, SignedDuration, Timestamp, TimestampRound, ToSpan, Unit,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::{
    lines::{Content, RawEvent},
    recur::Window,
    rule::Rule,
    times::{self, Key, Length, When},
};
use crate::domain::{roster::shown, zone::Zones};

/// Whether an event takes anybody off duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Counts,
    LeftOut,
}

/// What is wrong, and where.
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) reason: String,
}

/// An event that was understood.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) uid: Option<String>,
    pub(super) standing: Standing,
    /// The occurrence of its series that it stands for.
    pub(super) replaces: Option<When>,
    start: When,
    length: Length,
    rule: Option<Rule>,
    besides: Vec<When>,
    except: HashSet<Key>,
}

impl Event {
    /// Reads an event. Of one that does not count only what it replaces is looked at.
    pub(super) fn read(raw: &RawEvent, zones: &Zones, transparent: bool) -> Result<Self, Fault> {
        let replaces = raw.one("RECURRENCE-ID").map(|id| {
            if id.parameter("RANGE").is_some() {
                return Err(fault(
                    id,
                    "RECURRENCE-ID: RANGE is not read: export single changes",
                ));
            }
            times::when(id, zones).map_err(|reason| fault(id, reason))
        });
        let says = |name: &str, word: &str| {
            let content = raw.one(name);
            content.is_some_and(|c| c.value.trim().eq_ignore_ascii_case(word))
        };
        let free = says("TRANSP", "TRANSPARENT") && !transparent;
        let mut event = Self {
            line: raw.line,
            name: raw.name(),
            uid: raw.one("UID").map(|uid| uid.value.clone()),
            standing: Standing::LeftOut,
            replaces: replaces.transpose()?,
            start: When::Day(Date::ZERO),
            length: Length::days(1),
            rule: None,
            besides: Vec::new(),
            except: HashSet::new(),
        };
        if !free && !says("STATUS", "CANCELLED") {
            event.standing = Standing::Counts;
            event.read_times(raw, zones)?;
            event.read_recurrence(raw, zones)?;
        }
        Ok(event)
    }

    fn read_times(&mut self, raw: &RawEvent, zones: &Zones) -> Result<(), Fault> {
        let missing = || Fault {
            line: raw.line,
            reason: "has no DTSTART".to_owned(),
        };
        let start = raw.one("DTSTART").ok_or_else(missing)?;
        self.start = times::when(start, zones).map_err(|reason| fault(start, reason))?;
        self.length = match (raw.one("DTEND"), raw.one("DURATION")) {
            (Some(end), _) => {
                let until = times::when(end, zones).map_err(|reason| fault(end, reason))?;
                between(&self.start, &until).map_err(|reason| fault(end, reason))?
            }
            (None, Some(lasts)) => duration(&self.start, lasts)?,
            (None, None) if self.start.date().is_some() => Length::days(1),
            (None, None) => Length::days(0),
        };
        Ok(())
    }

    fn read_recurrence(&mut self, raw: &RawEvent, zones: &Zones) -> Result<(), Fault> {
        if let Some(rule) = raw.one("EXRULE") {
            return Err(fault(rule, "EXRULE is not read: write EXDATE"));
        }
        let mut rules = raw.all("RRULE");
        if let Some(content) = rules.next() {
            let rule = Rule::read(&content.value, &self.start);
            self.rule = Some(rule.map_err(|reason| fault(content, format!("RRULE: {reason}")))?);
        }
        if let Some(second) = rules.next() {
            return Err(fault(second, "RRULE: more than one is not read"));
        }
        let list = |content: &Content| {
            times::list(content, zones).map_err(|reason| fault(content, reason))
        };
        for content in raw.all("RDATE") {
            for when in list(content)? {
                if when.date().is_some() != self.start.date().is_some() {
                    return Err(fault(content, "RDATE: is of another kind than DTSTART"));
                }
                self.besides.push(when);
            }
        }
        for content in raw.all("EXDATE") {
            self.except.extend(list(content)?.iter().map(When::key));
        }
        Ok(())
    }

    /// When it begins, each time; `replaced` are those of its series that events of their own stand for.
    pub(super) fn occurrences(
        &self,
        window: &mut Window,
        replaced: &HashSet<Key>,
        home: &TimeZone,
    ) -> Result<Vec<When>, String> {
        let mut starts = BTreeMap::new();
        let all = match &self.rule {
            None => vec![self.start.clone()],
            Some(rule) => rule.starts(&self.start, window, home)?,
        };
        for start in all.into_iter().chain(self.besides.iter().cloned()) {
            let (key, day) = (start.key(), Key::Day(start.local_date()));
            let out = |keys: &HashSet<Key>| keys.contains(&key) || keys.contains(&day);
            if !out(&self.except) && !out(replaced) {
                starts.insert(key, start);
            }
        }
        Ok(starts.into_values().collect())
    }

    /// The first day after an occurrence that begins on the whole day `first`.
    pub(super) fn end_date(&self, first: Date) -> Date {
        first
            .checked_add(self.length.days.days())
            .unwrap_or(Date::MAX)
    }

    /// An occurrence's start and end in `zone`, in whole minutes: none of it is lost.
    pub(super) fn span(
        &self,
        start: &When,
        zone: &TimeZone,
    ) -> Result<(DateTime, DateTime), String> {
        let far = || "ends beyond the year 9999".to_owned();
        let ends = self.length.after(start, zone).ok_or_else(far)?;
        // A time of the agent's own is taken as it is written, even where the clock skips it.
        let from = if let When::Floating(local) = start {
            *local
        } else {
            let begins = start.instant(zone).ok_or_else(far)?;
            zone.to_datetime(round(begins, RoundMode::Floor).ok_or_else(far)?)
        };
        let from = from
            .with()
            .second(0)
            .subsec_nanosecond(0)
            .build()
            .map_err(|_| far())?;
        let until = round(ends, RoundMode::Ceil).ok_or_else(far)?;
        Ok((from, zone.to_datetime(until)))
    }
}

fn round(at: Timestamp, mode: RoundMode) -> Option<Timestamp> {
    at.round(TimestampRound::new().smallest(Unit::Minute).mode(mode))
        .ok()
}

fn fault(content: &Content, reason: impl Into<String>) -> Fault {
    Fault {
        line: content.line,
        reason: reason.into(),
    }
}

/// From a start to an end of the same kind, which is not before it.
fn between(start: &When, end: &When) -> Result<Length, String> {
    const KIND: &str = "DTEND: is of another kind than DTSTART";
    let length = match (start, end) {
        (When::Day(start), When::Day(end)) => {
            let days = i64::from((*end - *start).get_days());
            // Some programs write the last day itself.
            Length::days(if days == 0 { 1 } else { days })
        }
        (When::Day(_), _) | (_, When::Day(_)) => return Err(KIND.to_owned()),
        (start, end) => {
            let zone = match start {
                When::Zoned(_, zone) => zone.clone(),
                _ => TimeZone::UTC,
            };
            let far = || "DTEND: is too far away".to_owned();
            let begins = start.instant(&zone).ok_or_else(far)?;
            let ends = end.instant(&zone).ok_or_else(far)?;
            Length::time(ends.duration_since(begins))
        }
    };
    if length.days < 0 || length.time < SignedDuration::ZERO {
        return Err("DTEND: is before DTSTART".to_owned());
    }
    Ok(length)
}

fn duration(start: &When, content: &Content) -> Result<Length, Fault> {
    let wrong = |expected: &str| {
        let reason = format!("DURATION: \"{}\" is no {expected}", shown(&content.value));
        fault(content, reason)
    };
    let length = Length::read(&content.value).ok_or_else(|| wrong("duration such as PT1H30M"))?;
    if start.date().is_some() && (length.time != SignedDuration::ZERO || length.days == 0) {
        return Err(wrong("number of whole days, such as P1D"));
    }
    Ok(length)
}
