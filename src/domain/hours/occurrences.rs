//! The occurrences of slots as spans of instants, date after date, and the spans they join to.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, DateTime},
};

use super::{
    operating::{OperatingHours, Pattern},
    wall::{self, Span},
    written::DaySlot,
};

/// No zone has turned its clock back by more than a day.
const LONGEST_REPEAT: SignedDuration = SignedDuration::from_hours(25);

/// Spans of occurrences in order of start: all that end after a given instant. They overlap where
/// the slots do. Endless where the week has slots; the last span of a round-the-clock week never ends.
pub(super) struct Occurrences<'a> {
    hours: &'a OperatingHours,
    /// The date whose slots come next; `None` after the last.
    date: Option<Date>,
    /// The date `today` belongs to.
    today_date: Date,
    today: std::slice::Iter<'a, DaySlot>,
    /// Index of the first exception on `date` or later.
    exception: usize,
    /// Local ends up to here are over for certain.
    over: DateTime,
    /// Occurrences that ended by then (UTC) are left out.
    after: Timestamp,
}

impl<'a> Occurrences<'a> {
    /// Those that end after `at` (UTC).
    ///
    /// The earliest to look at start two dates before the local one: a slot reaches into the next
    /// date, and a clock that is turned back over midnight takes the whole span a date further.
    pub(super) fn around(hours: &'a OperatingHours, at: Timestamp) -> Self {
        let local = hours.zone.to_datetime(at);
        let first = local.date().saturating_sub(2.days());
        Self {
            hours,
            date: Some(first),
            today_date: first,
            today: [].iter(),
            exception: hours
                .exceptions
                .partition_point(|exception| exception.date < first),
            over: local.saturating_sub(LONGEST_REPEAT),
            after: at,
        }
    }

    /// Moves on to the next date that has slots, or over a stretch that has no gap: its span.
    fn next_date(&mut self, mut date: Date) -> Option<Span> {
        let coming = self.hours.exceptions.get(self.exception);
        match (self.hours.pattern, coming) {
            (Pattern::Empty, None) => {
                self.date = None;
                return None;
            }
            (Pattern::Empty, Some(exception)) => date = exception.date,
            (Pattern::RoundTheClock, coming) if !self.follows_exception(date) => {
                // The last date's slots are gone through as well, for what reaches into the exception.
                let last = coming.map(|exception| exception.date.saturating_sub(1.day()));
                if last.is_none_or(|last| date < last) {
                    self.date = last;
                    return self.stretch(date, coming.map(|exception| exception.date));
                }
            }
            _ => {}
        }
        self.today_date = date;
        self.today = match coming {
            Some(exception) if exception.date == date => {
                self.exception += 1;
                self.hours.on_exception(*exception).iter()
            }
            _ => self.hours.on_weekday(date.weekday()).iter(),
        };
        self.date = date.tomorrow().ok();
        None
    }

    /// Whether the date before has slots of its own, so that the week's do not reach into `date`.
    fn follows_exception(&self, date: Date) -> bool {
        let before = self
            .exception
            .checked_sub(1)
            .map(|last| self.hours.exceptions[last].date);
        before.is_some() && before == date.yesterday().ok()
    }

    /// From midnight of `from` to midnight of `until`, without a gap between.
    fn stretch(&self, from: Date, until: Option<Date>) -> Option<Span> {
        let zone = &self.hours.zone;
        let start = wall::first_from(zone, from.at(0, 0, 0, 0));
        let end = until.map_or(Timestamp::MAX, |until| {
            wall::last_before(zone, until.at(0, 0, 0, 0))
        });
        Span::new(start, end)
    }
}

impl Iterator for Occurrences<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        loop {
            for slot in self.today.by_ref() {
                let (start, end) = slot.on(self.today_date);
                if end <= self.over {
                    continue;
                }
                let span = wall::span(&self.hours.zone, start, end);
                if let Some(span) = span.filter(|span| span.end > self.after) {
                    return Some(span);
                }
            }
            let stretch = self.next_date(self.date?);
            if let Some(span) = stretch.filter(|span| span.end > self.after) {
                return Some(span);
            }
        }
    }
}

/// Occurrences joined where they touch or overlap.
pub(super) struct Joined<'a> {
    occurrences: Occurrences<'a>,
    ahead: Option<Span>,
}

impl<'a> Joined<'a> {
    /// Spans that end after `at` (UTC). One that holds `at` may begin later than it truly does.
    pub(super) fn around(hours: &'a OperatingHours, at: Timestamp) -> Self {
        Self {
            occurrences: Occurrences::around(hours, at),
            ahead: None,
        }
    }
}

impl Iterator for Joined<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let mut span = self.ahead.take().or_else(|| self.occurrences.next())?;
        for next in self.occurrences.by_ref() {
            if next.start > span.end {
                self.ahead = Some(next);
                break;
            }
            span.end = span.end.max(next.end);
        }
        Some(span)
    }
}
