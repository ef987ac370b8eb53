//! Where leases become requests: those that the lane claimed, and those that the scan leased as it
//! recorded them ([`Direct`]), which nobody has to look for.

use std::{fmt::Debug, sync::Arc};

use jiff::Timestamp;

use super::{
    Limits,
    places::{Places, Reserved, Run, State},
    send::{Sender, cancel},
    share::{in_requests, in_turns},
};
use crate::{
    channels::Channel,
    clock::Clock,
    domain::breaker::Allowance,
    store::Claimed,
    workers::{message::Prepare, settle::Alone},
};

/// A lease, and what it is to send, or why it must not go any more.
pub type Leased<M> = (Claimed, Result<M, &'static str>);

/// A lane as whoever records sees it.
pub trait Direct<M>: Debug + Send + Sync {
    /// Whether few places are free that may soon be: worth a moment's wait.
    fn is_busy(&self, now: Timestamp) -> bool;

    /// Takes places for so many deliveries as far as there are any, and says for how many.
    fn reserve(&self, deliveries: usize, now: Timestamp) -> Option<(Reserved, usize)>;

    /// Sends what was leased until `until` (UTC) from those places.
    fn send(self: Arc<Self>, reserved: Reserved, leases: Vec<Leased<M>>, until: Timestamp);
}

/// What it takes to send.
#[derive(Debug)]
pub(super) struct Desk<C> {
    pub(super) channel: Arc<C>,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    pub(super) state: Arc<State>,
}

impl<C: Channel<Message: Prepare>> Desk<C> {
    /// Takes places for so many requests at `now` (UTC), as far as they are free and the pace allows.
    pub(super) fn take(&self, requests: usize, now: Timestamp) -> Places {
        self.state.take(requests, self.channel.slots(), now)
    }

    /// Sends from these places; those that are not needed are free again.
    pub(super) fn begin(
        self: &Arc<Self>,
        places: Places,
        leases: Vec<Leased<C::Message>>,
        until: Timestamp,
        run: &Run,
        alone: &Alone,
    ) {
        let (mut goes, mut stays) = (Vec::with_capacity(leases.len()), Vec::new());
        for (lease, message) in leases {
            match message {
                Ok(message) => goes.push((lease, message)),
                Err(reason) => stays.push((lease, reason)),
            }
        }
        if !stays.is_empty() {
            let cancelled = cancel(run.clone(), stays, self.clock.now(), alone.clone());
            run.sends.spawn(cancelled);
        }
        let together = |a: &C::Message, b: &C::Message| self.channel.together(a, b);
        let requests = in_requests(goes, self.channel.batch(), together);
        let places = places.used_for(requests.len());
        for (turns, place) in in_turns(requests, places.len()).into_iter().zip(places) {
            let (desk, alone) = (Arc::clone(self), alone.clone());
            let sender = Sender::new(desk, place, run.clone(), alone);
            run.sends.spawn(sender.send(turns, until));
        }
    }
}

impl<C: Channel<Message: Prepare> + Debug> Direct<C::Message> for Desk<C> {
    fn is_busy(&self, now: Timestamp) -> bool {
        let (slots, taken) = (self.channel.slots(), self.state.taken());
        slots.saturating_sub(taken) < slots.div_ceil(2)
            && self.state.run().is_some()
            && self.state.gate.allowance(now, taken) == Allowance::All
    }

    fn reserve(&self, deliveries: usize, now: Timestamp) -> Option<(Reserved, usize)> {
        let (run, token) = self.state.run()?;
        if self.state.gate.allowance(now, self.state.taken()) != Allowance::All {
            return None;
        }
        let batch = self.channel.batch();
        let places = self.take(deliveries.div_ceil(batch), now);
        let room = deliveries.min(places.len() * batch);
        (room > 0).then(|| (Reserved::new(places, run, token), room))
    }

    fn send(
        self: Arc<Self>,
        reserved: Reserved,
        leases: Vec<Leased<C::Message>>,
        until: Timestamp,
    ) {
        let Reserved { places, run, token } = reserved;
        self.begin(places, leases, until, &run, &None);
        // Only now, that its sends are waited for, the run may end.
        drop(token);
    }
}
