//! What leases came to that give their delivery back, to be tried again.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    end::End,
    settle::{Kept, Settlement, attempt_rows, keep, lease},
};
use crate::{
    domain::delivery::DeliveryState,
    store::{
        StoreError, Tx,
        columns::list,
        rows::id,
        sql::{run, statements},
    },
};

statements! {
    HELD = "SELECT o.id, o.epoch, o.revoked FROM {rows(id TEXT, epoch BIGINT)} {each outbox o ON o.id = v.id}
            WHERE o.epoch = v.epoch AND o.lease_until IS NOT NULL {skip_locked o}";
    FINISH = "INSERT INTO attempts (delivery_id, epoch, worker, started_at, finished_at, outcome, http_status, reason, retry_at)
              SELECT o.id, o.epoch, o.worker, o.started_at, v.finished_at, v.outcome, v.http_status, v.reason, v.due_at
              FROM {rows(id TEXT, finished_at BIGINT, outcome TEXT, http_status BIGINT, reason TEXT, due_at BIGINT)}
                  {each outbox o ON o.id = v.id}
              WHERE TRUE";
    BACK = "UPDATE outbox SET lease_until = NULL, worker = NULL, started_at = NULL,
                due_at = coalesce(v.due_at, outbox.due_at), tries = tries + v.cost, batch_cap = v.batch_cap,
                reason = v.reason
            FROM {rows(id TEXT, due_at BIGINT, cost BIGINT, batch_cap BIGINT, reason TEXT)} WHERE outbox.id = v.id";
    RETURNED_OVERTAKEN = concat!("SELECT p.id FROM outbox p WHERE p.id {in_list} AND p.channel = 'presence' AND ",
                             overtaken!());
}

impl Tx {
    /// Settles those that give their delivery back, to be tried again. Returns the places of those
    /// that could not be settled.
    pub(super) async fn settle_returns(
        &mut self,
        settlements: &[&Settlement],
        among: Vec<usize>,
        kept: &mut Vec<Kept>,
    ) -> Result<Vec<usize>, StoreError> {
        let returns = |index: &usize| settlements[*index].state == DeliveryState::Pending;
        let (returned, mut rest): (Vec<usize>, Vec<usize>) = among.into_iter().partition(returns);
        if returned.is_empty() {
            return Ok(rest);
        }
        let asked = attempt_rows(settlements, returned.iter().copied());
        let ours: Vec<(String, i64, Option<String>)> = run!(self, all HELD, asked)?;
        let mut ours: HashMap<(Uuid, i64), Option<String>> = ours
            .into_iter()
            .map(|(key, epoch, revoked)| Ok(((id("outbox", &key)?, epoch), revoked)))
            .collect::<Result<_, StoreError>>()?;
        let mut back = Vec::with_capacity(returned.len());
        for index in returned {
            let settlement = settlements[index];
            match ours.remove(&lease(settlement)) {
                Some(revoked) => back.push(keep(index, settlement, revoked)),
                None => rest.push(index),
            }
        }
        self.give_back(settlements, &mut back).await?;
        kept.extend(back);
        Ok(rest)
    }

    /// What was revoked under way, or was overtaken since, is not tried again.
    async fn give_back(
        &mut self,
        settlements: &[&Settlement],
        back: &mut [Kept],
    ) -> Result<(), StoreError> {
        if back.is_empty() {
            return Ok(());
        }
        run!(self, execute FINISH, attempt_rows(settlements, back.iter().map(|k| k.index)))?;
        let (waiting, revoked): (Vec<&Kept>, Vec<&Kept>) =
            back.iter().partition(|k| k.state == DeliveryState::Pending);
        let revoked = revoked.into_iter().map(|k| {
            let s = settlements[k.index];
            End {
                reason: Some(k.reason.clone()),
                cost: i64::from(s.cost),
                ..End::of(s.id.to_string(), k.state, s.finished_at)
            }
        });
        self.end(&revoked.collect::<Vec<_>>()).await?;
        if !waiting.is_empty() {
            let rows = attempt_rows(settlements, waiting.into_iter().map(|k| k.index));
            run!(self, execute BACK, rows)?;
            self.drop_overtaken(settlements, back).await?;
        }
        Ok(())
    }

    /// A presence event that goes back to wait, while a later one of its agent exists, is pointless.
    async fn drop_overtaken(
        &mut self,
        settlements: &[&Settlement],
        kept: &mut [Kept],
    ) -> Result<(), StoreError> {
        let waiting = kept.iter().filter(|k| k.state == DeliveryState::Pending);
        let waiting = waiting.map(|k| settlements[k.index].id);
        let overtaken: Vec<(String,)> = run!(self, all RETURNED_OVERTAKEN, list(waiting))?;
        if overtaken.is_empty() {
            return Ok(());
        }
        for gone in self
            .supersede(overtaken, settlements[0].finished_at)
            .await?
        {
            for k in kept.iter_mut() {
                if settlements[k.index].id == gone.id {
                    (k.state, k.reason) = (gone.state, gone.reason.clone());
                }
            }
        }
        Ok(())
    }
}
