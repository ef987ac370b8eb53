//! A lane: the way of one receiver's deliveries from the outbox to the wire and back.
//!
//! Each receiver has its own lane with its own slots, pace and breaker: one that is down starves no
//! other. A lane claims only what it can send at once, sends while no transaction is open, and
//! hands the outcomes to the settler. It looks at the outbox when something was recorded, came back
//! (`tests/store/service.rs`) or is due, not for each place that becomes free. A send that would begin
//! after its lease or past its deadline (the process was frozen) does not begin.

mod desk;
mod gate;
mod outbox;
mod places;
mod send;
mod share;
mod wait;

use std::{fmt::Debug, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    desk::Desk,
    places::{Run, State},
    wait::Wait,
};
pub use self::{
    desk::{Direct, Leased},
    gate::Gate,
    places::Reserved,
};
use super::{Shared, message::Prepare, settle::settler, tell::chain, zones::ZonesInUse};
use crate::{
    channels::Channel,
    domain::{breaker::Allowance, pace::Pace},
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
    zones: Arc<ZonesInUse>,
    desk: Arc<Desk<C>>,
}

impl<C: Channel<Message: Prepare>> Lane<C> {
    /// A lane for `channel`, whose requests begin as fast as `pace` allows.
    pub fn new(
        shared: Shared,
        channel: Arc<C>,
        limits: Limits,
        pace: Pace,
        zones: Arc<ZonesInUse>,
    ) -> Self {
        let state = State::new(Gate::new(channel.kind(), pace));
        let desk = Desk {
            channel,
            clock: shared.clock.clone(),
            limits,
            state: Arc::new(state),
        };
        Self {
            shared,
            zones,
            desk: Arc::new(desk),
        }
    }

    /// The lane as whoever records sees it.
    pub fn direct(&self) -> Arc<dyn Direct<C::Message>>
    where
        C: Debug,
    {
        Arc::clone(&self.desk) as _
    }

    /// When (UTC) the credential in use at `now` ends, where it is known.
    pub fn credential_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.desk.channel.credential_expiry(now)
    }

    /// What this receiver allows, for whoever asks it besides.
    pub fn gate(&self) -> Gate {
        self.desk.state.gate.clone()
    }

    /// Why the breaker is open, if it is.
    pub fn open_reason(&self) -> Option<String> {
        self.desk.state.gate.open_reason()
    }

    /// Sends what is due until told to stop, or until nothing more can be sent; then waits for what
    /// is under way and for its outcomes to be written. Returns how many rounds sent something.
    pub async fn run(&self, until: Until, stop: &CancellationToken) -> usize {
        let mut rounds = 0;
        let (outcomes, incoming) = mpsc::channel(4096);
        let kind = self.desk.channel.kind();
        let returned = Arc::new(Notify::new());
        let settler = tokio::spawn(settler(
            self.shared.store.clone(),
            kind,
            incoming,
            Arc::clone(&returned),
        ));
        let run = Run {
            outcomes,
            sends: TaskTracker::new(),
            stop: stop.clone(),
        };
        if until == Until::Stopped {
            self.desk.state.open(run.clone());
        }
        while !stop.is_cancelled() {
            // Listens before it looks: a wake-up between the two is not lost.
            let freed = self.desk.state.freed.notified();
            let woken = self.shared.send_wake.notified();
            let returned = returned.notified();
            tokio::pin!(freed, woken, returned);
            freed.as_mut().enable();
            woken.as_mut().enable();
            returned.as_mut().enable();
            if stop.run_until_cancelled(self.gather()).await.is_none() {
                break;
            }
            let wait = match self.round(&run).await {
                Ok(Round::Sent(then)) => {
                    rounds += 1;
                    match then {
                        Some(wait) => wait,
                        None => continue,
                    }
                }
                Ok(Round::Wait(wait)) => wait,
                Err(error) => {
                    tracing::error!(channel = self.desk.channel.kind().as_str(), error = %chain(&error), "claim_failed");
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
        self.desk.state.close();
        run.sends.close();
        run.sends.wait().await;
        drop(run);
        if let Err(error) = settler.await {
            tracing::error!(%error, "settler_failed");
        }
        rounds
    }

    fn in_flight(&self) -> usize {
        self.desk.state.taken()
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
        let slots = self.desk.channel.slots();
        let free = slots.saturating_sub(self.in_flight());
        free > 0 && free < slots / 4
    }

    /// Claims what can be sent now and starts to send it.
    async fn round(&self, run: &Run) -> Result<Round, StoreError> {
        let now = self.shared.clock.now();
        let requests = match self.requests(now) {
            Ok(requests) => requests,
            Err(wait) => return Ok(Round::Wait(wait)),
        };
        let batch = self.desk.channel.batch();
        let places = self.desk.take(requests.min(CLAIM.div_ceil(batch)), now);
        if places.len() == 0 {
            let next_in = self.desk.state.gate.pace().next_in();
            return Ok(Round::Wait(Wait::Paced(next_in)));
        }
        let limit = (places.len() * batch).min(CLAIM);
        let mut claim = self.claim(limit, Crashed::Never).await?;
        let mut alone = None;
        if claim.leases.is_empty() {
            let next = self.next_send().await?;
            if self.in_flight() == places.len() && next.is_some_and(|at| at <= now) {
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
                return Ok(Round::Wait(Wait::until(next, now)));
            }
        }
        let all = claim.leases.len() < limit;
        self.desk
            .begin(places, claim.leases, claim.until, run, &alone);
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
        let free = self.desk.channel.slots().saturating_sub(in_flight);
        match self.desk.state.gate.allowance(now, in_flight) {
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
