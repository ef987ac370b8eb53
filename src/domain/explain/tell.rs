//! Telling a story: the rule, what was meant, what was recorded of it, and what was sent.

use jiff::{SignedDuration, Timestamp};

use super::{
    Delivery, Facts, Occasion, OccasionTold, Outcome, RuleTold, Setting, Step, StepKind, Story,
    Timetable, Transition,
    occasion::{Meant, boundary_of, by_the_clock, meant},
    rules, why,
    words::{self, utc},
};
use crate::domain::{
    clock_changes::{ClockChange, clock_changes},
    plan::Schedule,
    presence::Reason,
};

/// A worker that ticks once a minute is no later than this.
pub(super) const LATE: SignedDuration = SignedDuration::from_mins(2);
/// Changes of the clock within this are close by.
const CLOSE: SignedDuration = SignedDuration::from_hours(25);

/// Tells what `facts.at` came to, as of `setting.now`.
pub fn story(facts: &Facts, setting: Setting<'_>) -> Story {
    let timetable = match &facts.schedule {
        Ok(Some(schedule)) => Timetable::new(schedule, setting.zones).map(Some),
        Ok(None) => Ok(None),
        Err(problem) => Err(problem.clone()),
    };
    let mut teller = Teller {
        facts,
        setting,
        timetable: timetable.as_ref().ok().and_then(Option::as_ref),
        steps: Vec::new(),
    };
    let rule = teller.rule();
    let meant = meant(facts, teller.timetable);
    teller.clock(&meant);
    let (outcome, verdict) = match &timetable {
        Err(problem) if meant.occasion.is_none() => (
            Outcome::Nothing,
            format!("The hours cannot be read: {problem}."),
        ),
        _ => teller.verdict(&meant),
    };
    let occasion = meant.occasion.map(|occasion| OccasionTold {
        reason: occasion.kind.as_str(),
        at: occasion.at,
        local: teller.local(occasion.at),
    });
    Story {
        agent: facts.agent.clone(),
        workspace: facts.workspace.clone(),
        timezone: teller.schedule().map(|schedule| schedule.timezone.clone()),
        at: facts.at,
        local: teller.local(facts.at),
        outcome,
        verdict,
        occasion,
        rule,
        steps: teller.steps,
    }
}

/// A story being told.
pub(super) struct Teller<'a> {
    pub(super) facts: &'a Facts,
    pub(super) setting: Setting<'a>,
    pub(super) timetable: Option<&'a Timetable<'a>>,
    steps: Vec<Step>,
}

impl<'a> Teller<'a> {
    fn schedule(&self) -> Option<&'a Schedule> {
        self.facts.schedule.as_ref().ok()?.as_ref()
    }

    fn local(&self, at: Timestamp) -> Option<String> {
        let zone = &self.timetable?.zone;
        Some(
            zone.to_datetime(at)
                .strftime("%Y-%m-%dT%H:%M:%S")
                .to_string(),
        )
    }

    /// An instant in a sentence, on both clocks.
    pub(super) fn when(&self, at: Timestamp) -> String {
        match self.timetable {
            Some(timetable) => {
                let here = words::local(timetable.zone.to_datetime(at));
                format!("{here} ({})", utc(at))
            }
            None => utc(at),
        }
    }

    pub(super) fn step(
        &mut self,
        kind: StepKind,
        at: Timestamp,
        text: impl Into<String>,
    ) -> &mut Step {
        let local = self.local(at);
        self.steps.push(Step {
            kind,
            at,
            local,
            text: text.into(),
            transition: None,
            delivery: None,
            attempt: None,
        });
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    fn rule(&mut self) -> Option<RuleTold> {
        let at = self.facts.at;
        let Some(timetable) = self.timetable else {
            let text = match &self.facts.schedule {
                Ok(None) => "the agent was removed, and its hours with it",
                _ => "the hours cannot be read, so nobody knows which rule decides",
            };
            self.step(StepKind::Rule, at, text);
            return None;
        };
        let sent_off = self.sent_off(at);
        if let Some(change) = sent_off.filter(|change| timetable.still_off(change, at)) {
            let text = words::status(change);
            self.step(StepKind::Rule, at, text);
            return Some(rules::sent_off(change));
        }
        let rule = timetable.rule(at, sent_off.map(|change| change.effective_at));
        let today = timetable.zone.to_datetime(at).date();
        self.step(StepKind::Rule, at, rules::rule(&rule, today, timetable));
        Some(rules::told(&rule))
    }

    /// The change that sent the agent off last for want of a reply, until `at` (UTC).
    fn sent_off(&self, at: Timestamp) -> Option<&'a Transition> {
        let mut changes = self.facts.transitions.iter().rev();
        changes
            .find(|change| change.reason == Reason::NoReply.as_str() && change.effective_at <= at)
    }

    /// Changes of the clock close to the question and to what is meant, each with what it did to a slot.
    fn clock(&mut self, meant: &Meant<'_>) {
        let Some(timetable) = self.timetable else {
            return;
        };
        let about = meant.occasion.map_or(self.facts.at, |occasion| occasion.at);
        let mut changes: Vec<ClockChange> = Vec::new();
        for at in [about, self.facts.at] {
            let around = |by| at.saturating_add(by).unwrap_or(at);
            for change in clock_changes(&timetable.zone, around(-CLOSE), around(CLOSE)) {
                if !changes.contains(&change) {
                    changes.push(change);
                }
            }
        }
        for change in changes {
            let text = rules::clock_change(&change, timetable);
            self.step(StepKind::ClockChange, change.at, text);
        }
    }

    /// Tells what became of an occasion.
    pub(super) fn occasion(&mut self, occasion: Occasion) -> (Outcome, String) {
        self.boundary(occasion);
        let phrase = self.phrase(occasion);
        let alerts: Vec<&'a Delivery> = self.alerts(occasion);
        let recorded = self.recorded(occasion, &alerts);
        let nothing = recorded.is_empty() && alerts.is_empty();
        if nothing && occasion.at > self.setting.now {
            return self.will_come(occasion, &phrase);
        }
        self.status_before(occasion.at, false);
        if nothing {
            self.status_since(occasion, &recorded);
            let why = why::unrecorded(self.facts, self.setting, occasion);
            let at = self.facts.state.evaluated_at.unwrap_or(self.setting.now);
            self.step(StepKind::Note, at, why.clone());
            return (
                Outcome::NotRecorded,
                format!("{phrase} was not recorded: {why}."),
            );
        }
        for transition in &recorded {
            self.transition(transition, occasion);
        }
        self.status_since(occasion, &recorded);
        let events = self.facts.deliveries.iter().filter(|delivery| {
            delivery.sequence.is_some() && recorded.iter().any(|t| t.id == delivery.transition)
        });
        for delivery in alerts.iter().copied().chain(events) {
            self.delivery(delivery);
        }
        let first = recorded
            .iter()
            .map(|t| t.recorded_at)
            .chain(alerts.iter().map(|d| d.created_at));
        let first = first.min().unwrap_or(occasion.at);
        let silent = self.silent(occasion, first, &alerts);
        self.came_to(&phrase, &alerts, silent.first())
    }

    fn recorded(&self, occasion: Occasion, alerts: &[&Delivery]) -> Vec<&'a Transition> {
        let kind = boundary_of(occasion.kind);
        let of_it = |transition: &&Transition| match (transition.boundary, kind) {
            (Some(boundary), Some(kind)) => boundary == (kind, occasion.at),
            (None, None) => {
                let about = transition.announces.unwrap_or(occasion.about);
                (transition.effective_at, about) == (occasion.at, occasion.about)
                    && transition.reason == occasion.kind.as_str()
            }
            _ => false,
        };
        let transitions = self.facts.transitions.iter();
        transitions
            .filter(|t| of_it(t) || alerts.iter().any(|alert| alert.transition == t.id))
            .collect()
    }

    /// The status in force before `at` (UTC), or at it where it is `still` of interest.
    pub(super) fn status_before(&mut self, at: Timestamp, still: bool) {
        let changes = self.facts.transitions.iter();
        let before = changes.rev().find(|change| {
            let before = change.effective_at < at || still && change.effective_at == at;
            change.sequence.is_some() && before
        });
        if let Some(before) = before {
            self.status(before);
        }
    }

    /// Changes of status between an occasion and the instant asked about.
    fn status_since(&mut self, occasion: Occasion, recorded: &[&Transition]) {
        let since = self.facts.transitions.iter().filter(|change| {
            let within = occasion.at < change.effective_at && change.effective_at <= self.facts.at;
            change.sequence.is_some() && within && !recorded.contains(change)
        });
        for change in since {
            self.status(change);
        }
    }

    fn status(&mut self, change: &Transition) {
        let text = words::status(change);
        let step = self.step(StepKind::Status, change.effective_at, text);
        step.transition = Some(change.clone());
    }

    fn transition(&mut self, transition: &Transition, occasion: Occasion) {
        let text = words::transition(transition);
        let step = self.step(StepKind::Transition, transition.effective_at, text);
        step.transition = Some(transition.clone());
        let late = transition.recorded_at.duration_since(occasion.at);
        if late >= LATE {
            let late = SignedDuration::from_secs(late.as_secs());
            // Of its hours a worker knows by itself.
            let or = if by_the_clock(occasion.kind) {
                ""
            } else {
                "the platform reported it late, or "
            };
            let text = format!(
                "that was {late:#} after it: {or}no worker looked at this agent in between"
            );
            self.step(StepKind::Note, transition.recorded_at, text);
        }
    }
}
