//! The team: N agents in eight time zones, one phone each, and hours that all start at one instant.

use std::{fmt::Write as _, fs, io::Write as _, path::Path};

use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};
use shiftbell::domain::hours::day_word;

use crate::support::Database;

const AGENTS_IN_A_WORKSPACE: u64 = 50;
/// Where the agents live, and what they read.
const PLACES: [(&str, &str); 8] = [
    ("Europe/Paris", "fr"),
    ("Europe/London", "en"),
    ("America/New_York", "en"),
    ("America/Sao_Paulo", "pt"),
    ("Asia/Kolkata", "en"),
    ("Asia/Tokyo", "en"),
    ("Europe/Berlin", "de"),
    ("Europe/Madrid", "es"),
];
/// Days in a working week.
const DAYS: i64 = 5;
/// A shift's slots, in hours from its start: with an hour off in the middle, or without.
const WITH_BREAK: [[i64; 2]; 2] = [[0, 4], [5, 8]];
const WHOLE: [[i64; 2]; 1] = [[0, 8]];

/// Where the agents live.
pub(crate) fn zones() -> impl Iterator<Item = &'static str> {
    PLACES.into_iter().map(|(zone, _)| zone)
}

/// How many workspaces `agents` have.
pub(crate) fn workspaces(agents: u64) -> u64 {
    agents.div_ceil(AGENTS_IN_A_WORKSPACE)
}

/// Writes the import file: half iPhones, half Android, two slots a day from `hours` on.
pub(crate) fn write(file: &Path, agents: u64, hours: Option<Timestamp>) -> anyhow::Result<()> {
    let hours = PLACES.map(|(zone, _)| {
        let days = hours.into_iter().flat_map(|at| week(zone, at, &WITH_BREAK));
        let slots: Vec<String> = days
            .map(|[day, start, end]| {
                format!(r#"{{"day":"{day}","start":"{start}","end":"{end}"}}"#)
            })
            .collect();
        slots.join(",")
    });
    let mut out = std::io::BufWriter::new(fs::File::create(file)?);
    for n in 0..agents {
        let place = (n / 2) as usize % PLACES.len();
        let ((zone, locale), hours) = (PLACES[place], &hours[place]);
        let device = if n % 2 == 0 {
            format!(r#"{{"platform":"ios","token":"{}"}}"#, apple_token(n))
        } else {
            format!(r#"{{"platform":"android","token":"{}"}}"#, google_token(n))
        };
        writeln!(
            out,
            r#"{{"id":"agent-{n:07}","workspace":"workspace-{}","name":"Agent {n}","timezone":"{zone}","locale":"{locale}","notify":{{"start":true,"end":true}},"hours":[{hours}],"devices":[{device}]}}"#,
            n / AGENTS_IN_A_WORKSPACE
        )?;
    }
    out.flush()?;
    Ok(())
}

/// As long as Apple's: 32 bytes in hexadecimal.
pub(crate) fn apple_token(n: u64) -> String {
    format!("{:064x}", u128::from(n) | (0xbe << 120))
}

/// As long as Google's: some 140 characters.
fn google_token(n: u64) -> String {
    format!(
        "c{n:021x}:APA91b{:0>120x}",
        n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    )
}

/// Day, start and end in `zone` of the slots of a shift that starts at `at`, and of the four after it.
fn week(zone: &str, at: Timestamp, slots: &[[i64; 2]]) -> Vec<[String; 3]> {
    let zone = TimeZone::get(zone).expect("the zone is in the data built in");
    let local = |hours| zone.to_datetime(at + SignedDuration::from_hours(hours));
    let clock = |time: jiff::civil::DateTime| time.strftime("%H:%M").to_string();
    (0..DAYS)
        .flat_map(|day| slots.iter().map(move |slot| (day, slot)))
        .map(|(day, slot)| {
            let [start, end] = slot.map(local);
            let day = day_word((start.date() + day.days()).weekday());
            [day.to_owned(), clock(start), clock(end)]
        })
        .collect()
}

/// Gives every agent hours that start at `at` (UTC, a full minute) and on the four days after it.
pub(crate) fn set_hours(database: &Database, at: Timestamp) {
    let mut rows = String::new();
    for (zone, _) in PLACES {
        for [day, start, end] in week(zone, at, &WHOLE) {
            let comma = if rows.is_empty() { "" } else { ", " };
            let _ = write!(rows, "{comma}('{zone}', '{day}', '{start}', '{end}')");
        }
    }
    database.sql(&format!(
        "WITH week (zone, day, s, e) AS (VALUES {rows})
         INSERT INTO operating_hours (agent_id, day, start_time, end_time)
         SELECT a.id, week.day, week.s, week.e FROM agents a JOIN week ON week.zone = a.timezone"
    ));
}
