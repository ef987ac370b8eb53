//! Reads an import file: JSON Lines, one agent or workspace a line.
//!
//! Every line is checked, so that one run names all there is to mend; the first
//! [`LISTED`] faults are kept and the rest counted. Nothing is handed out as good
//! unless the whole file is ([`read`]); a caller that streams ([`read_each`]) writes into a
//! transaction and drops it on error. Lines are read into one buffer and may not exceed 1 MiB, so a
//! hostile file costs no memory. A byte-order mark and UTF-16 are refused. `null` is the same as an
//! empty list or an absent value, and counts as named. No message quotes a device token. `tests/roster_refusals.rs` holds each bad input.

mod device;
mod external;
mod fields;
mod json;
mod leads;
mod lines;
mod notice;
mod one;
mod read;
mod schedule;
mod skips;
mod team;

use std::{
    collections::{HashMap, hash_map::Entry as Slot},
    io::{self, BufRead},
};

use jiff::Timestamp;

use self::{
    fields::Findings,
    json::Json,
    lines::{Line, Lines},
    skips::Skips,
};
use super::{
    agent::{Agent, Device, Workspace},
    device::{DeviceToken, Platform},
    zone::Zones,
};

pub(in crate::domain) use self::fields::shown;
pub use self::{
    fields::Fault,
    notice::{LISTED, Notice, Notices},
    one::{Alone, agent, device, workspace},
    read::Entry,
};

/// What an import file holds, each list in the order of the file.
#[derive(Debug, Default)]
pub struct Roster {
    /// Lines with `"type":"workspace"`.
    pub workspaces: Vec<Workspace>,
    /// All other lines.
    pub agents: Vec<Agent>,
    /// What is accepted but probably not meant.
    pub warnings: Notices,
}

/// An import file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// It could not be read to its end.
    #[error("cannot read line {line}")]
    Unreadable {
        /// The line that could not be read.
        line: usize,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Some of its lines are wrong.
    #[error("{0}")]
    Refused(Notices),
}

/// Reads a whole file; all or nothing. `now` (UTC) is where the year begins that warnings of
/// skipped hours look ahead.
///
/// # Errors
/// The file cannot be read, or a line is refused.
pub fn read(from: impl BufRead, zones: &Zones, now: Timestamp) -> Result<Roster, RosterError> {
    let mut roster = Roster::default();
    roster.warnings = read_each(from, zones, now, |_, entry| match entry {
        Entry::Workspace(workspace) => roster.workspaces.push(workspace),
        Entry::Agent(agent) => roster.agents.push(*agent),
    })?;
    Ok(roster)
}

/// Reads a file line by line and hands each good entry, with its line number, to `each`, until the
/// first fault; from there on lines are only checked. The warnings are the answer.
///
/// # Errors
/// The file cannot be read, or a line is refused; what was handed out must then be dropped.
pub fn read_each(
    from: impl BufRead,
    zones: &Zones,
    now: Timestamp,
    mut each: impl FnMut(usize, Entry),
) -> Result<Notices, RosterError> {
    let mut lines = Lines::new(from);
    let mut reader = Reader {
        zones,
        skips: Skips::within_a_year(now),
        seen: Seen::default(),
        faults: Notices::default(),
        warnings: Notices::default(),
    };
    for number in 1.. {
        let line = lines.next().map_err(|source| RosterError::Unreadable {
            line: number,
            source,
        })?;
        match line {
            None => break,
            Some(Line::Text(text)) if text.trim().is_empty() => {}
            Some(Line::Text(text)) => {
                let entry = reader.line(number, text);
                if let Some(entry) = entry.filter(|_| reader.faults.is_empty()) {
                    each(number, entry);
                }
            }
            Some(Line::Unreadable(reason)) => {
                reader.faults.push(number, String::new(), reason.to_owned());
            }
            Some(Line::Hopeless(reason)) => {
                reader.faults.push(number, String::new(), reason.to_owned());
                break;
            }
        }
    }
    if reader.faults.is_empty() {
        Ok(reader.warnings)
    } else {
        Err(RosterError::Refused(reader.faults))
    }
}

struct Reader<'a> {
    zones: &'a Zones,
    skips: Skips,
    seen: Seen,
    faults: Notices,
    warnings: Notices,
}

impl Reader<'_> {
    fn line(&mut self, number: usize, text: &str) -> Option<Entry> {
        let mut findings = Findings {
            only_counted: self.faults.listed.len() >= LISTED,
            ..Findings::default()
        };
        let entry = match serde_json::from_str::<Json>(text) {
            Ok(value) => read::entry(value, self.zones, &mut self.skips, &mut findings),
            Err(error) => {
                findings.refuse("", not_json(&error));
                None
            }
        };
        let entry = entry.map(|entry| self.seen.check(number, entry, &mut findings));
        for fault in findings.faults {
            self.faults.push(number, fault.field, fault.reason);
        }
        for warning in findings.warnings {
            self.warnings.push(number, warning.field, warning.reason);
        }
        entry
    }
}

/// What earlier lines claimed, and which line it was.
#[derive(Default)]
struct Seen {
    agents: HashMap<String, usize>,
    workspaces: HashMap<String, usize>,
    tokens: HashMap<(Platform, DeviceToken), usize>,
    external: external::Claims,
}

impl Seen {
    fn check(&mut self, line: usize, entry: Entry, findings: &mut Findings) -> Entry {
        match entry {
            Entry::Workspace(workspace) => {
                once(
                    &mut self.workspaces,
                    &workspace.id,
                    line,
                    "workspace",
                    findings,
                );
                Entry::Workspace(workspace)
            }
            Entry::Agent(mut agent) => {
                once(&mut self.agents, &agent.id, line, "agent", findings);
                self.check_tokens(line, &mut agent, findings);
                self.external.check(line, &agent.external, findings);
                Entry::Agent(agent)
            }
        }
    }

    /// A token belongs to one agent. Named twice by the same one, it counts once.
    fn check_tokens(&mut self, line: usize, agent: &mut Agent, findings: &mut Findings) {
        let mut index = 0;
        agent.devices.retain(|device| {
            let path = format!("devices[{index}].token");
            index += 1;
            match self.tokens.entry((device.platform, same(device))) {
                Slot::Vacant(free) => {
                    free.insert(line);
                    true
                }
                Slot::Occupied(taken) if *taken.get() == line => {
                    findings.warn(
                        path,
                        "is the token of a device before it: the two count as one",
                    );
                    false
                }
                Slot::Occupied(taken) => {
                    let reason = format!(
                        "is also the token of the agent on line {}: one phone belongs to one agent",
                        taken.get()
                    );
                    findings.refuse(path, reason);
                    true
                }
            }
        });
    }
}

/// The token as it is compared: hex digits mean the same in either case.
fn same(device: &Device) -> DeviceToken {
    match device.platform {
        Platform::Ios => DeviceToken::new(device.token.expose().to_ascii_lowercase()),
        Platform::Android => device.token.clone(),
    }
}

fn once(
    seen: &mut HashMap<String, usize>,
    id: &str,
    line: usize,
    what: &str,
    findings: &mut Findings,
) {
    if let Some(first) = seen.get(id) {
        let id = fields::shown(id);
        let reason = format!(
            "the {what} \"{id}\" stands on line {first} and again on line {line}: keep one"
        );
        findings.refuse("id", reason);
    } else {
        seen.insert(id.to_owned(), line);
    }
}

/// What the parser says, without its "line 1": every line of the file is a text of its own to it.
fn not_json(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(what, _)| what);
    let what = if what.starts_with("recursion limit") {
        "it is nested too deeply"
    } else {
        what
    };
    format!("cannot be read as JSON: {what} (column {})", error.column())
}

/// Whether a character would break a line of a log, or hide or reorder what stands around it.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{061C}' | '\u{FEFF}'
        )
}

/// `text` with unprintable characters written as escapes.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unprintable(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}
