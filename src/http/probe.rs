//! Asking a running worker for its health from inside its container, where there is no shell and
//! no `curl`, and where nothing outside reaches the loopback listener.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read; health answers are a few hundred bytes.
const LONGEST: u64 = 64 << 10;

/// Asks the worker that listens on `address` for `path` (`/livez`, `/readyz`). True if it answered
/// 200; with the answer's body either way. An error means that nobody answered within five seconds.
pub async fn probe(address: SocketAddr, path: &str) -> io::Result<(bool, String)> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(LONGEST).read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(TIMEOUT, asking)
        .await
        .map_err(io::Error::from)??;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((answer.starts_with("HTTP/1.1 200 "), body.to_owned()))
}
