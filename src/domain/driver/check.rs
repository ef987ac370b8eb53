//! A description, read and checked once: what holds one can fill every request of it.

mod parts;

use serde_json::Value;

use self::parts::{asks_for, check_answers, check_headers, check_pointer, holds};
use super::{
    Description, Need, Request, Shown,
    fill::{NAMES, Piece, pieces},
};

/// The products that are known, each with its description.
pub const BUILT_IN: [(&str, &str); 12] = [
    ("chatwoot", include_str!("../../../drivers/chatwoot.toml")),
    ("zendesk", include_str!("../../../drivers/zendesk.toml")),
    ("intercom", include_str!("../../../drivers/intercom.toml")),
    ("helpscout", include_str!("../../../drivers/helpscout.toml")),
    ("front", include_str!("../../../drivers/front.toml")),
    ("brevo", include_str!("../../../drivers/brevo.toml")),
    ("graph", include_str!("../../../drivers/graph.toml")),
    ("livechat", include_str!("../../../drivers/livechat.toml")),
    (
        "mattermost",
        include_str!("../../../drivers/mattermost.toml"),
    ),
    (
        "rocketchat",
        include_str!("../../../drivers/rocketchat.toml"),
    ),
    (
        "rocketchat-user",
        include_str!("../../../drivers/rocketchat-user.toml"),
    ),
    ("slack", include_str!("../../../drivers/slack.toml")),
];

/// The description of a known product; `None` for any other name.
///
/// # Panics
/// Never: a test reads all of them.
pub fn built_in(driver: &str) -> Option<Description> {
    let (_, text) = BUILT_IN.iter().find(|(name, _)| *name == driver)?;
    let read = Description::read(text);
    Some(read.expect("the test `every_driver_is_sound` reads them"))
}

/// Seconds between two renewals, at least: who came on duty is noticed within ten, and that must leave the
/// first renewal in time.
const SHORTEST_LEASE: u32 = 20;

impl Description {
    /// Reads a description. An error names the line or the place at fault; descriptions hold no secrets.
    pub fn read(text: &str) -> Result<Self, String> {
        let description: Self = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| text[..span.start].matches('\n').count() + 1);
            let place = line
                .map(|line| format!("line {line}: "))
                .unwrap_or_default();
            format!("{place}{}", error.message())
        })?;
        description.check()?;
        Ok(description)
    }

    fn check(&self) -> Result<(), String> {
        if self.max_per_minute == 0 || self.max_in_flight == 0 {
            return Err("max_per_minute and max_in_flight must be 1 or more".to_owned());
        }
        let plain =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        if self.external.is_empty() || !self.external.chars().all(plain) {
            return Err("external must be lower-case letters, digits, - and _".to_owned());
        }
        if self.lease.is_some_and(|lease| {
            lease.renew_every_seconds < SHORTEST_LEASE
                || lease.renew_every_seconds > lease.ends_after_seconds / 2
        }) {
            return Err(format!(
                "lease.renew_every_seconds must be {SHORTEST_LEASE} or more, and half of ends_after_seconds or less"
            ));
        }
        self.check_secrets()?;
        self.check_setting()?;
        if let Some(request) = &self.check {
            let each: &[&str] = if self.needs(Need::AgentTokens) {
                &["agent"]
            } else {
                &[]
            };
            self.check_request("check", request, each)?;
        }
        self.check_bulk()?;
        self.check_read()?;
        check_answers(&self.answers)
    }

    /// What sets a status must say whose and which, or it would set everybody to the same.
    fn check_setting(&self) -> Result<(), String> {
        let requests = [
            ("set", Some(&self.set)),
            ("set_offline", self.set_offline.as_ref()),
        ];
        for (place, request) in requests {
            let Some(request) = request else { continue };
            self.check_request(place, request, &["agent", "status"])?;
            // A credential of each agent says whose.
            if !self.needs(Need::AgentTokens) && !holds(request, "agent") {
                return Err(format!("{place} nowhere holds {{agent}}"));
            }
        }
        if self.set_offline.is_none() && self.lease.is_none() && !holds(&self.set, "status") {
            return Err("set nowhere holds {status}".to_owned());
        }
        Ok(())
    }

    /// Where a secret may go: into headers and the form of a token endpoint, which nobody logs.
    fn check_secrets(&self) -> Result<(), String> {
        let auth = &self.auth;
        let mut texts: Vec<(&str, &String)> = Vec::new();
        texts.extend(
            auth.bearer
                .iter()
                .chain(&auth.basic)
                .map(|text| ("auth", text)),
        );
        texts.extend(self.headers.values().map(|text| ("headers", text)));
        if let Some(oauth) = &auth.oauth {
            texts.extend(oauth.form.values().map(|text| ("auth.oauth.form", text)));
            self.check_text("auth.oauth.url", &oauth.url, &[])?;
        }
        for (place, text) in &texts {
            self.check_text(place, text, &["token"])?;
        }
        check_headers("headers", &self.headers)?;
        let kinds = [
            auth.bearer.is_some(),
            auth.basic.is_some(),
            auth.oauth.is_some(),
        ];
        if kinds.into_iter().filter(|there| *there).count() > 1 {
            return Err("auth must be one of bearer, basic and oauth".to_owned());
        }
        let uses = texts
            .iter()
            .any(|(_, text)| pieces(text).contains(&Piece::Name("token")));
        let tokens = self.needs(Need::Token) || self.needs(Need::AgentTokens);
        match (uses, tokens) {
            (true, false) => {
                Err("{token} is used: needs must name token or agent_tokens".to_owned())
            }
            (false, true) => Err("needs names a token, and no header holds {token}".to_owned()),
            _ => Ok(()),
        }
    }

    fn check_request(&self, place: &str, request: &Request, names: &[&str]) -> Result<(), String> {
        if !request.path.starts_with('/') && !request.path.is_empty() {
            return Err(format!("{place}.path must begin with /"));
        }
        if request.json.is_some() && request.form.is_some() {
            return Err(format!("{place} has two bodies: json and form"));
        }
        self.check_text(&format!("{place}.path"), &request.path, names)?;
        let open =
            |piece: &Piece| matches!(piece, Piece::Literal(text) if text.contains(['{', '}']));
        if pieces(&request.path).iter().any(open) {
            return Err(format!("{place}.path holds a brace that is none of a name"));
        }
        check_headers(&format!("{place}.headers"), &request.headers)?;
        for text in request.headers.values() {
            self.check_text(&format!("{place}.headers"), text, names)?;
        }
        let form = request.form.iter().flat_map(|form| form.values());
        for text in form {
            self.check_text(&format!("{place}.form"), text, names)?;
        }
        if let Some(value) = &request.json {
            self.check_json(&format!("{place}.json"), value, names)?;
        }
        for (pointer, value) in &request.expect {
            check_pointer(pointer, &format!("{place}.expect"))?;
            self.check_json(&format!("{place}.expect"), value, names)?;
        }
        Ok(())
    }

    fn check_bulk(&self) -> Result<(), String> {
        let Some(bulk) = &self.bulk else {
            return Ok(());
        };
        if bulk.size < 2 {
            return Err("bulk.size must be 2 or more".to_owned());
        }
        self.check_request("bulk.request", &bulk.request, &["agents", "status"])?;
        if !holds(&bulk.request, "agents") || !holds(&bulk.request, "status") {
            return Err("bulk.request must hold {agents} and {status}".to_owned());
        }
        let Some(job) = &bulk.job else { return Ok(()) };
        self.check_text("bulk.job.path", &job.path, &["job"])?;
        let others = [&job.state, &job.results, &job.success];
        for pointer in job.id.iter().chain(others).chain(&job.error) {
            check_pointer(pointer, "bulk.job")?;
        }
        Ok(())
    }

    fn check_read(&self) -> Result<(), String> {
        let Some(read) = &self.read else {
            return Ok(());
        };
        let names: &[&str] = match (&read.items, read.size, &read.pages) {
            (Some(_), None, None) => &[],
            (Some(_), None, Some(_)) => &["offset"],
            (Some(_), Some(_), _) => &["agents"],
            (None, ..) => &["agent"],
        };
        self.check_request("read.request", &read.request, names)?;
        if read.items.is_some() != read.key.is_some()
            || (read.size.is_some() && read.items.is_none())
        {
            return Err("read.items and read.key go together, and with read.size".to_owned());
        }
        if let Some(pages) = &read.pages {
            if read.items.is_none() || read.size.is_some() || !asks_for(&read.request, "offset") {
                return Err(
                    "read.pages goes with a list of everybody whose path holds {offset}".to_owned(),
                );
            }
            check_pointer(&pages.total, "read.pages.total")?;
        }
        if read.words.is_none()
            && Shown::ALL
                .iter()
                .any(|s| self.words.get(*s).value().is_object())
        {
            return Err(
                "read.words is missing: words of several parts say not which one is shown"
                    .to_owned(),
            );
        }
        check_pointer(&read.status, "read.status")?;
        let others = read.items.iter().chain(&read.key);
        others
            .into_iter()
            .try_for_each(|pointer| check_pointer(pointer, "read.items and read.key"))
    }

    fn check_json(&self, place: &str, value: &Value, names: &[&str]) -> Result<(), String> {
        match value {
            Value::String(text) => self.check_text(place, text, names),
            Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.check_json(place, item, names)),
            Value::Object(fields) => fields
                .values()
                .try_for_each(|field| self.check_json(place, field, names)),
            _ => Ok(()),
        }
    }

    /// Whether each name in `text` is one of `names`, or of those that may stand everywhere.
    fn check_text(&self, place: &str, text: &str, names: &[&str]) -> Result<(), String> {
        for piece in pieces(text) {
            let Piece::Name(name) = piece else { continue };
            let (base, part) = name.split_once('.').unwrap_or((name, ""));
            let needed = match base {
                "account" => self.needs(Need::Account),
                "user" => self.needs(Need::User),
                _ => names.contains(&base),
            };
            if !NAMES.contains(&base) || (base != "status" && !part.is_empty()) {
                return Err(format!(
                    "{place}: nobody knows {{{name}}}; there are {}",
                    NAMES.join(", ")
                ));
            }
            if !needed {
                return Err(format!(
                    "{place}: {{{name}}} cannot stand here, or is missing in needs"
                ));
            }
            let known = |shown: &Shown| self.words.get(*shown).part(part).is_some();
            if base == "status" && !Shown::ALL.iter().all(known) {
                return Err(format!("{place}: not all words have a part for {{{name}}}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
