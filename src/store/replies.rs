//! Answers kept under an `Idempotency-Key`, so that a request sent again is answered again, not done
//! again. A key is claimed, and its answer stored, in the transaction of the act itself.

use jiff::{SignedDuration, Timestamp};

use super::{
    StoreError, Tx, ms,
    sql::{run, statements},
};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

statements! {
    FORGET_REPLIES = "DELETE FROM replies WHERE created_at < $1";
    CLAIM_KEY = "INSERT INTO replies (token_id, key, request, status, body, created_at)
                 VALUES ($1, $2, $3, 0, '', $4) ON CONFLICT DO NOTHING";
    REPLY = "SELECT request, status, body FROM replies WHERE token_id = $1 AND key = $2";
    KEEP_REPLY = "UPDATE replies SET status = $3, body = $4 WHERE token_id = $1 AND key = $2";
}

/// Whether a request was made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// It is new, and its key is now taken.
    Never,
    /// This was the answer: its status and body.
    Answered(u16, String),
    /// The key was used for another request.
    Another,
}

impl Tx {
    /// Claims `key` for a token's request, of which `request` is a hash, at `now` (UTC). Waits for
    /// whoever is just answering the same.
    pub async fn claim_key(
        &mut self,
        token: &str,
        key: &str,
        request: &str,
        now: Timestamp,
    ) -> Result<Before, StoreError> {
        run!(self, execute FORGET_REPLIES, ms(now - KEPT))?;
        if run!(self, execute CLAIM_KEY, token, key, request, ms(now))? == 1 {
            return Ok(Before::Never);
        }
        let (known, status, body): (String, i64, String) = run!(self, one REPLY, token, key)?;
        if known != request {
            return Ok(Before::Another);
        }
        Ok(Before::Answered(u16::try_from(status).unwrap_or(500), body))
    }

    /// Keeps the answer to the request that claimed `key`.
    pub async fn keep_reply(
        &mut self,
        token: &str,
        key: &str,
        status: u16,
        body: &str,
    ) -> Result<(), StoreError> {
        run!(self, execute KEEP_REPLY, token, key, i64::from(status), body)?;
        Ok(())
    }
}
