//! A day minute by minute, lived twice: by [`decide`], which computes instants from what is stored and is
//! asked only when it said to look again or somebody did something, and by a naive clerk, who counts
//! minutes on a slate. They must agree on every status at every minute.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::domain::{conversation::Waiting, plan::Conversations};

const ALLOWED: i64 = 10;
const DAY_MINUTES: i64 = 12 * 60;

#[derive(Debug, Clone, Copy)]
enum Act {
    Message(usize),
    Reply(usize),
    Mine(usize),
    Others(usize),
    Hand(Status),
}

fn act() -> impl Strategy<Value = Act> {
    let statuses = [Status::Online, Status::Offline, Status::Invisible];
    prop_oneof![
        4 => (0..2_usize).prop_map(Act::Message),
        1 => (0..2_usize).prop_map(Act::Reply),
        2 => (0..2_usize).prop_map(Act::Mine),
        1 => (0..2_usize).prop_map(Act::Others),
        1 => prop::sample::select(statuses.to_vec()).prop_map(Act::Hand),
    ]
}

/// The minute, from 06:00 UTC on.
fn minute(n: i64) -> Timestamp {
    at("06:00") + SignedDuration::from_mins(n)
}

#[derive(Debug, Clone, Default)]
struct Conversation {
    assigned: Option<i64>,
    unanswered: BTreeSet<i64>,
}

/// What the platform reported and the agent set, until now.
#[derive(Debug, Clone, Default)]
struct Told {
    conversations: [Conversation; 2],
    hand: Option<(i64, Status)>,
}

impl Told {
    fn hear(&mut self, now: i64, act: Act) {
        match act {
            Act::Message(c) => {
                self.conversations[c].unanswered.insert(now);
            }
            Act::Reply(c) => self.conversations[c].unanswered.clear(),
            Act::Mine(c) => self.conversations[c].assigned = Some(now),
            Act::Others(c) => self.conversations[c].assigned = None,
            Act::Hand(status) => self.hand = Some((now, status)),
        }
    }

    /// What waits for the agent, each with its conversation and since when.
    fn waits(&self) -> BTreeSet<(usize, i64)> {
        let all = self.conversations.iter().enumerate();
        all.flat_map(|(c, conversation)| {
            let said = conversation.unanswered.iter();
            let assigned = conversation.assigned.into_iter();
            assigned.flat_map(move |since| said.clone().map(move |said| (c, *said.max(&since))))
        })
        .collect()
    }
}

/// The clerk: a slate of minutes for each visitor who waits.
#[derive(Default)]
struct Clerk {
    slate: BTreeMap<(usize, i64), i64>,
    ran_out: Option<i64>,
    status: Option<Status>,
}

impl Clerk {
    /// The status at `now`; `hours` are on and off duty by minute.
    fn status_at(&mut self, now: i64, hours: &[bool], told: &Told) -> Status {
        let on_duty = |n: i64| hours[usize::try_from(n).unwrap()];
        let worked = now > 0 && on_duty(now - 1) && self.status == Some(Status::Online);
        let waits = told.waits();
        self.slate.retain(|wait, _| waits.contains(wait));
        for wait in waits
            .into_iter()
            .filter(|(_, since)| Some(*since) > self.ran_out)
        {
            let minutes = self.slate.entry(wait).or_default();
            *minutes += i64::from(worked && wait.1 < now);
        }
        if self
            .slate
            .iter()
            .any(|((_, since), n)| *n >= ALLOWED && Some(*since) > self.ran_out)
        {
            self.ran_out = Some(now);
        }
        let starts = |after: i64| (after + 1..=now).any(|n| on_duty(n) && !on_duty(n - 1));
        let changes = |after: i64| (after + 1..=now).any(|n| on_duty(n) != on_duty(n - 1));
        let hand = told.hand.filter(|(set, _)| Some(*set) > self.ran_out);
        let sent_off = hand.is_none() && self.ran_out.is_some_and(|at| !starts(at));
        let status = match hand.filter(|(set, _)| !changes(*set)) {
            Some((_, status)) => status,
            None if on_duty(now) && !sent_off => Status::Online,
            None => Status::Offline,
        };
        self.status = Some(status);
        status
    }
}

/// What `decide` is given, as the store would read it.
fn stored(told: &Told, history: &[(Timestamp, Status)], slots: &[Slot]) -> Schedule {
    let assigned = told.waits().into_iter().map(|(c, since)| Waiting {
        conversation: c.to_string(),
        since: minute(since),
    });
    Schedule {
        slots: slots.to_vec(),
        auto_offline_after: Some(SignedDuration::from_mins(ALLOWED)),
        by_hand: told.hand.map(|(set_at, status)| ByHand {
            status,
            set_at: minute(set_at),
            until: None,
        }),
        conversations: Conversations {
            assigned: assigned.collect(),
            history: history.to_vec(),
            ..Conversations::default()
        },
        ..schedule()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn decisions_agree_with_a_clerk_who_counts_minutes(
        acts in prop::collection::btree_map(0..DAY_MINUTES, act(), 0..40),
        lunch in (0..180_i64, 5..90_i64),
    ) {
        // Paris is two hours ahead: from 08:30 local time, with a break.
        let local = |n: i64| LocalTime::from_minutes(u16::try_from(480 + n).unwrap()).unwrap();
        let (from, length) = (60 + lunch.0, lunch.1);
        let spans = [(30, from), (from + length, 500)];
        let slots = spans.map(|(start, end)| slot(&local(start).to_string(), &local(end).to_string()));
        let hours: Vec<bool> = (0..DAY_MINUTES)
            .map(|n| spans.iter().any(|(start, end)| (*start..*end).contains(&n)))
            .collect();
        let (mut told, mut clerk) = (Told::default(), Clerk::default());
        let mut state = Recorded { agent: "a-1".into(), workspace: "acme".into(), ..Recorded::default() };
        let mut history = Vec::new();
        let mut due = Some(minute(0));
        for now in 0..DAY_MINUTES {
            if let Some(act) = acts.get(&now) {
                told.hear(now, *act);
                due = Some(minute(now));
            }
            let expected = clerk.status_at(now, &hours, &told);
            if due.is_none_or(|due| minute(now) < due) {
                prop_assert_eq!(state.status, Some(expected), "asleep at {} of {:?}", minute(now), &acts);
                continue;
            }
            let decision = decided(state.clone(), stored(&told, &history, &slots), minute(now));
            state.evaluated_at = Some(minute(now));
            state.boundary_at = decision.next;
            state.no_reply_at = decision.no_reply_at;
            if let Some(change) = decision.change {
                state.status = Some(change.status);
                state.accepts = change.accepts;
                state.sequence = change.sequence;
                history.push((change.effective_at, change.status));
            }
            due = decision.due;
            prop_assert_eq!(state.status, Some(expected), "at {} of {:?}", minute(now), &acts);
        }
    }
}
