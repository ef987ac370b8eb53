//! All stand-ins at once, and the files that point a worker at them.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{KeyPair, PublicKeyData as _};
use ring::signature::{KeyPair as _, RsaKeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};

use super::{
    SimError,
    apns::{Apns, ApnsAccount},
    fcm::{Fcm, FcmAccount},
    presence::Presence,
    product::Product,
    server::Network,
    tls::Authority,
};
use crate::clock::Clock;

/// The demo's RSA key. It was made for this file and opens nothing: no account anywhere knows it.
/// It is kept in the source because `ring` cannot make RSA keys.
const DEMO_SERVICE_ACCOUNT_KEY: &str = include_str!("data/demo_service_account_key.pem");

const KEY_ID: &str = "DEMO123456";
const TEAM_ID: &str = "DEMOTEAM01";
const TOPIC: &str = "com.example.agent";
const PROJECT: &str = "shiftbell-demo";
const CLIENT_EMAIL: &str = "shiftbell@shiftbell-demo.iam.gserviceaccount.com";

/// What may differ from one world to the next.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// How many streams each stand-in allows on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// Whether they speak TLS; plain connections are for clients that allow them on loopback.
    pub tls: bool,
    /// The driver whose product stands in for the presence API, if one does.
    pub driver: Option<String>,
    /// The database's URL; by default the `SQLite` file `shiftbell.db` in the world's folder.
    pub database_url: Option<String>,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            max_concurrent_streams: 1000,
            tls: true,
            driver: None,
            database_url: None,
        }
    }
}

/// The stand-ins, running, and a folder with everything a worker needs to reach them.
#[derive(Debug)]
pub struct World {
    /// Apple's push service, both hosts.
    pub apns: Apns,
    /// Google's push service and its token endpoint.
    pub fcm: Fcm,
    /// The chat platform.
    pub presence: Presence,
    /// The chat product that the worker is pointed at instead, if there is one.
    pub product: Option<Product>,
    /// The folder.
    pub folder: PathBuf,
    /// `shiftbell.toml` in it.
    pub config_path: PathBuf,
    /// The authority's certificate in it, `ca.pem`.
    pub ca_path: PathBuf,
}

impl World {
    /// Starts the stand-ins on free ports, all on `clock`, and writes into `folder`, which must
    /// exist: `ca.pem`, `AuthKey_DEMO123456.p8`, `service-account.json`, `presence.secret` and
    /// `shiftbell.toml`.
    pub async fn start(
        folder: &Path,
        clock: Clock,
        options: WorldOptions,
    ) -> Result<Self, SimError> {
        let folder = absolute(folder)?;
        let authority = Authority::generate()?;
        let ca_path = folder.join("ca.pem");
        write(&ca_path, authority.ca_pem())?;
        let network = Network {
            authority: options.tls.then_some(authority),
            max_concurrent_streams: options.max_concurrent_streams,
        };

        let apns_key = KeyPair::generate()?;
        let account = ApnsAccount {
            key_id: KEY_ID.to_owned(),
            team_id: TEAM_ID.to_owned(),
            topic: TOPIC.to_owned(),
            public_key: apns_key.der_bytes().to_vec(),
        };
        let apns = Apns::start(account, &network, clock.clone()).await?;
        let key_file = format!("AuthKey_{KEY_ID}.p8");
        write(&folder.join(&key_file), &apns_key.serialize_pem())?;

        let account = FcmAccount {
            project_id: PROJECT.to_owned(),
            client_email: CLIENT_EMAIL.to_owned(),
            public_key: demo_public_key(),
        };
        let fcm = Fcm::start(account, &network, clock.clone()).await?;
        let service_account = service_account(&fcm.token_uri());
        write(&folder.join("service-account.json"), &service_account)?;

        let secret = format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 32]>()));
        let product = match &options.driver {
            Some(driver) => Product::start(driver, &network, clock.clone()).await?,
            None => None,
        };
        let presence = Presence::start(&secret, &network, clock).await?;
        write(&folder.join("presence.secret"), &format!("{secret}\n"))?;

        let config_path = folder.join("shiftbell.toml");
        let database_url = options.database_url.unwrap_or_else(|| {
            let file = folder.join("shiftbell.db");
            format!("sqlite://{}", file.display())
        });
        let section = match &product {
            Some(product) => driver_section(product, &folder)?,
            None => json!({
                "url": presence.url(),
                "secret_file": "presence.secret",
                "ca_file": "ca.pem",
            }),
        };
        let config = config(&database_url, &apns, &fcm, &section);
        write(&config_path, &config)?;
        Ok(Self {
            apns,
            fcm,
            presence,
            product,
            folder,
            config_path,
            ca_path,
        })
    }
}

/// The public half of the demo's RSA key, PKCS #1 in DER.
fn demo_public_key() -> Vec<u8> {
    let key = PrivatePkcs8KeyDer::from_pem_slice(DEMO_SERVICE_ACCOUNT_KEY.as_bytes())
        .expect("the key in the source tree is PEM");
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der())
        .expect("the key in the source tree is RSA in PKCS #8");
    key.public_key().as_ref().to_vec()
}

fn service_account(token_uri: &str) -> String {
    let account = json!({
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "demo",
        "private_key": DEMO_SERVICE_ACCOUNT_KEY,
        "client_email": CLIENT_EMAIL,
        "client_id": "0",
        "token_uri": token_uri,
    });
    format!("{account:#}\n")
}

/// `[presence]` for a product, its credentials in files.
fn driver_section(product: &Product, folder: &Path) -> Result<Value, SimError> {
    let mut section = json!({
        "driver": product.name(),
        "url": product.url(),
        "ca_file": "ca.pem",
    });
    for (key, value) in product.configuration() {
        section[key] = match key.strip_suffix("_file") {
            Some(name) => {
                let file = format!("presence-{name}");
                write(&folder.join(&file), &value)?;
                file.into()
            }
            None => value.into(),
        };
    }
    Ok(section)
}

fn config(database_url: &str, apns: &Apns, fcm: &Fcm, presence: &Value) -> String {
    let config = json!({
        "database": {"url": database_url},
        "apns": {
            "endpoint": apns.endpoint(),
            "sandbox_endpoint": apns.sandbox_endpoint(),
            "key_file": format!("AuthKey_{KEY_ID}.p8"),
            "key_id": KEY_ID,
            "team_id": TEAM_ID,
            "topic": TOPIC,
            "ca_file": "ca.pem",
        },
        "fcm": {
            "endpoint": fcm.endpoint(),
            "service_account_file": "service-account.json",
            "ca_file": "ca.pem",
        },
        "presence": presence,
        "http": {"listen": "127.0.0.1:0"},
    });
    toml::to_string(&config).expect("tables of text are TOML")
}

fn absolute(folder: &Path) -> Result<PathBuf, SimError> {
    fs::canonicalize(folder).map_err(|source| SimError::Write {
        path: folder.to_owned(),
        source,
    })
}

/// Writes a file that only its owner may read, as files with keys should be.
fn write(path: &Path, content: &str) -> Result<(), SimError> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()));
    written.map_err(|source| SimError::Write {
        path: path.to_owned(),
        source,
    })
}
