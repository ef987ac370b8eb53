//! What phones show: every text once, in every language, and the rules translators keep.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up fails")]

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use jiff::{Timestamp, tz::TimeZone};
use shiftbell::domain::{
    alert::{
        Facts, LANGUAGES, collapse_id, deadline, delivery_id, lead_delivery_id, lead_of, render,
    },
    delivery::AlertKind,
    lead::Lead,
};

const BOUNDARIES: [AlertKind; 2] = [AlertKind::HoursStart, AlertKind::HoursEnd];

/// Instants before the start at 09:00 in Paris, each told with words of its own.
const BEFORE: [&str; 5] = [
    "2026-03-30T06:59:00Z",
    "2026-03-30T06:45:00.25Z",
    "2026-03-30T04:00:00Z",
    "2026-03-29T18:00:00Z",
    "2026-03-23T08:00:00Z",
];

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `section.key` and text of everything a language file holds, lists by position.
fn flat(text: &str) -> BTreeMap<String, String> {
    fn walk(prefix: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    walk(&format!("{prefix}.{key}"), value, into);
                }
            }
            toml::Value::Array(list) => {
                for (i, value) in list.iter().enumerate() {
                    walk(&format!("{prefix}[{i}]"), value, into);
                }
            }
            value => {
                into.insert(prefix.to_owned(), value.as_str().unwrap().to_owned());
            }
        }
    }
    let mut into = BTreeMap::new();
    walk("", &toml::Value::Table(text.parse().unwrap()), &mut into);
    into
}

fn placeholders(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = text
        .split('{')
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap())
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn every_language_is_complete() {
    let english = flat(LANGUAGES[0].1);
    for (language, text) in LANGUAGES {
        let texts = flat(text);
        assert_eq!(
            texts.keys().collect::<Vec<_>>(),
            english.keys().collect::<Vec<_>>(),
            "keys of {language}"
        );
        for (key, text) in &texts {
            assert_eq!(
                placeholders(text),
                placeholders(&english[key]),
                "{language}{key}"
            );
            assert!(!text.trim().is_empty(), "{language}{key} is empty");
        }
    }
}

#[test]
fn every_language_file_is_compiled_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("messages");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut known: Vec<String> = LANGUAGES
        .iter()
        .map(|(language, _)| format!("{language}.toml"))
        .collect();
    files.sort_unstable();
    known.sort_unstable();
    assert_eq!(files, known);
}

/// After an intended change: `UPDATE_SNAPSHOTS=1 cargo test --test texts`, then read the difference.
#[test]
fn every_text_reads_as_in_the_snapshot() {
    let zone = TimeZone::get("Europe/Paris").unwrap();
    let at = instant("2026-03-30T07:00:00Z");
    let counterparts = [
        Some("2026-03-30T16:00:00Z"),
        Some("2026-03-31T04:05:00Z"),
        Some("2026-04-06T07:00:00Z"),
        None,
    ];
    let mut all = String::new();
    for (language, _) in LANGUAGES {
        writeln!(all, "# {language}").unwrap();
        let mut show = |kind, counterpart: Option<&str>, minutes, now| {
            let facts = Facts {
                zone: &zone,
                at,
                counterpart: counterpart.map(instant),
                minutes,
                now,
            };
            let text = render(kind, language, &facts);
            writeln!(all, "{} | {}", text.title, text.body).unwrap();
        };
        for kind in BOUNDARIES {
            for other in counterparts {
                show(kind, other, 0, at);
            }
        }
        for now in BEFORE {
            show(AlertKind::HoursStartLead, None, 0, instant(now));
        }
        show(AlertKind::NoReply, None, 1, at);
        show(AlertKind::NoReply, None, 10, at);
        show(AlertKind::Overflow, None, 0, at);
        show(AlertKind::Test, None, 0, at);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/texts.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &all).unwrap();
    }
    assert_eq!(all, fs::read_to_string(&path).unwrap());
}

#[test]
fn a_locale_falls_back_to_its_language_and_then_to_english() {
    let facts = Facts {
        zone: &TimeZone::UTC,
        at: instant("2026-03-30T07:00:00Z"),
        counterpart: None,
        minutes: 0,
        now: instant("2026-03-30T07:00:00Z"),
    };
    let title = |locale| render(AlertKind::HoursStart, locale, &facts).title;
    assert_eq!(title("pt-BR"), title("pt"));
    assert_eq!(title("DE_at"), title("de"));
    for unknown in ["", "xx", "english", "fra", "-", "日本"] {
        assert_eq!(title(unknown), title("en"), "{unknown}");
    }
}

#[test]
fn times_are_told_on_the_agents_own_clock() {
    // A night shift in Auckland over the end of summer time: 22:00 Saturday to 06:00 Sunday.
    let zone = TimeZone::get("Pacific/Auckland").unwrap();
    let facts = Facts {
        zone: &zone,
        at: instant("2026-04-04T09:00:00Z"),
        counterpart: Some(instant("2026-04-04T18:00:00Z")),
        minutes: 0,
        now: instant("2026-04-04T09:00:00Z"),
    };
    let text = render(AlertKind::HoursStart, "en", &facts);
    assert_eq!(text.body, "You're on until Sunday 06:00.");
}

#[test]
fn ids_depend_on_identity_alone() {
    let at = instant("2026-03-30T07:00:00Z");
    let [start, end] = BOUNDARIES;
    // Fixed for ever: another value here would ring phones a second time after an upgrade.
    assert_eq!(
        delivery_id("a-1", start, at, "ios:abc").to_string(),
        "102d956f-e819-584d-9d13-dad5fff9ac5e"
    );
    assert_eq!(
        collapse_id("a-1", start, at),
        "25d7fc6c-627c-5796-beeb-58af176846e5"
    );
    assert!(collapse_id(&"x".repeat(10_000), end, at).len() <= 64);

    let mut ids = vec![
        delivery_id("a-1", start, at, "ios:abc"),
        delivery_id("a-1", end, at, "ios:abc"),
        delivery_id(
            "a-1",
            start,
            at + std::time::Duration::from_mins(1),
            "ios:abc",
        ),
        delivery_id("a-1", start, at, "ios:abd"),
        delivery_id("a-2", start, at, "ios:abc"),
        delivery_id("", start, at, "a-1ios:abc"),
    ];
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn what_is_left_is_told_as_it_is_when_it_is_sent() {
    let zone = TimeZone::get("Europe/Paris").unwrap();
    let told = |now: &str| {
        let facts = Facts {
            zone: &zone,
            at: instant("2026-03-30T22:05:00Z"),
            counterpart: None,
            minutes: 0,
            now: instant(now),
        };
        render(AlertKind::HoursStartLead, "en", &facts).body
    };
    for (now, body) in [
        ("2026-03-30T21:50:00Z", "In 15 minutes, at 00:05."),
        ("2026-03-30T21:50:59.9Z", "In 15 minutes, at 00:05."),
        ("2026-03-30T21:52:00Z", "In 13 minutes, at 00:05."),
        ("2026-03-30T22:04:00.001Z", "In 1 minute, at 00:05."),
        ("2026-03-30T20:05:00Z", "In 120 minutes, at 00:05."),
        ("2026-03-30T20:04:59Z", "Tuesday at 00:05."),
        ("2026-03-24T23:00:00Z", "Tuesday at 00:05."),
        ("2026-03-24T22:59:00Z", "Tuesday, 31 March, at 00:05."),
    ] {
        assert_eq!(told(now), body, "{now}");
    }
}

#[test]
fn each_lead_is_an_alert_of_its_own_that_the_start_replaces() {
    let at = instant("2026-03-30T07:00:00Z");
    let eve = Lead::DayBefore("20:00".parse().unwrap());
    let [quarter, more] = [15, 150].map(Lead::Minutes);
    let id = |lead| lead_delivery_id("a-1", lead, at, "ios:abc");
    // Fixed for ever, as those of boundaries.
    assert_eq!(
        id(quarter).to_string(),
        "0ceee386-6cec-533e-a8b5-5d3b61e6d609"
    );
    assert_eq!(id(eve).to_string(), "34a87e93-a6ac-5c4e-aeeb-02c578660448");
    let mut ids = [quarter, more, eve].map(id).to_vec();
    ids.push(delivery_id("a-1", AlertKind::HoursStart, at, "ios:abc"));
    ids.push(lead_delivery_id("a-1", quarter, at, "ios:abd"));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    let leads = [eve, quarter];
    assert_eq!(
        lead_of(id(quarter), &leads, "a-1", at, "ios:abc"),
        Some(quarter)
    );
    assert_eq!(lead_of(id(more), &leads, "a-1", at, "ios:abc"), None);
    assert_eq!(
        collapse_id("a-1", AlertKind::HoursStartLead, at),
        collapse_id("a-1", AlertKind::HoursStart, at)
    );
}

#[test]
fn an_alert_is_of_use_until_its_deadline() {
    let at = instant("2026-03-30T07:00:00Z");
    let quarter = std::time::Duration::from_mins(15);
    assert_eq!(deadline(at, quarter), instant("2026-03-30T07:15:00Z"));
    assert_eq!(deadline(Timestamp::MAX, quarter), Timestamp::MAX);
}
