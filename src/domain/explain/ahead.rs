//! What a story is about, in words: what came at its own instant, or a lead, which came before the start of
//! hours that it announced.

use super::{Occasion, StepKind, occasion::boundary_of, rules, tell::Teller, words};
use crate::domain::{delivery::AlertKind, hours::BoundaryKind, lead::Lead};

impl Teller<'_> {
    /// Which alert, for a sentence.
    pub(super) fn phrase(&self, occasion: Occasion) -> String {
        if occasion.kind != AlertKind::HoursStartLead {
            return words::phrase(occasion, &self.when(occasion.at));
        }
        let start = self.when(occasion.about);
        format!(
            "the lead {} the start of hours at {start}",
            self.ahead(occasion)
        )
    }

    /// How long before hours start the lead came.
    fn ahead(&self, occasion: Occasion) -> String {
        let lead = self.timetable;
        let lead = lead.and_then(|timetable| timetable.lead(occasion.at, occasion.about));
        named(lead, &self.when(occasion.at))
    }

    /// Tells what came, and the slot or absence that makes it.
    pub(super) fn boundary(&mut self, occasion: Occasion) {
        let ahead = occasion.kind == AlertKind::HoursStartLead;
        let kind = boundary_of(occasion.kind).or(ahead.then_some(BoundaryKind::Start));
        let text = match (kind, self.timetable) {
            (Some(kind), Some(timetable)) => {
                let origin = timetable.origin(kind, occasion.about);
                let origin = origin.filter(|_| timetable.has(kind, occasion.about));
                let origin = rules::origin(kind, origin.as_ref());
                if ahead {
                    format!("{} {origin}", self.ahead(occasion))
                } else {
                    origin
                }
            }
            _ => words::occasion(occasion.kind).to_owned(),
        };
        self.step(StepKind::Boundary, occasion.at, text);
    }
}

/// How long before hours start: the lead, or `when` it came, should the agent not have it any more.
fn named(lead: Option<Lead>, when: &str) -> String {
    match lead {
        Some(Lead::Minutes(1)) => "1 minute before".to_owned(),
        Some(Lead::Minutes(minutes)) => format!("{minutes} minutes before"),
        Some(Lead::DayBefore(time)) => format!("at {time} the day before"),
        None => format!("at {when} before"),
    }
}
