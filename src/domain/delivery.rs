//! A delivery: one message to one receiver, and what each attempt at it came to.
//!
//! A channel's client answers with a [`Judgement`]; [`crate::domain::retry`] turns it into the
//! delivery's next state; the store writes both in one transaction, guarded by the lease's epoch.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    device::{DeviceToken, Environment},
    presence::words,
};

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChannelKind {
    /// Apple's push service.
    Apns,
    /// Google's push service.
    Fcm,
    /// The chat platform.
    Presence,
}

impl ChannelKind {
    /// All of them, in the order ops read them.
    pub const ALL: [Self; 3] = [Self::Apns, Self::Fcm, Self::Presence];
}

words!(ChannelKind { Apns => "apns", Fcm => "fcm", Presence => "presence" });

/// Where a delivery stands. All but the first two are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeliveryState {
    /// Waits for its due time.
    Pending,
    /// One dispatcher holds it, until its lease runs out.
    Leased,
    /// The receiver accepted it.
    Sent,
    /// The receiver refused it for good, or it took its worker down.
    Failed,
    /// Its deadline passed before it could be sent.
    Expired,
    /// A newer event of the same agent or workspace made it pointless.
    Superseded,
    /// What called for it is gone: the boundary, the consent, the agent or the phone.
    Cancelled,
}

words!(DeliveryState {
    Pending => "pending", Leased => "leased", Sent => "sent", Failed => "failed",
    Expired => "expired", Superseded => "superseded", Cancelled => "cancelled",
});

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlertKind {
    /// The agent's hours start.
    HoursStart,
    /// The agent's hours end.
    HoursEnd,
    /// The agent's hours start soon.
    HoursStartLead,
    /// The agent was set offline, for a visitor got no reply.
    NoReply,
    /// The agent is invisible and gets conversations, for the others are slow.
    Overflow,
    /// Somebody asks whether a phone rings.
    Test,
}

words!(AlertKind {
    HoursStart => "hours_start", HoursEnd => "hours_end", HoursStartLead => "hours_start_lead",
    NoReply => "no_reply", Overflow => "overflow", Test => "test",
});

/// A push, ready for the wire.
#[derive(Debug, Clone)]
pub struct Push {
    /// The delivery's id: `apns-id`, the same on every retry.
    pub delivery: Uuid,
    /// The phone.
    pub token: DeviceToken,
    /// Which of Apple's hosts knows the token.
    pub environment: Environment,
    /// What the alert is about.
    pub event: AlertKind,
    /// The agent whose shift it is.
    pub agent: String,
    /// The transition that called for it.
    pub transition: Uuid,
    /// The boundary, a UTC instant.
    pub at: Timestamp,
    /// The UTC instant from which lateness counts: the boundary, or the lead that announces it.
    pub since: Timestamp,
    /// The UTC instant after which the alert is of no use.
    pub deadline: Timestamp,
    /// The same for every copy of one alert; at most 64 bytes.
    pub collapse_id: String,
    /// Title in the agent's language.
    pub title: String,
    /// Body in the agent's language.
    pub body: String,
}

/// What one request to a receiver came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted.
    Sent,
    /// Refused for good.
    Failed,
    /// Refused for now: try this delivery again later.
    Retry,
    /// Refused for now, and the receiver wants fewer requests: hold them all.
    Slow,
    /// No answer: it may have been processed. The only verdict after which a second copy may exist.
    Unknown,
    /// Certainly not processed (GOAWAY, `REFUSED_STREAM`, a stale credential): again at once, costs no try.
    NotProcessed,
    /// Our configuration or credentials are wrong: the breaker opens, costs no try.
    Misconfigured,
    /// The batch holds a bad message: split it; alone, the message has failed.
    Narrow,
}

words!(Verdict {
    Sent => "sent", Failed => "failed", Retry => "retry", Slow => "slow", Unknown => "unknown",
    NotProcessed => "not_processed", Misconfigured => "misconfigured", Narrow => "narrow",
});

/// What an answer says of the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceFate {
    /// Nothing.
    Keep,
    /// Its token may be wrong: no more alerts until it registers again, but it is kept.
    Quarantine,
    /// The app is gone. With an instant (UTC): only if the phone registered before it.
    Disable(Option<Timestamp>),
}

/// A channel's judgement of one answer. It holds for every message of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What it came to.
    pub verdict: Verdict,
    /// The receiver's own word for it, or ours (`timeout`, `reset`); short, printable, never a token.
    pub reason: String,
    /// The answer's HTTP status, if there was an answer.
    pub http_status: Option<u16>,
    /// How long the receiver asks us to wait (`Retry-After`), already clamped.
    pub retry_after: Option<Duration>,
    /// What becomes of the phone.
    pub device: DeviceFate,
    /// The receiver's id of what it accepted (`apns-id`, FCM's `name`).
    pub receipt: Option<String>,
}

impl Judgement {
    /// Whether it is about the message alone and the receiver itself is well: it refused this one, or said
    /// that it took it and did not do what was asked.
    pub fn is_about_one(&self) -> bool {
        let answered_well = self.http_status.is_some_and(|s| (200..300).contains(&s));
        match self.verdict {
            Verdict::Failed | Verdict::Narrow => true,
            Verdict::Retry => answered_well,
            _ => false,
        }
    }

    /// A judgement with nothing but a verdict and its reason.
    pub fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Self {
            verdict,
            reason: reason.into(),
            http_status: None,
            retry_after: None,
            device: DeviceFate::Keep,
            receipt: None,
        }
    }
}
