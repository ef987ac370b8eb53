//! Phones one by one, as the app registers and removes them. An app that registers its token again
//! says that it is alive: a quarantined or disabled phone rings again from then on, which an import
//! of the same token does not do.

use jiff::Timestamp;

use super::{
    StoreError, Tx,
    columns::table,
    instant,
    log::fingerprint,
    ms,
    roster::{DROP_SPELLINGS, Spelling},
    sql::{run, statements},
};
use crate::domain::agent::Device;

statements! {
    REGISTER = "INSERT INTO devices (platform, token, agent_id, environment, registered_at)
                VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (platform, token) DO UPDATE SET agent_id = excluded.agent_id,
                    environment = excluded.environment, state = 'active', state_reason = NULL,
                    registered_at = excluded.registered_at";
    PHONES_OF = "SELECT platform, token, environment, state, state_reason, registered_at FROM devices
                 WHERE agent_id = $1 ORDER BY registered_at, token";
    ONE_PHONE = "SELECT platform, token, environment, state, state_reason, registered_at FROM devices
                 WHERE agent_id = $1 AND platform = $2
                     AND (token = $3 OR (platform = 'ios' AND lower(token) = lower($3)))";
    UNREGISTER = "DELETE FROM devices WHERE agent_id = $1 AND platform = $2
                      AND (token = $3 OR (platform = 'ios' AND lower(token) = lower($3)))";
}

/// A phone as it is shown: never with its token. Instants are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneRow {
    /// `ios` or `android`.
    pub platform: String,
    /// What stands for its token in the delivery log.
    pub fingerprint: String,
    /// `production` or `sandbox`.
    pub environment: String,
    /// `active`, `quarantined` or `disabled`.
    pub state: String,
    /// Why it is no longer active.
    pub state_reason: Option<String>,
    /// When the app registered it last.
    pub registered_at: Timestamp,
}

type Row = (String, String, String, String, Option<String>, i64);

fn read(agent: &str, row: Row) -> Result<PhoneRow, StoreError> {
    let (platform, token, environment, state, state_reason, at) = row;
    Ok(PhoneRow {
        platform,
        fingerprint: fingerprint(&token),
        environment,
        state,
        state_reason,
        registered_at: instant("devices", "registered_at", agent, at)?,
    })
}

impl Tx {
    /// Registers a phone for `agent` at `now` (UTC); whoever had it before has it no more.
    pub async fn register(
        &mut self,
        agent: &str,
        device: &Device,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (platform, token) = (device.platform.as_str(), device.token.expose());
        run!(self, execute DROP_SPELLINGS, table(&[Spelling { platform, token }]))?;
        let environment = device.environment.as_str();
        run!(self, execute REGISTER, platform, token, agent, environment, ms(now))?;
        Ok(())
    }

    /// An agent's phones, in the order in which they were registered.
    pub async fn phones(&mut self, agent: &str) -> Result<Vec<PhoneRow>, StoreError> {
        let rows: Vec<Row> = run!(self, all PHONES_OF, agent)?;
        rows.into_iter().map(|row| read(agent, row)).collect()
    }

    /// One of an agent's phones.
    pub async fn phone(
        &mut self,
        agent: &str,
        platform: &str,
        token: &str,
    ) -> Result<Option<PhoneRow>, StoreError> {
        let row: Option<Row> = run!(self, optional ONE_PHONE, agent, platform, token)?;
        row.map(|row| read(agent, row)).transpose()
    }

    /// Removes one of an agent's phones; `false` if the agent has no such phone.
    pub async fn unregister(
        &mut self,
        agent: &str,
        platform: &str,
        token: &str,
    ) -> Result<bool, StoreError> {
        Ok(run!(self, execute UNREGISTER, agent, platform, token)? > 0)
    }
}
