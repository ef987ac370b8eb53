//! One line's object: an agent or a workspace, each field checked.

use jiff::tz::TimeZone;

use super::{
    device::device,
    external::external,
    fields::{Fields, Findings, shown, wrong},
    json::Json,
    leads, schedule,
    skips::Skips,
    team::workspace,
};
use crate::domain::{
    agent::{Agent, Field, Notify, Workspace},
    zone::Zones,
};

const LONGEST_ID: usize = 256;
const LONGEST_NAME: usize = 64 * 1024;
const LONGEST_URL: usize = 2048;
const MINUTES_A_DAY: u64 = 24 * 60;

const AGENT: &[&str] = &[
    "type",
    "id",
    "workspace",
    "name",
    "photo_url",
    "timezone",
    "locale",
    "hours",
    "overrides",
    "away",
    "notify",
    "devices",
    "auto_offline_after_minutes",
    "receive_when_invisible",
    "external",
    "leads",
];

/// What one line holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A line with `"type":"workspace"`.
    Workspace(Workspace),
    /// A line without a type, or with `"type":"agent"`.
    Agent(Box<Agent>),
}

/// Reads the object of one line; `None` where `findings` hold a fault.
pub(super) fn entry(
    value: Json,
    zones: &Zones,
    skips: &mut Skips,
    findings: &mut Findings,
) -> Option<Entry> {
    let Json::Object(object) = &value else {
        findings.refuse("", wrong(&value, "an object {…}"));
        return None;
    };
    let kind = object
        .iter()
        .find(|(name, _)| name == "type")
        .map(|(_, kind)| kind);
    match kind {
        None => agent(value, zones, skips, findings),
        Some(Json::Text(word)) if word == "agent" => agent(value, zones, skips, findings),
        Some(Json::Text(word)) if word == "workspace" => workspace(value, findings),
        Some(Json::Text(word)) => {
            let reason = format!("\"{}\" is neither \"agent\" nor \"workspace\"", shown(word));
            findings.refuse("type", reason);
            None
        }
        Some(other) => {
            findings.refuse("type", wrong(other, "\"agent\" or \"workspace\""));
            None
        }
    }
}

fn agent(value: Json, zones: &Zones, skips: &mut Skips, findings: &mut Findings) -> Option<Entry> {
    let mut fields = Fields::of(value, "", AGENT, findings)?;
    let id = identifier(&mut fields, "id", findings);
    let workspace = identifier(&mut fields, "workspace", findings);
    let name = name(&mut fields, findings);
    let zone = zone(&mut fields, zones, findings);
    let mut agent = Agent::new("", "", "", "");
    read_profile(&mut agent, &mut fields, findings);
    read_schedule(&mut agent, &mut fields, findings);
    read_alerts(&mut agent, &mut fields, findings);
    let (Some(id), Some(workspace), Some(name), Some((timezone, zone)), true) =
        (id, workspace, name, zone, findings.faults.is_empty())
    else {
        return None;
    };
    let agent = Agent {
        id,
        workspace,
        name,
        timezone,
        ..agent
    };
    skips.warn(&agent, &zone, findings);
    Some(Entry::Agent(Box::new(agent)))
}

fn read_profile(agent: &mut Agent, fields: &mut Fields, findings: &mut Findings) {
    if let Some(value) = fields.take("photo_url") {
        agent.named.insert(Field::PhotoUrl);
        agent.photo_url = optional_text(value, "photo_url", findings, |url| {
            let web = url.starts_with("https://") || url.starts_with("http://");
            let plain =
                url.len() <= LONGEST_URL && !url.chars().any(|c| c.is_control() || c == ' ');
            (web && plain)
                .then_some(())
                .ok_or("is not a web address (https://…)")
        });
    }
    if let Some(value) = fields.take("locale") {
        agent.named.insert(Field::Locale);
        agent.locale = optional_text(value, "locale", findings, |tag| {
            is_language_tag(tag)
                .then_some(())
                .ok_or("is not a language tag such as \"fr\" or \"pt-BR\"")
        });
    }
    if let Some(value) = fields.take("auto_offline_after_minutes") {
        agent.named.insert(Field::AutoOffline);
        match value {
            Json::Whole(minutes @ 1..=MINUTES_A_DAY) => {
                agent.auto_offline_after_minutes = u16::try_from(minutes).ok();
            }
            Json::Null => {}
            Json::Whole(_) | Json::Number => {
                findings.refuse(
                    "auto_offline_after_minutes",
                    "must be a whole number from 1 to 1440",
                );
            }
            other => findings.refuse(
                "auto_offline_after_minutes",
                wrong(&other, "a whole number from 1 to 1440"),
            ),
        }
    }
    if let Some(receives) = fields.switch("receive_when_invisible", findings) {
        agent.named.insert(Field::ReceiveWhenInvisible);
        agent.receive_when_invisible = receives;
    }
    if let Some(value) = fields.take("external") {
        agent.named.insert(Field::External);
        agent.external = external(value, findings);
    }
}

fn read_schedule(agent: &mut Agent, fields: &mut Fields, findings: &mut Findings) {
    if let Some(list) = fields.list("hours", findings) {
        agent.named.insert(Field::Hours);
        agent.hours = schedule::weekly(list, findings);
    }
    if let Some(list) = fields.list("overrides", findings) {
        agent.named.insert(Field::Overrides);
        agent.overrides = schedule::overrides(list, findings);
    }
    if let Some(list) = fields.list("away", findings) {
        agent.named.insert(Field::Away);
        agent.away = schedule::away(list, findings);
    }
}

fn read_alerts(agent: &mut Agent, fields: &mut Fields, findings: &mut Findings) {
    match fields.take("notify") {
        None => {}
        Some(Json::Null) => agent.named.insert(Field::Notify),
        Some(value) => {
            agent.named.insert(Field::Notify);
            if let Some(mut notify) = Fields::of(value, "notify", &["start", "end"], findings) {
                agent.notify = Notify {
                    start: notify.switch("start", findings).unwrap_or(false),
                    end: notify.switch("end", findings).unwrap_or(false),
                };
            }
        }
    }
    if let Some(list) = fields.list("leads", findings) {
        agent.named.insert(Field::Leads);
        agent.leads = leads::leads(list, findings);
    }
    if let Some(list) = fields.list("devices", findings) {
        agent.named.insert(Field::Devices);
        let read = |(index, value)| device(value, &format!("devices[{index}]"), findings);
        agent.devices = list.into_iter().enumerate().filter_map(read).collect();
    }
}

fn zone(fields: &mut Fields, zones: &Zones, findings: &mut Findings) -> Option<(String, TimeZone)> {
    let name = fields.text("timezone", findings)?;
    if let Some(zone) = zones.find(&name) {
        return Some((name, zone));
    }
    let reason = if findings.only_counted {
        "is not known".to_owned()
    } else {
        zones.unknown(&name).reason()
    };
    findings.refuse("timezone", reason);
    None
}

pub(super) fn identifier(
    fields: &mut Fields,
    field: &str,
    findings: &mut Findings,
) -> Option<String> {
    let id = fields.text(field, findings)?;
    let fault = if id.is_empty() {
        "is empty".to_owned()
    } else if matches!(id.as_str(), "." | "..") {
        // In an address, ours or a product's, it would be taken for a folder.
        format!("\"{id}\" is no id")
    } else if id.len() > LONGEST_ID {
        format!("is longer than {LONGEST_ID} bytes")
    } else if id.chars().any(super::is_unprintable) {
        format!(
            "\"{}\" holds control characters or invisible marks: remove them",
            shown(&id)
        )
    } else if id.trim() != id {
        format!("\"{}\" begins or ends with a blank: remove it", shown(&id))
    } else {
        return Some(id);
    };
    findings.refuse(field, fault);
    None
}

pub(super) fn name(fields: &mut Fields, findings: &mut Findings) -> Option<String> {
    let name = fields.text("name", findings)?;
    if name.trim().is_empty() {
        findings.refuse("name", "is empty");
        return None;
    }
    if name.len() > LONGEST_NAME {
        findings.refuse("name", "is longer than 64 KiB");
        return None;
    }
    if name.contains('\0') {
        findings.refuse("name", "holds a NUL character: remove it");
        return None;
    }
    Some(name)
}

fn optional_text(
    value: Json,
    field: &str,
    findings: &mut Findings,
    check: impl FnOnce(&str) -> Result<(), &'static str>,
) -> Option<String> {
    match value {
        Json::Null => return None,
        Json::Text(text) => match check(&text) {
            Ok(()) => return Some(text),
            Err(reason) => findings.refuse(field, format!("\"{}\" {reason}", shown(&text))),
        },
        other => findings.refuse(field, wrong(&other, "a text \"…\"")),
    }
    None
}

/// The shape of a BCP 47 tag; which languages exist is not judged. `_` is taken for `-`.
fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    (2..=8).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && tag.len() <= 64
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}
