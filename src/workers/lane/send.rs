//! A place in the lane: its requests, one after the other, from their leases to their outcomes.

use std::sync::{Arc, atomic::Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Lane, Limits, State};
use crate::{
    channels::Channel,
    clock::{Clock, Stopwatch},
    domain::{
        delivery::{ChannelKind, DeliveryState, DeviceFate, Judgement},
        retry::{self, Standing},
    },
    store::{Claimed, Settlement},
    telemetry::metrics,
    workers::{
        message::Prepare,
        settle::{Alone, Outcome},
    },
};

/// A place among the requests in flight, and what it takes to send them.
pub(super) struct Sender<C> {
    channel: Arc<C>,
    clock: Clock,
    limits: Limits,
    outcomes: mpsc::Sender<Outcome>,
    /// Cancelled when the lane is to end: what has not begun is given back.
    stop: CancellationToken,
    place: Place,
    alone: Alone,
}

/// Counted in [`State::in_flight`] until it is dropped.
struct Place(Arc<State>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_waiters();
    }
}

impl<C: Channel<Message: Prepare>> Sender<C> {
    /// Takes a place in the lane.
    pub(super) fn new(
        lane: &Lane<C>,
        outcomes: mpsc::Sender<Outcome>,
        stop: CancellationToken,
        alone: Alone,
    ) -> Self {
        lane.state.in_flight.fetch_add(1, Ordering::AcqRel);
        Self {
            channel: Arc::clone(&lane.channel),
            clock: lane.shared.clock.clone(),
            limits: lane.limits,
            outcomes,
            stop,
            place: Place(Arc::clone(&lane.state)),
            alone,
        }
    }

    /// Sends requests whose leases run until `until` (UTC), and hands on what became of them. The
    /// place is held until the outcomes are handed on: a database that takes none slows the lane.
    pub(super) async fn send(self, turns: Vec<Vec<(Claimed, C::Message)>>, until: Timestamp) {
        for request in turns {
            let (leases, messages): (Vec<Claimed>, Vec<C::Message>) = request.into_iter().unzip();
            self.request(leases, &messages, until).await;
        }
    }

    async fn request(&self, leases: Vec<Claimed>, messages: &[C::Message], until: Timestamp) {
        let now = self.clock.now();
        if let Some((state, reason)) = self.too_late(&leases, now, until) {
            for (lease, message) in leases.into_iter().zip(messages) {
                let back = released(&lease, state, reason, now);
                self.settle(lease, message.since(), back).await;
            }
            return;
        }
        let kind = self.channel.kind();
        let watch = Stopwatch::start();
        let judgement = self.channel.send(messages, now).await;
        let now = self.clock.now();
        metrics::request_ended(kind, watch.elapsed());
        self.place.0.gate.learn(&judgement, now);
        let batch = leases.len();
        for (lease, message) in leases.into_iter().zip(messages) {
            let settlement = judged(kind, &lease, batch, &judgement, now);
            self.settle(lease, message.since(), settlement).await;
        }
    }

    async fn settle(&self, lease: Claimed, since: Timestamp, settlement: Settlement) {
        settle(&self.outcomes, lease, since, settlement, &self.alone).await;
    }

    /// Why a request must not begin at `now` any more: the process may have been frozen since it
    /// took the leases, or other requests of its place took long.
    fn too_late(
        &self,
        leases: &[Claimed],
        now: Timestamp,
        until: Timestamp,
    ) -> Option<(DeliveryState, &'static str)> {
        if self.stop.is_cancelled() {
            return Some((DeliveryState::Pending, "stopping"));
        }
        if now + self.limits.request_timeout > until {
            return Some((DeliveryState::Pending, "lease_too_short"));
        }
        let passed = |lease: &Claimed| lease.deadline.is_some_and(|deadline| deadline <= now);
        leases
            .iter()
            .any(passed)
            .then_some((DeliveryState::Expired, "deadline"))
    }
}

fn judged(
    channel: ChannelKind,
    lease: &Claimed,
    batch: usize,
    judgement: &Judgement,
    now: Timestamp,
) -> Settlement {
    let standing = Standing {
        channel,
        tries: lease.tries,
        epoch: lease.epoch,
        deadline: lease.deadline,
        batch,
        batch_cap: lease.batch_cap,
    };
    let next = retry::next(
        judgement,
        &standing,
        now,
        retry::jitter(lease.id, lease.epoch),
    );
    Settlement {
        id: lease.id,
        epoch: lease.epoch,
        state: next.state,
        reason: judgement.reason.clone(),
        due_at: next.due_at,
        cost: next.cost,
        batch_cap: next.batch_cap,
        receipt: judgement.receipt.clone(),
        outcome: judgement.verdict.as_str(),
        http_status: judgement.http_status,
        finished_at: now,
        device: judgement.device,
    }
}

/// Gives a lease back without having sent; it costs no try.
pub(super) fn released(
    lease: &Claimed,
    state: DeliveryState,
    reason: &str,
    now: Timestamp,
) -> Settlement {
    Settlement {
        id: lease.id,
        epoch: lease.epoch,
        state,
        reason: reason.to_owned(),
        due_at: (state == DeliveryState::Pending).then_some(now),
        cost: false,
        batch_cap: lease.batch_cap,
        receipt: None,
        outcome: "released",
        http_status: None,
        finished_at: now,
        device: DeviceFate::Keep,
    }
}

/// Hands an outcome to the settler, which outlives every sender: this fails only when the process
/// is torn down.
pub(super) async fn settle(
    outcomes: &mpsc::Sender<Outcome>,
    lease: Claimed,
    since: Timestamp,
    settlement: Settlement,
    alone: &Alone,
) {
    let outcome = Outcome {
        settlement,
        about: lease.about,
        since,
        alone: alone.clone(),
    };
    let _ = outcomes.send(outcome).await;
}
