//! Checks the signed tokens that shiftbell presents: RFC 7519 in the compact form of RFC 7515.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::UnparsedPublicKey;
use serde_json::{Map, Value};

/// The header and the claims of a token whose signature is good.
pub(super) struct Jwt {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

impl Jwt {
    /// Reads `token` and verifies its signature. Base64url must be without padding. An error says
    /// what is wrong and never quotes the token.
    pub(super) fn verify(
        token: &str,
        algorithm: &str,
        key: &UnparsedPublicKey<Vec<u8>>,
    ) -> Result<Self, &'static str> {
        let (signed, signature) = token.rsplit_once('.').ok_or("not three parts")?;
        let (header, claims) = signed.split_once('.').ok_or("not three parts")?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| "the signature is not base64url without padding")?;
        let jwt = Self {
            header: object(header)?,
            claims: object(claims)?,
        };
        if jwt.header.get("alg").and_then(Value::as_str) != Some(algorithm) {
            return Err("another algorithm");
        }
        key.verify(signed.as_bytes(), &signature)
            .map_err(|_| "the signature is not by the known key")?;
        Ok(jwt)
    }

    /// A claim that is text.
    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is an instant: whole seconds since 1970, UTC.
    pub(super) fn seconds(&self, claim: &str) -> Option<i64> {
        self.claims.get(claim)?.as_i64()
    }
}

fn object(part: &str) -> Result<Map<String, Value>, &'static str> {
    let json = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| "not base64url without padding")?;
    serde_json::from_slice(&json).map_err(|_| "not a JSON object")
}
