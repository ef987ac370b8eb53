//! What keeps a chat product true: leases to renew ([`lease`]), statuses to compare, statuses to post again.
//!
//! - One walk through all agents, in the order of their ids, belongs to all workers; each takes the next
//!   few. One that dies leaves its few for the next walk.
//! - To post a status again is a change like any other, with a sequence of its own and reason `sync`: a
//!   newer one that comes between goes before it.
//!
//! `tests/store/upkeep.rs` holds both engines to it.

pub(super) mod lease;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    Moved, Store, StoreError, Tx,
    columns::{Table, list, table},
    ms,
    record::{Batch, TransitionRow},
    rows::word,
    sql::{run, statements},
};
use crate::domain::{
    driver::{Shown, drift::Told},
    presence::{Reason, Status},
};

/// What was told of agents, up to the condition that says of which.
macro_rules! told {
    () => {
        "SELECT s.agent_id, s.status, s.accepts, s.sequence, c.confirmed, c.mended,
             (SELECT 1 FROM outbox o WHERE o.receiver = 'agent:' || s.agent_id AND o.sequence IS NOT NULL LIMIT 1) IS NOT NULL
                 OR EXISTS (SELECT 1 FROM dispatches d WHERE d.id = s.dispatch_id),
             (SELECT 1 FROM deliveries d WHERE d.receiver = 'agent:' || s.agent_id
                  AND d.sequence = s.sequence AND d.state = 'sent' LIMIT 1) IS NOT NULL
         FROM agent_state s LEFT JOIN presence_seen c ON c.agent_id = s.agent_id "
    };
}

statements! {
    WALK = "SELECT after_agent, begun_at, step_at FROM presence_walk {lock}";
    NEXT_STEP = "SELECT step_at FROM presence_walk";
    STEP = "UPDATE presence_walk SET after_agent = $1, begun_at = $2, step_at = $3";
    TOLD_AFTER = concat!(told!(), "WHERE s.agent_id > $1 AND s.status IS NOT NULL ORDER BY s.agent_id LIMIT $2");
    TOLD_LATELY = concat!(told!(), "WHERE s.agent_id IN (SELECT d.agent_id FROM deliveries d WHERE d.created_at >= $1
                                        AND d.channel = 'presence' AND d.state = 'sent')
                                      AND s.status IS NOT NULL AND s.sequence > COALESCE(c.confirmed, 0)
                                      AND s.sequence > COALESCE(c.mended, 0)
                                    ORDER BY s.agent_id LIMIT $2");
    TOLD_OF = concat!(told!(), "WHERE s.agent_id {in_list} AND s.status IS NOT NULL ORDER BY s.agent_id");
    SEEN = "INSERT INTO presence_seen (agent_id, confirmed, mended)
            SELECT agent_id, confirmed, mended FROM {rows(agent_id TEXT, confirmed BIGINT, mended BIGINT)}
            WHERE TRUE ORDER BY agent_id
            ON CONFLICT (agent_id) DO UPDATE SET confirmed = {later}(excluded.confirmed, presence_seen.confirmed),
                mended = {later}(excluded.mended, presence_seen.mended)";
    // What was told until now was told of somebody else.
    RENAMED = "INSERT INTO presence_seen (agent_id, confirmed, mended)
               SELECT agent_id, -sequence, 0 FROM agent_state
               WHERE agent_id IN (SELECT v.agent_id FROM {rows(agent_id TEXT, product TEXT)}
                                  JOIN meta m ON m.key = 'named_in' AND m.value = v.product) AND sequence > 0
               ORDER BY agent_id
               ON CONFLICT (agent_id) DO UPDATE SET confirmed = excluded.confirmed, mended = 0";
    AGAIN = "UPDATE agent_state SET sequence = agent_state.sequence + 1
             FROM {rows(agent_id TEXT, sequence BIGINT)}
             WHERE agent_state.agent_id = v.agent_id AND agent_state.sequence = v.sequence
             RETURNING agent_state.agent_id, workspace_id, status, accepts, agent_state.sequence";
}

/// What a product was seen to show, or was told again.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// The agent.
    pub agent_id: String,
    /// The sequence that it showed, or 0.
    pub confirmed: i64,
    /// The sequence that was posted to mend it, or 0.
    pub mended: i64,
}

/// A change that is to be posted again, unless a newer one came meanwhile.
#[derive(Debug, Clone, Serialize)]
pub struct Again {
    /// The agent.
    pub agent_id: String,
    /// The sequence that was looked at.
    pub sequence: i64,
}

impl From<&Told> for Again {
    fn from(told: &Told) -> Self {
        Self {
            agent_id: told.agent.clone(),
            sequence: told.sequence,
        }
    }
}

/// How the walk goes.
#[derive(Debug, Clone, Copy)]
pub struct Stride {
    /// Agents in one step.
    pub agents: i64,
    /// Between two steps.
    pub pause: SignedDuration,
    /// Between the beginnings of two walks, at least.
    pub every: SignedDuration,
}

type ToldRow = (
    String,
    String,
    bool,
    i64,
    Option<i64>,
    Option<i64>,
    bool,
    bool,
);

impl Tx {
    /// When (UTC) the next step of the walk is due. A clock that ran ahead and back holds no walk up for
    /// longer than one takes.
    pub async fn next_step(
        &mut self,
        now: Timestamp,
        stride: Stride,
    ) -> Result<Timestamp, StoreError> {
        let (step,): (i64,) = run!(self, one NEXT_STEP)?;
        let step = if is_due(step, now, stride) {
            ms(now)
        } else {
            step
        };
        super::instant("presence_walk", "step_at", "", step)
    }

    /// The next agents of the walk; none if its next step is due after `now` (UTC).
    pub async fn walk(&mut self, now: Timestamp, stride: Stride) -> Result<Vec<Told>, StoreError> {
        let (after, begun, step): (String, i64, i64) = run!(self, one WALK)?;
        if !is_due(step, now, stride) {
            return Ok(Vec::new());
        }
        let told = self.told_after(&after, stride.agents).await?;
        let begun = if after.is_empty() { ms(now) } else { begun };
        let whole = told.len() < stride.agents as usize;
        let last = told
            .last()
            .filter(|_| !whole)
            .map_or("", |told| &told.agent);
        let next = if whole {
            (begun + stride.every.as_millis() as i64).max(ms(now))
        } else {
            ms(now) + stride.pause.as_millis() as i64
        };
        run!(self, execute STEP, last, begun, next)?;
        Ok(told)
    }

    /// What was told of the agents after this id, at most `limit`, in the order of their ids.
    pub async fn told_after(&mut self, after: &str, limit: i64) -> Result<Vec<Told>, StoreError> {
        let rows: Vec<ToldRow> = run!(self, all TOLD_AFTER, after, limit)?;
        rows.into_iter().map(told).collect()
    }

    /// What was told since `since` (UTC) of agents whom the product was not seen to show so, at most
    /// `limit`, in the order of their ids.
    pub async fn told_lately(
        &mut self,
        since: Timestamp,
        limit: i64,
    ) -> Result<Vec<Told>, StoreError> {
        let rows: Vec<ToldRow> = run!(self, all TOLD_LATELY, ms(since), limit)?;
        rows.into_iter().map(told).collect()
    }

    /// These agents have another id in these products (rows of both): what the one that is driven took
    /// and showed until now says nothing of them.
    pub(super) async fn renamed(&mut self, rows: &Table) -> Result<(), StoreError> {
        run!(self, execute RENAMED, rows)?;
        Ok(())
    }

    /// What was told of these agents.
    pub async fn told_of<'a>(
        &mut self,
        agents: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Told>, StoreError> {
        let rows: Vec<ToldRow> = run!(self, all TOLD_OF, list(agents))?;
        rows.into_iter().map(told).collect()
    }

    /// Keeps what a product was seen to show.
    pub async fn note_seen(&mut self, seen: &[Seen]) -> Result<(), StoreError> {
        if !seen.is_empty() {
            run!(self, execute SEEN, table(seen))?;
        }
        Ok(())
    }
}

impl Store {
    /// Records that these statuses are to be posted again at `now` (UTC): a change each, with reason
    /// `sync`; those that changed meanwhile are left out. The agents and their new sequences, and what
    /// came to its end by it.
    pub async fn post_again(
        &self,
        tx: &mut Tx,
        again: &[Again],
        now: Timestamp,
    ) -> Result<(Vec<Seen>, Vec<Moved>), StoreError> {
        if again.is_empty() {
            return Ok((Vec::new(), Vec::new()));
        }
        let agents = list(again.iter().map(|a| a.agent_id.as_str()));
        tx.hold_states(&agents).await?;
        tx.unpack_of(&agents).await?;
        let rows: Vec<(String, String, String, bool, i64)> = run!(tx, all AGAIN, table(again))?;
        let mut batch = Batch::default();
        for (agent, workspace, status, accepts, sequence) in &rows {
            let status = word("agent_state", "status", agent, status, Status::from_word)?;
            let row = TransitionRow {
                id: self.change_id(agent, *sequence),
                workspace_id: workspace,
                agent_id: Some(agent),
                reason: Reason::Sync.as_str(),
                status: Some(status.as_str()),
                accepts: *accepts,
                sequence: Some(*sequence),
                effective_at: ms(now),
                recorded_at: ms(now),
                ..TransitionRow::default()
            };
            batch.transition(row, true, ms(now));
        }
        let ended = batch.write(tx, now, None).await?.ended;
        let seen = rows.into_iter().map(|(agent_id, .., sequence)| Seen {
            agent_id,
            confirmed: 0,
            mended: sequence,
        });
        Ok((seen.collect(), ended))
    }
}

fn is_due(step: i64, now: Timestamp, stride: Stride) -> bool {
    let wait = step - ms(now);
    wait <= 0 || wait > stride.every.as_millis() as i64
}

fn told(row: ToldRow) -> Result<Told, StoreError> {
    let (agent, status, accepts, sequence, confirmed, mended, pending, sent) = row;
    let status = word("agent_state", "status", &agent, &status, Status::from_word)?;
    Ok(Told {
        agent,
        shown: Shown::of(status, accepts),
        sequence,
        confirmed: confirmed.unwrap_or(0),
        mended: mended.unwrap_or(0),
        pending,
        sent,
    })
}
