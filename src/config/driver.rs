//! `[presence]` with a `driver`: a chat product that teams already run.

use std::{collections::HashMap, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::{
    keys::Key,
    reader::{Plain, Reader},
    source::Value,
};
use crate::domain::driver::{BUILT_IN, Description, Need, built_in};

/// The driver that a file of the user's own describes.
const TEMPLATE: &str = "template";
/// The contract's own presence API, which needs no description.
const OWN: &str = "shiftbell";

const DRIVER: Key = ("presence", "driver");
const TEMPLATE_FILE: Key = ("presence", "template_file");
const URL: Key = ("presence", "url");
const TOKEN: Key = ("presence", "token_file");
const TOKEN_URL: Key = ("presence", "token_url");
const AGENT_TOKENS: Key = ("presence", "agent_tokens_file");
const ACCOUNT: Key = ("presence", "account");
const USER: Key = ("presence", "user");
const PER_MINUTE: Key = ("presence", "max_per_minute");
const IN_FLIGHT: Key = ("presence", "max_in_flight");
const CHECK_EVERY: Key = ("presence", "check_every");

/// Keys that only a driver has a use for, and those that only the presence API has.
const OF_DRIVERS: [Key; 8] = [
    TEMPLATE_FILE,
    TOKEN,
    TOKEN_URL,
    AGENT_TOKENS,
    ACCOUNT,
    USER,
    PER_MINUTE,
    CHECK_EVERY,
];
const OF_OWN: [Key; 3] = [
    ("presence", "secret_file"),
    ("presence", "batch_size"),
    ("presence", "max_per_second"),
];

/// `[presence]` with a `driver`.
#[derive(Debug, Clone)]
pub struct Driver {
    /// How the product is spoken to.
    pub description: Description,
    /// The product's base URL; the description's own, without.
    pub url: Option<Url>,
    /// One credential for all agents.
    pub token: Option<SecretString>,
    /// Where access tokens are fetched; where the description says, without.
    pub token_url: Option<Url>,
    /// Each agent's credential, by the agent's id in the product.
    pub agent_tokens: HashMap<String, SecretString>,
    /// The team's account in the product.
    pub account: Option<String>,
    /// Whom the token belongs to.
    pub user: Option<String>,
    /// PEM certificates trusted besides the system's roots.
    pub ca: Option<Vec<u8>>,
    /// Requests under way at the same time.
    pub max_in_flight: u32,
    /// Requests begun in a minute.
    pub max_per_minute: u32,
    /// How often each agent's status is read back.
    pub check_every: Duration,
}

/// Whether `[presence]` names a driver; keys that have no use then, or without one, are refused. `None`:
/// what it names cannot be read, and so nobody knows what the other keys should be.
pub(super) fn chosen(r: &mut Reader) -> Option<bool> {
    let named = r.text(DRIVER);
    if named.is_none() && r.source.get(DRIVER).is_some() {
        return None;
    }
    let driver = named.filter(|driver| driver != OWN);
    let useless: &[Key] = if driver.is_some() {
        &OF_OWN
    } else {
        &OF_DRIVERS
    };
    for key in useless {
        if r.source.get(*key).is_some() {
            let why = match &driver {
                Some(driver) => format!("has no use with driver \"{driver}\""),
                None => "has a use with a driver only; presence.driver names none".to_owned(),
            };
            r.problem(*key, why);
        }
    }
    Some(driver.is_some())
}

/// Reads the section.
pub(super) fn read(r: &mut Reader) -> Option<Driver> {
    let description = description(r)?;
    let own_url = description.url.as_deref();
    let url = r.url(URL, own_url, Plain::Loopback);
    if url
        .as_ref()
        .is_some_and(|url| url.query().is_some() || url.fragment().is_some())
    {
        r.problem(
            URL,
            "is a base URL, to which paths are added: it must hold no query",
        );
    }
    let token = needed(r, &description, Need::Token, TOKEN, token);
    let token_url = token_url(r, &description);
    let agent_tokens = needed(
        r,
        &description,
        Need::AgentTokens,
        AGENT_TOKENS,
        agent_tokens,
    );
    let account = needed(r, &description, Need::Account, ACCOUNT, word);
    let user = needed(r, &description, Need::User, USER, word);
    let ca = r.certificates(("presence", "ca_file"));
    let max_in_flight = r.number(IN_FLIGHT, description.max_in_flight, 1..=10_000);
    let max_per_minute = r.number(PER_MINUTE, description.max_per_minute, 1..=6_000_000);
    let check_every = r.duration(CHECK_EVERY, Duration::from_hours(1));
    Some(Driver {
        url: Some(url?),
        token: token?,
        token_url: token_url?,
        agent_tokens: agent_tokens?.unwrap_or_default(),
        account: account?,
        user: user?,
        ca,
        max_in_flight,
        max_per_minute,
        check_every,
        description,
    })
}

/// Where access tokens are fetched instead, for products that have some. `None`: no good.
#[expect(
    clippy::option_option,
    reason = "not there and no good are different things"
)]
fn token_url(r: &mut Reader, description: &Description) -> Option<Option<Url>> {
    if r.source.get(TOKEN_URL).is_none() {
        return Some(None);
    }
    if description.auth.oauth.is_none() {
        let product = &description.product;
        r.problem(
            TOKEN_URL,
            format!("has no use: {product} takes the token as it is"),
        );
        return None;
    }
    r.url(TOKEN_URL, None, Plain::Loopback).map(Some)
}

/// The description of the driver that is named.
fn description(r: &mut Reader) -> Option<Description> {
    let name = r.required(DRIVER)?;
    if name == TEMPLATE {
        return template(r);
    }
    if r.source.get(TEMPLATE_FILE).is_some() {
        r.problem(
            TEMPLATE_FILE,
            format!("has a use with driver \"{TEMPLATE}\" only"),
        );
    }
    let found = built_in(&name);
    if found.is_none() {
        let known = BUILT_IN
            .iter()
            .map(|(known, _)| *known)
            .chain([TEMPLATE, OWN]);
        let near = |known: &&str| (strsim::jaro_winkler(known, &name) * 1000.0) as u32;
        let nearest = known.clone().max_by_key(near).unwrap_or(TEMPLATE);
        let all: Vec<&str> = known.collect();
        r.problem(
            DRIVER,
            format!(
                "nobody knows this one; the nearest is \"{nearest}\", all are {}",
                all.join(", ")
            ),
        );
    }
    found
}

fn template(r: &mut Reader) -> Option<Description> {
    if r.source.get(TEMPLATE_FILE).is_none() {
        r.problem(
            TEMPLATE_FILE,
            "is missing: it names the file that describes your product",
        );
    }
    let path = r.path(TEMPLATE_FILE)?;
    let text = r.file(TEMPLATE_FILE, &path)?;
    match Description::read(&text) {
        Ok(description) => Some(description),
        Err(problem) => {
            r.problem(TEMPLATE_FILE, format!("{}: {problem}", path.display()));
            None
        }
    }
}

/// What a key says, if the driver needs it. `None`: it does, and there is none that is any good.
#[expect(
    clippy::option_option,
    reason = "not needed and not there are different things"
)]
fn needed<T>(
    r: &mut Reader,
    description: &Description,
    need: Need,
    key: Key,
    read: fn(&mut Reader, Key) -> Option<T>,
) -> Option<Option<T>> {
    let there = r.source.get(key).is_some();
    match (description.needs(need), there) {
        (true, true) => read(r, key).map(Some),
        (true, false) => {
            r.problem(key, format!("is missing: {} needs it", description.product));
            None
        }
        (false, true) => {
            r.problem(
                key,
                format!("has no use: {} does not need it", description.product),
            );
            None
        }
        (false, false) => Some(None),
    }
}

/// A text, or a number that somebody wrote without quotes.
fn word(r: &mut Reader, key: Key) -> Option<String> {
    match r.source.get(key).map(|entry| entry.value.clone()) {
        Some(Value::Integer(number)) => Some(number),
        _ => r.text(key),
    }
}

/// A token, which is one line.
fn token(r: &mut Reader, key: Key) -> Option<SecretString> {
    let token = r.secret_file(key)?;
    if token.expose_secret().chars().any(char::is_control) {
        r.problem(key, "must hold the token in one line and nothing else");
        return None;
    }
    Some(token)
}

/// A JSON object: an agent's id in the product, and its credential.
fn agent_tokens(r: &mut Reader, key: Key) -> Option<HashMap<String, SecretString>> {
    let text = r.secret_file(key)?;
    match serde_json::from_str::<HashMap<String, String>>(text.expose_secret()) {
        Ok(tokens) if !tokens.is_empty() => Some(
            tokens
                .into_iter()
                .map(|(agent, token)| (agent, token.into()))
                .collect(),
        ),
        // serde's message may quote a token.
        _ => {
            r.problem(
                key,
                "must be a JSON object of agents' ids in the product and their tokens, such as {\"U123\": \"xoxp-…\"}",
            );
            None
        }
    }
}
