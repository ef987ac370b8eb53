//! From a lease to what goes over the wire, as it stands when it is sent.

use std::future::Future;

use jiff::Timestamp;

use crate::{
    channels::{Channel, apns::Apns, fcm::Fcm, presence::Presence},
    domain::{alert, delivery::Push, presence::Event, zone::Zones},
    store::{Claimed, PushFacts, StoreError, Tx},
};

/// A channel whose messages the database can make.
pub trait Prepare: Channel {
    /// The instant (UTC) that a message is about: lateness counts from here.
    fn since(message: &Self::Message) -> Timestamp;

    /// The messages of these leases, in the same order; `Err` says why one must not go any more.
    fn prepare(
        tx: &mut Tx,
        claimed: &[Claimed],
        zones: &Zones,
    ) -> impl Future<Output = Result<Vec<Result<Self::Message, &'static str>>, StoreError>> + Send;
}

impl Prepare for Apns {
    fn since(push: &Push) -> Timestamp {
        push.at
    }

    async fn prepare(
        tx: &mut Tx,
        claimed: &[Claimed],
        zones: &Zones,
    ) -> Result<Vec<Result<Push, &'static str>>, StoreError> {
        pushes(tx, claimed, zones).await
    }
}

impl Prepare for Fcm {
    fn since(push: &Push) -> Timestamp {
        push.at
    }

    async fn prepare(
        tx: &mut Tx,
        claimed: &[Claimed],
        zones: &Zones,
    ) -> Result<Vec<Result<Push, &'static str>>, StoreError> {
        pushes(tx, claimed, zones).await
    }
}

impl Prepare for Presence {
    fn since(event: &Event) -> Timestamp {
        event.effective_at
    }

    async fn prepare(
        tx: &mut Tx,
        claimed: &[Claimed],
        _: &Zones,
    ) -> Result<Vec<Result<Event, &'static str>>, StoreError> {
        events(tx, claimed).await
    }
}

/// The presence events of these leases.
pub async fn events(
    tx: &mut Tx,
    claimed: &[Claimed],
) -> Result<Vec<Result<Event, &'static str>>, StoreError> {
    Ok(tx.events(claimed).await?.into_iter().map(Ok).collect())
}

/// The pushes of these leases.
pub async fn pushes(
    tx: &mut Tx,
    claimed: &[Claimed],
    zones: &Zones,
) -> Result<Vec<Result<Push, &'static str>>, StoreError> {
    let facts = tx.pushes(claimed).await?;
    Ok(claimed
        .iter()
        .zip(facts)
        .map(|(lease, facts)| push(lease, facts?, zones))
        .collect())
}

fn push(lease: &Claimed, facts: PushFacts, zones: &Zones) -> Result<Push, &'static str> {
    let zone = zones
        .get(&facts.timezone)
        .map_err(|_| "unknown_time_zone")?;
    let text = alert::render(
        facts.event,
        facts.locale.as_deref().unwrap_or("en"),
        &alert::Facts {
            zone: &zone,
            at: facts.at,
            counterpart: facts.counterpart,
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
        deadline: lease.deadline.unwrap_or(facts.at),
        title: text.title,
        body: text.body,
    })
}
