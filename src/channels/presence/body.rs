//! A batch as the presence API wants it. Pure.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::presence::{Change, Event, Mode, Reason, Status};

#[derive(Serialize)]
struct Batch<'e> {
    events: Vec<Posted<'e>>,
}

/// An event as it is posted, its fields in the order of the API's description.
#[derive(Serialize)]
struct Posted<'e> {
    id: Uuid,
    r#type: &'static str,
    workspace: &'e str,
    #[serde(flatten)]
    change: PostedChange<'e>,
    effective_at: Timestamp,
    sequence: i64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PostedChange<'e> {
    Agent {
        agent: &'e str,
        status: Status,
        accepts_conversations: bool,
        reason: Reason,
    },
    Workspace {
        mode: Mode,
    },
}

/// The request's body.
pub(super) fn body(events: &[Event]) -> Result<Bytes, serde_json::Error> {
    let events = events.iter().map(posted).collect();
    Ok(serde_json::to_vec(&Batch { events })?.into())
}

fn posted(event: &Event) -> Posted<'_> {
    let (kind, change) = match &event.change {
        Change::Agent {
            agent,
            status,
            accepts_conversations,
            reason,
            ..
        } => (
            "agent.status_changed",
            PostedChange::Agent {
                agent,
                status: *status,
                accepts_conversations: *accepts_conversations,
                reason: *reason,
            },
        ),
        Change::Workspace { mode } => (
            "workspace.mode_changed",
            PostedChange::Workspace { mode: *mode },
        ),
    };
    Posted {
        id: event.id,
        r#type: kind,
        workspace: &event.workspace,
        change,
        effective_at: event.effective_at,
        sequence: event.sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> [Event; 2] {
        let agent = Event {
            id: Uuid::from_u128(1),
            workspace: "acme".to_owned(),
            effective_at: "2026-03-30T07:00:00Z".parse().unwrap(),
            sequence: 17,
            change: Change::Agent {
                agent: "a-1".to_owned(),
                external: None,
                status: Status::Online,
                accepts_conversations: true,
                reason: Reason::HoursStart,
            },
        };
        let workspace = Event {
            id: Uuid::from_u128(2),
            sequence: 4,
            change: Change::Workspace {
                mode: Mode::LiveChat,
            },
            ..agent.clone()
        };
        [agent, workspace]
    }

    #[test]
    fn the_body_is_as_described_to_the_letter() {
        let expected = concat!(
            r#"{"events":[{"id":"00000000-0000-0000-0000-000000000001","type":"agent.status_changed","#,
            r#""workspace":"acme","agent":"a-1","status":"online","accepts_conversations":true,"#,
            r#""reason":"hours_start","effective_at":"2026-03-30T07:00:00Z","sequence":17},"#,
            r#"{"id":"00000000-0000-0000-0000-000000000002","type":"workspace.mode_changed","#,
            r#""workspace":"acme","mode":"live_chat","effective_at":"2026-03-30T07:00:00Z","sequence":4}]}"#,
        );
        assert_eq!(body(&events()).unwrap(), expected);
    }
}
