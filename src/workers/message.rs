//! From a lease to what goes over the wire, as it stands when it is sent.

use std::future::Future;

use jiff::Timestamp;

use crate::{
    domain::{
        alert,
        delivery::Push,
        plan::{Decision, Facts},
        presence::{Change, Event},
        zone::Zones,
    },
    store::{Claimed, PushFacts, StoreError, Tx},
};

/// What a request carries, and how it is made of what the database holds.
pub trait Prepare: Sized + Send + Sync + 'static {
    /// The instant (UTC) that it is about: lateness counts from here.
    fn since(&self) -> Timestamp;

    /// The messages of these leases as told at `now` (UTC), in the same order, with agents named as in
    /// the product `named_in` where there is one; `Err` says why one must not go any more.
    fn prepare(
        tx: &mut Tx,
        claimed: &[Claimed],
        zones: &Zones,
        named_in: Option<&str>,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Result<Self, &'static str>>, StoreError>> + Send;
}

impl Prepare for Push {
    fn since(&self) -> Timestamp {
        self.since
    }

    async fn prepare(
        tx: &mut Tx,
        claimed: &[Claimed],
        zones: &Zones,
        _: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Result<Self, &'static str>>, StoreError> {
        let facts = tx.pushes(claimed).await?;
        Ok(claimed
            .iter()
            .zip(facts)
            .map(|(lease, facts)| push(lease, facts?, zones, now))
            .collect())
    }
}

impl Prepare for Event {
    fn since(&self) -> Timestamp {
        self.effective_at
    }

    async fn prepare(
        tx: &mut Tx,
        claimed: &[Claimed],
        _: &Zones,
        named_in: Option<&str>,
        _: Timestamp,
    ) -> Result<Vec<Result<Self, &'static str>>, StoreError> {
        let events = tx.events(claimed, named_in).await?.into_iter();
        // Called for while the presence API was told.
        let goes = |event: Event| match event.change {
            Change::Workspace { .. } if named_in.is_some() => Err("product_knows_no_modes"),
            _ => Ok(event),
        };
        Ok(events.map(goes).collect())
    }
}

/// The push of a lease that came of these facts, as told at `now` (UTC); `Err` says why it must not go.
pub(super) fn push_of(
    lease: &Claimed,
    facts: &Facts,
    zones: &Zones,
    now: Timestamp,
) -> Result<Result<Push, &'static str>, StoreError> {
    let Ok(Some(schedule)) = &facts.schedule else {
        return Ok(Err("agent_removed"));
    };
    let facts = PushFacts::of(lease, schedule)?;
    Ok(facts.and_then(|facts| push(lease, facts, zones, now)))
}

/// The event of a lease that came of this decision, if that changes a status.
pub(super) fn event_of(lease: &Claimed, decision: &Decision) -> Option<Event> {
    let change = decision.change.as_ref()?;
    Some(Event {
        id: lease.id,
        workspace: decision.workspace.clone(),
        effective_at: change.effective_at,
        sequence: change.sequence,
        change: Change::Agent {
            agent: decision.agent.clone(),
            external: None,
            status: change.status,
            accepts_conversations: change.accepts,
            reason: change.reason,
        },
    })
}

fn push(
    lease: &Claimed,
    facts: PushFacts,
    zones: &Zones,
    now: Timestamp,
) -> Result<Push, &'static str> {
    let zone = zones
        .get(&facts.timezone)
        .map_err(|_| "unknown_time_zone")?;
    let since = facts.since(&zone);
    let text = alert::render(
        facts.event,
        facts.locale.as_deref().unwrap_or("en"),
        &alert::Facts {
            zone: &zone,
            at: facts.at,
            counterpart: facts.counterpart,
            minutes: facts.minutes,
            now,
        },
    );
    Ok(Push {
        delivery: lease.id,
        token: facts.token,
        environment: facts.environment,
        event: facts.event,
        collapse_id: alert::collapse_id(&facts.agent, facts.event, facts.at),
        agent: facts.agent,
        transition: facts.transition,
        at: facts.at,
        since,
        deadline: lease.deadline.unwrap_or(facts.at),
        title: text.title,
        body: text.body,
    })
}
