//! The status that an agent, or the platform for it, sets by hand.
//!
//! One row an agent: the last one set. Whether it still holds is not written down but found out at
//! each evaluation ([`crate::triggers`]); writing it wakes the workers as any edit of the
//! schedule does, whoever writes.

use super::{
    StoreError, Tx,
    columns::{List, list},
    facts::{Parts, add},
    instant, ms,
    rows::word,
    sql::{run, statements},
};
use crate::domain::{plan::ByHand, presence::Status};

statements! {
    BY_HAND = "SELECT agent_id, status, set_at, until_at FROM set_by_hand WHERE agent_id {in_list}";
    SET = "INSERT INTO set_by_hand (agent_id, status, set_at, until_at)
           SELECT id, $2, $3, $4 FROM agents WHERE id = $1
           ON CONFLICT (agent_id) DO UPDATE
           SET status = excluded.status, set_at = excluded.set_at, until_at = excluded.until_at";
}

type Row = (String, String, i64, Option<i64>);

impl Tx {
    /// Sets an agent's status by hand; `false` where there is no such agent.
    pub async fn set_by_hand(&mut self, agent: &str, set: &ByHand) -> Result<bool, StoreError> {
        let (status, until) = (set.status.as_str(), set.until.map(ms));
        let written = run!(self, execute SET, agent, status, ms(set.set_at), until)?;
        Ok(written > 0)
    }

    /// What was set last by hand for an agent, even if it is over.
    pub async fn by_hand(&mut self, agent: &str) -> Result<Option<ByHand>, StoreError> {
        let rows: Vec<Row> = run!(self, all BY_HAND, list([agent]))?;
        rows.into_iter().next().map(|row| read(&row)).transpose()
    }

    pub(super) async fn by_hand_of(
        &mut self,
        ids: &List,
        parts: &mut Parts,
    ) -> Result<(), StoreError> {
        let rows: Vec<Row> = run!(self, all BY_HAND, ids)?;
        for row in rows {
            add(parts, &row.0, |schedule| {
                schedule.by_hand = Some(read(&row)?);
                Ok(())
            });
        }
        Ok(())
    }
}

fn read((agent, status, set_at, until): &Row) -> Result<ByHand, StoreError> {
    let at = |column, value| instant("set_by_hand", column, agent, value);
    Ok(ByHand {
        status: word("set_by_hand", "status", agent, status, Status::from_word)?,
        set_at: at("set_at", *set_at)?,
        until: until.map(|until| at("until_at", until)).transpose()?,
    })
}
