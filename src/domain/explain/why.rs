//! Why there is nothing where something was to be expected: no record of an occasion, or no alert to a
//! phone. What consent and phones were at the time is not kept; what they are now is told, with what is
//! known of when it became so.

use jiff::Timestamp;

use super::{
    Delivery, Facts, Occasion, Phone, Setting,
    tell::LATE,
    words::{self, utc},
};
use crate::domain::{
    delivery::{AlertKind, ChannelKind},
    plan::Schedule,
    presence::Reason,
};

/// A cause, and the phone it is about, if it is one's.
pub(super) struct Cause {
    /// When it became so, as far as is known.
    pub(super) since: Option<Timestamp>,
    pub(super) text: String,
    pub(super) of_phone: bool,
}

impl Cause {
    fn of_agent(text: impl Into<String>) -> Self {
        Self {
            since: None,
            text: text.into(),
            of_phone: false,
        }
    }
}

/// Why phones have no alert among `alerts`, for something recorded, or to be recorded, at `recorded` (UTC).
pub(super) fn silent(
    facts: &Facts,
    setting: Setting<'_>,
    meant: Occasion,
    recorded: Timestamp,
    alerts: &[&Delivery],
) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    if alerts.is_empty() {
        causes.extend(of_agent(facts, meant.kind).map(Cause::of_agent));
    }
    let silent = facts.phones.iter().filter(|phone| {
        !alerts
            .iter()
            .any(|alert| alert.receiver == phone.fingerprint)
    });
    let consents = causes.is_empty();
    causes.extend(silent.filter_map(|phone| of_phone(phone, setting, recorded, consents)));
    if causes.is_empty() && alerts.is_empty() && recorded <= setting.now {
        causes.push(Cause::of_agent(
            "consent, phone or receiver must have been missing when it was recorded; they are there now",
        ));
    }
    causes
}

/// What keeps all of an agent's phones silent.
fn of_agent(facts: &Facts, kind: AlertKind) -> Option<&'static str> {
    match &facts.schedule {
        Ok(Some(schedule)) => no_consent(schedule, kind)
            .or_else(|| facts.phones.is_empty().then_some("no phone is registered")),
        Ok(None) => Some("the agent was removed, and its phones with it"),
        Err(_) => None,
    }
}

fn no_consent(schedule: &Schedule, kind: AlertKind) -> Option<&'static str> {
    let off = match kind {
        AlertKind::HoursStart => "alerts at the start of hours are switched off",
        AlertKind::HoursEnd => "alerts at the end of hours are switched off",
        AlertKind::NoReply | AlertKind::Overflow => "all alerts are switched off",
        AlertKind::HoursStartLead if schedule.leads.is_empty() => {
            return Some("the agent has no leads any more");
        }
        AlertKind::HoursStartLead | AlertKind::Test => return None,
    };
    (!schedule.notify.wants(kind)).then_some(off)
}

/// What keeps a phone silent. Where all is well with it, only `consents` makes that worth telling, for
/// what was recorded.
fn of_phone(
    phone: &Phone,
    setting: Setting<'_>,
    recorded: Timestamp,
    consents: bool,
) -> Option<Cause> {
    let name = &phone.fingerprint;
    let receiver = words::receiver(phone.channel.as_str());
    let mut since = None;
    let text = if phone.state != "active" {
        since = phone.since;
        inactive(phone, receiver)
    } else if is_off(phone.channel, setting) {
        let section = phone.channel.as_str();
        format!(
            "{name} is reached over {receiver}, which is switched off: there is no [{section}] in the configuration"
        )
    } else if phone.registered_at > recorded {
        since = Some(phone.registered_at);
        let at = utc(phone.registered_at);
        format!("{name} was registered last at {at}, after it; the next boundary rings")
    } else if consents && recorded <= setting.now {
        format!(
            "{name} has no alert of this, though all is well with it now: it was not active then, or {receiver} was switched off"
        )
    } else {
        return None;
    };
    Some(Cause {
        since,
        text,
        of_phone: true,
    })
}

fn is_off(channel: ChannelKind, setting: Setting<'_>) -> bool {
    !setting.receivers.contains(&channel)
}

fn inactive(phone: &Phone, receiver: &str) -> String {
    let (name, state) = (&phone.fingerprint, &phone.state);
    let reason = phone.reason.as_deref().unwrap_or("no more");
    let since = phone
        .since
        .map_or_else(String::new, |at| format!(" since {}", utc(at)));
    format!("{name} is {state}{since}: {receiver} said {reason}")
}

/// Why nothing was recorded of something that came.
pub(super) fn unrecorded(facts: &Facts, setting: Setting<'_>, meant: Occasion) -> String {
    let state = &facts.state;
    if let Some(problem) = &state.problem {
        return format!("the agent cannot be evaluated until this is mended: {problem}");
    }
    let Some(looked) = state.evaluated_at else {
        return "no worker has looked at this agent yet: see that one runs".to_owned();
    };
    if looked < meant.at {
        return not_looked(facts, setting, meant, looked);
    }
    if let Some(first) = facts.first_recorded.filter(|first| *first >= meant.at) {
        let first = utc(first);
        return format!(
            "no worker knew the agent before {first}, which is after it; a first start records the true status and rings nobody"
        );
    }
    if let Some(edited) = state.stale_at {
        let edited = utc(edited);
        return format!(
            "hours were edited at {edited}, and no worker has looked since; an edit is not a shift, and rings nobody"
        );
    }
    if meant.kind == AlertKind::HoursStartLead {
        let looked = utc(looked);
        return format!(
            "a worker looked at {looked} and knew of no such lead, so it was chosen, or hours were edited, after the fact; an edit is not a shift, and rings nobody"
        );
    }
    let word = Reason::Sync.as_str();
    let sync = facts
        .transitions
        .iter()
        .find(|transition| transition.reason == word && transition.recorded_at >= meant.at);
    match sync {
        Some(sync) => format!(
            "hours were edited after the fact, which the worker followed at {} with reason {word}; an edit is not a shift, and rings nobody",
            utc(sync.recorded_at)
        ),
        None => format!(
            "a worker looked at {} and saw no boundary there, so the hours were edited after the fact; an edit is not a shift, and rings nobody",
            utc(looked)
        ),
    }
}

/// Nobody has looked since: it is too early, or the worker is down.
fn not_looked(facts: &Facts, setting: Setting<'_>, meant: Occasion, looked: Timestamp) -> String {
    if setting.now.duration_since(meant.at) < LATE {
        return "a worker is about to look".to_owned();
    }
    let edited = facts.state.stale_at.map_or_else(String::new, |at| {
        format!(", and hours were edited at {}", utc(at))
    });
    let last = match facts.last_look {
        Some(last) if last > meant.at => format!("others were looked at until {}", utc(last)),
        Some(last) => format!("nor at anybody since {}: see that a worker runs", utc(last)),
        None => "see that a worker runs".to_owned(),
    };
    format!(
        "no worker has looked at this agent since {}{edited}; {last}",
        utc(looked)
    )
}
