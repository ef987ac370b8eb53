//! Deliveries that begin as they are recorded: whoever records them has places free to send them at
//! once, and leases them in the same statement. Nobody has to look for them, or to read again what was
//! read to decide.
//!
//! To everybody else they are leases like any other: a crash leaves them to run out, and what the
//! outbox is promised ([`crate::store::outbox`]) holds. Many of them are one row
//! ([`crate::store::outbox::dispatch`]). An event of an agent of whom an earlier one is
//! still open has to wait for that one. `tests/store/begin.rs` proves it.

use std::collections::HashSet;

use uuid::Uuid;

use super::{NewDelivery, write::RECORDED};
use crate::{
    domain::{delivery::ChannelKind, device::DeviceToken},
    store::{
        About, Claimed, StoreError, Tx,
        columns::{list, table},
        instant,
        outbox::dispatch::{Lease, WORTHWHILE},
        sql::run,
    },
};

/// The leases of deliveries that begin as they are recorded.
pub struct Terms<'a> {
    /// Who sends them, from when until when.
    pub lease: Lease<'a>,
    /// Takes places for so many deliveries of a channel, as far as there are any; returns for how many.
    pub places: &'a mut (dyn FnMut(ChannelKind, usize) -> usize + Send),
}

impl Terms<'_> {
    /// Marks those to lease: as many of each channel as there are places for. Events of `preceded`
    /// receivers wait.
    pub(super) fn mark(self, opened: &mut [NewDelivery<'_>], preceded: &HashSet<String>) {
        for kind in ChannelKind::ALL {
            let ready = |d: &&mut NewDelivery<'_>| {
                d.channel == kind
                    && !(kind == ChannelKind::Presence
                        && (d.agent_id.is_none() || preceded.contains(&d.receiver)))
            };
            let wanted = opened.iter_mut().filter(ready).count();
            if wanted > 0 {
                let granted = (self.places)(kind, wanted);
                let leased = opened.iter_mut().filter(ready).take(granted);
                leased.for_each(|delivery| delivery.leased = true);
            }
        }
    }
}

/// Records what is leased as one dispatch, if it is worthwhile; returns its id. What was recorded before
/// goes through the outbox, which knows what to do with it.
pub(super) async fn dispatch(
    tx: &mut Tx,
    opened: &mut [NewDelivery<'_>],
    lease: Lease<'_>,
) -> Result<Option<Uuid>, StoreError> {
    if opened.iter().filter(|d| d.leased).count() < WORTHWHILE {
        return Ok(None);
    }
    // An event is its transition's, which is new.
    let alerts = opened
        .iter()
        .filter(|d| d.leased && d.channel != ChannelKind::Presence);
    let known: Vec<(String,)> = run!(tx, all RECORDED, list(alerts.map(|d| d.id)))?;
    let known: HashSet<String> = known.into_iter().map(|(id,)| id).collect();
    let is_known = |id: Uuid| !known.is_empty() && known.contains(&id.to_string());
    let mut new: Vec<_> = opened
        .iter_mut()
        .filter(|d| d.leased && !is_known(d.id))
        .collect();
    let id = new.first().map(|first| first.id);
    for delivery in &mut new {
        delivery.dispatch = id;
    }
    if let Some(id) = id {
        tx.dispatch(id, lease, &table(&new), new.len()).await?;
    }
    Ok(id)
}

/// The leases among the opened deliveries: of those that are `new` in the outbox, and that had not come
/// to their end before (`over`).
pub(super) fn begun(
    opened: &[&NewDelivery<'_>],
    new: Vec<(String,)>,
    over: &HashSet<String>,
) -> Result<Vec<Claimed>, StoreError> {
    let all = new.len() == opened.len() && over.is_empty();
    let new: HashSet<String> = new.into_iter().map(|(id,)| id).collect();
    let stands = |id: String| new.contains(&id) && !over.contains(&id);
    let begun = opened
        .iter()
        .filter(|d| d.leased && (all || stands(d.id.to_string())));
    begun.map(|d| d.claimed()).collect()
}

impl NewDelivery<'_> {
    /// The lease it was recorded under.
    pub(super) fn claimed(&self) -> Result<Claimed, StoreError> {
        let at = |column, value: Option<i64>| {
            let row = self.id.to_string();
            let at = value.map(|value| instant("outbox", column, &row, value));
            at.transpose()
        };
        Ok(Claimed {
            id: self.id,
            epoch: 1,
            dispatch: self.dispatch,
            tries: 0,
            batch_cap: None,
            deadline: at("deadline_at", self.deadline_at)?,
            about: About {
                transition: self.transition_id.to_string(),
                agent: self.agent_id.map(str::to_owned),
                kind: self.kind.to_owned(),
                boundary: at("boundary_at", self.boundary_at)?,
            },
            channel: self.channel,
            counterpart: at("counterpart_at", self.counterpart_at)?,
            receiver: DeviceToken::new(self.receiver.clone()),
        })
    }
}
