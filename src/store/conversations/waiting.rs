//! Who waits for an agent that is due, and for how long somebody of its workspace has waited.
//!
//! Read for those alone whose settings make use of it; for most teams that is nobody, and costs nothing.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::Serialize;

use crate::{
    domain::{conversation::Waiting, plan::Schedule, presence::Status},
    store::{
        StoreError, Tx,
        columns::{List, list, table},
        facts::{Parts, add},
        instant,
        rows::word,
        sql::{run, statements},
    },
};

statements! {
    UNANSWERED_OF = "SELECT c.agent_id, c.id, u.said_at, c.assigned_at
                     FROM agents a CROSS JOIN conversations c CROSS JOIN unanswered u
                     WHERE a.id {in_list} AND c.agent_id = a.id AND c.workspace_id = a.workspace_id
                       AND u.workspace_id = c.workspace_id AND u.conversation_id = c.id
                     ORDER BY c.agent_id, c.id, u.said_at";
    HISTORY = "SELECT t.agent_id, t.status, CASE WHEN t.status = 'online'
                   THEN {later}(t.effective_at, t.recorded_at) ELSE t.effective_at END
               FROM {rows(agent_id TEXT, since BIGINT)} CROSS JOIN transitions t
               WHERE t.agent_id = v.agent_id AND t.sequence >= coalesce((
                   SELECT p.sequence FROM transitions p
                   WHERE p.agent_id = v.agent_id AND p.sequence >= 1 AND p.effective_at <= v.since
                   ORDER BY p.sequence DESC LIMIT 1), 1)
               ORDER BY t.agent_id, t.sequence";
    LONGEST = "SELECT w.id, w.ask_invisible_after_seconds, u.conversation_id, u.said_at
               FROM workspaces w LEFT JOIN unanswered u ON u.workspace_id = w.id
                   AND u.said_at = (SELECT min(m.said_at) FROM unanswered m WHERE m.workspace_id = w.id)
               WHERE w.id {in_list} AND w.ask_invisible_after_seconds IS NOT NULL
               ORDER BY w.id, u.conversation_id";
}

#[derive(Serialize)]
struct Since {
    agent_id: String,
    since: i64,
}

impl Tx {
    /// Adds to each schedule what its settings make use of; most make use of nothing, and nothing is read.
    pub(in crate::store) async fn conversations_of(
        &mut self,
        parts: &mut Parts,
    ) -> Result<(), StoreError> {
        let who = |uses: fn(&Schedule) -> bool| {
            let using = parts.iter().filter_map(|(agent, schedule)| {
                let schedule = schedule.as_ref().ok()?;
                uses(schedule).then_some((agent, schedule))
            });
            using.collect::<Vec<_>>()
        };
        let answering = list(
            who(|s| s.auto_offline_after.is_some())
                .into_iter()
                .map(|(agent, _)| agent.as_str()),
        );
        let willing: Vec<(String, String)> = who(|s| s.receive_when_invisible)
            .into_iter()
            .map(|(agent, schedule)| (agent.clone(), schedule.workspace.clone()))
            .collect();
        if !answering.is_empty() {
            self.assigned(&answering, parts).await?;
        }
        if !willing.is_empty() {
            self.longest(&willing, parts).await?;
        }
        Ok(())
    }

    async fn assigned(&mut self, agents: &List, parts: &mut Parts) -> Result<(), StoreError> {
        let rows: Vec<(String, String, i64, i64)> = run!(self, all UNANSWERED_OF, agents)?;
        let mut since: Vec<Since> = Vec::new();
        for (agent_id, conversation, said_at, assigned_at) in rows {
            let at = said_at.max(assigned_at);
            add(parts, &agent_id, |schedule| {
                let since = instant("unanswered", "said_at", &conversation, at)?;
                schedule.conversations.assigned.push(Waiting {
                    conversation,
                    since,
                });
                Ok(())
            });
            match since.last_mut().filter(|last| last.agent_id == agent_id) {
                Some(last) => last.since = last.since.min(at),
                None => since.push(Since {
                    agent_id,
                    since: at,
                }),
            }
        }
        if since.is_empty() {
            return Ok(());
        }
        let history: Vec<(String, String, i64)> = run!(self, all HISTORY, table(&since))?;
        for (agent, status, at) in history {
            add(parts, &agent, |schedule| {
                let status = word("transitions", "status", &agent, &status, Status::from_word)?;
                let at = instant("transitions", "effective_at", &agent, at)?;
                schedule.conversations.history.push((at, status));
                Ok(())
            });
        }
        Ok(())
    }

    async fn longest(
        &mut self,
        willing: &[(String, String)],
        parts: &mut Parts,
    ) -> Result<(), StoreError> {
        type Row = (String, i64, Option<String>, Option<i64>);
        let workspaces: BTreeSet<&str> = willing.iter().map(|(_, w)| w.as_str()).collect();
        let rows: Vec<Row> = run!(self, all LONGEST, list(workspaces))?;
        for (agent, workspace) in willing {
            let Some((_, seconds, conversation, said_at)) =
                rows.iter().find(|(id, ..)| id == workspace)
            else {
                continue;
            };
            add(parts, agent, |schedule| {
                let read = |(conversation, at): (&String, i64)| {
                    Ok(Waiting {
                        since: instant("unanswered", "said_at", conversation, at)?,
                        conversation: conversation.clone(),
                    })
                };
                let longest = conversation.as_ref().zip(*said_at);
                let (column, text) = ("ask_invisible_after_seconds", seconds.to_string());
                let seconds: u32 =
                    word("workspaces", column, workspace, &text, |s| s.parse().ok())?;
                schedule.conversations.ask_invisible_after =
                    Some(SignedDuration::from_secs(seconds.into()));
                schedule.conversations.longest = longest.map(read).transpose()?;
                Ok(())
            });
        }
        Ok(())
    }
}
