//! Workspaces and teams as the HTTP interface looks them up: one, a page, everybody of one.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    StoreError, Tx,
    columns::list,
    facts::parse,
    instant,
    rows::word,
    sql::{run, statements},
};
use crate::domain::{
    agent::{Agent, AskInvisible, Workspace},
    presence::{Mode, Reason, Status},
};

/// What was recorded last of agents `a`, in the columns of [`Recorded`].
macro_rules! recorded {
    () => {
        "SELECT a.id, a.name, s.status, coalesce(s.accepts, FALSE), t.reason, s.effective_at, s.boundary_at, s.no_reply_at
         FROM agents a LEFT JOIN agent_state s ON s.agent_id = a.id
             LEFT JOIN transitions t ON t.agent_id = s.agent_id AND t.sequence = s.sequence "
    };
}

statements! {
    WORKSPACE_PAGE = "SELECT id FROM workspaces WHERE id > $1 ORDER BY id LIMIT $2";
    THESE_WORKSPACES = "SELECT w.id, w.name, w.ask_invisible_after_seconds, h.date
                        FROM workspaces w LEFT JOIN holidays h ON h.workspace_id = w.id
                        WHERE w.id {in_list} ORDER BY w.id, h.date";
    HOLD_WORKSPACE = "SELECT id FROM workspaces WHERE id = $1 {lock}";
    HOLD_AGENT = "SELECT id FROM agents WHERE id = $1 {lock}";
    WORKSPACE_OF = "SELECT workspace_id FROM agents WHERE id = $1";
    TEAM_PAGE = "SELECT id FROM agents WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    TEAM_SIZE = "SELECT count(*) FROM agents WHERE workspace_id = $1";
    REMOVE_WORKSPACE = "DELETE FROM workspaces WHERE id = $1";
    MODE = "SELECT mode, effective_at FROM workspace_state WHERE workspace_id = $1";
    STATUSES = concat!(recorded!(), "WHERE a.workspace_id = $1 ORDER BY a.id");
    STATUS_OF = concat!(recorded!(), "WHERE a.id = $1");
}

type Recorded = (
    String,
    String,
    Option<String>,
    bool,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
);

/// What was recorded last of a workspace. Instants are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModeRow {
    /// What visitors meet; `None` until the worker has looked for the first time.
    pub mode: Option<Mode>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// What was recorded last of an agent. Instants are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusRow {
    /// The agent's id.
    pub agent: String,
    /// As typed.
    pub name: String,
    /// `None` until the worker has looked for the first time.
    pub status: Option<Status>,
    /// Whether new conversations may be routed to the agent.
    pub accepts_conversations: bool,
    /// Why it changed last.
    pub reason: Option<Reason>,
    /// Since when that is so.
    pub since: Option<Timestamp>,
    /// The next boundary of the agent's hours.
    pub next_boundary: Option<Timestamp>,
    /// When the agent's time to answer a visitor ran out last.
    pub no_reply_at: Option<Timestamp>,
}

impl Tx {
    /// One workspace.
    pub async fn workspace(&mut self, id: &str) -> Result<Option<Workspace>, StoreError> {
        let rows: Vec<WorkspaceRow> = run!(self, all THESE_WORKSPACES, list([id]))?;
        Ok(gathered(rows)?.pop())
    }

    /// At most `limit` workspaces with ids after `after`, by id.
    pub async fn workspaces_after(
        &mut self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Workspace>, StoreError> {
        let ids: Vec<(String,)> = run!(self, all WORKSPACE_PAGE, after, limit)?;
        let ids = list(ids.iter().map(|(id,)| id.as_str()));
        gathered(run!(self, all THESE_WORKSPACES, ids)?)
    }

    /// One workspace, held against other writers until the transaction ends.
    pub async fn hold_workspace(&mut self, id: &str) -> Result<Option<Workspace>, StoreError> {
        let _: Option<(String,)> = run!(self, optional HOLD_WORKSPACE, id)?;
        self.workspace(id).await
    }

    /// One agent, whole.
    pub async fn agent(&mut self, id: &str) -> Result<Option<Agent>, StoreError> {
        Ok(self.agents([id]).await?.pop())
    }

    /// One agent, whole, held against other writers until the transaction ends.
    pub async fn hold_agent(&mut self, id: &str) -> Result<Option<Agent>, StoreError> {
        let _: Option<(String,)> = run!(self, optional HOLD_AGENT, id)?;
        self.agent(id).await
    }

    /// The workspace an agent belongs to; `None` if there is no such agent.
    pub async fn workspace_of(&mut self, agent: &str) -> Result<Option<String>, StoreError> {
        let row: Option<(String,)> = run!(self, optional WORKSPACE_OF, agent)?;
        Ok(row.map(|(workspace,)| workspace))
    }

    /// At most `limit` agents of a workspace with ids after `after`, whole, by id.
    pub async fn team_after(
        &mut self,
        workspace: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Agent>, StoreError> {
        let ids: Vec<(String,)> = run!(self, all TEAM_PAGE, workspace, after, limit)?;
        self.agents(ids.iter().map(|(id,)| id.as_str())).await
    }

    /// How many agents a workspace has.
    pub async fn team_size(&mut self, workspace: &str) -> Result<i64, StoreError> {
        let (count,): (i64,) = run!(self, one TEAM_SIZE, workspace)?;
        Ok(count)
    }

    /// Removes a workspace, which must have no agents, and its holidays.
    pub async fn remove_workspace(&mut self, id: &str) -> Result<u64, StoreError> {
        run!(self, execute REMOVE_WORKSPACE, id)
    }

    /// What visitors of a workspace meet, as it was recorded last.
    pub async fn mode(&mut self, workspace: &str) -> Result<ModeRow, StoreError> {
        let row: Option<(Option<String>, Option<i64>)> = run!(self, optional MODE, workspace)?;
        let (mode, since) = row.unwrap_or_default();
        let read = |m: String| word("workspace_state", "mode", workspace, &m, Mode::from_word);
        Ok(ModeRow {
            mode: mode.map(read).transpose()?,
            since: at("workspace_state", "effective_at", workspace, since)?,
        })
    }

    /// The status of each of a workspace's agents, as it was recorded last, by id.
    pub async fn statuses(&mut self, workspace: &str) -> Result<Vec<StatusRow>, StoreError> {
        let rows: Vec<Recorded> = run!(self, all STATUSES, workspace)?;
        rows.into_iter().map(recorded).collect()
    }

    /// The same of one agent.
    pub async fn status(&mut self, agent: &str) -> Result<Option<StatusRow>, StoreError> {
        let row: Option<Recorded> = run!(self, optional STATUS_OF, agent)?;
        row.map(recorded).transpose()
    }
}

fn recorded(
    (agent, name, status, accepts, reason, since, next, no_reply): Recorded,
) -> Result<StatusRow, StoreError> {
    let read = |s: String| word("agent_state", "status", &agent, &s, Status::from_word);
    Ok(StatusRow {
        status: status.map(read).transpose()?,
        accepts_conversations: accepts,
        reason: reason
            .map(|r| word("transitions", "reason", &agent, &r, Reason::from_word))
            .transpose()?,
        no_reply_at: at("agent_state", "no_reply_at", &agent, no_reply)?,
        since: at("agent_state", "effective_at", &agent, since)?,
        next_boundary: at("agent_state", "boundary_at", &agent, next)?,
        agent,
        name,
    })
}

fn at(
    table: &'static str,
    column: &'static str,
    row: &str,
    value: Option<i64>,
) -> Result<Option<Timestamp>, StoreError> {
    value.map(|v| instant(table, column, row, v)).transpose()
}

/// A workspace's id, name and longest wait, and one of its holidays.
type WorkspaceRow = (String, String, Option<i64>, Option<String>);

/// Workspaces of rows in the order of their ids, one row a holiday.
pub(super) fn gathered(rows: Vec<WorkspaceRow>) -> Result<Vec<Workspace>, StoreError> {
    let mut workspaces: Vec<Workspace> = Vec::new();
    for (id, name, seconds, date) in rows {
        if workspaces.last().is_none_or(|w| w.id != id) {
            let wait = |s: i64| {
                let (column, text) = ("ask_invisible_after_seconds", s.to_string());
                word("workspaces", column, &id, &text, |v| v.parse().ok())
            };
            workspaces.push(Workspace {
                ask_invisible: seconds.map(wait).transpose()?.map(AskInvisible::After),
                id,
                name,
                holidays: Some(Vec::new()),
            });
        }
        let last = workspaces.last_mut().and_then(|w| w.holidays.as_mut());
        if let (Some(date), Some(holidays)) = (date, last) {
            holidays.push(parse("holidays", "date", &date, &date)?);
        }
    }
    Ok(workspaces)
}
