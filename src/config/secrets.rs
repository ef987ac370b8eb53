//! Files with secrets in them, and certificates: read, checked, never quoted.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::MetadataExt,
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use p256::pkcs8::DecodePrivateKey;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    keys::Key,
    reader::{Plain, Reader, check_url},
};

/// No key, secret or certificate bundle is larger.
const LARGEST: u64 = 4 << 20;

impl Reader {
    /// The text of a secret's file, without white space around it. Says so if everyone may read it.
    pub(super) fn secret_file(&mut self, key: Key) -> Option<SecretString> {
        if self.text(key).is_some_and(|text| is_secret_itself(&text)) {
            let advice = "holds the secret itself; put that in a file and name the file here";
            self.problem(key, advice);
            return None;
        }
        let path = self.path(key)?;
        let text = self.file(key, &path)?;
        let open = fs::metadata(&path).is_ok_and(|meta| meta.mode() & 0o007 != 0);
        if open {
            let path = path.display();
            self.warn(
                key,
                format!("{path} is open to everyone on this machine; chmod o= it"),
            );
        }
        Some(SecretString::from(text.trim().to_owned()))
    }

    /// [`Self::secret_file`] that has to be there and to pass `check`, which says what the file is
    /// not, and never what it holds.
    fn checked_secret(
        &mut self,
        key: Key,
        check: fn(&str) -> Result<(), String>,
    ) -> Option<SecretString> {
        if self.source.get(key).is_none() {
            self.problem(key, "is missing");
        }
        let secret = self.secret_file(key)?;
        match check(secret.expose_secret()) {
            Ok(()) => Some(secret),
            Err(message) => {
                let path = self.path(key)?;
                self.problem(key, format!("{} {message}", path.display()));
                None
            }
        }
    }

    /// Apple's signing key: PKCS#8 PEM with a P-256 key.
    pub(super) fn apns_key(&mut self, key: Key) -> Option<SecretString> {
        self.checked_secret(key, |pem| {
            let parsed = p256::SecretKey::from_pkcs8_pem(pem);
            parsed.map(drop).map_err(|_| {
                "is not a PKCS#8 PEM file with a P-256 key; it should be the .p8 file from Apple's \
                 developer site, unchanged"
                    .to_owned()
            })
        })
    }

    /// Google's service account: JSON with what is needed to ask for access tokens.
    pub(super) fn service_account(&mut self, key: Key) -> Option<SecretString> {
        self.checked_secret(key, check_service_account)
    }

    /// A Standard Webhooks secret: `whsec_` and base64.
    pub(super) fn webhook_secret(&mut self, key: Key) -> Option<SecretString> {
        let secret = self.checked_secret(key, |text| {
            let bytes = text
                .strip_prefix("whsec_")
                .map(|rest| BASE64_STANDARD.decode(rest));
            match bytes {
                Some(Ok(bytes)) if !bytes.is_empty() => Ok(()),
                _ => Err("is not a webhook secret: \"whsec_\" followed by base64".to_owned()),
            }
        })?;
        // Standard Webhooks, "Signature scheme": between 24 and 64 bytes.
        if secret.expose_secret().len() < "whsec_".len() + 32 {
            self.warn(key, "is a weak secret; it should be at least 24 bytes long");
        }
        Some(secret)
    }

    /// More roots to trust: a PEM bundle with at least one certificate.
    pub(super) fn certificates(&mut self, key: Key) -> Option<Vec<u8>> {
        let path = self.path(key)?;
        let pem = self.file(key, &path)?.into_bytes();
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        if found.is_ok_and(|found| !found.is_empty()) {
            return Some(pem);
        }
        let path = path.display();
        self.problem(
            key,
            format!("{path} holds no PEM certificate, or a broken one"),
        );
        None
    }

    /// A file's text, which must not be empty.
    pub(super) fn file(&mut self, key: Key, path: &Path) -> Option<String> {
        let read = || {
            let mut text = String::new();
            File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
            std::io::Result::Ok(text)
        };
        let message = match read() {
            Ok(text) if !text.trim().is_empty() => return Some(text),
            Ok(_) => format!("{} is empty", path.display()),
            Err(_) if path.is_dir() => format!("{} is a folder, not a file", path.display()),
            Err(e) => format!("cannot read {}: {e}", path.display()),
        };
        self.problem(key, message);
        None
    }
}

/// Whether somebody wrote the secret where its file's name belongs: such a value is never printed.
fn is_secret_itself(text: &str) -> bool {
    ["whsec_", "-----BEGIN", "{"]
        .iter()
        .any(|start| text.trim_start().starts_with(start))
}

/// What is used of a service account's file. It has no `Debug`, so nothing can print it.
#[derive(Deserialize)]
struct ServiceAccount {
    project_id: String,
    client_email: String,
    private_key: String,
    token_uri: String,
}

fn check_service_account(json: &str) -> Result<(), String> {
    // serde's message may quote the value at fault; its position is help enough.
    let account: ServiceAccount = serde_json::from_str(json).map_err(|e| {
        format!(
            "is not a service account's JSON with project_id, client_email, private_key and \
             token_uri (line {}, column {})",
            e.line(),
            e.column()
        )
    })?;
    if account.project_id.is_empty() || account.client_email.is_empty() {
        return Err("has an empty project_id or client_email".to_owned());
    }
    check_url(&account.token_uri, Plain::Loopback)
        .map_err(|e| format!("has a token_uri that {e}"))?;
    PrivatePkcs8KeyDer::from_pem_slice(account.private_key.as_bytes())
        .ok()
        .and_then(|der| ring::rsa::KeyPair::from_pkcs8(der.secret_pkcs8_der()).ok())
        .map(drop)
        .ok_or_else(|| "has a private_key that is not a PKCS#8 PEM RSA key".to_owned())
}
