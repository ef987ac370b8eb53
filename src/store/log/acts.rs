//! What operators do to deliveries: retry what failed, cancel what is open; one, or all that a filter
//! matches. Each act is in the audit log, in the same transaction.

use jiff::Timestamp;

use super::DeliveryFilter;
use crate::store::{
    StoreError, Tx,
    audit::Actor,
    columns::list,
    ms,
    outbox::overtaken,
    record::write::DOOMED,
    sql::{Sql, run, statements},
};

/// The most deliveries that one act may touch.
pub(super) const MOST: i64 = 10_000;

/// What is `$of` the log, "open" or "ended", and of dispatches what is, or is not, `$settled`.
macro_rules! matching {
    ($of:literal, $settled:literal) => {
        concat!(
            "SELECT id FROM (SELECT id, state, channel, workspace_id, reason, created_at, agent_id FROM ",
            $of,
            "_deliveries UNION ALL SELECT id, state, channel, workspace_id, reason, created_at, agent_id
              FROM dispatched_deliveries WHERE settled_at ",
            $settled,
            ") AS ",
            $of,
            " ",
            wanted!(),
            " AND (CAST($6 AS TEXT) IS NULL OR agent_id = $6) ORDER BY created_at LIMIT $7"
        )
    };
}

statements! {
    REVIVE = concat!("INSERT INTO outbox (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                  counterpart_at, sequence, deadline_at, created_at, due_at, epoch, reason)
              SELECT p.id, p.transition_id, p.channel, p.workspace_id, p.agent_id, p.kind, p.receiver, p.boundary_at,
                  t.counterpart_at, p.sequence, p.deadline_at, p.created_at, $2, p.epoch, 'retried_by_operator'
              FROM deliveries p JOIN transitions t ON t.id = p.transition_id
              WHERE p.id {in_list} AND p.state = 'failed' AND (p.deadline_at IS NULL OR p.deadline_at > $2)
                AND NOT (p.channel = 'presence' AND ", overtaken!(), ")
                AND (p.channel = 'presence' OR EXISTS (SELECT 1 FROM devices v WHERE v.token = p.receiver
                    AND v.agent_id = p.agent_id AND v.state = 'active'
                    AND v.platform = CASE p.channel WHEN 'apns' THEN 'ios' ELSE 'android' END))
              ON CONFLICT (id) DO NOTHING
              RETURNING id, workspace_id");
    // The attempt that ended it is one among others now.
    KEEP_ATTEMPT = "INSERT INTO attempts (delivery_id, epoch, worker, started_at, finished_at, outcome, http_status, reason)
                    SELECT id, epoch, worker, started_at, settled_at, outcome, http_status, reason
                    FROM deliveries WHERE id {in_list} AND outcome IS NOT NULL";
    UNLOG = "DELETE FROM deliveries WHERE id {in_list}";
    FAILED_MATCHING = matching!("ended", "IS NOT NULL");
    OPEN_MATCHING = matching!("open", "IS NULL");
    WORKSPACES_OF = "SELECT id, workspace_id FROM outbox WHERE id {in_list}";
}

/// What a filter matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    /// These deliveries.
    Ids(Vec<String>),
    /// More than one act may touch; the most it may.
    TooMany(i64),
}

/// What an act came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// Ids of deliveries that are open again, or cancelled.
    pub changed: Vec<String>,
    /// Ids of deliveries that are under way: they cannot be called back, but will not be repeated.
    pub revoked: Vec<String>,
}

impl Tx {
    /// Revives a failed delivery in an operator's name; `false` where it has not failed, its
    /// deadline has passed, its phone is no longer active or a newer event of the same agent exists.
    pub async fn retry(
        &mut self,
        delivery: &str,
        now: Timestamp,
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        let done = self.retry_all(&[delivery.to_owned()], now, actor).await?;
        Ok(!done.changed.is_empty())
    }

    /// [`Tx::retry`] for many.
    pub async fn retry_all(
        &mut self,
        ids: &[String],
        now: Timestamp,
        actor: &Actor,
    ) -> Result<Done, StoreError> {
        let ids = list(ids.iter().map(String::as_str));
        self.unpack_with(&ids).await?;
        let revived: Vec<(String, String)> = run!(self, all REVIVE, ids, ms(now))?;
        if revived.is_empty() {
            return Ok(Done::default());
        }
        let ids = list(revived.iter().map(|(id, _)| id.as_str()));
        run!(self, execute KEEP_ATTEMPT, &ids)?;
        run!(self, execute UNLOG, ids)?;
        self.audit(actor, "delivery.retry", &targets(&revived), now)
            .await?;
        self.notify_outbox().await?;
        Ok(Done {
            changed: revived.into_iter().map(|(id, _)| id).collect(),
            ..Done::default()
        })
    }

    /// Cancels open deliveries in an operator's name. What is under way is only revoked.
    pub async fn cancel_all(
        &mut self,
        ids: &[String],
        now: Timestamp,
        actor: &Actor,
    ) -> Result<Done, StoreError> {
        let ids = list(ids.iter().map(String::as_str));
        self.unpack_with(&ids).await?;
        let doomed: Vec<(String, bool)> = run!(self, all DOOMED, &ids)?;
        let found: Vec<(String, String)> = run!(self, all WORKSPACES_OF, &ids)?;
        self.audit(actor, "delivery.cancel", &targets(&found), now)
            .await?;
        let revoked = doomed.iter().filter(|(_, leased)| *leased);
        let revoked = revoked.map(|(id, _)| id.clone()).collect();
        let ended = self
            .cancel(doomed, |_| Some("cancelled_by_operator"), now)
            .await?;
        Ok(Done {
            changed: ended.iter().map(|moved| moved.id.to_string()).collect(),
            revoked,
        })
    }

    /// The failed deliveries that `filter` matches, oldest first, whatever state it names.
    pub async fn failed_matching(
        &mut self,
        filter: &DeliveryFilter,
    ) -> Result<Matched, StoreError> {
        let failed = DeliveryFilter {
            state: Some("failed".into()),
            ..filter.clone()
        };
        self.matching(&FAILED_MATCHING, &failed).await
    }

    /// The open deliveries that `filter` matches, oldest first.
    pub async fn open_matching(&mut self, filter: &DeliveryFilter) -> Result<Matched, StoreError> {
        self.matching(&OPEN_MATCHING, filter).await
    }

    async fn matching(
        &mut self,
        statement: &'static Sql,
        filter: &DeliveryFilter,
    ) -> Result<Matched, StoreError> {
        let (state, channel, workspace, reason, since) = filter.wanted();
        let agent = filter.agent.as_deref();
        let ids: Vec<(String,)> = run!(
            self, all statement, state, channel, workspace, reason, since, agent, MOST + 1
        )?;
        if ids.len() as i64 > MOST {
            return Ok(Matched::TooMany(MOST));
        }
        Ok(Matched::Ids(ids.into_iter().map(|(id,)| id).collect()))
    }
}

fn targets(rows: &[(String, String)]) -> Vec<(&str, Option<&str>)> {
    rows.iter()
        .map(|(id, workspace)| (id.as_str(), Some(workspace.as_str())))
        .collect()
}
