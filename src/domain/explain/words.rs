//! The wording of a story: plain sentences without their full stop, so that they can be put together.

use jiff::{Timestamp, civil::DateTime};

use super::{Attempt, Delivery, Occasion, Transition, occasion::by_the_clock, tell::LATE};
use crate::domain::{
    delivery::{AlertKind, ChannelKind, Verdict},
    presence::{Reason, Status},
};

/// An instant as it is printed: UTC, whole seconds.
pub(super) fn utc(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// What the agent's clock reads, `Mon 2026-03-30 09:00`.
pub(super) fn local(at: DateTime) -> String {
    at.strftime("%a %Y-%m-%d %H:%M").to_string()
}

/// What a phone rings for, in the words of a sentence.
pub(super) fn occasion(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::HoursStart => "the start of hours",
        AlertKind::HoursEnd => "the end of hours",
        AlertKind::HoursStartLead => "the lead before the start of hours",
        AlertKind::NoReply => "a visitor left without a reply",
        AlertKind::Overflow => "a conversation that waits too long",
        AlertKind::Test => "a test",
    }
}

/// Why a status changed.
fn because(transition: &Transition) -> String {
    let why = because_of(&transition.reason);
    match (&transition.cause, transition.waiting_since) {
        (Some(conversation), Some(since)) => {
            format!("{why} (conversation {conversation}, since {})", utc(since))
        }
        _ => why.to_owned(),
    }
}

fn because_of(reason: &str) -> &str {
    match Reason::from_word(reason) {
        Some(Reason::HoursStart) => "hours started",
        Some(Reason::HoursEnd) => "hours ended",
        Some(Reason::NoReply) => "a visitor had no reply in time",
        Some(Reason::Overflow) => {
            "invisible agents are asked only while a conversation waits too long"
        }
        Some(Reason::Manual) => "set by hand",
        Some(Reason::Sync) => "put right after a first start or an edit",
        None if reason == AlertKind::HoursStartLead.as_str() => "hours start soon",
        None => reason,
    }
}

/// A receiver's name.
pub(super) fn receiver(channel: &str) -> &str {
    match ChannelKind::from_word(channel) {
        Some(ChannelKind::Apns) => "APNs",
        Some(ChannelKind::Fcm) => "FCM",
        Some(ChannelKind::Presence) => "the presence API",
        None => channel,
    }
}

/// What was recorded.
pub(super) fn transition(transition: &Transition) -> String {
    let because = because(transition);
    let recorded = utc(transition.recorded_at);
    let (status, sequence) = (transition.status.map(Status::as_str), transition.sequence);
    let what = match (status, sequence) {
        (Some(status), Some(sequence)) => {
            let status = standing(status, transition);
            format!("{status} since then, change #{sequence}")
        }
        _ => "status unchanged".to_owned(),
    };
    let missed = match transition.announces {
        _ if !transition.missed => "",
        Some(_) => "; missed, since hours had started before anybody looked",
        None => "; missed, since a newer boundary came before anybody looked",
    };
    format!(
        "recorded at {recorded}: {because} ({}), {what}{missed}",
        transition.reason
    )
}

/// A status, and whether it accepts conversations where that does not go without saying.
fn standing(status: &str, transition: &Transition) -> String {
    if transition.status == Some(Status::Invisible) && transition.accepts_conversations {
        format!("{status} and accepting conversations")
    } else {
        status.to_owned()
    }
}

/// The status in force before.
pub(super) fn status(transition: &Transition) -> String {
    let status = transition.status.map_or("unchanged", Status::as_str);
    let status = standing(status, transition);
    format!(
        "{status} from here on: {} ({})",
        because(transition),
        transition.reason
    )
}

/// What is sent, to whom.
pub(super) fn delivery(delivery: &Delivery) -> String {
    let receiver = receiver(&delivery.channel);
    match (delivery.sequence, delivery.deadline) {
        (Some(sequence), _) => format!("event #{sequence} to {receiver}"),
        (None, Some(deadline)) => format!(
            "alert {} to {} over {receiver}, of use until {}",
            delivery.kind,
            delivery.receiver,
            utc(deadline)
        ),
        (None, None) => format!(
            "alert {} to {} over {receiver}",
            delivery.kind, delivery.receiver
        ),
    }
}

/// What an attempt came to.
pub(super) fn attempt(attempt: &Attempt, channel: &str) -> String {
    let Some(outcome) = &attempt.outcome else {
        return format!(
            "attempt {} by {} is under way",
            attempt.epoch, attempt.worker
        );
    };
    let receiver = receiver(channel);
    let came = match Verdict::from_word(outcome) {
        Some(Verdict::Sent) => format!("{receiver} accepted it"),
        Some(Verdict::Failed) => format!("{receiver} refused it for good"),
        Some(Verdict::Retry | Verdict::Slow) => format!("{receiver} refused it for now"),
        Some(Verdict::Unknown) => format!("no answer from {receiver}; it may have arrived"),
        Some(Verdict::NotProcessed) => format!("{receiver} did not process it"),
        Some(Verdict::Misconfigured) => {
            format!("{receiver} refused our credentials or configuration")
        }
        Some(Verdict::Narrow) => format!("{receiver} refused the whole batch"),
        None => format!("{outcome}, nothing was sent"),
    };
    let mut details = Vec::new();
    details.extend(attempt.finished_at.map(|at| format!("at {}", utc(at))));
    details.extend(attempt.http_status.map(|status| format!("HTTP {status}")));
    let reason = attempt
        .reason
        .clone()
        .filter(|_| outcome != Verdict::Sent.as_str());
    details.extend(reason);
    details.extend(attempt.late.then(|| "too late to count".to_owned()));
    details.extend(attempt.retry_at.map(|at| format!("again at {}", utc(at))));
    format!(
        "attempt {} by {}: {came} ({})",
        attempt.epoch,
        attempt.worker,
        details.join(", ")
    )
}

/// Where an open delivery stands: the end of a sentence.
pub(super) fn waits(delivery: &Delivery, now: Timestamp) -> String {
    let due = utc(delivery.due_at);
    let why = delivery.reason.as_deref();
    let why = why.map_or_else(String::new, |reason| format!(" ({reason})"));
    if delivery.state == "leased" {
        return "is under way".to_owned();
    }
    if now.duration_since(delivery.due_at) >= LATE {
        return format!(
            "waits{why}, due since {due}, and no worker has taken it: see that one runs, and that the receiver's breaker is closed (`/readyz`)"
        );
    }
    format!("waits{why}, due at {due}")
}

/// How a delivery ended that was not accepted, and why: the end of a sentence.
pub(super) fn ended(delivery: &Delivery) -> String {
    let verb = match delivery.state.as_str() {
        state @ ("cancelled" | "superseded") => format!("was {state}"),
        state => state.to_owned(),
    };
    let reason = delivery.reason.as_deref().unwrap_or_default();
    match known_end(reason, delivery) {
        Some(why) => format!("{verb}: {why} ({reason})"),
        None if reason.is_empty() => format!("{verb}, and no reason was recorded"),
        None if delivery.state == "expired" => {
            format!("{verb}: its deadline passed before it could be tried again ({reason})")
        }
        None => format!("{verb}: {} said {reason}", receiver(&delivery.channel)),
    }
}

/// A reason that is ours, and not the receiver's.
fn known_end(reason: &str, delivery: &Delivery) -> Option<String> {
    let looked = utc(delivery.created_at);
    let kind = AlertKind::from_word(&delivery.kind);
    let why = match reason {
        "missed" => {
            let what = match kind {
                Some(AlertKind::HoursStartLead) => "hours had started",
                _ => "a newer boundary came",
            };
            return Some(format!(
                "{what} before a worker looked, which was at {looked}"
            ));
        }
        "too_late" => {
            let what = if kind.is_some_and(by_the_clock) {
                "no worker looked"
            } else {
                "the platform did not report it, or no worker looked,"
            };
            return Some(format!("{what} before {looked}, too late to be of use"));
        }
        "deadline" => "its deadline passed before it could be sent",
        "opted_out" if kind == Some(AlertKind::HoursStartLead) => "that lead was taken away",
        "opted_out" => "alerts were switched off",
        "phone_gone" => "the phone was no longer registered for this agent, or no longer active",
        "boundary_gone" => "hours were edited, and that boundary is no more",
        "status_changed" => "what it tells was over before it could be sent",
        "agent_removed" => "the agent was removed",
        "cancelled_by_operator" => "an operator cancelled it",
        "newer_sequence" => "a newer status overtook it",
        "poison" => "it took its worker down three times",
        _ => return None,
    };
    Some(why.to_owned())
}

/// Which alert, for a sentence.
pub(super) fn phrase(meant: Occasion, when: &str) -> String {
    format!("{} at {when}", occasion(meant.kind))
}
