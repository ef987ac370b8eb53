//! The presence API switched on: what is recorded and was never called for is posted once.
//!
//! While it is off, changes are recorded and no events are. So that the platform learns the truth when
//! it is switched on, each agent and workspace whose newest change has no event gets one.

use jiff::Timestamp;

use super::{
    Store, StoreError, Tx, ms,
    record::Batch,
    rows::id,
    sql::{run, statements},
};

/// Events written in one transaction.
const CHUNK: i64 = 500;

statements! {
    UNPOSTED = "SELECT t.id, t.workspace_id, t.agent_id, t.sequence
                FROM agent_state s JOIN transitions t ON t.agent_id = s.agent_id AND t.sequence = s.sequence
                WHERE s.agent_id > $1 AND NOT EXISTS (SELECT 1 FROM outbox d
                    WHERE d.receiver = 'agent:' || s.agent_id AND d.channel = 'presence' AND d.sequence = s.sequence)
                  AND NOT EXISTS (SELECT 1 FROM deliveries d
                    WHERE d.receiver = 'agent:' || s.agent_id AND d.channel = 'presence' AND d.sequence = s.sequence)
                ORDER BY s.agent_id LIMIT $2";
    UNPOSTED_MODES = "SELECT t.id, t.workspace_id, t.sequence
                FROM workspace_state w JOIN transitions t ON t.workspace_id = w.workspace_id AND t.sequence = w.sequence
                    AND t.agent_id IS NULL
                WHERE NOT EXISTS (SELECT 1 FROM delivery_log d
                    WHERE d.receiver = 'workspace:' || w.workspace_id AND d.channel = 'presence' AND d.sequence = w.sequence)";
}

/// Whether events are called for: kept, so that switching it on is noticed.
const POSTING: &str = "posting";

impl Store {
    /// Takes note of whether the presence API is switched on; if it just was, records the events
    /// that are missing. Returns how many.
    pub async fn switch_posting(&self, on: bool, now: Timestamp) -> Result<usize, StoreError> {
        let mut tx = self.snapshot().await?;
        let was_on = tx.meta(POSTING).await?.as_deref() == Some("on");
        tx.commit().await?;
        if was_on == on {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let posted = if on { tx.post_missing(now).await? } else { 0 };
        tx.set_meta(POSTING, if on { "on" } else { "off" }).await?;
        tx.commit().await?;
        Ok(posted)
    }
}

impl Tx {
    async fn post_missing(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        let modes: Vec<(String, String, i64)> = run!(self, all UNPOSTED_MODES)?;
        let mut posted = modes.len();
        let mut batch = Batch::default();
        for (transition, workspace, sequence) in &modes {
            let transition = id("transitions", transition)?;
            batch.event(transition, workspace, None, *sequence, ms(now));
        }
        batch.write(self, now).await?;
        let mut after = String::new();
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
            batch.write(self, now).await?;
        }
    }
}
