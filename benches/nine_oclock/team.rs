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
const SHIFT: SignedDuration = SignedDuration::from_hours(8);

/// How many workspaces `agents` have.
pub(crate) fn workspaces(agents: u64) -> u64 {
    agents.div_ceil(AGENTS_IN_A_WORKSPACE)
}

/// Writes the import file: no hours yet, half iPhones, half Android.
pub(crate) fn write(file: &Path, agents: u64) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(fs::File::create(file)?);
    for n in 0..agents {
        let (zone, locale) = PLACES[(n / 2) as usize % PLACES.len()];
        let device = if n % 2 == 0 {
            format!(r#"{{"platform":"ios","token":"{}"}}"#, apple_token(n))
        } else {
            format!(r#"{{"platform":"android","token":"{}"}}"#, google_token(n))
        };
        writeln!(
            out,
            r#"{{"id":"agent-{n:07}","workspace":"workspace-{}","name":"Agent {n}","timezone":"{zone}","locale":"{locale}","notify":{{"start":true,"end":true}},"devices":[{device}]}}"#,
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

/// Gives every agent hours that start at `at` (UTC, a full minute) and on the four days after it.
pub(crate) fn set_hours(database: &Database, at: Timestamp) {
    let mut rows = String::new();
    for (zone, _) in PLACES {
        let zone_data = TimeZone::get(zone).expect("the zone is in the data built in");
        let start = zone_data.to_datetime(at);
        let end = zone_data.to_datetime(at + SHIFT);
        for day in 0..DAYS {
            let day = day_word((start.date() + day.days()).weekday());
            let clock = |time: jiff::civil::DateTime| time.strftime("%H:%M").to_string();
            let comma = if rows.is_empty() { "" } else { ", " };
            let _ = write!(
                rows,
                "{comma}('{zone}', '{day}', '{}', '{}')",
                clock(start),
                clock(end)
            );
        }
    }
    database.sql(&format!(
        "WITH week (zone, day, s, e) AS (VALUES {rows})
         INSERT INTO operating_hours (agent_id, day, start_time, end_time)
         SELECT a.id, week.day, week.s, week.e FROM agents a JOIN week ON week.zone = a.timezone"
    ));
}
