//! Recurrences, worked out over dates. (The `rrule` crate decides about zones with `chrono-tz`, whose data
//! are old, see the README.)
//!
//! A period (a year, a month, a week, a day) is walked day by day, and the days that fit all parts of the
//! rule are its occurrences: that is the table of RFC 5545, 3.3.10, without telling "expand" from "limit".

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use super::{
    rule::{Freq, Rule},
    times::When,
};

/// The dates that occurrences are looked for in, and how many days may still be walked to find them.
#[derive(Debug)]
pub(super) struct Window {
    from: Date,
    until: Date,
    patience: i64,
}

impl Window {
    /// From a year before `now` (UTC) to two years after it.
    pub(super) fn around(now: Timestamp) -> Self {
        let today = TimeZone::UTC.to_datetime(now).date();
        Self {
            from: today.checked_sub(1.year()).unwrap_or(Date::MIN),
            until: today.checked_add(2.years()).unwrap_or(Date::MAX),
            patience: 5_000_000,
        }
    }
}

impl Rule {
    /// When the series that begins at `start` occurs within the window.
    pub(super) fn starts(
        &self,
        start: &When,
        window: &mut Window,
        home: &TimeZone,
    ) -> Result<Vec<When>, String> {
        let dates = self.dates(start.local_date(), window)?;
        let starts = dates.into_iter().map(|date| start.on(date));
        Ok(starts.filter(|start| self.reaches(start, home)).collect())
    }

    /// Whether an occurrence is not after the rule's end.
    fn reaches(&self, start: &When, home: &TimeZone) -> bool {
        match &self.until {
            None => true,
            Some(When::Day(last)) => start.local_date() <= *last,
            Some(last) => start.instant(home) <= last.instant(home),
        }
    }

    fn dates(&self, first: Date, window: &mut Window) -> Result<Vec<Date>, String> {
        let mut dates = Vec::new();
        let mut count = 0;
        let mut take = |date: Date| {
            count += 1;
            if self.count.is_some_and(|most| count > most) || date > window.until {
                return false;
            }
            if date >= window.from {
                dates.push(date);
            }
            true
        };
        if !take(first) {
            return Ok(dates);
        }
        // Without a count nobody needs to know what was before the window.
        let mut n = match self.count {
            Some(_) => 0,
            None => self.periods_before(first, window.from),
        };
        let last = self.until.as_ref().map_or(Date::MAX, When::local_date);
        // One day more, for the end may be said in another zone.
        let last = window.until.min(later(last, 1).unwrap_or(Date::MAX));
        while let Some((begin, length)) = self.period(first, n) {
            if begin > last {
                break;
            }
            window.patience -= length;
            if window.patience < 0 {
                return Err("too many repetitions to work out: set UNTIL".to_owned());
            }
            let fits = self.within(first, begin, length);
            if !fits.into_iter().filter(|date| *date > first).all(&mut take) {
                break;
            }
            n += 1;
        }
        Ok(dates)
    }

    /// How many periods of the series surely lie before `from`.
    fn periods_before(&self, first: Date, from: Date) -> i64 {
        let days = (from.duration_since(first).as_hours() / 24).max(0);
        let longest = match self.freq {
            Freq::Daily => 1,
            Freq::Weekly => 7,
            Freq::Monthly => 31,
            Freq::Yearly => 366,
        };
        (days / (longest * self.interval) - 1).max(0)
    }

    /// The first day of the `n`th period, and how many days it has; `None` past the end of time.
    fn period(&self, first: Date, n: i64) -> Option<(Date, i64)> {
        let steps = n.checked_mul(self.interval)?;
        match self.freq {
            Freq::Daily => Some((later(first, steps)?, 1)),
            Freq::Weekly => {
                let since = i64::from(first.weekday().since(self.week_start));
                Some((later(first, steps * 7 - since)?, 7))
            }
            Freq::Monthly => {
                let months = i64::from(first.month()) - 1 + steps;
                let year = i64::from(first.year()) + months.div_euclid(12);
                let month = months.rem_euclid(12) + 1;
                let begin = Date::new(i16::try_from(year).ok()?, month as i8, 1).ok()?;
                Some((begin, i64::from(begin.days_in_month())))
            }
            Freq::Yearly => {
                let year = i64::from(first.year()) + steps;
                let begin = Date::new(i16::try_from(year).ok()?, 1, 1).ok()?;
                Some((begin, i64::from(begin.days_in_year())))
            }
        }
    }

    fn within(&self, first: Date, begin: Date, length: i64) -> Vec<Date> {
        let days = (0..length).filter_map(|day| later(begin, day));
        let fits: Vec<Date> = days.filter(|date| self.fits(first, *date)).collect();
        if self.positions.is_empty() {
            return fits;
        }
        let count = fits.len() as i64;
        let at = |(index, date): (usize, Date)| {
            let place = index as i64 + 1;
            let wanted =
                self.positions.contains(&place) || self.positions.contains(&(place - count - 1));
            wanted.then_some(date)
        };
        fits.into_iter().enumerate().filter_map(at).collect()
    }

    fn fits(&self, first: Date, date: Date) -> bool {
        let month = i64::from(date.month());
        let (day, left) = (
            i64::from(date.day()),
            i64::from(date.day() - date.days_in_month()) - 1,
        );
        let in_month = self.months.is_empty() || self.months.contains(&month);
        let on_day = self.month_days.is_empty()
            || self.month_days.contains(&day)
            || self.month_days.contains(&left);
        let on_weekday = self.days.is_empty() || self.days.iter().any(|d| self.is_nth(*d, date));
        let as_first = !(self.month_days.is_empty() && self.days.is_empty())
            || match self.freq {
                Freq::Daily => true,
                Freq::Weekly => date.weekday() == first.weekday(),
                Freq::Monthly => date.day() == first.day(),
                Freq::Yearly => {
                    let month = !self.months.is_empty() || date.month() == first.month();
                    month && date.day() == first.day()
                }
            };
        in_month && on_day && on_weekday && as_first
    }

    /// Whether `date` is the `nth` such weekday of its month or year.
    fn is_nth(&self, (nth, weekday): (i64, Weekday), date: Date) -> bool {
        if date.weekday() != weekday {
            return false;
        }
        let of_year = self.freq == Freq::Yearly && self.months.is_empty();
        let (place, length) = if of_year {
            (date.day_of_year(), date.days_in_year())
        } else {
            (i16::from(date.day()), i16::from(date.days_in_month()))
        };
        let forth = i64::from((place - 1) / 7 + 1);
        let back = -i64::from((length - place) / 7 + 1);
        nth == 0 || nth == forth || nth == back
    }
}

fn later(date: Date, days: i64) -> Option<Date> {
    date.checked_add(SignedDuration::from_hours(days.checked_mul(24)?))
        .ok()
}
