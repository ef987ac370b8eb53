//! A folder with a configuration and everything it names.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up fails")]

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use shiftbell::config::{Config, ConfigError};
use tempfile::TempDir;

/// `whsec_` and 32 bytes.
pub(crate) const SECRET: &str = "whsec_Q0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVJZQ0FOQVI=";

/// A folder of its own, with keys that were made for it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        folder.write("AuthKey_ABC123DEFG.p8", p256.serialize_pem());
        folder.write(
            "service-account.json",
            service_account("https://oauth2.example.com/token"),
        );
        folder.write("presence.secret", format!("{SECRET}\n"));
        let names = vec!["extra.example.com".to_owned()];
        let ca = rcgen::generate_simple_self_signed(names).unwrap();
        folder.write("extra-ca.pem", ca.cert.pem());
        folder.write("database.password", "CANARY pass&word\n");
        folder.write(
            "database.url",
            "postgres://app:CANARY@db.example.com/bell\n",
        );
        folder
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Loads `toml` as this folder's `shiftbell.toml`.
    pub(crate) fn load(&self, toml: &str) -> Result<Config, ConfigError> {
        self.load_with(toml, &[])
    }

    /// The same under these variables.
    pub(crate) fn load_with(
        &self,
        toml: &str,
        env: &[(&str, &str)],
    ) -> Result<Config, ConfigError> {
        self.write("shiftbell.toml", toml);
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(None, env, self.0.path())
    }
}

/// A service account as Google writes them, with a key made for these tests alone.
pub(crate) fn service_account(token_uri: &str) -> String {
    serde_json::json!({
        "type": "service_account",
        "project_id": "bell-test",
        "client_email": "bell@bell-test.iam.gserviceaccount.com",
        "private_key": include_str!("rsa.pem"),
        "token_uri": token_uri,
    })
    .to_string()
}
