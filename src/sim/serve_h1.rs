//! One HTTP/1.1 connection. Where HTTP/2 would reset a stream, the connection closes.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    body::AnswerBody,
    server::{BODY_LIMIT, Fate, House, decide},
};

/// Ends the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the stand-in closes the connection, as it was told")]
struct Hangup;

pub(super) async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, house: House) {
    let service = service_fn(|request| answer(request, &house));
    // The only errors are the client's going away and our own hang-ups.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(io), service)
        .await;
}

async fn answer(request: Request<Incoming>, house: &House) -> Result<Response<AnswerBody>, Hangup> {
    let _open = house.traffic.begin();
    let (head, body) = request.into_parts();
    let body: Bytes = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|_| Hangup)?
        .to_bytes();
    let request = Request::from_parts(head, body);
    let (status, headers, body) = match decide(&*house.receiver, request, || true).await {
        Fate::Answer(status, headers, body) => (status, headers, body),
        Fate::LastAnswer(reply) => {
            let mut headers = reply.headers;
            let close = http::HeaderValue::from_static("close");
            headers.insert(http::header::CONNECTION, close);
            (reply.status, headers, AnswerBody::Whole(reply.body))
        }
        Fate::Reset(_) | Fate::GoAway { .. } | Fate::Close | Fate::Dropped => return Err(Hangup),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
