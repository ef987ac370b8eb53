//! Access tokens: who may ask over HTTP. Of a token's secret only the SHA-256 is here.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    StoreError, Tx, instant, ms,
    rows::word,
    sql::{run, statements},
};
use crate::domain::access::{ApiToken, Grant, Scope};

statements! {
    ADD_TOKEN = "INSERT INTO tokens (id, name, scope, workspace_id, agent_id, hash, created_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    TOKEN = "SELECT id, name, scope, workspace_id, agent_id, hash, created_at, expires_at, revoked_at
             FROM tokens WHERE id = $1";
    TOKENS = "SELECT id, name, scope, workspace_id, agent_id, hash, created_at, expires_at, revoked_at
              FROM tokens ORDER BY created_at, id";
    REVOKE_TOKEN = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
    REVOKE_FEEDS = "UPDATE tokens SET revoked_at = $2 WHERE agent_id = $1 AND scope = 'feed' AND revoked_at IS NULL";
    USABLE_TOKENS = "SELECT count(*) FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)";
}

/// A token as it is listed. Instants are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// The half that is no secret.
    pub id: String,
    /// What it was made for, in its maker's words.
    pub name: String,
    /// `platform`, `agent`, `ops:read`, `ops:write` or `feed`.
    pub scope: &'static str,
    /// The one workspace it is bound to.
    pub workspace: Option<String>,
    /// The one agent it is bound to.
    pub agent: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is of no use.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl TokenRow {
    /// Whether it opens anything at `now` (UTC).
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[derive(sqlx::FromRow)]
struct Raw {
    id: String,
    name: String,
    scope: String,
    workspace_id: Option<String>,
    agent_id: Option<String>,
    hash: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl Tx {
    /// Stores a new token's hash, made at `now` (UTC).
    pub async fn add_token(
        &mut self,
        token: &ApiToken,
        name: &str,
        grant: &Grant,
        now: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (workspace, agent) = (grant.workspace.as_deref(), grant.agent.as_deref());
        run!(
            self, execute ADD_TOKEN, token.id(), name, grant.scope.as_str(), workspace, agent,
            token.hash(), ms(now), expires_at.map(ms)
        )?;
        Ok(())
    }

    /// What `token` allows at `now` (UTC); `None` if it is not one of ours, revoked or expired.
    pub async fn grant(
        &mut self,
        token: &ApiToken,
        now: Timestamp,
    ) -> Result<Option<Grant>, StoreError> {
        let found: Option<Raw> = run!(self, optional TOKEN, token.id())?;
        let Some(raw) = found.filter(|raw| token.matches(&raw.hash)) else {
            return Ok(None);
        };
        let scope = raw.scope()?;
        let row = raw.read()?;
        Ok(row.is_usable(now).then_some(Grant {
            scope,
            workspace: row.workspace,
            agent: row.agent,
        }))
    }

    /// All tokens, oldest first.
    pub async fn tokens(&mut self) -> Result<Vec<TokenRow>, StoreError> {
        let rows: Vec<Raw> = run!(self, all TOKENS)?;
        rows.into_iter().map(Raw::read).collect()
    }

    /// Revokes a token as of `now` (UTC); `false` if there is none of that id, or it is revoked.
    pub async fn revoke_token(&mut self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        Ok(run!(self, execute REVOKE_TOKEN, id, ms(now))? == 1)
    }

    /// Revokes an agent's feed as of `now` (UTC); how many there were, which is one or none.
    pub async fn revoke_feeds(&mut self, agent: &str, now: Timestamp) -> Result<u64, StoreError> {
        run!(self, execute REVOKE_FEEDS, agent, ms(now))
    }

    /// How many tokens open something at `now` (UTC).
    pub async fn usable_tokens(&mut self, now: Timestamp) -> Result<i64, StoreError> {
        let (count,): (i64,) = run!(self, one USABLE_TOKENS, ms(now))?;
        Ok(count)
    }
}

impl Raw {
    fn scope(&self) -> Result<Scope, StoreError> {
        word("tokens", "scope", &self.id, &self.scope, Scope::from_word)
    }

    fn read(self) -> Result<TokenRow, StoreError> {
        let at = |column, value| instant("tokens", column, &self.id, value);
        let maybe = |column, value: Option<i64>| value.map(|v| at(column, v)).transpose();
        Ok(TokenRow {
            scope: self.scope()?.as_str(),
            created_at: at("created_at", self.created_at)?,
            expires_at: maybe("expires_at", self.expires_at)?,
            revoked_at: maybe("revoked_at", self.revoked_at)?,
            id: self.id,
            name: self.name,
            workspace: self.workspace_id,
            agent: self.agent_id,
        })
    }
}
