//! One place that decides whom we trust: the system's roots and the extra CA of the
//! configuration. There is no way to switch verification off.
//!
//! The crypto provider (ring) is passed explicitly, so no channel depends on what a process
//! installed as its default.

use std::{
    error::Error,
    io,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::ChannelError;

/// A TLS client that offers `alpn` (RFC 7301), trusting the system's roots and `extra_ca` (PEM).
pub(super) fn client_config(
    extra_ca: Option<&[u8]>,
    alpn: &[&str],
) -> Result<ClientConfig, ChannelError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system_roots().iter().cloned());
    if let Some(pem) = extra_ca {
        add_pem(&mut roots, pem)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ChannelError::Client(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

/// Read once a process: parsing some 140 certificates for each channel would be waste.
fn system_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(event = "system_roots", %error, "some of the system's root certificates cannot be read");
        }
        found.certs
    })
}

fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), ChannelError> {
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate =
            certificate.map_err(|error| ChannelError::ExtraCa(format!("not PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| ChannelError::ExtraCa(format!("not a CA certificate: {error}")))?;
        count += 1;
    }
    if count == 0 {
        return Err(ChannelError::ExtraCa(
            "no certificate in it; expected PEM (-----BEGIN CERTIFICATE-----)".to_owned(),
        ));
    }
    Ok(())
}

/// If `error` or one of its causes is a certificate that we do not accept: what is wrong with it,
/// and what to do. Anything else that breaks a handshake may pass, this does not.
pub(super) fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    let cause = find(error)?;
    let rustls::Error::InvalidCertificate(problem) = cause else {
        return None;
    };
    let advice = match problem {
        rustls::CertificateError::UnknownIssuer => {
            "; if its CA is your own, name the CA's file as ca_file"
        }
        _ => "",
    };
    Some(format!(
        "the receiver's certificate is refused: {problem}{advice}"
    ))
}

/// The TLS error among `error`'s causes. `io::Error` hides its own content from `source`, so it
/// is opened by hand.
fn find<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner: Option<&'e (dyn Error + 'static)> = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn Error + 'static));
        next = inner.or_else(|| error.source());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_ca_must_be_certificates() {
        for bad in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
        ] {
            let error = client_config(Some(bad.as_bytes()), &[]).unwrap_err();
            assert!(
                error.to_string().starts_with("extra CA certificates: "),
                "{error}"
            );
        }
    }

    #[test]
    fn protocols_are_offered_in_order() {
        let config = client_config(None, &["h2", "http/1.1"]).unwrap();
        assert_eq!(
            config.alpn_protocols,
            [b"h2".to_vec(), b"http/1.1".to_vec()]
        );
    }

    #[test]
    fn a_refused_certificate_is_found_under_io_errors() {
        let refused = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, refused));
        assert!(untrusted(&wrapped).unwrap().contains("ca_file"));
        assert_eq!(untrusted(&io::Error::other("reset")), None);
    }
}
