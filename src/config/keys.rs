//! The one list of what may be configured. The shipped file `deploy/shiftbell.toml` is held to it by
//! the test below and by `the_commented_default_configuration_is_the_defaults`.

use super::{Problem, source::Place};

/// Section and key.
pub(super) type Key = (&'static str, &'static str);

/// Every section and its keys.
pub(super) const KEYS: &[(&str, &[&str])] = &[
    (
        "database",
        &["url", "url_file", "password_file", "pooler", "migrate"],
    ),
    (
        "apns",
        &[
            "endpoint",
            "sandbox_endpoint",
            "key_file",
            "key_id",
            "team_id",
            "topic",
            "ca_file",
            "max_in_flight",
            "max_per_second",
        ],
    ),
    (
        "fcm",
        &[
            "endpoint",
            "service_account_file",
            "ca_file",
            "max_in_flight",
            "max_per_second",
        ],
    ),
    (
        "presence",
        &[
            "url",
            "secret_file",
            "batch_size",
            "ca_file",
            "max_in_flight",
            "max_per_second",
            "driver",
            "template_file",
            "token_file",
            "token_url",
            "agent_tokens_file",
            "account",
            "user",
            "max_per_minute",
            "check_every",
        ],
    ),
    ("http", &["listen", "max_per_second"]),
    ("timezone", &["directory"]),
    ("delivery", &["useful_for", "lease", "request_timeout"]),
];

/// Prefix of the variables that override keys: `SHIFTBELL__SECTION__KEY`.
pub(super) const PREFIX: &str = "SHIFTBELL__";

/// The section of that name, with its keys.
pub(super) fn known_section(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    KEYS.iter().copied().find(|(section, _)| *section == name)
}

/// The complaint about a key nobody knows, with the known one nearest to it: of the same section
/// if that is known, else of all.
pub(super) fn unknown(place: Place, section: &str, key: Option<&str>) -> Problem {
    let written = match key {
        Some(key) => format!("{section}.{key}"),
        None => section.to_owned(),
    };
    let near = |candidates: Vec<String>| {
        candidates.into_iter().max_by(|a, b| {
            let score = |known: &str| strsim::jaro_winkler(known, &written);
            score(a).total_cmp(&score(b))
        })
    };
    let sections = KEYS.iter().map(|(section, _)| (*section).to_owned());
    let keys = |(section, keys): (&str, &[&str])| -> Vec<String> {
        keys.iter().map(|key| format!("{section}.{key}")).collect()
    };
    let nearest = match (known_section(section), key) {
        (Some(known), _) => near(keys(known)),
        (None, None) => near(
            sections
                .chain(KEYS.iter().copied().flat_map(keys))
                .collect(),
        ),
        (None, Some(_)) => near(KEYS.iter().copied().flat_map(keys).collect()),
    }
    .unwrap_or_default();
    let nearest = match &place {
        Place::File(..) => format!("`{nearest}`"),
        Place::Env(_) => {
            let name = nearest.replace('.', "__").to_ascii_uppercase();
            format!("`{PREFIX}{name}`")
        }
    };
    let message = format!("unknown key; the nearest known one is {nearest}");
    Problem::new(Some(place), written, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_commented_default_configuration() {
        let file = include_str!("../../deploy/shiftbell.toml");
        for (section, keys) in KEYS {
            let (_, body) = file.split_once(&format!("[{section}]\n")).expect(section);
            let body = body.split('[').next().unwrap_or_default();
            for key in *keys {
                let mut lines = body.lines().map(|line| line.trim_start_matches('#'));
                let there = lines.any(|line| line.starts_with(&format!("{key} = ")));
                assert!(there, "{section}.{key} is missing");
            }
        }
    }
}
