//! What the chat platform reports of its conversations, and what it comes to: which visitors wait, since
//! when, and for whom.
//!
//! Reports come late, twice and out of order. So nothing is made of a report alone: what is kept of a
//! conversation is how far it has been answered, who has it since when, and what the visitor said after
//! the answer. Each is a greatest instant or a set, and comes out the same in whatever order reports
//! are put together (`any_order_comes_to_the_same`, and on the databases
//! `events_do_the_right_thing_in_any_order`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::presence::words;

/// A visitor without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The conversation's id.
    pub conversation: String,
    /// Since when, UTC.
    pub since: Timestamp,
}

/// What happened in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// A visitor asks for somebody, and nobody in particular has the conversation.
    #[serde(rename = "conversation.waiting")]
    Waiting,
    /// An agent has it from now on.
    #[serde(rename = "conversation.assigned")]
    Assigned,
    /// The visitor wrote.
    #[serde(rename = "visitor.message")]
    VisitorMessage,
    /// An agent answered.
    #[serde(rename = "agent.reply")]
    AgentReply,
    /// It is over, until the visitor writes again.
    #[serde(rename = "conversation.closed")]
    Closed,
}

words!(Happened {
    Waiting => "conversation.waiting", Assigned => "conversation.assigned",
    VisitorMessage => "visitor.message", AgentReply => "agent.reply", Closed => "conversation.closed",
});

/// One report of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The platform's id of the report: what comes twice counts once.
    pub id: String,
    /// What.
    pub happened: Happened,
    /// In which workspace.
    pub workspace: String,
    /// In which conversation of it.
    pub conversation: String,
    /// Who has it from now on, for [`Happened::Assigned`].
    pub agent: Option<String>,
    /// When it happened, UTC.
    pub at: Timestamp,
}

impl Report {
    /// Whether it takes the conversation off `agent`'s hands: somebody answered, or has it instead.
    pub fn relieves(&self, agent: &str) -> bool {
        match self.happened {
            Happened::VisitorMessage => false,
            Happened::Assigned => self.agent.as_deref() != Some(agent),
            Happened::Waiting | Happened::AgentReply | Happened::Closed => true,
        }
    }
}

/// What some reports say of one conversation. Instants are UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Since when it is where it is now, and who has it: the newest word on that.
    pub assigned: Option<(Timestamp, Option<String>)>,
    /// Whatever was said until then is answered.
    pub answered: Option<Timestamp>,
    /// When the visitor wrote or asked for somebody.
    pub said: BTreeSet<Timestamp>,
}

impl Heard {
    fn add(&mut self, report: &Report) {
        // As far as the database tells instants: what comes in one request or in two is one order.
        let at = Timestamp::from_millisecond(report.at.as_millisecond()).unwrap_or(report.at);
        match report.happened {
            Happened::Waiting => {
                self.said.insert(at);
                self.assigned = self.assigned.take().max(Some((at, None)));
            }
            Happened::Assigned => {
                self.assigned = self.assigned.take().max(Some((at, report.agent.clone())));
            }
            Happened::VisitorMessage => {
                self.said.insert(at);
            }
            Happened::AgentReply | Happened::Closed => self.answered = self.answered.max(Some(at)),
        }
    }
}

/// A conversation: its workspace's id, and its own.
pub type Key<'a> = (&'a str, &'a str);

/// Puts reports together, each conversation's.
pub fn heard<'a>(reports: impl IntoIterator<Item = &'a Report>) -> BTreeMap<Key<'a>, Heard> {
    let mut all: BTreeMap<Key<'_>, Heard> = BTreeMap::new();
    for report in reports {
        let key = (report.workspace.as_str(), report.conversation.as_str());
        all.entry(key).or_default().add(report);
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report() -> impl Strategy<Value = Report> {
        let kinds = [
            Happened::Waiting,
            Happened::Assigned,
            Happened::VisitorMessage,
            Happened::AgentReply,
            Happened::Closed,
        ];
        (
            prop::sample::select(kinds.to_vec()),
            0..6_i64,
            0..3_u8,
            0..2_u8,
        )
            .prop_map(|(happened, second, agent, conversation)| Report {
                id: String::new(),
                happened,
                workspace: "acme".into(),
                conversation: format!("c-{conversation}"),
                agent: (happened == Happened::Assigned).then(|| format!("a-{agent}")),
                at: Timestamp::from_second(second).unwrap(),
            })
    }

    #[test]
    fn within_a_millisecond_nothing_is_first() {
        let assigned = |agent: &str, at: &str| Report {
            id: String::new(),
            happened: Happened::Assigned,
            workspace: "acme".into(),
            conversation: "c-1".into(),
            agent: Some(agent.into()),
            at: at.parse().unwrap(),
        };
        let both = [
            assigned("zoe", "2026-03-30T09:00:00.0001Z"),
            assigned("ana", "2026-03-30T09:00:00.0009Z"),
        ];
        let heard = heard(&both);
        let (at, agent) = heard[&("acme", "c-1")].assigned.as_ref().unwrap();
        assert_eq!(
            (at.to_string(), agent.as_deref()),
            ("2026-03-30T09:00:00Z".into(), Some("zoe"))
        );
    }

    proptest! {
        #[test]
        fn any_order_comes_to_the_same(
            (told, shuffled) in prop::collection::vec(report(), 0..12)
                .prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle()))
        ) {
            let twice = shuffled.iter().chain(&told);
            prop_assert_eq!(heard(&told), heard(twice));
        }
    }
}
