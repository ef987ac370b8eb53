//! One agent or workspace that stands alone, as the HTTP interface takes it: under the rules of an
//! import file's line, with its id in the address.

use jiff::Timestamp;

use super::{
    Entry, Seen,
    device::device as read_device,
    fields::{Fault, Findings},
    json::Json,
    read,
    skips::Skips,
};
use crate::domain::{
    agent::{Agent, Device, Workspace},
    zone::Zones,
};

/// What was read, and what is accepted but probably not meant; or all that is wrong with it.
pub type Alone<T> = Result<(T, Vec<Fault>), Vec<Fault>>;

/// Reads the agent `id`. Required fields that the text leaves out are those of `stored`. `now` (UTC)
/// is where the year begins that warnings of skipped hours look ahead.
pub fn agent(
    text: &str,
    id: &str,
    stored: Option<&Agent>,
    zones: &Zones,
    now: Timestamp,
) -> Alone<Agent> {
    let mut given = vec![("id", id)];
    if let Some(stored) = stored {
        given.extend([
            ("workspace", stored.workspace.as_str()),
            ("name", &stored.name),
            ("timezone", &stored.timezone),
        ]);
    }
    let mut findings = Findings::default();
    let mut skips = Skips::within_a_year(now);
    let read = object(text, &given, &mut findings)
        .and_then(|value| read::entry(value, zones, &mut skips, &mut findings))
        .map(|entry| Seen::default().check(1, entry, &mut findings));
    let agent = match read {
        Some(Entry::Agent(agent)) if agent.id == id => Some(*agent),
        Some(Entry::Agent(_)) => refuse(&mut findings, "id", "is not the one in the address"),
        Some(Entry::Workspace(_)) => refuse(&mut findings, "type", "must be \"agent\""),
        None => None,
    };
    concluded(agent, findings)
}

/// Reads the workspace `id`.
pub fn workspace(text: &str, id: &str, zones: &Zones, now: Timestamp) -> Alone<Workspace> {
    let mut findings = Findings::default();
    let mut skips = Skips::within_a_year(now);
    let given = [("type", "workspace"), ("id", id)];
    let read = object(text, &given, &mut findings)
        .and_then(|value| read::entry(value, zones, &mut skips, &mut findings));
    let workspace = match read {
        Some(Entry::Workspace(workspace)) if workspace.id == id => Some(workspace),
        Some(Entry::Workspace(_)) => refuse(&mut findings, "id", "is not the one in the address"),
        Some(Entry::Agent(_)) => refuse(&mut findings, "type", "must be \"workspace\""),
        None => None,
    };
    concluded(workspace, findings)
}

/// Reads the phone of a platform and a token, which stand in the address.
pub fn device(text: &str, platform: &str, token: &str) -> Alone<Device> {
    let mut findings = Findings::default();
    let given = [("platform", platform), ("token", token)];
    let read =
        object(text, &given, &mut findings).and_then(|value| read_device(value, "", &mut findings));
    let device = match read {
        Some(device) if device.platform.as_str() != platform => {
            refuse(&mut findings, "platform", "is not the one in the address")
        }
        Some(device) if device.token.expose() != token => {
            refuse(&mut findings, "token", "is not the one in the address")
        }
        read => read,
    };
    concluded(device, findings)
}

/// The text as JSON; an object gets those of the `given` fields that it leaves out.
fn object(text: &str, given: &[(&str, &str)], findings: &mut Findings) -> Option<Json> {
    match serde_json::from_str(text) {
        Ok(Json::Object(mut fields)) => {
            for (name, value) in given {
                if !fields.iter().any(|(there, _)| there == name) {
                    fields.push(((*name).to_owned(), Json::Text((*value).to_owned())));
                }
            }
            Some(Json::Object(fields))
        }
        Ok(other) => Some(other),
        Err(error) => {
            findings.refuse("", format!("cannot be read as JSON: {error}"));
            None
        }
    }
}

fn refuse<T>(findings: &mut Findings, field: &str, reason: &str) -> Option<T> {
    findings.refuse(field, reason);
    None
}

fn concluded<T>(read: Option<T>, findings: Findings) -> Alone<T> {
    match read {
        Some(value) if findings.faults.is_empty() => Ok((value, findings.warnings)),
        _ => Err(findings.faults),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::agent::Field;

    fn read(text: &str, stored: Option<&Agent>) -> Alone<Agent> {
        agent(
            text,
            "a-1",
            stored,
            &Zones::built_in(),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn what_an_edit_leaves_out_is_as_stored_and_not_named() {
        let stored = Agent::new("a-1", "acme", "Ana", "Europe/Paris");
        let (agent, _) = read(r#"{"locale":null}"#, Some(&stored)).unwrap();
        assert_eq!(
            (&*agent.workspace, &*agent.name, &*agent.timezone),
            ("acme", "Ana", "Europe/Paris")
        );
        assert!(agent.named.contains(Field::Locale) && !agent.named.contains(Field::Hours));
    }

    #[test]
    fn every_fault_names_its_field() {
        let fields = |text: &str| {
            let faults = read(text, None).unwrap_err();
            faults
                .into_iter()
                .map(|fault| fault.field)
                .collect::<Vec<_>>()
        };
        assert_eq!(fields("{}"), ["workspace", "name", "timezone"]);
        assert_eq!(fields("[]"), [""]);
        assert_eq!(fields("{"), [""]);
        assert_eq!(fields(r#"{"type":"workspace","name":"A"}"#), ["type"]);
        let whole = r#""workspace":"acme","name":"Ana","timezone":"UTC""#;
        assert_eq!(fields(&format!(r#"{{"id":"a-2",{whole}}}"#)), ["id"]);
        let hours = r#""hours":[{"day":"mon","start":"09:00","end":"25:00"}]"#;
        assert_eq!(fields(&format!("{{{whole},{hours}}}")), ["hours[0].end"]);
    }
}
