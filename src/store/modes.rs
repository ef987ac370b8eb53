//! A workspace's mode: `live_chat` while one of its agents is online, `messaging` while none is.
//!
//! A change of an agent marks its workspace dirty; the mode is settled only once no agent of the
//! workspace is due any more, so that a hand-over at one instant makes no flicker, whatever the
//! batches and however many the workers. The mark is locked before the agents are looked at: a
//! change that commits between the two marks the workspace again.

use jiff::Timestamp;

use super::{
    Moved, Store, StoreError, Tx,
    columns::{list, table},
    ms,
    record::{Batch, TransitionRow},
    rows::word,
    sql::{run, statements},
};
use crate::domain::presence::{Mode, Reason};

statements! {
    DIRTY_NOW = "SELECT w.workspace_id FROM workspace_state w
                 WHERE w.dirty_at IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM agent_state d WHERE d.workspace_id = w.workspace_id
                       AND d.due_at <= {later}($1, w.dirty_at))
                 LIMIT $2 {skip_locked w}";
    // A statement of its own, which sees what was committed before those marks were locked.
    NEW_MODES = "SELECT w.workspace_id, w.mode, w.sequence, w.dirty_at,
                     EXISTS (SELECT 1 FROM agent_state o WHERE o.workspace_id = w.workspace_id AND o.status = 'online')
                 FROM workspace_state w
                 WHERE w.workspace_id {in_list} AND w.dirty_at IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM agent_state d WHERE d.workspace_id = w.workspace_id
                       AND d.due_at <= {later}($2, w.dirty_at))";
    SETTLE_MODE = "UPDATE workspace_state SET mode = v.mode, sequence = v.sequence, effective_at = v.effective_at, dirty_at = NULL
                   FROM {rows(workspace_id TEXT, mode TEXT, sequence BIGINT, effective_at BIGINT)}
                   WHERE workspace_state.workspace_id = v.workspace_id";
}

#[derive(serde::Serialize)]
struct Settled<'a> {
    workspace_id: &'a str,
    mode: &'static str,
    sequence: i64,
    effective_at: i64,
}

/// What [`Store::settle_modes`] came to.
#[derive(Debug, Default)]
pub struct Modes {
    /// Workspaces that were looked at.
    pub settled: usize,
    /// Those whose mode changed, each with its new one.
    pub changed: Vec<(String, Mode)>,
    /// Deliveries that came to their end by it.
    pub ended: Vec<Moved>,
}

impl Store {
    /// Settles the mode of at most `limit` workspaces in which something changed.
    pub async fn settle_modes(
        &self,
        tx: &mut Tx,
        now: Timestamp,
        limit: i64,
        post: bool,
    ) -> Result<Modes, StoreError> {
        let dirty: Vec<(String,)> = run!(tx, all DIRTY_NOW, ms(now), limit)?;
        if dirty.is_empty() {
            return Ok(Modes::default());
        }
        let ids = list(dirty.iter().map(|(id,)| id.as_str()));
        let rows: Vec<(String, Option<String>, i64, i64, bool)> =
            run!(tx, all NEW_MODES, ids, ms(now))?;
        let mut batch = Batch::default();
        let mut modes = Modes {
            settled: rows.len(),
            ..Modes::default()
        };
        let mut settled = Vec::with_capacity(rows.len());
        for (workspace, recorded, sequence, dirty_at, online) in &rows {
            let mode = if *online {
                Mode::LiveChat
            } else {
                Mode::Messaging
            };
            let recorded = recorded
                .as_deref()
                .map(|m| word("workspace_state", "mode", workspace, m, Mode::from_word))
                .transpose()?;
            let changed = recorded != Some(mode);
            let sequence = sequence + i64::from(changed);
            settled.push(Settled {
                workspace_id: workspace,
                mode: mode.as_str(),
                sequence,
                effective_at: *dirty_at,
            });
            if changed {
                modes.changed.push((workspace.clone(), mode));
                let row = TransitionRow {
                    id: self.event_id(&format!("mode|{workspace}"), sequence),
                    workspace_id: workspace,
                    reason: Reason::Sync.as_str(),
                    mode: Some(mode.as_str()),
                    sequence: Some(sequence),
                    effective_at: *dirty_at,
                    recorded_at: ms(now),
                    ..TransitionRow::default()
                };
                batch.transition(row, post, ms(now));
            }
        }
        if !settled.is_empty() {
            run!(tx, execute SETTLE_MODE, table(&settled))?;
            modes.ended = batch.write(tx, now, None).await?.ended;
        }
        Ok(modes)
    }
}
