//! The token endpoint of Google's OAuth 2 server, as far as a service account uses it.
//!
//! Source: Google, "Using OAuth 2.0 for Server to Server Applications"; RFC 7523.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError, RwLock},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{
    fcm_schema,
    jwt::Jwt,
    record::{Received, Record, Verdict},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const LIFETIME: SignedDuration = SignedDuration::from_secs(3599);
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// A request for an access token.
#[derive(Debug, Clone)]
pub struct ReceivedGrant {
    /// When it arrived: UTC, by the stand-in's clock.
    pub at: Timestamp,
    /// What the stand-in made of it.
    pub verdict: Verdict,
}

impl Received for ReceivedGrant {
    fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// What an access token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Sending.
    Send,
    /// Nothing here: it was asked for with other scopes.
    Elsewhere,
}

pub(super) struct OAuth {
    client_email: String,
    public_key: UnparsedPublicKey<Vec<u8>>,
    audiences: Mutex<HashSet<String>>,
    issued: RwLock<HashMap<String, (Timestamp, Access)>>,
    pub(super) record: Record<ReceivedGrant>,
}

impl OAuth {
    /// `public_key` is the service account's, as PKCS #1 in DER.
    pub(super) fn new(client_email: String, public_key: Vec<u8>) -> Self {
        Self {
            client_email,
            public_key: UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key),
            audiences: Mutex::default(),
            issued: RwLock::default(),
            record: Record::default(),
        }
    }

    /// Lets assertions name this audience.
    pub(super) fn add_audience(&self, audience: String) {
        self.audiences().insert(audience);
    }

    /// Forgets every token issued so far: they are answered with 401 from now on.
    pub(super) fn revoke_all(&self) {
        let mut issued = self.issued.write().unwrap_or_else(PoisonError::into_inner);
        issued.clear();
    }

    /// What the bearer of `token` may do at `now`; `None` if it is unknown or has expired.
    pub(super) fn access(&self, token: &str, now: Timestamp) -> Option<Access> {
        let issued = self.issued.read().unwrap_or_else(PoisonError::into_inner);
        let (expires, access) = *issued.get(token)?;
        (now < expires).then_some(access)
    }

    /// Answers a request to the token endpoint: status and JSON.
    pub(super) fn exchange(&self, request: &Request<Bytes>, now: Timestamp) -> (StatusCode, Value) {
        let outcome = self.check(request, now);
        let verdict = match &outcome {
            Ok(_) => Verdict::Accepted,
            Err((error, why)) => {
                Verdict::refused(StatusCode::BAD_REQUEST, format!("{error}: {why}"))
            }
        };
        self.record.add(ReceivedGrant { at: now, verdict });
        match outcome {
            Ok(access) => (StatusCode::OK, self.issue(access, now)),
            Err((error, why)) => (
                StatusCode::BAD_REQUEST,
                json!({"error": error, "error_description": why}),
            ),
        }
    }

    fn issue(&self, access: Access, now: Timestamp) -> Value {
        let token = format!("ya29.stand-in-{:032x}", rand::random::<u128>());
        let mut issued = self.issued.write().unwrap_or_else(PoisonError::into_inner);
        issued.insert(token.clone(), (now + LIFETIME, access));
        json!({"access_token": token, "expires_in": LIFETIME.as_secs(), "token_type": "Bearer"})
    }

    fn check(
        &self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<Access, (&'static str, &'static str)> {
        let bad = |why| ("invalid_request", why);
        if request.method() != Method::POST {
            return Err(bad("the method must be POST"));
        }
        if !is_form(request.headers()) {
            return Err(bad("the body must be application/x-www-form-urlencoded"));
        }
        let mut form = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(request.body()) {
            if form.insert(name, value).is_some() {
                return Err(bad("a parameter is given twice"));
            }
        }
        if form.get("grant_type").map(AsRef::as_ref) != Some(GRANT) {
            return Err(("unsupported_grant_type", "not the JWT bearer grant"));
        }
        let assertion = form.get("assertion").ok_or(bad("assertion is missing"))?;
        let grant = |why| ("invalid_grant", why);
        let jwt = Jwt::verify(assertion, "RS256", &self.public_key).map_err(grant)?;
        self.check_claims(&jwt, now).map_err(grant)?;
        scope(&jwt).ok_or(("invalid_scope", "scope is missing"))
    }

    fn check_claims(&self, jwt: &Jwt, now: Timestamp) -> Result<(), &'static str> {
        if jwt.text("iss") != Some(&self.client_email) {
            return Err("iss is not the service account");
        }
        let audience = jwt.text("aud").ok_or("aud is missing")?;
        if !self.audiences().contains(audience) {
            return Err("aud is not this endpoint");
        }
        let instant = |claim| Timestamp::from_second(jwt.seconds(claim)?).ok();
        let issued = instant("iat").ok_or("iat is missing")?;
        let expires = instant("exp").ok_or("exp is missing")?;
        if expires.duration_since(issued) > SignedDuration::from_hours(1) {
            return Err("exp is more than an hour after iat");
        }
        if issued.duration_since(now) > SKEW {
            return Err("iat is in the future");
        }
        if expires <= now {
            return Err("exp has passed");
        }
        Ok(())
    }

    fn audiences(&self) -> MutexGuard<'_, HashSet<String>> {
        self.audiences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for OAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OAuth(…)")
    }
}

fn scope(jwt: &Jwt) -> Option<Access> {
    let mut asked = jwt.text("scope")?.split_ascii_whitespace();
    let allowed = |scope: &str| fcm_schema::scopes().iter().any(|known| known == scope);
    Some(if asked.any(allowed) {
        Access::Send
    } else {
        Access::Elsewhere
    })
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}
