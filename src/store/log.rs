//! The delivery log, as operators read it, and act on it ([`acts`]).

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    StoreError, Tx, instant, ms,
    sql::{run, statements},
};

/// The columns of `delivery_log`.
macro_rules! columns {
    () => {
        "id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at, sequence, deadline_at, created_at,
         due_at, state, reason, tries, epoch, receipt, settled_at"
    };
}

/// A page of the newest deliveries, wherever they are: of each place no more than are asked for.
macro_rules! newest {
    ($wanted:expr) => {
        concat!(
            "SELECT * FROM (SELECT * FROM open_deliveries ",
            $wanted,
            " AND created_at <= $7 AND (created_at < $7 OR id > $8) ORDER BY created_at DESC, id LIMIT $6) AS open
             UNION ALL SELECT * FROM (SELECT * FROM ended_deliveries ",
            $wanted,
            " AND created_at <= $7 AND (created_at < $7 OR id > $8) ORDER BY created_at DESC, id LIMIT $6) AS ended
             UNION ALL SELECT * FROM (SELECT ",
            columns!(),
            " FROM dispatched_deliveries ",
            $wanted,
            " AND created_at <= $7 AND (created_at < $7 OR id > $8) ORDER BY created_at DESC, id LIMIT $6) AS dispatched
             ORDER BY created_at DESC, id LIMIT $6"
        )
    };
}

macro_rules! wanted {
    () => {
        "WHERE (CAST($1 AS TEXT) IS NULL OR state = $1) AND (CAST($2 AS TEXT) IS NULL OR channel = $2)
           AND (CAST($3 AS TEXT) IS NULL OR workspace_id = $3) AND (CAST($4 AS TEXT) IS NULL OR reason = $4)
           AND created_at >= $5"
    };
}

mod acts;
pub use acts::{Done, Matched};

statements! {
    LIST = newest!(wanted!());
    // An agent's alerts and events are each found by an index of their own.
    LIST_OF_AGENT = newest!(concat!(wanted!(),
        " AND ((channel <> 'presence' AND agent_id = $9) OR (sequence IS NOT NULL AND receiver = 'agent:' || $9))"));
    ONE = "SELECT * FROM delivery_log WHERE id = $1";
    ATTEMPTS_OF = "SELECT epoch, worker, started_at, finished_at, outcome, late, http_status, reason, retry_at
                   FROM attempt_log WHERE delivery_id = $1 ORDER BY epoch";
}

/// Every statement on the log.
pub(super) fn statements() -> impl Iterator<Item = &'static super::sql::Sql> {
    ALL.iter().chain(acts::ALL).copied()
}

/// Which deliveries to list; `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// State's word.
    pub state: Option<String>,
    /// Channel's word.
    pub channel: Option<String>,
    /// Agent's id.
    pub agent: Option<String>,
    /// Workspace's id.
    pub workspace: Option<String>,
    /// Reason, whole.
    pub reason: Option<String>,
    /// Recorded at or after (UTC).
    pub since: Option<Timestamp>,
    /// At most so many, newest first.
    pub limit: i64,
    /// Only what follows this one in the list: when it was recorded, and its id.
    pub after: Option<(Timestamp, String)>,
}

impl DeliveryFilter {
    /// What `wanted!` binds: state, channel, workspace, reason and since when.
    fn wanted(&self) -> (Option<&str>, Option<&str>, Option<&str>, Option<&str>, i64) {
        (
            self.state.as_deref(),
            self.channel.as_deref(),
            self.workspace.as_deref(),
            self.reason.as_deref(),
            self.since.map_or(0, ms),
        )
    }
}

/// A delivery as the log shows it. Instants are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryRow {
    /// Its id: `apns-id`, or the presence event's id.
    pub id: String,
    /// The transition that called for it.
    pub transition: String,
    /// `apns`, `fcm` or `presence`.
    pub channel: String,
    /// The workspace.
    pub workspace: String,
    /// The agent; none for a workspace's mode.
    pub agent: Option<String>,
    /// What it says.
    pub kind: String,
    /// A phone's fingerprint (never its token), or who the presence event is about.
    pub receiver: String,
    /// Where it stands.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
    /// The boundary an alert is about.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub boundary: Option<Timestamp>,
    /// A presence event's sequence.
    pub sequence: Option<i64>,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is, or was last, due.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// After which it is of no use.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deadline: Option<Timestamp>,
    /// When it reached its final state.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
    /// Tries it has cost.
    pub tries: i64,
    /// Leases it has had.
    pub attempts: i64,
    /// The receiver's id of what it accepted.
    pub receipt: Option<String>,
}

/// One attempt. Instants are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptRow {
    /// The lease's number.
    pub epoch: i64,
    /// Who made it.
    pub worker: String,
    /// When the lease was taken.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When the answer came.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// What it came to; none while it is under way.
    pub outcome: Option<String>,
    /// The answer came after the lease had been taken over.
    pub late: bool,
    /// The answer's status.
    pub http_status: Option<i64>,
    /// The receiver's word for it, or ours.
    pub reason: Option<String>,
    /// When it was to be tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retry_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: String,
    transition_id: String,
    channel: String,
    workspace_id: String,
    agent_id: Option<String>,
    kind: String,
    receiver: String,
    state: String,
    reason: Option<String>,
    boundary_at: Option<i64>,
    sequence: Option<i64>,
    created_at: i64,
    due_at: i64,
    deadline_at: Option<i64>,
    settled_at: Option<i64>,
    tries: i64,
    epoch: i64,
    receipt: Option<String>,
}

impl Tx {
    /// The delivery log, newest first.
    pub async fn deliveries(
        &mut self,
        filter: &DeliveryFilter,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let (state, channel, workspace, reason, since) = filter.wanted();
        let limit = filter.limit;
        let (at, id) = match &filter.after {
            Some((at, id)) => (ms(*at), id.as_str()),
            None => (i64::MAX, ""),
        };
        let rows: Vec<Raw> = match &filter.agent {
            None => run!(self, all LIST, state, channel, workspace, reason, since, limit, at, id),
            Some(agent) => run!(
                self, all LIST_OF_AGENT,
                state, channel, workspace, reason, since, limit, at, id, agent.as_str()
            ),
        }?;
        rows.into_iter().map(Raw::read).collect()
    }

    /// One delivery; `None` where nobody knows that id.
    pub async fn delivery(&mut self, id: &str) -> Result<Option<DeliveryRow>, StoreError> {
        let row: Option<Raw> = run!(self, optional ONE, id)?;
        row.map(Raw::read).transpose()
    }

    /// A delivery's attempts, oldest first.
    pub async fn attempts(&mut self, delivery: &str) -> Result<Vec<AttemptRow>, StoreError> {
        type Row = (
            i64,
            String,
            i64,
            Option<i64>,
            Option<String>,
            bool,
            Option<i64>,
            Option<String>,
            Option<i64>,
        );
        let rows: Vec<Row> = run!(self, all ATTEMPTS_OF, delivery)?;
        let at = |column, value| instant("attempts", column, delivery, value);
        rows.into_iter()
            .map(
                |(epoch, worker, started, finished, outcome, late, http_status, reason, retry)| {
                    Ok(AttemptRow {
                        epoch,
                        worker,
                        started_at: at("started_at", started)?,
                        finished_at: finished.map(|f| at("finished_at", f)).transpose()?,
                        outcome,
                        late,
                        http_status,
                        reason,
                        retry_at: retry.map(|r| at("retry_at", r)).transpose()?,
                    })
                },
            )
            .collect()
    }
}

impl Raw {
    fn read(self) -> Result<DeliveryRow, StoreError> {
        let at = |column, value: Option<i64>| {
            value
                .map(|v| instant("deliveries", column, &self.id, v))
                .transpose()
        };
        Ok(DeliveryRow {
            boundary: at("boundary_at", self.boundary_at)?,
            created_at: instant("deliveries", "created_at", &self.id, self.created_at)?,
            due_at: instant("deliveries", "due_at", &self.id, self.due_at)?,
            deadline: at("deadline_at", self.deadline_at)?,
            settled_at: at("settled_at", self.settled_at)?,
            receiver: if self.channel == "presence" {
                self.receiver
            } else {
                fingerprint(&self.receiver)
            },
            id: self.id,
            transition: self.transition_id,
            channel: self.channel,
            workspace: self.workspace_id,
            agent: self.agent_id,
            kind: self.kind,
            state: self.state,
            reason: self.reason,
            sequence: self.sequence,
            tries: self.tries,
            attempts: self.epoch,
            receipt: self.receipt,
        })
    }
}

/// A name for a phone that does not give its token away: the first 12 hex digits of its SHA-256.
pub(super) fn fingerprint(token: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(token.as_bytes());
    let first = digest.first_chunk().map_or(0, |bytes: &[u8; 6]| {
        bytes.iter().fold(0u64, |n, &b| n << 8 | u64::from(b))
    });
    format!("phone:{first:012x}")
}
