//! What receivers recorded, whoever they were.

use std::collections::HashMap;

use jiff::Timestamp;
use shiftbell::{
    domain::agent::Agent,
    sim::{
        World,
        record::{ReceivedPush, Verdict},
    },
};

/// A push that reached a receiver.
pub(crate) struct Push {
    /// Agent, kind, boundary and transition, which tells leads apart; each agent of these teams has one phone.
    pub(crate) alert: String,
    /// When it arrived, UTC.
    pub(crate) arrived: Timestamp,
    /// After which (UTC) it was of no use, as it said itself.
    pub(crate) expires: Option<Timestamp>,
    /// `apns-id` and the collapse id.
    pub(crate) ids: (Option<String>, Option<String>),
    /// Whether the phone rang.
    pub(crate) accepted: bool,
}

/// All that receivers recorded of a run.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) pushes: Vec<Push>,
    /// The newest event of `agent:ID` and `workspace:ID`: its sequence, and the status or mode.
    pub(crate) told: HashMap<String, (i64, String)>,
    /// Promises that were broken over several posts.
    pub(crate) findings: Vec<String>,
}

impl Seen {
    /// What the stand-ins of `world` recorded of this team and its workspaces.
    pub(crate) fn by(world: &World, team: &[Agent]) -> Self {
        let mut seen = Self {
            findings: world
                .presence
                .findings()
                .iter()
                .map(|finding| format!("{finding:?}"))
                .collect(),
            ..Self::default()
        };
        let all = world.apns.record().all().into_iter();
        for push in all.chain(world.fcm.record().all()) {
            seen.pushes.push(read(&push));
        }
        for Agent {
            id: agent,
            workspace,
            ..
        } in team
        {
            if let (Some(event), Some(status)) =
                (world.presence.agent(agent), world.presence.status(agent))
            {
                let told = (event.sequence, status.as_str().to_owned());
                seen.told.insert(format!("agent:{agent}"), told);
            }
            if let (Some(event), Some(mode)) = (
                world.presence.workspace(workspace),
                world.presence.mode(workspace),
            ) {
                let told = (event.sequence, mode.as_str().to_owned());
                seen.told.insert(format!("workspace:{workspace}"), told);
            }
        }
        seen
    }
}

/// What nobody may print of that world, beside the phones' tokens.
pub(crate) fn secrets(world: &World) -> [String; 2] {
    let secret = std::fs::read_to_string(world.folder.join("presence.secret")).unwrap();
    let secret = secret.trim().trim_start_matches("whsec_").to_owned();
    [secret, "PRIVATE KEY".to_owned()]
}

fn read(push: &ReceivedPush) -> Push {
    let json = push.json();
    let data = if json["shiftbell"].is_object() {
        &json["shiftbell"]
    } else {
        &json["message"]["data"]
    };
    let word = |name: &str| data[name].as_str().unwrap_or_default();
    Push {
        alert: ["agent", "event", "at", "transition"].map(word).join(" "),
        arrived: push.at,
        expires: push.expires,
        ids: (push.id.clone(), push.collapse_id.clone()),
        accepted: push.verdict == Verdict::Accepted,
    }
}
