//! Who did what: one row an act, written in the transaction of the act itself.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    StoreError, Tx,
    columns::table,
    instant, ms,
    sql::{run, statements},
};

statements! {
    AUDIT = "INSERT INTO audit (at, actor, action, target, workspace_id, trace)
             SELECT at, actor, action, target, workspace_id, trace
             FROM {rows(at BIGINT, actor TEXT, action TEXT, target TEXT, workspace_id TEXT, trace TEXT)} WHERE TRUE";
    AUDIT_PAGE = "SELECT n, at, actor, action, target, workspace_id, trace FROM audit
                  WHERE n < $1 ORDER BY n DESC LIMIT $2";
    AUDIT_PAGE_OF = "SELECT n, at, actor, action, target, workspace_id, trace FROM audit
                     WHERE workspace_id = $3 AND n < $1 ORDER BY n DESC LIMIT $2";
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A user of the command line, or `token:` and a token's id.
    pub name: String,
    /// The W3C trace the request was part of, 32 hex digits.
    pub trace: Option<String>,
}

impl Actor {
    /// Somebody at the command line.
    pub fn user(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            trace: None,
        }
    }
}

/// One act, as the audit log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Act)]
pub struct AuditRow {
    /// Its number; later acts have greater ones.
    pub n: i64,
    /// When, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What, such as `delivery.retry`.
    pub action: String,
    /// To what: an id.
    pub target: String,
    /// The workspace it belongs to, if to one.
    pub workspace: Option<String>,
    /// The W3C trace the request was part of.
    pub trace: Option<String>,
}

#[derive(Serialize)]
struct NewRow<'a> {
    at: i64,
    actor: &'a str,
    action: &'static str,
    target: &'a str,
    workspace_id: Option<&'a str>,
    trace: Option<&'a str>,
}

impl Tx {
    /// Records that `actor` did `action` to `targets` (each with its workspace) at `now` (UTC).
    pub async fn audit(
        &mut self,
        actor: &Actor,
        action: &'static str,
        targets: &[(&str, Option<&str>)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = targets
            .iter()
            .map(|&(target, workspace_id)| NewRow {
                at: ms(now),
                actor: &actor.name,
                action,
                target,
                workspace_id,
                trace: actor.trace.as_deref(),
            })
            .collect();
        run!(self, execute AUDIT, table(&rows))?;
        Ok(())
    }

    /// At most `limit` acts with numbers below `before`, the newest first; of one workspace, or all.
    pub async fn audit_log(
        &mut self,
        workspace: Option<&str>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        type Row = (
            i64,
            i64,
            String,
            String,
            String,
            Option<String>,
            Option<String>,
        );
        let rows: Vec<Row> = match workspace {
            None => run!(self, all AUDIT_PAGE, before, limit),
            Some(workspace) => run!(self, all AUDIT_PAGE_OF, before, limit, workspace),
        }?;
        rows.into_iter()
            .map(|(n, at, actor, action, target, workspace, trace)| {
                Ok(AuditRow {
                    at: instant("audit", "at", &n.to_string(), at)?,
                    n,
                    actor,
                    action,
                    target,
                    workspace,
                    trace,
                })
            })
            .collect()
    }
}
