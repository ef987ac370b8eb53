//! `Idempotency-Key` on POST: the same request sent again gets the same answer, and is done once.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::auth::Caller;
use crate::{
    domain::access::hex,
    http::Problem,
    store::{Before, Tx},
};

const HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST: usize = 255;

/// The header of a POST, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what `Once` reads")]
pub(super) struct IdempotencyKey {
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    key: Option<String>,
}

/// The key of a request, if it has one, and what it is for.
#[derive(Debug)]
pub(super) struct Once {
    key: Option<String>,
    path: String,
}

impl<S: Sync> FromRequestParts<S> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = parts.headers.get(HEADER).map(|key| {
            let text = key.to_str().unwrap_or_default();
            let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
            if plain && (1..=LONGEST).contains(&text.len()) {
                return Ok(text.to_owned());
            }
            let detail = "must be 1 to 255 printable ASCII characters, without blanks";
            Err(Problem::field(
                StatusCode::BAD_REQUEST,
                "Idempotency-Key",
                detail,
            ))
        });
        Ok(Self {
            key: key.transpose()?,
            path: parts.uri.path().to_owned(),
        })
    }
}

impl Once {
    /// The answer given before, if this is a repetition. From here until [`Once::answer`] and the
    /// commit, whoever sends the same waits.
    pub(super) async fn before(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        body: &str,
        now: Timestamp,
    ) -> Result<Option<Response>, Problem> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let request = hex(&Sha256::digest(format!("{}\n{body}", self.path)));
        match tx.claim_key(&caller.token, key, &request, now).await? {
            Before::Never => Ok(None),
            Before::Answered(status, body) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
                let replayed = [(REPLAYED, HeaderValue::from_static("true"))];
                Ok(Some((replayed, json(status, body)).into_response()))
            }
            Before::Another => Err(Problem::field(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Idempotency-Key",
                "was used for another request: take a new one",
            )),
        }
    }

    /// The answer, kept for repetitions.
    pub(super) async fn answer(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        body: &impl Serialize,
    ) -> Result<Response, Problem> {
        let body = serde_json::to_string(body).unwrap_or_default();
        if let Some(key) = &self.key {
            tx.keep_reply(&caller.token, key, 200, &body).await?;
        }
        Ok(json(StatusCode::OK, body))
    }
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
