//! A presence receiver switched on, or exchanged for another: it learns the truth, once.
//!
//! While there is none, changes are recorded and no events are. So each agent and workspace whose newest
//! change has no event gets one when it is switched on. A receiver that comes in another's place has
//! heard nothing at all: it is told every agent's status again.

use jiff::Timestamp;

use super::{
    Store, StoreError, Tx, ms,
    record::Batch,
    rows::id,
    sql::{run, statements},
    upkeep::Again,
};
use crate::domain::presence::Posting;

/// Events written in one transaction.
const CHUNK: i64 = 500;

statements! {
    UNPOSTED = "SELECT t.id, t.workspace_id, t.agent_id, t.sequence
                FROM agent_state s JOIN transitions t ON t.agent_id = s.agent_id AND t.sequence = s.sequence
                WHERE s.agent_id > $1 AND NOT EXISTS (SELECT 1 FROM outbox d
                    WHERE d.receiver = 'agent:' || s.agent_id AND d.sequence = s.sequence)
                  AND NOT EXISTS (SELECT 1 FROM deliveries d
                    WHERE d.receiver = 'agent:' || s.agent_id AND d.sequence = s.sequence)
                ORDER BY s.agent_id LIMIT $2";
    UNPOSTED_MODES = "SELECT t.id, t.workspace_id, t.sequence
                FROM workspace_state w JOIN transitions t ON t.workspace_id = w.workspace_id AND t.sequence = w.sequence
                    AND t.agent_id IS NULL
                WHERE NOT EXISTS (SELECT 1 FROM delivery_log d
                    WHERE d.receiver = 'workspace:' || w.workspace_id AND d.sequence = w.sequence)";
}

/// Whether events are called for: kept, so that switching it on is noticed.
const POSTING: &str = "posting";
/// Who was told last: kept, so that exchanging it is noticed.
const RECEIVER: &str = "posted_to";
/// In which product's ids, for the statement `RENAMED`.
const NAMED_IN: &str = "named_in";

impl Store {
    /// Takes note of who is told of changes; if that changed, records the events that are missing. Returns
    /// how many.
    pub async fn switch_posting(
        &self,
        posting: &Posting,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let on = if posting.statuses() { "on" } else { "off" };
        let receiver = posting.receiver();
        let mut tx = self.snapshot().await?;
        let was = tx.meta(POSTING).await?;
        let told = tx.meta(RECEIVER).await?;
        tx.commit().await?;
        if was.as_deref() == Some(on) && !is_another(told.as_deref(), receiver) {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        // Of several workers that start at once one tells it; the others wait here and then see that it
        // is done.
        tx.set_meta(POSTING, on).await?;
        let told = tx.meta(RECEIVER).await?;
        let another = is_another(told.as_deref(), receiver);
        tx.unpack_all().await?;
        let mut posted = 0;
        if posting.modes() {
            posted += tx.post_missing_modes(now).await?;
        }
        if another {
            posted += self.post_all(&mut tx, now).await?;
        } else if posting.statuses() {
            posted += tx.post_missing(now).await?;
        }
        if let Some(receiver) = receiver {
            tx.set_meta(RECEIVER, receiver).await?;
            tx.set_meta(NAMED_IN, posting.named_in().unwrap_or_default())
                .await?;
        }
        tx.commit().await?;
        Ok(posted)
    }

    /// Records that every status is to be posted again.
    pub async fn post_all(&self, tx: &mut Tx, now: Timestamp) -> Result<usize, StoreError> {
        let (mut after, mut posted) = (String::new(), 0);
        loop {
            let told = tx.told_after(&after, CHUNK).await?;
            let Some(last) = told.last() else {
                return Ok(posted);
            };
            after.clone_from(&last.agent);
            let again: Vec<Again> = told.iter().map(Again::from).collect();
            let (seen, _) = self.post_again(tx, &again, now).await?;
            posted += seen.len();
        }
    }
}

fn is_another(told: Option<&str>, receiver: Option<&str>) -> bool {
    told.zip(receiver).is_some_and(|(a, b)| a != b)
}

impl Tx {
    async fn post_missing_modes(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let modes: Vec<(String, String, i64)> = run!(self, all UNPOSTED_MODES)?;
        let mut batch = Batch::default();
        for (transition, workspace, sequence) in &modes {
            let transition = id("transitions", transition)?;
            batch.event(transition, workspace, None, *sequence, ms(now));
        }
        batch.write(self, now, None).await?;
        Ok(modes.len())
    }

    async fn post_missing(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let (mut after, mut posted) = (String::new(), 0);
        loop {
            let agents: Vec<(String, String, String, i64)> =
                run!(self, all UNPOSTED, &after, CHUNK)?;
            let Some((_, _, last, _)) = agents.last() else {
                return Ok(posted);
            };
            after.clone_from(last);
            posted += agents.len();
            let mut batch = Batch::default();
            for (transition, workspace, agent, sequence) in &agents {
                let transition = id("transitions", transition)?;
                batch.event(transition, workspace, Some(agent), *sequence, ms(now));
            }
            batch.write(self, now, None).await?;
        }
    }
}
