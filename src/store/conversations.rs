//! What the platform reports of its conversations, written as it comes in; [`waiting`] reads it when an
//! agent is due.
//!
//! Rows are merged, never overwritten ([`crate::domain::conversation`] says why), and whoever may be
//! concerned is made due in the same transaction: a scan that has just read the old rows holds the agent's
//! state, so the mark waits for it and is seen by the next one. What nobody has reported on for
//! [`KEPT`] is forgotten.

pub(super) mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    StoreError, Tx,
    columns::{Table, list, table},
    ms,
    sql::{run, statements},
};
use crate::domain::conversation::{self, Heard, Key, Report};

/// How long a conversation is kept after the last report on it, and a report's id.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

statements! {
    // What others forget, or hear of just now, is left to them.
    FORGET_REPORTS = "DELETE FROM reports WHERE (workspace_id, id) IN
                      (SELECT workspace_id, id FROM reports WHERE heard_at < $1 {skip_locked})";
    FORGET_CONVERSATIONS = "DELETE FROM conversations WHERE (workspace_id, id) IN
                                (SELECT workspace_id, id FROM conversations WHERE heard_at < $1 {skip_locked})
                            RETURNING workspace_id";
    NEW_REPORTS = "INSERT INTO reports (workspace_id, id, heard_at)
                   SELECT workspace_id, id, heard_at FROM {rows(workspace_id TEXT, id TEXT, heard_at BIGINT)}
                   WHERE TRUE ON CONFLICT DO NOTHING RETURNING workspace_id, id";
    // Whose agent it is, the newest report says; of two at one instant, always the same one.
    HEARD = "INSERT INTO conversations (workspace_id, id, agent_id, assigned_at, answered_at, heard_at)
             SELECT workspace_id, id, agent_id, assigned_at, answered_at, heard_at
             FROM {rows(workspace_id TEXT, id TEXT, agent_id TEXT, assigned_at BIGINT, answered_at BIGINT, heard_at BIGINT)}
             WHERE TRUE ON CONFLICT (workspace_id, id) DO UPDATE SET
                 agent_id = CASE WHEN (excluded.assigned_at, coalesce(excluded.agent_id, ''))
                     > (conversations.assigned_at, coalesce(conversations.agent_id, ''))
                     THEN excluded.agent_id ELSE conversations.agent_id END,
                 assigned_at = {later}(excluded.assigned_at, conversations.assigned_at),
                 answered_at = {later}(excluded.answered_at, conversations.answered_at),
                 heard_at = {later}(excluded.heard_at, conversations.heard_at)";
    SAID = "INSERT INTO unanswered (workspace_id, conversation_id, said_at)
            SELECT v.workspace_id, v.id, v.said_at FROM {rows(workspace_id TEXT, id TEXT, said_at BIGINT)}
            JOIN conversations c ON c.workspace_id = v.workspace_id AND c.id = v.id
            WHERE v.said_at > c.answered_at ON CONFLICT DO NOTHING";
    ANSWERED = "DELETE FROM unanswered
                WHERE (workspace_id, conversation_id) IN (SELECT workspace_id, id FROM {rows(workspace_id TEXT, id TEXT)})
                  AND said_at <= (SELECT c.answered_at FROM conversations c
                      WHERE c.workspace_id = unanswered.workspace_id AND c.id = unanswered.conversation_id)";
    ASSIGNED_NOW = "SELECT a.id FROM {rows(workspace_id TEXT, id TEXT)}
                    CROSS JOIN conversations c CROSS JOIN agents a
                    WHERE c.workspace_id = v.workspace_id AND c.id = v.id AND a.id = c.agent_id
                      AND a.workspace_id = c.workspace_id AND a.auto_offline_after_minutes IS NOT NULL";
    // Invisible, or about to be: a scan that has read of a hand and not of this report holds the agent.
    WILLING = "SELECT a.id FROM workspaces w CROSS JOIN agents a CROSS JOIN agent_state s
               WHERE w.id {in_list} AND w.ask_invisible_after_seconds IS NOT NULL
                 AND a.workspace_id = w.id AND a.receive_when_invisible
                 AND s.agent_id = a.id AND (s.status = 'invisible' OR s.stale_at IS NOT NULL)";
    // Whose time ran out on account of these conversations, and who is offline for that still.
    SENT_OFF = "SELECT t.agent_id, t.workspace_id, t.cause, t.waiting_since, t.effective_at
                FROM {rows(workspace_id TEXT, id TEXT)} CROSS JOIN transitions t CROSS JOIN agent_state s
                WHERE t.workspace_id = v.workspace_id AND t.cause = v.id AND t.reason = 'no_reply'
                  AND s.agent_id = t.agent_id AND s.sequence = t.sequence";
    TAKE_BACK = "UPDATE agent_state SET no_reply_at = NULL
                 FROM {rows(agent_id TEXT, no_reply_at BIGINT)}
                 WHERE agent_state.agent_id = v.agent_id AND agent_state.no_reply_at = v.no_reply_at";
    LOOK_AGAIN = "UPDATE agent_state SET due_at = CASE WHEN due_at < $2 THEN due_at ELSE $2 END WHERE agent_id {in_list}";
}

#[derive(Serialize)]
struct NewReport<'a> {
    workspace_id: &'a str,
    id: &'a str,
    heard_at: i64,
}

#[derive(Serialize)]
struct HeardRow<'a> {
    workspace_id: &'a str,
    id: &'a str,
    agent_id: Option<&'a str>,
    assigned_at: i64,
    answered_at: i64,
    heard_at: i64,
}

#[derive(Serialize)]
struct SaidRow<'a> {
    workspace_id: &'a str,
    id: &'a str,
    said_at: i64,
}

/// An agent who was not offline for want of a reply after all.
#[derive(Serialize)]
struct TakenBack {
    agent_id: String,
    /// The instant that is taken back.
    no_reply_at: i64,
}

impl Tx {
    /// Takes in what the platform reports, at `now` (UTC), and makes those due whom it may concern.
    /// Returns how many of the reports were new.
    pub async fn report(
        &mut self,
        reports: &[Report],
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let old = ms(now - KEPT);
        run!(self, execute FORGET_REPORTS, old)?;
        let forgotten: Vec<(String,)> = run!(self, all FORGET_CONVERSATIONS, old)?;
        let new = self.new_reports(reports, now).await?;
        let heard = conversation::heard(new.iter().copied());
        let keys = conversation_rows(&heard, now);
        run!(self, execute HEARD, &keys)?;
        run!(self, execute SAID, said_rows(&heard))?;
        run!(self, execute ANSWERED, &keys)?;
        let taken_back = self.sent_off_too_early(&keys, &new).await?;
        let mut concerned: Vec<(String,)> = run!(self, all ASSIGNED_NOW, &keys)?;
        concerned.extend(taken_back.iter().map(|agent| (agent.agent_id.clone(),)));
        let workspaces = forgotten.iter().map(|(workspace,)| workspace.as_str());
        let workspaces = workspaces.chain(heard.keys().map(|(workspace, _)| *workspace));
        let workspaces = list(workspaces.collect::<BTreeSet<_>>());
        concerned.extend(run!(self, all WILLING, workspaces)?);
        self.look_again(&concerned, &taken_back, now).await?;
        Ok(new.len())
    }

    async fn new_reports<'a>(
        &mut self,
        reports: &'a [Report],
        now: Timestamp,
    ) -> Result<Vec<&'a Report>, StoreError> {
        let new: Vec<(String, String)> = run!(self, all NEW_REPORTS, report_rows(reports, now))?;
        let mut new: BTreeSet<(String, String)> = new.into_iter().collect();
        // The first of those that bear one id.
        let is_new = |report: &&Report| new.remove(&(report.workspace.clone(), report.id.clone()));
        Ok(reports.iter().filter(is_new).collect())
    }

    /// Who was sent off for want of a reply that, as is told only now, had been given in time.
    async fn sent_off_too_early(
        &mut self,
        keys: &Table,
        new: &[&Report],
    ) -> Result<Vec<TakenBack>, StoreError> {
        type Row = (String, String, String, i64, i64);
        let rows: Vec<Row> = run!(self, all SENT_OFF, keys)?;
        let in_time = |(agent, workspace, conversation, since, ran_out): &Row| {
            new.iter().any(|report| {
                let of_it = report.workspace == *workspace && report.conversation == *conversation;
                of_it && (*since..*ran_out).contains(&ms(report.at)) && report.relieves(agent)
            })
        };
        let rows = rows.into_iter().filter(in_time);
        Ok(rows
            .map(|(agent_id, .., no_reply_at)| TakenBack {
                agent_id,
                no_reply_at,
            })
            .collect())
    }

    async fn look_again(
        &mut self,
        agents: &[(String,)],
        taken_back: &[TakenBack],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if agents.is_empty() {
            return Ok(());
        }
        let agents = list(agents.iter().map(|(agent,)| agent.as_str()));
        self.hold_states(&agents).await?;
        if !taken_back.is_empty() {
            run!(self, execute TAKE_BACK, table(taken_back))?;
        }
        run!(self, execute LOOK_AGAIN, &agents, ms(now))?;
        self.notify_schedule().await
    }
}

type AllHeard<'a> = BTreeMap<Key<'a>, Heard>;

/// In one order, whoever sends them: two who report the same wait for each other, and not in a ring.
fn report_rows(reports: &[Report], now: Timestamp) -> Table {
    let rows = reports.iter().map(|report| NewReport {
        workspace_id: &report.workspace,
        id: &report.id,
        heard_at: ms(now),
    });
    let mut rows: Vec<NewReport<'_>> = rows.collect();
    rows.sort_unstable_by_key(|row| (row.workspace_id, row.id));
    table(&rows)
}

fn conversation_rows(heard: &AllHeard<'_>, now: Timestamp) -> Table {
    let rows = heard.iter().map(|((workspace_id, id), heard)| {
        let assigned = heard.assigned.as_ref();
        HeardRow {
            workspace_id,
            id,
            agent_id: assigned.and_then(|(_, agent)| agent.as_deref()),
            assigned_at: assigned.map_or(0, |(at, _)| ms(*at)),
            answered_at: heard.answered.map_or(0, ms),
            heard_at: ms(now),
        }
    });
    table(&rows.collect::<Vec<_>>())
}

fn said_rows(heard: &AllHeard<'_>) -> Table {
    let rows = heard.iter().flat_map(|((workspace_id, id), heard)| {
        heard.said.iter().map(|at| SaidRow {
            workspace_id,
            id,
            said_at: ms(*at),
        })
    });
    table(&rows.collect::<Vec<_>>())
}
