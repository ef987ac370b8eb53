//! Single steps, for `benches/micro.rs` to measure.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use super::{
    account::Account,
    message,
    verdict::{self, Said},
};
use crate::{
    channels::{ChannelError, answer::Answer},
    domain::delivery::{Judgement, Push},
};

/// The request's body.
pub fn message(push: &Push, now: Timestamp) -> Option<Bytes> {
    message::body(push, now)
}

/// What signs the claim with which an access token is fetched, once an hour.
pub fn signer(
    account: &str,
) -> Result<impl Fn(Timestamp) -> Result<String, ChannelError> + use<>, ChannelError> {
    let account = Account::read(account)?;
    Ok(move |now| account.assertion(now))
}

/// What an answer means; `secrets` do not come out.
pub fn judge(status: StatusCode, body: &[u8], secrets: &[&str], now: Timestamp) -> Judgement {
    let answer = Answer {
        status,
        headers: HeaderMap::new(),
        body: body.to_vec(),
    };
    verdict::classify(&answer, &Said::read(&answer, secrets), now)
}
