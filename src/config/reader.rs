//! Typed values out of the [`Source`]. A value that is no good becomes a [`Problem`] and reading
//! goes on, so that one run names everything there is to mend.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use jiff::SignedDuration;
use url::{Host, Url};

use super::{
    ConfigError, Problem,
    keys::Key,
    source::{Entry, Source, Value},
};

/// The longest duration that makes sense anywhere here.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Which addresses may be reached without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// This machine's own.
    Loopback,
    /// Any, with a warning: presence events are signed, and clusters often end TLS elsewhere.
    Warn,
}

/// Reads values and collects what is wrong with them.
pub(super) struct Reader {
    pub(super) source: Source,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(source: Source, problems: Vec<Problem>) -> Self {
        Self {
            source,
            problems,
            warnings: Vec::new(),
        }
    }

    /// `value` with its warnings, or all the problems.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<(T, Vec<String>), ConfigError> {
        match value {
            Some(value) if self.problems.is_empty() => Ok((
                value,
                self.warnings.iter().map(ToString::to_string).collect(),
            )),
            _ => Err(ConfigError::Invalid(self.problems)),
        }
    }

    /// Whether the section is there at all.
    pub(super) fn has(&self, section: &str) -> bool {
        self.source.section(section).is_some()
    }

    pub(super) fn problem(&mut self, key: Key, message: impl Into<String>) {
        let problem = self.at(key, message);
        self.problems.push(problem);
    }

    pub(super) fn warn(&mut self, key: Key, message: impl Into<String>) {
        let warning = self.at(key, message);
        self.warnings.push(warning);
    }

    /// A complaint, placed at the key, or where that is missing at its section.
    fn at(&self, key: Key, message: impl Into<String>) -> Problem {
        let entry = self.source.get(key).map(|entry| &entry.place);
        let place = entry.or_else(|| self.source.section(key.0)).cloned();
        Problem::new(place, format!("{}.{}", key.0, key.1), message)
    }

    /// Text that has something in it and no control characters.
    pub(super) fn text(&mut self, key: Key) -> Option<String> {
        let entry = self.source.get(key)?.clone();
        match entry.value {
            Value::Text(text) if text.trim().is_empty() => self.problem(key, "is empty"),
            Value::Text(text) if text.chars().any(char::is_control) => {
                self.problem(key, "must be one line without control characters");
            }
            Value::Text(text) => return Some(text),
            other => self.wrong_type(key, &other, "text in quotes"),
        }
        None
    }

    /// [`Self::text`] that has to be there.
    pub(super) fn required(&mut self, key: Key) -> Option<String> {
        if self.source.get(key).is_none() {
            self.problem(key, "is missing");
        }
        self.text(key)
    }

    /// A path; a relative one is taken from the folder of the file it stands in, or for a variable
    /// from the current folder.
    pub(super) fn path(&mut self, key: Key) -> Option<PathBuf> {
        let text = self.text(key)?;
        let Entry { folder, .. } = self.source.get(key)?;
        Some(folder.join(text))
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: Key, default: bool) -> bool {
        match self.source.get(key).map(|entry| entry.value.clone()) {
            None => return default,
            Some(Value::Boolean(flag)) => return flag,
            Some(Value::Text(text)) if text == "true" => return true,
            Some(Value::Text(text)) if text == "false" => return false,
            Some(other) => self.wrong_type(key, &other, "true or false"),
        }
        default
    }

    /// A whole number within `range`.
    pub(super) fn number(&mut self, key: Key, default: u32, range: RangeInclusive<u32>) -> u32 {
        let text = match self.source.get(key).map(|entry| entry.value.clone()) {
            None => return default,
            Some(Value::Integer(text) | Value::Text(text)) => text,
            Some(other) => {
                self.wrong_type(key, &other, "a whole number");
                return default;
            }
        };
        if let Some(number) = text.parse().ok().filter(|number| range.contains(number)) {
            return number;
        }
        let (least, most) = (range.start(), range.end());
        self.problem(
            key,
            format!("must be a whole number from {least} to {most}"),
        );
        default
    }

    /// A duration such as `"15m"`, longer than nothing.
    pub(super) fn duration(&mut self, key: Key, default: Duration) -> Duration {
        let text = match self.source.get(key).map(|entry| entry.value.clone()) {
            None => return default,
            Some(Value::Text(text)) => text,
            Some(other) => {
                self.wrong_type(
                    key,
                    &other,
                    "a duration in quotes, such as \"15m\" or \"30s\"",
                );
                return default;
            }
        };
        match text.parse::<SignedDuration>() {
            Err(_) => self.problem(key, "must be a duration such as \"15m\" or \"30s\""),
            Ok(span) if !span.is_positive() => self.problem(key, "must be longer than nothing"),
            Ok(span) if span.unsigned_abs() > LONGEST => {
                self.problem(key, "must be at most a week (\"168h\")");
            }
            Ok(span) => return span.unsigned_abs(),
        }
        default
    }

    /// A receiver's address. Its host may be printed, its query and credentials never.
    pub(super) fn url(&mut self, key: Key, default: Option<&str>, plain: Plain) -> Option<Url> {
        let text = match self.text(key) {
            Some(text) => text,
            None if self.source.get(key).is_some() => return None,
            None => match default {
                Some(default) => default.to_owned(),
                None => return self.required(key).and(None),
            },
        };
        let url = match check_url(&text, plain) {
            Ok(url) => url,
            Err(message) => {
                self.problem(key, message);
                return None;
            }
        };
        if url.scheme() == "http" && !is_loopback(&url) {
            self.warn(key, "is not encrypted; prefer https://");
        }
        Some(url)
    }

    /// Where to listen: an address of this machine. Whether others may reach it, `run` decides.
    pub(super) fn listen(&mut self, key: Key, default: SocketAddr) -> SocketAddr {
        let Some(text) = self.text(key) else {
            return default;
        };
        match text.parse::<SocketAddr>() {
            Ok(address) => return address,
            Err(_) => self.problem(key, "must be address and port, such as \"127.0.0.1:8080\""),
        }
        default
    }

    fn wrong_type(&mut self, key: Key, found: &Value, wanted: &str) {
        let found = match found {
            Value::Text(_) => "text",
            Value::Integer(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::Other(other) => other,
        };
        self.problem(key, format!("must be {wanted}, not {found}"));
    }
}

/// The rules for a URL that shiftbell sends to.
pub(super) fn check_url(text: &str, plain: Plain) -> Result<Url, String> {
    let Ok(url) = Url::parse(text) else {
        return Err("is not a URL such as \"https://host/path\"".to_owned());
    };
    let Some(host) = url
        .host_str()
        .filter(|_| matches!(url.scheme(), "http" | "https"))
    else {
        return Err("must be an https:// URL".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "must hold no user name or password (found before @{host})"
        ));
    }
    if url.scheme() == "http" && plain == Plain::Loopback && !is_loopback(&url) {
        return Err(format!(
            "must be https://: {host} is not on this machine, and http:// would show it all to the network"
        ));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
