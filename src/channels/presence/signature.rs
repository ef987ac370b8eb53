//! Signatures as Standard Webhooks describes them. Pure.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use sha2::{Digest as _, Sha256};

use crate::channels::ChannelError;

const SECRET: &str = "presence secret";

/// The key in a secret of the form `whsec_` and base64.
pub(super) fn key(secret: &str) -> Result<hmac::Key, ChannelError> {
    let expected = "expected whsec_ followed by base64";
    let encoded = secret.trim().strip_prefix("whsec_").ok_or_else(|| {
        ChannelError::credential(SECRET, format!("does not start with whsec_; {expected}"))
    })?;
    let key = STANDARD
        .decode(encoded)
        .ok()
        .filter(|key| !key.is_empty())
        .ok_or_else(|| ChannelError::credential(SECRET, format!("is not base64; {expected}")))?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

/// The same for the same body, another for another.
pub(super) fn webhook_id(body: &[u8]) -> String {
    let mut id = "msg_".to_owned();
    for byte in &Sha256::digest(body)[..16] {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// The signature of `body`, sent under `id` at `seconds` (Unix time).
pub(super) fn sign(key: &hmac::Key, id: &str, seconds: i64, body: &[u8]) -> String {
    let mut signed = hmac::Context::with_key(key);
    signed.update(format!("{id}.{seconds}.").as_bytes());
    signed.update(body);
    format!("v1,{}", STANDARD.encode(signed.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_secret_is_named_and_not_shown() {
        for bad in [
            "",
            "s3cret",
            "whsec_",
            "whsec_s3cret!",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            let error = key(bad).unwrap_err().to_string();
            assert!(error.starts_with("presence secret: "), "{error}");
            assert!(
                !error.contains("s3cret") && !error.contains("MfKQ"),
                "{error}"
            );
        }
    }
}
