//! What an alert says, how long it is of use, and which ids make its copies one.
//!
//! The texts live in `messages/*.toml`, one file a language, compiled in. A new language is one
//! file there and one line in [`LANGUAGES`]; `tests/texts.rs` holds all files to the same
//! placeholders and shows every text once.
//!
//! An alert's identity is (agent, kind, boundary instant), with the lead for one that comes before it; a
//! delivery's is that and the receiver.
//! Ids are computed from nothing else, so a boundary that is found twice, by two workers or after a
//! clock stepped back, comes to the same ids and rings once (`ids_depend_on_identity_alone`).

use std::{sync::LazyLock, time::Duration};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;
use uuid::Uuid;

use super::{delivery::AlertKind, lead::Lead};

/// Every language with its texts. The first serves whoever speaks none of them.
pub const LANGUAGES: [(&str, &str); 6] = [
    ("en", include_str!("../../messages/en.toml")),
    ("de", include_str!("../../messages/de.toml")),
    ("es", include_str!("../../messages/es.toml")),
    ("fr", include_str!("../../messages/fr.toml")),
    ("it", include_str!("../../messages/it.toml")),
    ("pt", include_str!("../../messages/pt.toml")),
];

/// The root of all ids made here. Changing it would ring every pending alert a second time.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f1b_a7c2_3d64_4e0b_9c81_7e2d_40a6_b953);

/// The longest time that is told in minutes; beyond, people want to know the day.
const IN_MINUTES: i64 = 120;

/// What a phone shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The first line.
    pub title: String,
    /// The second.
    pub body: String,
}

/// What an alert tells of the shift.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The agent's own zone: all times are told in it.
    pub zone: &'a TimeZone,
    /// The boundary, a UTC instant.
    pub at: Timestamp,
    /// The shift's other end, a UTC instant: for a start when it ends, for an end when the next one
    /// starts. `None` if there is none.
    pub counterpart: Option<Timestamp>,
    /// For [`AlertKind::NoReply`]: the minutes that the agent may leave a visitor without a reply.
    pub minutes: i64,
    /// When it is told, a UTC instant: for [`AlertKind::HoursStartLead`], which says how far off the
    /// boundary is.
    pub now: Timestamp,
}

/// One language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    shift: Shift,
    hours_start: Lines,
    hours_end: Lines,
    hours_start_lead: Soon,
    no_reply: Waited,
    overflow: Plain,
    test: Plain,
    calendar: Calendar,
}

/// A shift in a calendar.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shift {
    title: String,
}

/// An alert that always says the same.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    title: String,
    body: String,
}

/// An alert that says for how many minutes: one, or more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waited {
    title: String,
    one: String,
    more: String,
}

/// An alert of a boundary to come: in how many minutes, one or more, or else when.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Soon {
    title: String,
    one: String,
    more: String,
    same_day: String,
    same_week: String,
    later: String,
}

/// An alert of a boundary: a title, and a body for each distance of the other end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    title: String,
    same_day: String,
    same_week: String,
    later: String,
    never: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Calendar {
    date: String,
    /// From Monday.
    weekdays: [String; 7],
    /// From January.
    months: [String; 12],
}

static MESSAGES: LazyLock<Vec<(&str, Messages)>> = LazyLock::new(|| {
    let read =
        |text| toml::from_str(text).expect("the test `every_language_is_complete` reads them");
    LANGUAGES
        .iter()
        .map(|(language, text)| (*language, read(text)))
        .collect()
});

/// The text of an alert in the language of `locale` (BCP 47, such as `pt-BR`; unknown ones get
/// English), with times on the agent's own clock, 24 hours.
pub fn render(kind: AlertKind, locale: &str, facts: &Facts<'_>) -> Text {
    let messages = messages(locale);
    let (title, body) = match kind {
        AlertKind::HoursStart => messages.hours_start.told(facts, &messages.calendar),
        AlertKind::HoursEnd => messages.hours_end.told(facts, &messages.calendar),
        AlertKind::HoursStartLead => messages.hours_start_lead.told(facts, &messages.calendar),
        AlertKind::NoReply => messages.no_reply.told(facts.minutes),
        AlertKind::Overflow => messages.overflow.told(),
        AlertKind::Test => messages.test.told(),
    };
    Text {
        title: title.clone(),
        body,
    }
}

/// What a shift is called in a calendar, in the language of `locale` as [`render`] takes it.
pub fn shift_title(locale: &str) -> &'static str {
    &messages(locale).shift.title
}

/// The id of the shift that starts at `start` (UTC), in a calendar.
pub fn shift_id(agent: &str, start: Timestamp) -> Uuid {
    id(&[agent, "shift", &start.as_millisecond().to_string()])
}

impl Lines {
    fn told(&self, facts: &Facts<'_>, calendar: &Calendar) -> (&String, String) {
        let Some(other) = facts.counterpart else {
            return (&self.title, self.never.clone());
        };
        let other = facts.zone.to_datetime(other);
        let here = facts.zone.to_datetime(facts.at);
        let template = match days_between(here, other) {
            0 => &self.same_day,
            // A week ahead the weekday's name alone would mean today.
            1..=6 => &self.same_week,
            _ => &self.later,
        };
        (&self.title, fill(template, other, calendar))
    }
}

impl Soon {
    fn told(&self, facts: &Facts<'_>, calendar: &Calendar) -> (&String, String) {
        let there = facts.zone.to_datetime(facts.at);
        let here = facts.zone.to_datetime(facts.now);
        let left = facts.at.duration_since(facts.now);
        // One that has begun counts whole.
        let minutes = (left.as_secs() + 59 + i64::from(left.subsec_nanos() > 0)).div_euclid(60);
        let template = match (minutes, days_between(here, there)) {
            (..=1, _) => &self.one,
            (..=IN_MINUTES, _) => &self.more,
            (_, 0) => &self.same_day,
            (_, 1..=6) => &self.same_week,
            _ => &self.later,
        };
        let body = template.replace("{minutes}", &minutes.to_string());
        (&self.title, fill(&body, there, calendar))
    }
}

impl Plain {
    fn told(&self) -> (&String, String) {
        (&self.title, self.body.clone())
    }
}

impl Waited {
    fn told(&self, minutes: i64) -> (&String, String) {
        let body = if minutes == 1 { &self.one } else { &self.more };
        (&self.title, body.replace("{minutes}", &minutes.to_string()))
    }
}

/// The instant (UTC) after which the alert of the boundary at `at` is of no use.
pub fn deadline(at: Timestamp, useful_for: Duration) -> Timestamp {
    at.saturating_add(useful_for).unwrap_or(Timestamp::MAX)
}

/// The same for every copy of one alert, at every receiver: 36 bytes, of the 64 that APNs takes. What
/// announces a boundary has that of the boundary's alert, which takes its place on the phone.
pub fn collapse_id(agent: &str, kind: AlertKind, at: Timestamp) -> String {
    let kind = match kind {
        AlertKind::HoursStartLead => AlertKind::HoursStart,
        own => own,
    };
    id(&[agent, kind.as_str(), &at.as_millisecond().to_string()]).to_string()
}

/// The id of one alert's delivery to one receiver. `receiver` is whatever names it for good: never
/// the number of a row.
pub fn delivery_id(agent: &str, kind: AlertKind, at: Timestamp, receiver: &str) -> Uuid {
    id(&[
        agent,
        kind.as_str(),
        &at.as_millisecond().to_string(),
        receiver,
    ])
}

/// [`delivery_id`] of the alert with which `lead` announces the start of hours at `start` (UTC): each
/// lead's is its own.
pub fn lead_delivery_id(agent: &str, lead: Lead, start: Timestamp, receiver: &str) -> Uuid {
    id(&[
        agent,
        AlertKind::HoursStartLead.as_str(),
        &start.as_millisecond().to_string(),
        &lead.key(),
        receiver,
    ])
}

/// Which of `leads` the delivery is of that announces the start of hours at `start` (UTC) to `receiver`: the
/// one that makes its id.
pub fn lead_of(
    delivery: Uuid,
    leads: &[Lead],
    agent: &str,
    start: Timestamp,
    receiver: &str,
) -> Option<Lead> {
    let mut leads = leads.iter().copied();
    leads.find(|lead| lead_delivery_id(agent, *lead, start, receiver) == delivery)
}

/// UUID version 5 (RFC 9562) of the parts, each with its length, so that no two lists run together.
fn id(parts: &[&str]) -> Uuid {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| format!("{}:{part}", part.len()))
        .collect();
    let name = parts.concat();
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}

fn messages(locale: &str) -> &'static Messages {
    let language = locale.split(['-', '_']).next().unwrap_or_default();
    let found = MESSAGES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(language));
    &found.unwrap_or(&MESSAGES[0]).1
}

/// How many midnights of the wall calendar lie between two instants of one zone.
fn days_between(from: DateTime, until: DateTime) -> i32 {
    from.date()
        .until(until.date())
        .map_or(i32::MAX, |span| span.get_days())
}

fn fill(template: &str, when: DateTime, calendar: &Calendar) -> String {
    let weekday = usize::from(when.weekday().to_monday_zero_offset().unsigned_abs());
    let month = usize::from(when.month().unsigned_abs()) - 1;
    let date = calendar
        .date
        .replace("{number}", &when.day().to_string())
        .replace("{month}", &calendar.months[month]);
    template
        .replace(
            "{time}",
            &format!("{:02}:{:02}", when.hour(), when.minute()),
        )
        .replace("{day}", &calendar.weekdays[weekday])
        .replace("{date}", &date)
}
