//! The body of a presence post, read to the letter. Pure.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::presence::{Mode, Reason, Status};

/// Whose events are in order among themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An agent, by id.
    Agent(String),
    /// A workspace, by id.
    Workspace(String),
}

/// An event as it was posted. An agent's has `agent`, `status`, `accepts_conversations` and `reason`;
/// a workspace's has `mode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedEvent {
    /// Its stable id.
    pub id: String,
    /// The workspace concerned.
    pub workspace: String,
    /// The agent concerned.
    pub agent: Option<String>,
    /// The agent's new status.
    pub status: Option<Status>,
    /// Whether the agent may get new conversations.
    pub accepts_conversations: Option<bool>,
    /// Why the status changed.
    pub reason: Option<Reason>,
    /// The workspace's new mode.
    pub mode: Option<Mode>,
    /// The UTC instant from which it holds.
    pub effective_at: Timestamp,
    /// 1 or more.
    pub sequence: i64,
}

impl PostedEvent {
    /// Whose sequence it belongs to.
    pub fn subject(&self) -> Subject {
        match &self.agent {
            Some(agent) => Subject::Agent(agent.clone()),
            None => Subject::Workspace(self.workspace.clone()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    events: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentEvent {
    id: String,
    workspace: String,
    agent: String,
    status: Status,
    accepts_conversations: bool,
    reason: Reason,
    effective_at: String,
    sequence: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkspaceEvent {
    id: String,
    workspace: String,
    mode: Mode,
    effective_at: String,
    sequence: i64,
}

/// Reads a body; an error names the event (counted from 0) and what is wrong with it.
pub(super) fn parse(body: &[u8]) -> Result<Vec<PostedEvent>, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if body.events.is_empty() {
        return Err("events is empty".to_owned());
    }
    let mut ids = HashSet::new();
    let mut events = Vec::with_capacity(body.events.len());
    for (index, event) in body.events.into_iter().enumerate() {
        let event = read(event).map_err(|why| format!("events[{index}]: {why}"))?;
        if !ids.insert(event.id.clone()) {
            return Err(format!("events[{index}]: its id is in the batch twice"));
        }
        events.push(event);
    }
    Ok(events)
}

fn read(mut event: Map<String, Value>) -> Result<PostedEvent, String> {
    let kind = event.remove("type").unwrap_or_default();
    let event = Value::Object(event);
    let posted = match kind.as_str() {
        Some("agent.status_changed") => {
            let event: AgentEvent = serde_json::from_value(event).map_err(|e| e.to_string())?;
            PostedEvent {
                id: event.id,
                workspace: event.workspace,
                agent: Some(event.agent),
                status: Some(event.status),
                accepts_conversations: Some(event.accepts_conversations),
                reason: Some(event.reason),
                mode: None,
                effective_at: instant(&event.effective_at)?,
                sequence: event.sequence,
            }
        }
        Some("workspace.mode_changed") => {
            let event: WorkspaceEvent = serde_json::from_value(event).map_err(|e| e.to_string())?;
            PostedEvent {
                id: event.id,
                workspace: event.workspace,
                agent: None,
                status: None,
                accepts_conversations: None,
                reason: None,
                mode: Some(event.mode),
                effective_at: instant(&event.effective_at)?,
                sequence: event.sequence,
            }
        }
        _ => return Err("type is missing or unknown".to_owned()),
    };
    if posted.id.is_empty() || posted.workspace.is_empty() || posted.agent.as_deref() == Some("") {
        return Err("id, workspace and agent must not be empty".to_owned());
    }
    if posted.sequence < 1 {
        return Err("sequence starts at 1".to_owned());
    }
    Ok(posted)
}

/// RFC 3339 in UTC, written with `Z`.
fn instant(text: &str) -> Result<Timestamp, String> {
    let parsed = text.parse().ok().filter(|_| text.ends_with('Z'));
    parsed.ok_or_else(|| "effective_at is not an RFC 3339 instant with Z".to_owned())
}
