//! A throw-away certificate authority, made afresh for each set of stand-ins.
//!
//! Clients talk to the stand-ins over the same TLS as to Apple and Google and trust them through
//! `ca_file`, so nothing in the product has to know a test from the real thing. The authority's
//! private key never leaves this process.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::SimError;

/// A certificate authority and one server key, valid for `localhost` and `127.0.0.1`.
pub struct Authority {
    ca_pem: String,
    server: ServerConfig,
}

impl Authority {
    /// Makes a new authority and a server certificate under it.
    pub fn generate() -> Result<Self, SimError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(
            DnType::CommonName,
            "shiftbell stand-ins, throw-away authority",
        );
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "localhost");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;

        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        Ok(Self {
            ca_pem: authority.pem(),
            server,
        })
    }

    /// The authority's certificate, for a client's `ca_file`.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// A server's TLS settings that offer these protocols (ALPN), the preferred one first.
    pub(super) fn server_config(&self, protocols: &[&[u8]]) -> Arc<ServerConfig> {
        let mut config = self.server.clone();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }
}
