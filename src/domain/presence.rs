//! What the chat platform is told: an agent's status, a workspace's mode, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::hours::BoundaryKind;

/// An agent's status on the chat platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// On duty, gets new conversations.
    Online,
    /// Off duty.
    Offline,
    /// On duty, unseen by visitors.
    Invisible,
}

/// Why a status changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A boundary: the agent's hours started.
    HoursStart,
    /// A boundary: the agent's hours ended.
    HoursEnd,
    /// The agent left a visitor without a reply for too long.
    NoReply,
    /// Somebody set it by hand.
    Manual,
    /// Invisible agents are asked because the others are slow.
    Overflow,
    /// The recorded status was not the true one: first start, an edit, a clock that stepped.
    Sync,
}

impl From<BoundaryKind> for Reason {
    fn from(kind: BoundaryKind) -> Self {
        match kind {
            BoundaryKind::Start => Self::HoursStart,
            BoundaryKind::End => Self::HoursEnd,
        }
    }
}

/// What visitors of a workspace meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// At least one agent is online.
    LiveChat,
    /// Nobody is online: leave a message.
    Messaging,
}

/// Who is told of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posting {
    /// Nobody: changes are recorded and no events are.
    Nobody,
    /// The presence API, of statuses and modes.
    PresenceApi,
    /// A chat product, of statuses alone: it knows no modes.
    Product {
        /// Tells it from every other, and from another account of the same.
        identity: String,
        /// Under which name agents' ids there are stored.
        external: String,
    },
}

impl Posting {
    /// Whether statuses are posted.
    pub fn statuses(&self) -> bool {
        *self != Self::Nobody
    }

    /// Whether modes are posted.
    pub fn modes(&self) -> bool {
        *self == Self::PresenceApi
    }

    /// The receiver's name; `None` without one.
    pub fn receiver(&self) -> Option<&str> {
        match self {
            Self::Nobody => None,
            Self::PresenceApi => Some("presence API"),
            Self::Product { identity, .. } => Some(identity),
        }
    }

    /// Under which name the receiver's ids of agents are stored; `None` where it takes ours.
    pub fn named_in(&self) -> Option<&str> {
        match self {
            Self::Product { external, .. } => Some(external),
            Self::Nobody | Self::PresenceApi => None,
        }
    }
}

/// One event of the presence API: the same id and sequence on every retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Stable id, the delivery's own.
    pub id: Uuid,
    /// Workspace concerned.
    pub workspace: String,
    /// Instant (UTC) from which the change holds.
    pub effective_at: Timestamp,
    /// Grows by one with each recorded change of this agent or workspace; starts at 1.
    pub sequence: i64,
    /// What changed.
    pub change: Change,
}

/// What an [`Event`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `agent.status_changed`
    Agent {
        /// The agent's id.
        agent: String,
        /// The agent's id in the product that is driven, where it is another one.
        external: Option<String>,
        /// The new status.
        status: Status,
        /// Whether new conversations may be routed to the agent.
        accepts_conversations: bool,
        /// Why it changed.
        reason: Reason,
    },
    /// `workspace.mode_changed`
    Workspace {
        /// The new mode.
        mode: Mode,
    },
}

macro_rules! words {
    ($type:ty { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word used on the wire, in the database and in metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads [`Self::as_str`] back; `None` for any other word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use words;

words!(Status { Online => "online", Offline => "offline", Invisible => "invisible" });
words!(Reason {
    HoursStart => "hours_start", HoursEnd => "hours_end", NoReply => "no_reply",
    Manual => "manual", Overflow => "overflow", Sync => "sync",
});
words!(Mode { LiveChat => "live_chat", Messaging => "messaging" });
