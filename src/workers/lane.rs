//! A lane: the way of one receiver's deliveries from the outbox to the wire and back.
//!
//! Each receiver has its own lane with its own slots, pace and breaker: one that is down starves no
//! other. A lane claims only what it can send at once, sends while no transaction is open, and
//! hands the outcomes to the settler. It looks at the outbox when something was recorded, came back
//! (`tests/store/service.rs`) or is due, not for each place that becomes free. A send that would begin
//! after its lease or past its deadline (the process was frozen) does not begin.

mod gate;
mod outbox;
mod send;
mod share;
mod wait;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::gate::Gate;
use self::{
    send::Sender,
    share::{in_requests, in_turns},
    wait::Wait,
};
use super::{
    Shared,
    message::Prepare,
    scan::Scan,
    settle::{Outcome, settler},
    tell::chain,
};
use crate::{
    channels::Channel,
    domain::{breaker::Allowance, delivery::DeliveryState, pace::Pace},
    store::{Crashed, StoreError},
};

/// Deliveries claimed in one transaction, at most.
const CLAIM: usize = 500;
/// While less than a quarter of the places is free, a few such moments for others to become free: each
/// claim is a transaction that passes over all that is under way, and a hundred deliveries cost hardly
/// more than one.
const MOMENT: Duration = Duration::from_millis(5);
const MOMENTS: usize = 8;
/// After the database failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Times that hold for every lane.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a lease lasts; longer than a request may take.
    pub lease: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
}

/// When a lane ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// When told to stop.
    Stopped,
    /// When nothing more can be sent now: one pass for cron.
    Idle,
}

/// One receiver's lane.
#[derive(Debug)]
pub struct Lane<C> {
    shared: Shared,
    channel: Arc<C>,
    limits: Limits,
    scan: Arc<Scan>,
    state: Arc<State>,
}

/// What the lane and its sends share.
#[derive(Debug)]
struct State {
    gate: Gate,
    in_flight: AtomicUsize,
    freed: Notify,
}

impl<C: Channel<Message: Prepare>> Lane<C> {
    /// A lane for `channel`, whose requests begin as fast as `pace` allows; `scan` has the time-zone data in
    /// use.
    pub fn new(
        shared: Shared,
        channel: Arc<C>,
        limits: Limits,
        pace: Pace,
        scan: Arc<Scan>,
    ) -> Self {
        let state = State {
            gate: Gate::new(channel.kind(), pace),
            in_flight: AtomicUsize::new(0),
            freed: Notify::new(),
        };
        Self {
            shared,
            channel,
            limits,
            scan,
            state: Arc::new(state),
        }
    }

    /// When (UTC) the credential in use at `now` ends, where it is known.
    pub fn credential_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.channel.credential_expiry(now)
    }

    /// What this receiver allows, for whoever asks it besides.
    pub fn gate(&self) -> Gate {
        self.state.gate.clone()
    }

    /// Why the breaker is open, if it is.
    pub fn open_reason(&self) -> Option<String> {
        self.state.gate.open_reason()
    }

    /// Sends what is due until told to stop, or until nothing more can be sent; then waits for what
    /// is under way and for its outcomes to be written. Returns how many rounds sent something.
    pub async fn run(&self, until: Until, stop: &CancellationToken) -> usize {
        let mut rounds = 0;
        let (outcomes, incoming) = mpsc::channel(4096);
        let kind = self.channel.kind();
        let returned = Arc::new(Notify::new());
        let settler = tokio::spawn(settler(
            self.shared.store.clone(),
            kind,
            incoming,
            Arc::clone(&returned),
        ));
        let sends = TaskTracker::new();
        while !stop.is_cancelled() {
            // Listens before it looks: a wake-up between the two is not lost.
            let freed = self.state.freed.notified();
            let woken = self.shared.send_wake.notified();
            let returned = returned.notified();
            tokio::pin!(freed, woken, returned);
            freed.as_mut().enable();
            woken.as_mut().enable();
            returned.as_mut().enable();
            if stop.run_until_cancelled(self.gather()).await.is_none() {
                break;
            }
            let wait = match self.round(&sends, &outcomes, stop).await {
                Ok(Round::Sent(then)) => {
                    rounds += 1;
                    match then {
                        Some(wait) => wait,
                        None => continue,
                    }
                }
                Ok(Round::Wait(wait)) => wait,
                Err(error) => {
                    tracing::error!(channel = self.channel.kind().as_str(), error = %chain(&error), "claim_failed");
                    Wait::For(PAUSE)
                }
            };
            let idle = matches!(wait, Wait::For(_) | Wait::Due(_));
            if until == Until::Idle && idle && self.in_flight() == 0 {
                break;
            }
            // Another free place is of no use where nothing is due, unless all are to be free.
            let nothing_due = matches!(wait, Wait::Due(_)) && until == Until::Stopped;
            tokio::select! {
                () = stop.cancelled() => {}
                () = freed, if !nothing_due => {}
                () = woken, if wait != Wait::Full => {}
                () = returned, if wait != Wait::Full => {}
                () = tokio::time::sleep(wait.at_most()) => {}
            }
        }
        sends.close();
        sends.wait().await;
        drop(outcomes);
        if let Err(error) = settler.await {
            tracing::error!(%error, "settler_failed");
        }
        rounds
    }

    fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::Acquire)
    }

    async fn gather(&self) {
        for _ in 0..MOMENTS {
            if !self.nearly_full() {
                break;
            }
            tokio::time::sleep(MOMENT).await;
        }
    }

    /// Whether few places are free, though some are.
    fn nearly_full(&self) -> bool {
        let slots = self.channel.slots();
        let free = slots.saturating_sub(self.in_flight());
        free > 0 && free < slots / 4
    }

    /// Claims what can be sent now and starts to send it.
    async fn round(
        &self,
        sends: &TaskTracker,
        outcomes: &mpsc::Sender<Outcome>,
        stop: &CancellationToken,
    ) -> Result<Round, StoreError> {
        let now = self.shared.clock.now();
        let requests = match self.requests(now) {
            Ok(requests) => requests,
            Err(wait) => return Ok(Round::Wait(wait)),
        };
        let batch = self.channel.batch();
        let granted = self
            .state
            .gate
            .pace()
            .take(now, requests.min(CLAIM.div_ceil(batch)));
        if granted == 0 {
            return Ok(Round::Wait(Wait::Paced(self.state.gate.pace().next_in())));
        }
        let limit = (granted * batch).min(CLAIM);
        let mut claim = self.claim(limit, Crashed::Never).await?;
        let mut alone = None;
        if claim.leases.is_empty() {
            let next = self.next_send().await?;
            if self.in_flight() == 0 && next.is_some_and(|at| at <= now) {
                let permit = Arc::clone(&self.shared.suspect).try_acquire_owned();
                alone = permit.ok().map(Arc::new);
                if alone.is_some() {
                    claim = self.claim_suspects(limit).await?;
                }
                if claim.leases.is_empty() {
                    self.sweep(now).await?;
                }
            }
            if claim.leases.is_empty() {
                self.state.gate.pace().settle(granted, 0);
                return Ok(Round::Wait(Wait::until(next, now)));
            }
        }
        let all = claim.leases.len() < limit;
        let mut leases = Vec::with_capacity(claim.leases.len());
        for (lease, message) in claim.leases.into_iter().zip(claim.messages) {
            match message {
                Ok(message) => leases.push((lease, message)),
                Err(reason) => {
                    let cancelled = send::released(&lease, DeliveryState::Cancelled, reason, now);
                    send::settle(outcomes, lease, now, cancelled, &alone).await;
                }
            }
        }
        let begun = in_requests(leases, batch, |a, b| self.channel.together(a, b));
        self.state.gate.pace().settle(granted, begun.len());
        for turns in in_turns(begun, granted) {
            let sender = Sender::new(self, outcomes.clone(), stop.clone(), alone.clone());
            sends.spawn(sender.send(turns, claim.until));
        }
        let then = if all {
            Some(Wait::until(self.next_send().await?, now))
        } else {
            None
        };
        Ok(Round::Sent(then))
    }

    /// How many requests may begin now.
    fn requests(&self, now: Timestamp) -> Result<usize, Wait> {
        let in_flight = self.in_flight();
        let free = self.channel.slots().saturating_sub(in_flight);
        match self.state.gate.allowance(now, in_flight) {
            Allowance::Nothing(until) => Err(Wait::For(until.duration_since(now).unsigned_abs())),
            _ if free == 0 => Err(Wait::Full),
            Allowance::Probe => Ok(1),
            Allowance::All => Ok(free),
        }
    }
}

enum Round {
    /// Something is under way. Look again at once, or wait, if it was all that is due.
    Sent(Option<Wait>),
    /// Nothing could be claimed.
    Wait(Wait),
}
