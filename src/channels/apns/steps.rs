//! Single steps, for `benches/micro.rs` to measure.

use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;

use super::{classify, payload, token::Signer};
use crate::{
    channels::{ChannelError, answer::Answer},
    domain::{
        delivery::{Judgement, Push},
        device::DeviceToken,
    },
};

/// The request's body.
pub fn payload(push: &Push) -> Vec<u8> {
    payload::render(push)
}

/// What gives the provider token of an instant (UTC): signed once in half an hour.
pub fn signer(pem: &str) -> Result<impl Fn(Timestamp) -> HeaderValue + use<>, ChannelError> {
    let signer = Signer::new(&pem.into(), "ABC123DEFG".into(), "DEF123GHIJ".into())?;
    Ok(move |now| signer.header(now))
}

/// What an answer means.
pub fn judge(status: StatusCode, body: &[u8], token: &DeviceToken, now: Timestamp) -> Judgement {
    let answer = Answer {
        status,
        headers: HeaderMap::new(),
        body: body.to_vec(),
    };
    classify::classify(&answer, token, now).judgement
}
