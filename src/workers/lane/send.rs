//! A place in the lane: its requests, one after the other, from their leases to their outcomes.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::{
    desk::Desk,
    places::{Place, Run},
};
use crate::{
    channels::Channel,
    clock::Stopwatch,
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
    desk: Arc<Desk<C>>,
    place: Place,
    run: Run,
    alone: Alone,
}

impl<C: Channel<Message: Prepare>> Sender<C> {
    /// Sends from `place`.
    pub(super) fn new(desk: Arc<Desk<C>>, place: Place, run: Run, alone: Alone) -> Self {
        Self {
            desk,
            place,
            run,
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
        let now = self.desk.clock.now();
        if let Some((state, reason)) = self.too_late(&leases, now, until) {
            for (lease, message) in leases.into_iter().zip(messages) {
                let back = released(&lease, state, reason, now);
                self.settle(lease, message.since(), back).await;
            }
            return;
        }
        let kind = self.desk.channel.kind();
        let watch = Stopwatch::start();
        let judgement = self.desk.channel.send(messages, now).await;
        let now = self.desk.clock.now();
        metrics::request_ended(kind, watch.elapsed());
        self.place.state().gate.learn(&judgement, now);
        let batch = leases.len();
        for (lease, message) in leases.into_iter().zip(messages) {
            let settlement = judged(kind, &lease, batch, &judgement, now);
            self.settle(lease, message.since(), settlement).await;
        }
    }

    async fn settle(&self, lease: Claimed, since: Timestamp, settlement: Settlement) {
        settle(&self.run.outcomes, lease, since, settlement, &self.alone).await;
    }

    /// Why a request must not begin at `now` any more: the process may have been frozen since it
    /// took the leases, or other requests of its place took long.
    fn too_late(
        &self,
        leases: &[Claimed],
        now: Timestamp,
        until: Timestamp,
    ) -> Option<(DeliveryState, &'static str)> {
        if self.run.stop.is_cancelled() {
            return Some((DeliveryState::Pending, "stopping"));
        }
        if now + self.desk.limits.request_timeout > until {
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
        dispatch: lease.dispatch,
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
fn released(lease: &Claimed, state: DeliveryState, reason: &str, now: Timestamp) -> Settlement {
    Settlement {
        id: lease.id,
        epoch: lease.epoch,
        dispatch: lease.dispatch,
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

/// Settles what must not go any more, each with the reason.
pub(super) async fn cancel(
    run: Run,
    leases: Vec<(Claimed, &'static str)>,
    now: Timestamp,
    alone: Alone,
) {
    for (lease, reason) in leases {
        let cancelled = released(&lease, DeliveryState::Cancelled, reason, now);
        settle(&run.outcomes, lease, now, cancelled, &alone).await;
    }
}

/// Hands an outcome to the settler, which outlives every sender: this fails only when the process
/// is torn down.
async fn settle(
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
