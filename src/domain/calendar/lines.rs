//! A file's content lines, and which of them are an event's.

use std::borrow::Cow;

use icalendar::parser::Property;

use crate::domain::roster::shown;

/// The largest file that is read, in bytes.
pub const LARGEST: usize = 10 << 20;

/// What is read of an event; the rest (who is invited, alarms, pictures) is nobody's business here.
const WANTED: [&str; 12] = [
    "UID",
    "SUMMARY",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "EXRULE",
    "RECURRENCE-ID",
    "TRANSP",
    "STATUS",
];

/// An event as it stands in the file.
#[derive(Debug)]
pub(super) struct RawEvent {
    /// Where it begins, from 1.
    pub(super) line: usize,
    pub(super) properties: Vec<Content>,
}

/// One property.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) line: usize,
    /// In capitals.
    pub(super) name: String,
    /// Names in capitals.
    parameters: Vec<(String, String)>,
    pub(super) value: String,
}

impl Content {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut named = self.parameters.iter().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| value.as_str())
    }
}

impl RawEvent {
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Content> {
        self.properties.iter().filter(move |p| p.name == name)
    }

    pub(super) fn one(&self, name: &str) -> Option<&Content> {
        self.properties.iter().find(|p| p.name == name)
    }

    /// What to call it in a message.
    pub(super) fn name(&self) -> String {
        let called = self.one("SUMMARY").or_else(|| self.one("UID"));
        called.map_or_else(
            || "event".to_owned(),
            |called| format!("event \"{}\"", shown(&called.value)),
        )
    }
}

/// The events of a file; or the line at fault and why.
pub(super) fn events(file: &[u8]) -> Result<Vec<RawEvent>, (usize, String)> {
    check(file)?;
    let mut tree = Tree::default();
    for (number, line) in unfolded(file) {
        let line = std::str::from_utf8(&line).map_err(|_| (number, NO_UTF8.to_owned()))?;
        if !line.trim().is_empty() {
            tree.line(number, line).map_err(|reason| (number, reason))?;
        }
    }
    match tree.open.last() {
        Some((name, number)) => Err((
            *number,
            format!("the file ends within this {name}: it was cut short"),
        )),
        None if tree.calendars == 0 => Err((1, NO_CALENDAR.to_owned())),
        None => Ok(tree.events),
    }
}

const NO_CALENDAR: &str = "is no iCalendar file: it must begin with BEGIN:VCALENDAR";

const NO_UTF8: &str = "is not UTF-8: save the file as UTF-8";

/// What no line of a calendar can mend.
fn check(file: &[u8]) -> Result<(), (usize, String)> {
    let whole = |reason: &str| Err((1, reason.to_owned()));
    if file.len() > LARGEST {
        return whole("the file is larger than 10 MiB: export a shorter part of the calendar");
    }
    if file.starts_with(b"\xFF\xFE") || file.starts_with(b"\xFE\xFF") {
        return whole("the file is UTF-16: save it as UTF-8");
    }
    if file.starts_with(b"\xEF\xBB\xBF") {
        return whole("begins with a byte-order mark: save the file as UTF-8 without it");
    }
    match file.iter().position(|byte| *byte == 0) {
        Some(at) => {
            let line = file[..at].split(|byte| *byte == b'\n').count();
            Err((line, "holds a NUL byte: remove it".to_owned()))
        }
        None => Ok(()),
    }
}

/// The lines, each with the number at which it begins. A line that goes on begins with a blank. Put
/// together as bytes: some programs fold within a character (RFC 5545, 3.1).
fn unfolded(file: &[u8]) -> Vec<(usize, Cow<'_, [u8]>)> {
    let mut lines: Vec<(usize, Cow<'_, [u8]>)> = Vec::new();
    for (index, line) in file.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line, lines.last_mut()) {
            ([b' ' | b'\t', rest @ ..], Some((_, folded))) => folded.to_mut().extend(rest),
            _ => lines.push((index + 1, line.into())),
        }
    }
    lines
}

/// Which components a line stands in. No recursion: however deep a file nests, it costs a list.
#[derive(Default)]
struct Tree {
    open: Vec<(String, usize)>,
    calendars: usize,
    events: Vec<RawEvent>,
}

impl Tree {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let end = line.find([':', ';']).unwrap_or(line.len());
        let (name, rest) = (line[..end].to_ascii_uppercase(), &line[end..]);
        match (name.as_str(), rest.strip_prefix(':')) {
            ("BEGIN", Some(component)) => self.begin(number, component.trim()),
            ("END", Some(component)) => self.end(component.trim()),
            _ if self.open.is_empty() => Err(NO_CALENDAR.to_owned()),
            _ if self.is_within(&["VCALENDAR", "VEVENT"]) => self.content(number, name, line),
            _ => Ok(()),
        }
    }

    fn is_within(&self, path: &[&str]) -> bool {
        self.open
            .iter()
            .map(|(name, _)| name.as_str())
            .eq(path.iter().copied())
    }

    fn begin(&mut self, number: usize, component: &str) -> Result<(), String> {
        let name = shown(&component.to_ascii_uppercase());
        if self.open.is_empty() {
            if name != "VCALENDAR" {
                return Err(NO_CALENDAR.to_owned());
            }
            self.calendars += 1;
        }
        self.open.push((name, number));
        if self.is_within(&["VCALENDAR", "VEVENT"]) {
            self.events.push(RawEvent {
                line: number,
                properties: Vec::new(),
            });
        }
        Ok(())
    }

    fn end(&mut self, component: &str) -> Result<(), String> {
        let name = shown(&component.to_ascii_uppercase());
        match self.open.pop() {
            Some((open, _)) if open == name => Ok(()),
            Some((open, begun)) => Err(format!("ends {name} within the {open} of line {begun}")),
            None => Err(format!("ends {name}, which nothing began")),
        }
    }

    fn content(&mut self, number: usize, name: String, line: &str) -> Result<(), String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./".contains(&b);
        if name.is_empty() || !name.bytes().all(plain) || !line.contains(':') {
            let reason = "is no property of an event: a line that goes on must begin with a blank";
            return Err(reason.to_owned());
        }
        if !WANTED.contains(&name.as_str()) {
            return Ok(());
        }
        let read = Property::try_from(line).map_err(|_| format!("{name} cannot be read"))?;
        let parameters = read.params.iter().map(|parameter| {
            let value = parameter.val.as_ref().map_or("", AsRef::as_ref);
            let value = value.trim_matches('"').to_owned();
            (parameter.key.as_str().to_ascii_uppercase(), value)
        });
        let content = Content {
            line: number,
            name,
            parameters: parameters.collect(),
            value: read.val.as_str().to_owned(),
        };
        if let Some(event) = self.events.last_mut() {
            event.properties.push(content);
        }
        Ok(())
    }
}
