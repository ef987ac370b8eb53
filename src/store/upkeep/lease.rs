//! Leases to renew.
//!
//! A renewal is claimed by putting the next one off, in one statement: several workers renew once, and one
//! that dies after its claim costs one renewal, of which two fit into a lease.

use jiff::{SignedDuration, Timestamp};

use crate::{
    domain::{driver::Shown, presence::Status},
    store::{
        StoreError, Tx,
        columns::list,
        instant, ms,
        rows::word,
        sql::{run, statements},
    },
};

statements! {
    ADD_LEASES = "INSERT INTO presence_leases (agent_id, renew_at)
                  SELECT agent_id, $1 FROM (
                      SELECT agent_id FROM agent_state WHERE status = 'online'
                      UNION ALL SELECT agent_id FROM agent_state WHERE accepts AND status = 'invisible') AS on_duty
                  WHERE NOT EXISTS (SELECT 1 FROM presence_leases l WHERE l.agent_id = on_duty.agent_id)
                  ON CONFLICT (agent_id) DO NOTHING";
    DROP_LEASES = "DELETE FROM presence_leases WHERE NOT EXISTS (
                       SELECT 1 FROM agent_state s WHERE s.agent_id = presence_leases.agent_id AND s.accepts)";
    CLAIM_LEASES = "UPDATE presence_leases SET renew_at = $2
                    WHERE {place} IN (SELECT l.{place} FROM presence_leases l WHERE l.renew_at <= $1
                        ORDER BY l.renew_at LIMIT $3 {skip_locked l}) RETURNING agent_id";
    RENEW_SOONER = "UPDATE presence_leases SET renew_at = $2 WHERE agent_id {in_list}";
    NEXT_LEASE = "SELECT min(renew_at) FROM presence_leases";
    ACCEPTING = "SELECT count(*) FROM (
                     SELECT agent_id FROM agent_state WHERE status = 'online'
                     UNION ALL SELECT agent_id FROM agent_state WHERE accepts AND status = 'invisible') AS on_duty";
    // A clock that stepped back would leave them due long after the product has let everybody go.
    PULL_LEASES = "UPDATE presence_leases SET renew_at = $1 WHERE renew_at > $2";
    GONE_OFF = "SELECT agent_id, status FROM agent_state WHERE agent_id {in_list} AND NOT accepts AND status IS NOT NULL";
}

/// Under which key of `meta` stands when a service last renewed leases.
pub const LEASES_RENEWED: &str = "leases_renewed";

impl Tx {
    /// Brings the list of leases in line with who gets conversations at `now` (UTC), each to be renewed
    /// every `every`: the first renewal follows the event that took the agent online.
    pub async fn settle_leases(
        &mut self,
        now: Timestamp,
        every: SignedDuration,
    ) -> Result<(), StoreError> {
        run!(self, execute ADD_LEASES, ms(now + every))?;
        run!(self, execute DROP_LEASES)?;
        // Workers' clocks differ by less than half of that.
        let never = ms(now + every) + every.as_millis() as i64 / 2;
        run!(self, execute PULL_LEASES, ms(now), never)?;
        Ok(())
    }

    /// Claims renewals due at `now` (UTC), at most `limit`; theirs is due again at `next`.
    pub async fn claim_leases(
        &mut self,
        now: Timestamp,
        next: Timestamp,
        limit: i64,
    ) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = run!(self, all CLAIM_LEASES, ms(now), ms(next), limit)?;
        Ok(rows.into_iter().map(|(agent,)| agent).collect())
    }

    /// Renewals that came to nothing are due again at `at` (UTC).
    pub async fn renew_at<'a>(
        &mut self,
        agents: impl IntoIterator<Item = &'a str>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        run!(self, execute RENEW_SOONER, list(agents), ms(at))?;
        Ok(())
    }

    /// When (UTC) the next renewal is due.
    pub async fn next_lease(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let (next,): (Option<i64>,) = run!(self, one NEXT_LEASE)?;
        let next = next.map(|at| instant("presence_leases", "renew_at", "", at));
        next.transpose()
    }

    /// How many agents get conversations.
    pub async fn count_accepting(&mut self) -> Result<i64, StoreError> {
        let (count,): (i64,) = run!(self, one ACCEPTING)?;
        Ok(count)
    }

    /// Those of these agents who get no conversations any more, and what is to be shown of them.
    pub async fn gone_off<'a>(
        &mut self,
        agents: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<(String, Shown)>, StoreError> {
        let rows: Vec<(String, String)> = run!(self, all GONE_OFF, list(agents))?;
        let shown = |(agent, status): (String, String)| {
            let status = word("agent_state", "status", &agent, &status, Status::from_word)?;
            Ok((agent, Shown::of(status, false)))
        };
        rows.into_iter().map(shown).collect()
    }
}
