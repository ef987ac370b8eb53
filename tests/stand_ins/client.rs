//! A bare HTTP/2 client and the signatures the receivers want, written apart from the product's own.

use std::{sync::Arc, time::Duration};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};
use shiftbell::{
    clock::Clock,
    sim::{World, WorldOptions},
};
use tokio::net::TcpStream;

/// Longer than any test should need: it ends a test that would hang.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// A device token in Apple's form.
pub(crate) const PHONE: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

/// The instant at which the tests' clock stands: within working hours, UTC.
pub(crate) fn noon() -> Timestamp {
    "2026-03-30T12:00:00Z".parse().unwrap()
}

/// The stand-ins in a folder of their own, on a clock that stands at [`noon`].
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) clock: Clock,
    folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::with(WorldOptions::default()).await
    }

    pub(crate) async fn with(options: WorldOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(noon());
        let world = World::start(folder.path(), clock.clone(), options)
            .await
            .unwrap();
        Self {
            world,
            clock,
            folder,
        }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    pub(crate) async fn connect(&self, url: &str) -> Connection {
        Connection::open(url, &self.file("ca.pem")).await
    }

    /// A provider token with these claims, signed with the world's key.
    pub(crate) fn provider_token(&self, kid: &str, issuer: &str, issued: i64) -> String {
        let header = json!({"alg": "ES256", "kid": kid});
        let signed = unsigned(&header, &json!({"iss": issuer, "iat": issued}));
        let pem = self.file("AuthKey_DEMO123456.p8");
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            der.secret_pkcs8_der(),
            &random,
        )
        .unwrap();
        let signature = key.sign(&random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A provider token that is good now.
    pub(crate) fn good_token(&self) -> String {
        self.provider_token("DEMO123456", "DEMOTEAM01", self.clock.now().as_second())
    }

    /// A push that breaks no rule.
    pub(crate) fn push(&self, token: &str) -> Request<Bytes> {
        Request::post(format!("/3/device/{PHONE}"))
            .header("authorization", format!("bearer {token}"))
            .header("apns-topic", "com.example.agent")
            .header("apns-push-type", "alert")
            .header("apns-priority", "10")
            .header("apns-expiration", "1774872900")
            .header("apns-id", "6f0c1a52-8d3e-4f0a-9b1c-2d3e4f5a6b7c")
            .header("apns-collapse-id", "a-1/start")
            .body(r#"{"aps":{"alert":{"title":"t","body":"b"}}}"#.into())
            .unwrap()
    }

    /// The claims of an assertion that breaks no rule.
    pub(crate) fn claims(&self) -> Value {
        let now = self.clock.now().as_second();
        json!({
            "iss": "shiftbell@shiftbell-demo.iam.gserviceaccount.com",
            "aud": self.world.fcm.token_uri(),
            "scope": "https://www.googleapis.com/auth/firebase.messaging",
            "iat": now,
            "exp": now + 3600,
        })
    }

    /// A request for an access token, signed with the service account's key.
    pub(crate) fn grant(&self, claims: &Value) -> Request<Bytes> {
        let account: Value = serde_json::from_str(&self.file("service-account.json")).unwrap();
        let pem = account["private_key"].as_str().unwrap();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        let signed = unsigned(&json!({"alg": "RS256", "typ": "JWT"}), claims);
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        )
        .unwrap();
        let assertion = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", &assertion)
            .finish();
        Request::post("/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.into())
            .unwrap()
    }

    /// A presence post with this body, signed with the world's secret.
    pub(crate) fn post(&self, id: &str, body: &Value) -> Request<Bytes> {
        self.post_at(id, self.clock.now(), &body.to_string())
    }

    /// A presence post signed at another time.
    pub(crate) fn post_at(&self, id: &str, at: Timestamp, body: &str) -> Request<Bytes> {
        let secret = self.file("presence.secret");
        let secret = secret.trim().strip_prefix("whsec_").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret).unwrap());
        let at = at.as_second();
        let tag = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
        Request::post("/presence")
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(tag)))
            .body(body.to_owned().into())
            .unwrap()
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Status and Apple's reason.
    pub(crate) fn reason(&self) -> (u16, String) {
        let json = self.json();
        let reason = json["reason"].as_str().unwrap_or_default();
        (self.status.as_u16(), reason.to_owned())
    }
}

/// One HTTP/2 connection.
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    authority: String,
}

impl Connection {
    pub(crate) async fn open(url: &str, ca_pem: &str) -> Self {
        let authority = url.strip_prefix("https://").unwrap();
        let authority = authority.split('/').next().unwrap().to_owned();
        let mut roots = rustls::RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(&authority).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await
            .unwrap();
        let (sender, connection) = h2::client::handshake(tls).await.unwrap();
        tokio::spawn(connection);
        Self { sender, authority }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Answer, h2::Error> {
        tokio::time::timeout(LONG, self.exchange(request))
            .await
            .expect("an answer, sooner or later")
    }

    /// The same without an end in time.
    pub(crate) async fn exchange(&self, request: Request<Bytes>) -> Result<Answer, h2::Error> {
        let (mut head, body) = request.into_parts();
        let uri = format!("https://{}{}", self.authority, head.uri);
        head.uri = uri.parse().unwrap();
        let mut sender = self.sender.clone().ready().await?;
        let (answer, mut stream) =
            sender.send_request(Request::from_parts(head, ()), body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(body, true)?;
        }
        let (head, mut body) = answer.await?.into_parts();
        let mut whole = Vec::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            whole.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: whole.into(),
        })
    }
}
