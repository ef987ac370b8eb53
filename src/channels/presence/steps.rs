//! Single steps, for `benches/micro.rs` to measure.

use bytes::Bytes;

use super::{body, signature};
use crate::{channels::ChannelError, domain::presence::Event};

/// The request's body.
pub fn body(events: &[Event]) -> Result<Bytes, serde_json::Error> {
    body::body(events)
}

/// What signs a body at a second (Unix time).
pub fn signer(secret: &str) -> Result<impl Fn(&[u8], i64) -> String + use<>, ChannelError> {
    let key = signature::key(secret)?;
    Ok(move |body: &[u8], seconds| {
        signature::sign(&key, &signature::webhook_id(body), seconds, body)
    })
}
