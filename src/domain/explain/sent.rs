//! Telling what was sent: each delivery, its attempts and its end, and the phones that had none.

use jiff::Timestamp;

use super::{
    Attempt, Delivery, Occasion, StepKind,
    tell::Teller,
    why::{self, Cause},
    words,
};
use crate::domain::delivery::{AlertKind, DeliveryState};

impl<'a> Teller<'a> {
    pub(super) fn alerts(&self, occasion: Occasion) -> Vec<&'a Delivery> {
        let deliveries = self.facts.deliveries.iter();
        let word = occasion.kind.as_str();
        deliveries
            .filter(|delivery| delivery.boundary == Some(occasion.about) && delivery.kind == word)
            .filter(|delivery| self.came_with(delivery, occasion))
            .collect()
    }

    /// Whether it was called for by what came then: of several leads, each has alerts of its own.
    fn came_with(&self, delivery: &Delivery, occasion: Occasion) -> bool {
        let mut transitions = self.facts.transitions.iter();
        occasion.kind != AlertKind::HoursStartLead
            || transitions.any(|t| t.id == delivery.transition && t.effective_at == occasion.at)
    }

    pub(super) fn delivery(&mut self, delivery: &Delivery) {
        let text = words::delivery(delivery);
        let step = self.step(StepKind::Delivery, delivery.created_at, text);
        step.delivery = Some(delivery.clone());
        for attempt in &delivery.attempts {
            self.attempt(attempt, &delivery.channel);
        }
        // Its last attempt has told it already.
        let told = delivery.attempts.last().is_some_and(|last| {
            last.outcome.as_deref() == Some("failed") && last.reason == delivery.reason
        });
        if told {
            return;
        }
        let now = self.setting.now;
        let (at, text) = match DeliveryState::from_word(&delivery.state) {
            Some(DeliveryState::Sent | DeliveryState::Leased) => return,
            Some(DeliveryState::Pending) => (
                delivery.due_at,
                format!("it {}", words::waits(delivery, now)),
            ),
            _ => (
                delivery.settled_at.unwrap_or(now),
                format!("it {}", words::ended(delivery)),
            ),
        };
        let step = self.step(StepKind::End, at, text);
        step.delivery = Some(delivery.clone());
    }

    fn attempt(&mut self, attempt: &Attempt, channel: &str) {
        let text = words::attempt(attempt, channel);
        let step = self.step(StepKind::Attempt, attempt.started_at, text);
        step.attempt = Some(attempt.clone());
    }

    /// Tells of each phone that has no alert, and why.
    pub(super) fn silent(
        &mut self,
        occasion: Occasion,
        recorded: Timestamp,
        alerts: &[&Delivery],
    ) -> Vec<Cause> {
        let causes = why::silent(self.facts, self.setting, occasion, recorded, alerts);
        for cause in &causes {
            let kind = if cause.of_phone {
                StepKind::Phone
            } else {
                StepKind::Note
            };
            let since = cause.since.unwrap_or(self.setting.now);
            self.step(kind, since, &*cause.text);
        }
        causes
    }
}
