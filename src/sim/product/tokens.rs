//! Access tokens that a product hands out for client credentials (RFC 6749, 4.4).

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::Asked;

/// The one client that is known, and what was handed out to it.
#[derive(Debug)]
pub(super) struct Tokens {
    client: &'static str,
    secret: &'static str,
    life: SignedDuration,
    prefix: &'static str,
    issued: HashMap<String, Timestamp>,
}

impl Tokens {
    pub(super) fn new(
        client: &'static str,
        secret: &'static str,
        life: SignedDuration,
        prefix: &'static str,
    ) -> Self {
        Self {
            client,
            secret,
            life,
            prefix,
            issued: HashMap::new(),
        }
    }

    /// Whether the form that was posted names the client, and whether with its secret.
    pub(super) fn knows(&self, request: &Asked) -> (bool, bool) {
        let is = |name: &str, value: &str| request.form.get(name).is_some_and(|v| v == value);
        (
            is("client_id", self.client),
            is("client_secret", self.secret),
        )
    }

    /// A new token from `now` (UTC), and its life in seconds.
    pub(super) fn issue(&mut self, now: Timestamp) -> (String, i64) {
        let token = format!("{}{:032x}", self.prefix, rand::random::<u128>());
        self.issued.insert(token.clone(), now + self.life);
        (token, self.life.as_secs())
    }

    /// Whether a request carries a token that is good at `now` (UTC).
    pub(super) fn take(&self, request: &Asked, now: Timestamp) -> bool {
        let ends = self.issued.get(request.bearer());
        ends.is_some_and(|ends| now < *ends)
    }

    /// Forgets all that were handed out.
    pub(super) fn revoke(&mut self) {
        self.issued.clear();
    }
}
