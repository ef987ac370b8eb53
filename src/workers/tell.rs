//! What the log and the metrics are told, once it is written: one line and one count for each change
//! of state.

use jiff::Timestamp;

use super::settle::Outcome;
use crate::{
    domain::{
        delivery::{ChannelKind, DeliveryState, DeviceFate},
        device::Platform,
        plan::Decision,
    },
    store::{Kept, Moved, Store},
    telemetry::{metrics, together},
};

/// Deliveries that came to their end without an attempt.
pub(super) fn ended(deliveries: &[Moved]) {
    for delivery in deliveries {
        let Moved {
            id,
            channel,
            state,
            reason,
            about,
            ..
        } = delivery;
        let ended = metrics::Ended {
            outcome: *state,
            reason,
            lag: None,
        };
        metrics::deliveries_ended(*channel, std::iter::once(ended));
        tracing::info!(
            delivery = %id,
            transition = about.transition,
            agent = about.agent,
            channel = channel.as_str(),
            kind = about.kind,
            boundary = about.boundary.map(tracing::field::display),
            outcome = state.as_str(),
            reason,
            "delivery_ended"
        );
    }
}

/// What was decided about an agent.
pub(super) fn decided(store: &Store, decision: &Decision, now: Timestamp) {
    let agent = decision.agent.as_str();
    if let Some(problem) = decision
        .problem
        .as_deref()
        .filter(|problem| !problem.is_empty())
    {
        tracing::error!(agent, reason = problem, "schedule_unreadable");
    }
    for passed in decision.boundaries.iter().filter(|reached| reached.missed) {
        tracing::warn!(agent, kind = passed.kind.as_str(), boundary = %passed.alert.at, "missed");
    }
    for passed in decision.leads.iter().filter(|lead| lead.missed) {
        let alert = &passed.alert;
        tracing::warn!(agent, kind = alert.kind.as_str(), boundary = %alert.at, "missed");
    }
    if let Some(change) = &decision.change {
        let boundary = decision.boundaries.last().map(|reached| reached.alert.at);
        let lag = boundary.map(|at| now.duration_since(at).unsigned_abs());
        metrics::transition_recorded(change.reason, lag);
        tracing::info!(
            transition = %store.change_id(agent, change.sequence),
            agent,
            kind = change.status.as_str(),
            reason = change.reason.as_str(),
            conversation = change.cause.as_ref().map(|waiting| &waiting.conversation),
            boundary = boundary.map(tracing::field::display),
            lag_ms = lag.map(|lag| lag.as_millis() as u64),
            "transition"
        );
    }
}

/// What attempts came to.
pub(super) fn attempted(channel: ChannelKind, outcomes: &[Outcome], kept: &[Kept]) {
    let ended = kept.iter().filter(|k| k.state != DeliveryState::Pending);
    let ended = ended.map(|k| metrics::Ended {
        outcome: k.state,
        reason: &k.reason,
        lag: Some(outcomes[k.index].lag()),
    });
    metrics::deliveries_ended(channel, ended);
    together::tell(|| {
        for k in kept {
            attempt(channel, &outcomes[k.index], k);
        }
    });
}

fn attempt(channel: ChannelKind, outcome: &Outcome, kept: &Kept) {
    let Outcome {
        settlement, about, ..
    } = outcome;
    if matches!(settlement.device, DeviceFate::Disable(_)) {
        let platform = match channel {
            ChannelKind::Apns => Platform::Ios,
            ChannelKind::Fcm | ChannelKind::Presence => Platform::Android,
        };
        metrics::device_disabled(platform, &settlement.reason);
    }
    tracing::info!(
        delivery = %settlement.id,
        transition = about.transition,
        agent = about.agent,
        channel = channel.as_str(),
        kind = about.kind,
        boundary = about.boundary.map(tracing::field::display),
        attempt = settlement.epoch,
        outcome = settlement.outcome,
        state = kept.state.as_str(),
        reason = kept.reason,
        http_status = settlement.http_status,
        lag_ms = outcome.lag().as_millis() as u64,
        retry_at = settlement.due_at.map(tracing::field::display),
        "attempt"
    );
}

/// An error and its sources, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
