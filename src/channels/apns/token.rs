//! The provider token: a JWT (RFC 7519) signed with ES256 (RFC 7518, 3.4), base64url without padding.
//!
//! Apple takes a token for 60 minutes and a new one at most every 20. So `iat` is the start of the
//! current half hour and the signature is deterministic (RFC 6979): every process, after every
//! restart, comes to the same token, and nobody has to store it.

use std::sync::{Mutex, PoisonError};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use jiff::Timestamp;
use p256::{
    ecdsa::{Signature, SigningKey, signature::Signer as _},
    pkcs8::DecodePrivateKey as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::channels::ChannelError;

const HALF_HOUR: i64 = 30 * 60;

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
}

/// The start of the half hour, Unix time.
fn issued(now: Timestamp) -> i64 {
    now.as_second().div_euclid(HALF_HOUR) * HALF_HOUR
}

/// The key, and the token of the current half hour.
pub(super) struct Signer {
    key: SigningKey,
    key_id: String,
    team_id: String,
    /// The token's `iat` and the header that carries it.
    current: Mutex<Option<(i64, HeaderValue)>>,
}

impl Signer {
    /// Reads the key. Errors never quote it.
    pub(super) fn new(
        pem: &SecretString,
        key_id: String,
        team_id: String,
    ) -> Result<Self, ChannelError> {
        for (what, id) in [("APNs key_id", &key_id), ("APNs team_id", &team_id)] {
            if id.is_empty() {
                return Err(ChannelError::credential(
                    what,
                    "expected ten characters, found none",
                ));
            }
        }
        let key = SigningKey::from_pkcs8_pem(pem.expose_secret().trim()).map_err(|_| {
            let problem = "not a P-256 key in PKCS #8 PEM (-----BEGIN PRIVATE KEY-----); \
                           use the .p8 file as Apple hands it out";
            ChannelError::credential("APNs key", problem)
        })?;
        Ok(Self {
            key,
            key_id,
            team_id,
            current: Mutex::default(),
        })
    }

    /// When (UTC) Apple takes the token of `now` no longer.
    pub(super) fn expiry(now: Timestamp) -> Option<Timestamp> {
        Timestamp::from_second(issued(now) + 2 * HALF_HOUR).ok()
    }

    /// The `authorization` header for a request at `now` (UTC), marked as sensitive.
    pub(super) fn header(&self, now: Timestamp) -> HeaderValue {
        let issued = issued(now);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some((at, header)) if *at == issued => header.clone(),
            _ => {
                let token = format!("bearer {}", self.sign(issued));
                let mut header = HeaderValue::try_from(token)
                    .expect("base64url and dots are allowed in a header");
                header.set_sensitive(true);
                *current = Some((issued, header.clone()));
                header
            }
        }
    }

    fn sign(&self, issued: i64) -> String {
        let header = Header {
            alg: "ES256",
            kid: &self.key_id,
        };
        let claims = Claims {
            iss: &self.team_id,
            iat: issued,
        };
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature: Signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(…)")
    }
}

fn part(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("text and numbers are JSON");
    URL_SAFE_NO_PAD.encode(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(pem: &str) -> Signer {
        Signer::new(&pem.into(), "KEY".into(), "TEAM".into()).unwrap()
    }

    #[test]
    fn every_process_comes_to_the_same_token_within_a_half_hour() {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let (one, other) = (signer(&pem), signer(&format!("\n{pem}\n\n")));
        let at = |signer: &Signer, time: &str| signer.header(time.parse().unwrap());
        let first = at(&one, "2026-03-30T06:30:00Z");
        assert_eq!(first, at(&other, "2026-03-30T06:59:59.999Z"));
        assert!(first.is_sensitive());
        let next = at(&one, "2026-03-30T07:00:00Z");
        assert_ne!(first, next);
        assert_eq!(next, at(&other, "2026-03-30T07:29:59Z"));
        assert_eq!(
            first,
            at(&one, "2026-03-30T06:45:00Z"),
            "a clock that went back"
        );
    }

    #[test]
    fn the_token_says_who_and_since_when() {
        let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let header = signer(&pem).header("2026-03-30T06:59:00Z".parse().unwrap());
        let token = header.to_str().unwrap().strip_prefix("bearer ").unwrap();
        let parts: Vec<_> = token
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
            .collect();
        assert_eq!(parts[0], br#"{"alg":"ES256","kid":"KEY"}"#);
        assert_eq!(parts[1], br#"{"iss":"TEAM","iat":1774852200}"#);
        assert_eq!(parts[2].len(), 64);
    }

    #[test]
    fn a_key_that_is_none_is_named_but_not_quoted() {
        for pem in [
            "",
            "s3cret",
            "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----",
        ] {
            let error = Signer::new(&pem.into(), "K".into(), "T".into())
                .unwrap_err()
                .to_string();
            assert!(
                error.starts_with("APNs key: ") && !error.contains("s3cret"),
                "{error}"
            );
        }
    }
}
