//! From an endpoint's URL to a byte stream that is ready for HTTP/2.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::channels::{ChannelError, Lost, tls};

/// For one address; a host whose first address swallows packets has others.
const ONE_ADDRESS: Duration = Duration::from_secs(3);

/// Where to, and how.
pub(super) struct Target {
    host: String,
    port: u16,
    /// `None`: unencrypted, "prior knowledge" (RFC 9113, 3.3).
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// Anything HTTP/2 can be spoken over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Target {
    pub(super) fn new(
        endpoint: &url::Url,
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Self, ChannelError> {
        // An IPv6 address stands in brackets in a URL, and nowhere else.
        let host = match endpoint.host() {
            Some(url::Host::Domain(name)) => name.to_owned(),
            Some(url::Host::Ipv4(address)) => address.to_string(),
            Some(url::Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        };
        let name = ServerName::try_from(host.clone())
            .map_err(|error| ChannelError::Client(format!("host {host}: {error}")))?;
        Ok(Self {
            port: endpoint.port_or_known_default().unwrap_or(443),
            tls: tls.map(|config| (TlsConnector::from(Arc::new(config)), name)),
            host,
        })
    }

    /// Connects: TCP, then TLS with `h2` agreed on.
    pub(super) async fn connect(&self) -> Result<Box<dyn Wire>, Lost> {
        let tcp = self.tcp().await.map_err(|error| self.unreachable(&error))?;
        let Some((connector, name)) = &self.tls else {
            return Ok(Box::new(tcp));
        };
        let stream = connector
            .connect(name.clone(), tcp)
            .await
            .map_err(|error| match tls::untrusted(&error) {
                Some(problem) => Lost::Untrusted(problem),
                None => self.unreachable(&error),
            })?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            let reason = format!("{} does not speak HTTP/2", self.host);
            return Err(Lost::Unreachable(reason));
        }
        Ok(Box::new(stream))
    }

    async fn tcp(&self) -> io::Result<TcpStream> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match tokio::time::timeout(ONE_ADDRESS, connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    fn unreachable(&self, error: &io::Error) -> Lost {
        Lost::Unreachable(format!("cannot connect to {}: {error}", self.host))
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
