//! Provider tokens: who the sender is, and whether it changes its token too often.
//!
//! Source: Apple, "Establishing a token-based connection to APNs": a token is valid for an hour after
//! `iat` and may be changed at most once in 20 minutes. Each token's signature is verified once.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::{apns_request::Refusal, jwt::Jwt};

const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
const UPDATE_INTERVAL: SignedDuration = SignedDuration::from_mins(20);
/// How far ahead of the stand-in's clock a token may have been issued.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// The one key that may sign.
#[derive(Debug)]
pub(super) struct ProviderKey {
    pub(super) key_id: String,
    pub(super) team_id: String,
    /// An uncompressed point on P-256.
    pub(super) public_key: Vec<u8>,
}

pub(super) struct ProviderTokens {
    key: ProviderKey,
    /// When each token that was found good was issued.
    known: RwLock<HashMap<String, Timestamp>>,
    /// When the newest of them was issued. Updates are judged by this, not by when they come: a
    /// stand-in that has just started knows nothing of the tokens before.
    newest: Mutex<Option<Timestamp>>,
    limit_updates: AtomicBool,
}

impl ProviderTokens {
    pub(super) fn new(key: ProviderKey) -> Self {
        Self {
            key,
            known: RwLock::default(),
            newest: Mutex::default(),
            limit_updates: AtomicBool::new(true),
        }
    }

    pub(super) fn limit_updates(&self, limit: bool) {
        self.limit_updates.store(limit, Ordering::Release);
    }

    pub(super) fn seen(&self) -> usize {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.len()
    }

    pub(super) fn check(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Refusal> {
        let credential = headers
            .get(AUTHORIZATION)
            .ok_or_else(|| Refusal::forbidden("MissingProviderToken"))?;
        let invalid = || Refusal::forbidden("InvalidProviderToken");
        let credential = credential.to_str().map_err(|_| invalid())?;
        let (scheme, token) = credential.split_once(' ').ok_or_else(invalid)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(invalid());
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let issued = known.get(token).copied();
        drop(known);
        if let Some(issued) = issued {
            return in_time(issued, now);
        }
        let issued = self.verify(token).ok_or_else(invalid)?;
        in_time(issued, now)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Many requests may bring one new token at once: the first of them is the update.
        if !known.contains_key(token) {
            self.note_update(issued)?;
            known.insert(token.to_owned(), issued);
        }
        Ok(())
    }

    /// When the token was issued, if it is good.
    fn verify(&self, token: &str) -> Option<Timestamp> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key.clone());
        let jwt = Jwt::verify(token, "ES256", &key).ok()?;
        let kid = jwt.header.get("kid")?.as_str()?;
        let ours = kid == self.key.key_id && jwt.text("iss")? == self.key.team_id;
        let issued = Timestamp::from_second(jwt.seconds("iat")?).ok()?;
        ours.then_some(issued)
    }

    fn note_update(&self, issued: Timestamp) -> Result<(), Refusal> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let too_soon = newest.is_some_and(|last| issued.duration_since(last) < UPDATE_INTERVAL);
        if too_soon && self.limit_updates.load(Ordering::Acquire) {
            return Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyProviderTokenUpdates",
            ));
        }
        *newest = Some(issued);
        Ok(())
    }
}

impl std::fmt::Debug for ProviderTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProviderTokens(…)")
    }
}

fn in_time(issued: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    let age = now.duration_since(issued);
    if age > LIFETIME {
        Err(Refusal::forbidden("ExpiredProviderToken"))
    } else if age < -SKEW {
        Err(Refusal::forbidden("InvalidProviderToken"))
    } else {
        Ok(())
    }
}
