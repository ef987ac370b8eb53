//! A service account's key file, read and checked once. Its content appears in no error.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::{rand::SystemRandom, signature};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Map, Value, json};
use url::Url;

use crate::channels::{ChannelError, check_url, oauth::Grant};

const WHAT: &str = "fcm service account";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";

/// How long an assertion is good for, in seconds: the most that Google allows.
const LIFETIME: i64 = 3600;

/// Who sends, and the key that proves it.
pub(super) struct Account {
    pub(super) project_id: String,
    token_uri: Url,
    /// `token_uri` as it is written: the assertion's audience is compared letter by letter.
    audience: String,
    client_email: String,
    key: signature::RsaKeyPair,
}

impl Account {
    /// Reads the JSON text.
    pub(super) fn read(text: &str) -> Result<Self, ChannelError> {
        let fields: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            bad(format!("not a JSON object (line {line}, column {column})"))
        })?;
        let project_id = field(&fields, "project_id")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
        if !project_id.chars().all(plain) || project_id.starts_with('.') {
            return Err(bad("project_id is not a project's id"));
        }
        let audience = field(&fields, "token_uri")?;
        let token_uri = Url::parse(audience)
            .map_err(|error| bad(format!("token_uri is not a URL: {error}")))?;
        check_url(&token_uri).map_err(|problem| ChannelError::Endpoint {
            what: "token_uri of the fcm service account",
            problem,
        })?;
        Ok(Self {
            project_id: project_id.to_owned(),
            token_uri,
            audience: audience.to_owned(),
            client_email: field(&fields, "client_email")?.to_owned(),
            key: key(field(&fields, "private_key")?)?,
        })
    }

    /// A signed assertion (RFC 7523) that asks for an access token at `now` (UTC).
    pub(super) fn assertion(&self, now: Timestamp) -> Result<String, ChannelError> {
        let issued = now.as_second();
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({
            "iss": self.client_email,
            "aud": self.audience,
            "scope": SCOPE,
            "iat": issued,
            "exp": issued + LIFETIME,
        });
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut tag = vec![0; self.key.public().modulus_len()];
        let random = SystemRandom::new();
        self.key
            .sign(
                &signature::RSA_PKCS1_SHA256,
                &random,
                signed.as_bytes(),
                &mut tag,
            )
            .map_err(|_| bad("private_key cannot sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)))
    }
}

impl Grant for Account {
    fn endpoint(&self) -> &Url {
        &self.token_uri
    }

    fn secrets(&self) -> Vec<&str> {
        // The assertion is one long run of letters, which no excerpt shows.
        Vec::new()
    }

    fn form(&self, now: Timestamp) -> Result<String, ChannelError> {
        let assertion = self.assertion(now)?;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", GRANT);
        form.append_pair("assertion", &assertion);
        Ok(form.finish())
    }
}

fn key(pem: &str) -> Result<signature::RsaKeyPair, ChannelError> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| {
        bad("private_key is not PKCS#8 PEM (-----BEGIN PRIVATE KEY-----); download the key file anew")
    })?;
    signature::RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
        .map_err(|error| bad(format!("private_key is not a usable RSA key: {error}")))
}

fn field<'f>(fields: &'f Map<String, Value>, name: &str) -> Result<&'f str, ChannelError> {
    let text = fields.get(name).and_then(Value::as_str).map(str::trim);
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| bad(format!("has no {name}; download the key file anew")))
}

fn bad(problem: impl Into<String>) -> ChannelError {
    ChannelError::credential(WHAT, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = include_str!("../../sim/data/demo_service_account_key.pem");

    fn account() -> Value {
        json!({
            "project_id": "p-1", "client_email": "a@p-1.example", "private_key": KEY,
            "token_uri": "https://oauth2.googleapis.com/token",
        })
    }

    #[test]
    fn what_is_wrong_is_named_and_not_shown() {
        let rows = [
            ("project_id", json!("a/../b"), "project_id"),
            ("project_id", Value::Null, "has no project_id"),
            ("client_email", json!(""), "has no client_email"),
            ("private_key", json!("s3cret"), "private_key is not PKCS#8"),
            ("private_key", json!(["s3cret"]), "has no private_key"),
            ("token_uri", json!("s3cret"), "token_uri is not a URL"),
            (
                "token_uri",
                json!("http://example.com/s3cret"),
                "http:// is allowed on loopback only",
            ),
        ];
        for (name, value, expected) in rows {
            let mut account = account();
            account[name] = value;
            let error = Account::read(&account.to_string())
                .err()
                .unwrap()
                .to_string();
            assert!(
                error.contains(expected) && !error.contains("s3cret"),
                "{error}"
            );
        }
        let error = Account::read("{\"private_key\": s3cret}")
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("line 1") && !error.contains("s3cret"),
            "{error}"
        );
    }

    #[test]
    fn an_assertion_lives_an_hour() {
        let account = Account::read(&account().to_string()).unwrap();
        let now: Timestamp = "2026-03-30T07:00:00.5Z".parse().unwrap();
        let assertion = account.assertion(now).unwrap();
        let claims = URL_SAFE_NO_PAD
            .decode(assertion.split('.').nth(1).unwrap())
            .unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], "https://oauth2.googleapis.com/token");
        assert_eq!(claims["iat"], 1_774_854_000);
        assert_eq!(claims["exp"], 1_774_857_600);
    }
}
