//! The short way from a record to the wire: what lanes have places for is leased as it is recorded, and
//! sent once that is committed. Nobody claims it, and nothing is read again that was read to decide.
//!
//! A message is made of what the transaction read that recorded it, which holds the agents' states: no
//! edit comes in between. The rest waits in the outbox, as does everything while nobody runs the lanes.
//! `tests/store/begin.rs` and `tests/store/service.rs` prove it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    lane::{Direct, Leased, Reserved},
    message,
};
use crate::{
    domain::{
        delivery::{ChannelKind, Push},
        plan::{Decision, Facts},
        presence::Event,
        zone::Zones,
    },
    store::{Claimed, StoreError},
};

/// While half of a lane's places are taken, a batch waits for a few such moments: what it leases itself
/// costs half of what it leaves to be claimed.
const MOMENT: Duration = Duration::from_millis(5);
const MOMENTS: usize = 8;

/// The lanes that send what the scan records.
#[derive(Debug, Clone, Default)]
pub struct ShortWays {
    /// To the push services.
    pub push: Vec<(ChannelKind, Arc<dyn Direct<Push>>)>,
    /// To the chat platform, unless agents are named there by ids of its own.
    pub presence: Option<Arc<dyn Direct<Event>>>,
}

/// Places in those lanes, taken for one batch at an instant (UTC).
#[derive(Debug)]
pub(super) struct Reservations {
    ways: Arc<ShortWays>,
    now: Timestamp,
    push: Vec<(ChannelKind, Reserved)>,
    presence: Option<Reserved>,
}

/// What is to be sent from them.
#[derive(Debug, Default)]
pub(super) struct Messages {
    push: Vec<Leased<Push>>,
    presence: Vec<Leased<Event>>,
}

impl ShortWays {
    /// Waits a little, at most, until none of the lanes is busy. `now`: UTC.
    pub(super) async fn breathe(&self, now: impl Fn() -> Timestamp) {
        let busy = || {
            let push = self.push.iter().any(|(_, lane)| lane.is_busy(now()));
            push || self.presence.iter().any(|lane| lane.is_busy(now()))
        };
        for _ in 0..MOMENTS {
            if !busy() {
                break;
            }
            tokio::time::sleep(MOMENT).await;
        }
    }

    fn to(&self, channel: ChannelKind) -> Option<&Arc<dyn Direct<Push>>> {
        let lane = self.push.iter().find(|(kind, _)| *kind == channel);
        lane.map(|(_, lane)| lane)
    }
}

impl Reservations {
    /// None yet.
    pub(super) fn none(ways: Arc<ShortWays>, now: Timestamp) -> Self {
        Self {
            ways,
            now,
            push: Vec::new(),
            presence: None,
        }
    }

    /// Takes places for so many deliveries of a channel, as far as there are any; returns for how many.
    pub(super) fn take(&mut self, channel: ChannelKind, deliveries: usize) -> usize {
        let reserved = if channel == ChannelKind::Presence {
            let lane = self.ways.presence.as_ref();
            lane.and_then(|lane| lane.reserve(deliveries, self.now))
        } else {
            let lane = self.ways.to(channel);
            lane.and_then(|lane| lane.reserve(deliveries, self.now))
        };
        let Some((reserved, room)) = reserved else {
            return 0;
        };
        if channel == ChannelKind::Presence {
            self.presence = Some(reserved);
        } else {
            self.push.push((channel, reserved));
        }
        room
    }

    /// Sends from the places that were taken, under leases that run until `until` (UTC).
    pub(super) fn send(self, messages: Messages, until: Timestamp) {
        let mut pushes = messages.push;
        for (channel, reserved) in self.push {
            let mine = |(lease, _): &mut Leased<Push>| lease.channel() == channel;
            let mine = pushes.extract_if(.., mine).collect();
            if let Some(lane) = self.ways.to(channel) {
                Arc::clone(lane).send(reserved, mine, until);
            }
        }
        if let (Some(lane), Some(reserved)) = (&self.ways.presence, self.presence) {
            Arc::clone(lane).send(reserved, messages.presence, until);
        }
    }
}

impl Messages {
    /// The messages of leases that came of these decisions, as told at `now` (UTC).
    pub(super) fn of(
        begun: Vec<Claimed>,
        facts: &[Facts],
        decisions: &[Decision],
        zones: &Zones,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut messages = Self::default();
        if begun.is_empty() {
            return Ok(messages);
        }
        let both = facts.iter().zip(decisions);
        let of: HashMap<&str, _> = both.map(|both| (both.1.agent.as_str(), both)).collect();
        for lease in begun {
            let both = lease.agent().and_then(|agent| of.get(agent));
            if lease.channel() == ChannelKind::Presence {
                let event = both.and_then(|(_, decision)| message::event_of(&lease, decision));
                messages
                    .presence
                    .push((lease, event.ok_or("agent_removed")));
            } else {
                let push = match both {
                    Some((facts, _)) => message::push_of(&lease, facts, zones, now)?,
                    None => Err("agent_removed"),
                };
                messages.push.push((lease, push));
            }
        }
        Ok(messages)
    }
}
