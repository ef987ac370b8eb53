//! Drift: what the product shows is compared with what was recorded, and mended.
//!
//! A slow walk through all agents takes a quarter of the pace at most. What the product never took is
//! posted again through the same outbox and lane as any change; what somebody set there since is left
//! alone. `domain::driver::drift` tells the two apart.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Upkeep, until};
use crate::{
    domain::{
        breaker::Allowance,
        delivery::{Judgement, Verdict},
        driver::drift::{Found, Told},
    },
    store::{Again, Seen, StoreError, Stride},
    telemetry::metrics,
    workers::tell,
};

/// Agents in one step of the walk, where one request reads many, and where it reads one.
const MANY: usize = 500;
const FEW: usize = 10;
/// What was told so long ago at most is read back at once, if it was not yet; the walk comes by the rest.
const LATELY: SignedDuration = SignedDuration::from_mins(15);
/// The part of the pace that the walk takes.
const SHARE: u32 = 4;

/// A look at what the product shows of one agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// What was recorded.
    pub told: Told,
    /// What the product shows, in its own words; `None` if it knows no such agent.
    pub there: Option<Value>,
    /// What that means.
    pub found: Found,
    /// Whether the status was recorded to be posted again.
    pub mended: bool,
}

impl Upkeep {
    /// Reads back what was sent lately, where answers prove nothing, and takes the next step of the walk, if
    /// it is due: compares some agents and mends what drifted. While nothing is due it only reads.
    pub async fn compare_some(&self) -> Result<Vec<Look>, StoreError> {
        let now = self.hands.shared.clock.now();
        if let Allowance::Nothing(_) = self.gate().allowance(now, 0) {
            return Ok(Vec::new());
        }
        let mut looks = Vec::new();
        if self.reads_back() && self.gate().took_something() {
            let told = self.sent_lately(now).await?;
            if told.len() == self.step() {
                self.gate().note_taken();
            }
            looks = self.compare_at_cost(told, now).await?;
        }
        let told = self.walk(now).await?;
        looks.extend(self.compare_at_cost(told, now).await?);
        Ok(looks)
    }

    /// Whether it takes a look to learn that the product took a status. The sooner the better: what
    /// somebody sets there before looks the same as a change that was never taken.
    pub(super) fn reads_back(&self) -> bool {
        self.can_compare() && !self.driver().description().proves()
    }

    async fn sent_lately(&self, now: Timestamp) -> Result<Vec<Told>, StoreError> {
        let limit = self.step() as i64;
        let told = self.hands.shared.store.unit(move |store| async move {
            let mut tx = store.snapshot().await?;
            let told = tx.told_lately(now - LATELY, limit).await?;
            tx.commit().await?;
            Ok(told)
        });
        told.await
    }

    async fn walk(&self, now: Timestamp) -> Result<Vec<Told>, StoreError> {
        let stride = self.stride();
        let told = self.hands.shared.store.unit(move |store| async move {
            let mut tx = store.snapshot().await?;
            let due = tx.next_step(now, stride).await?;
            tx.commit().await?;
            if due > now {
                return Ok(Vec::new());
            }
            let mut tx = store.begin().await?;
            let told = tx.walk(now, stride).await?;
            tx.commit().await?;
            Ok(told)
        });
        told.await
    }

    /// Compares and mends. What that asks beyond the pace is owed, and holds up whoever comes next.
    async fn compare_at_cost(
        &self,
        told: Vec<Told>,
        now: Timestamp,
    ) -> Result<Vec<Look>, StoreError> {
        if told.is_empty() {
            return Ok(Vec::new());
        }
        let granted = self.gate().pace().take(now, self.requests());
        self.gate().pace().settle(granted, self.requests());
        match self.compare(told, false, true).await? {
            Ok(looks) => Ok(looks),
            Err(judgement) => {
                tracing::warn!(reason = judgement.reason, "statuses_not_read");
                // That it may not be read says nothing of whether it may be set.
                if judgement.verdict == Verdict::Slow {
                    self.gate().learn(&judgement, self.hands.shared.clock.now());
                }
                Ok(Vec::new())
            }
        }
    }

    /// How long until the next step of the walk.
    pub(super) async fn next_step_in(&self) -> Result<Duration, StoreError> {
        let (now, stride) = (self.hands.shared.clock.now(), self.stride());
        let next = self.hands.shared.store.unit(move |store| async move {
            let mut tx = store.snapshot().await?;
            let next = tx.next_step(now, stride).await?;
            tx.commit().await?;
            Ok(next)
        });
        Ok(until(next.await?, now))
    }

    fn stride(&self) -> Stride {
        Stride {
            agents: self.step() as i64,
            pause: SignedDuration::try_from(self.stride_pause()).unwrap_or(SignedDuration::MAX),
            every: self.check_every,
        }
    }

    /// How many agents are compared at once.
    pub fn step(&self) -> usize {
        match self.driver().reads() {
            0 | 1 => FEW,
            many => many.min(MANY),
        }
    }

    /// How many requests a step takes.
    pub(super) fn requests(&self) -> usize {
        self.step().div_ceil(self.driver().reads().max(1))
    }

    /// Between two steps.
    pub(super) fn stride_pause(&self) -> Duration {
        let minute = Duration::from_mins(1) / self.per_minute.max(1);
        (minute * SHARE * self.requests() as u32).max(Duration::from_secs(1))
    }

    /// Compares what was told of these agents with what the product shows; with `mend`, posts again what
    /// drifted, and with `force` what was set there, too. The inner error says why not everybody could be
    /// read; whoever was is mended all the same.
    pub async fn compare(
        &self,
        told: Vec<Told>,
        force: bool,
        mend: bool,
    ) -> Result<Result<Vec<Look>, Judgement>, StoreError> {
        let now = self.hands.shared.clock.now();
        let agents = told.iter().map(|told| told.agent.clone()).collect();
        let names = self.hands.names(agents).await?;
        let there: Vec<&str> = told.iter().map(|told| names.of(&told.agent)).collect();
        let mut reading = self.driver().read(&there, now).await;
        // Whoever asked for this has paid for so many.
        self.gate().pace().settle(self.requests(), reading.asked);
        let description = self.driver().description();
        let looks = told.into_iter().map(|told| {
            let id = names.of(&told.agent);
            let word = reading.shown.remove(id);
            let means = |word| description.means(word, told.shown);
            let right = word.as_ref().map(means);
            let found = match right {
                None if reading.is_without(id) => Found::Unread,
                right => told.found(right, description.proves()),
            };
            let mended = mend && found.is_to_mend(force);
            Look {
                told,
                there: word,
                found,
                mended,
            }
        });
        let looks: Vec<Look> = looks.collect();
        for look in &looks {
            metrics::presence_compared(look.found);
        }
        if mend {
            self.mend(&looks, now).await?;
        }
        Ok(reading.failed.map_or(Ok(looks), Err))
    }

    async fn mend(&self, looks: &[Look], now: Timestamp) -> Result<(), StoreError> {
        let confirmed = looks.iter().filter(|look| {
            look.found == Found::Agrees && look.told.confirmed != look.told.sequence
        });
        let seen: Vec<Seen> = confirmed
            .map(|look| Seen {
                agent_id: look.told.agent.clone(),
                confirmed: look.told.sequence,
                mended: 0,
            })
            .collect();
        let again = looks.iter().filter(|look| look.mended);
        let again: Vec<Again> = again.map(|look| Again::from(&look.told)).collect();
        if seen.is_empty() && again.is_empty() {
            return Ok(());
        }
        let ended = self.hands.shared.store.unit(move |store| async move {
            let mut tx = store.begin().await?;
            tx.note_seen(&seen).await?;
            let (mended, ended) = store.post_again(&mut tx, &again, now).await?;
            tx.note_seen(&mended).await?;
            tx.commit().await?;
            Ok((mended, ended))
        });
        let (mended, ended) = ended.await?;
        for seen in &mended {
            tracing::info!(
                agent = seen.agent_id,
                sequence = seen.mended,
                "presence_mended"
            );
        }
        tell::ended(&ended);
        self.hands.shared.send_wake.notify_waiters();
        Ok(())
    }
}
