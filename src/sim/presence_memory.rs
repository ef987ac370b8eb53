//! What a presence receiver remembers from one post to the next, and the promises it sees broken.
//! Pure.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::presence_body::{PostedEvent, Subject};

/// A promise that was broken over several requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A lower sequence came after a higher one of the same agent or workspace.
    OutOfOrder {
        /// Whose events.
        subject: Subject,
        /// The highest sequence seen before.
        after: i64,
        /// The sequence that came late.
        came: i64,
    },
    /// One `webhook-id` came with two bodies.
    BodyChanged {
        /// The id.
        webhook_id: String,
    },
    /// One body came under two `webhook-id`s.
    IdChanged {
        /// The first id.
        first: String,
        /// The second.
        second: String,
    },
    /// One sequence of an agent or workspace came with two event ids or two contents.
    EventChanged {
        /// Whose event.
        subject: Subject,
        /// Its sequence.
        sequence: i64,
    },
}

/// What is remembered from one request to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    bodies: HashMap<String, [u8; 32]>,
    ids: HashMap<[u8; 32], String>,
    highest_seen: HashMap<Subject, i64>,
    seen: HashMap<(Subject, i64), PostedEvent>,
    pub(super) newest: HashMap<Subject, PostedEvent>,
    pub(super) findings: Vec<Finding>,
}

impl Memory {
    pub(super) fn note_body(&mut self, id: &str, body: &[u8]) -> Result<(), &'static str> {
        let digest: [u8; 32] = Sha256::digest(body).into();
        let known = *self.bodies.entry(id.to_owned()).or_insert(digest);
        if known != digest {
            let webhook_id = id.to_owned();
            self.findings.push(Finding::BodyChanged { webhook_id });
            return Err("this webhook-id came with another body before");
        }
        let first = self.ids.entry(digest).or_insert_with(|| id.to_owned());
        if first != id {
            let (first, second) = (first.clone(), id.to_owned());
            self.findings.push(Finding::IdChanged { first, second });
        }
        Ok(())
    }

    /// Looks at the order and the constancy of events, whether or not they will be accepted.
    pub(super) fn note_events(&mut self, events: &[PostedEvent]) {
        for event in events {
            let subject = event.subject();
            let sequence = event.sequence;
            let highest = self.highest_seen.entry(subject.clone()).or_insert(sequence);
            if *highest > sequence {
                self.findings.push(Finding::OutOfOrder {
                    subject: subject.clone(),
                    after: *highest,
                    came: sequence,
                });
            }
            *highest = sequence.max(*highest);
            let key = (subject.clone(), sequence);
            if self.seen.entry(key).or_insert_with(|| event.clone()) != event {
                self.findings
                    .push(Finding::EventChanged { subject, sequence });
            }
        }
    }

    pub(super) fn accept(&mut self, event: &PostedEvent) {
        let newest = self
            .newest
            .entry(event.subject())
            .or_insert_with(|| event.clone());
        if event.sequence > newest.sequence {
            *newest = event.clone();
        }
    }
}
