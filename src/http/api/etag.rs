//! `ETag`, `If-Match` and `If-None-Match`: nobody overwrites what they have not seen.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use crate::{domain::access::hex, http::Problem};

/// The mark of one state of a resource: a hash of its JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Etag(String);

impl Etag {
    /// The mark of `value` as it is now.
    pub(super) fn of(value: &impl Serialize) -> Self {
        let json = serde_json::to_vec(value).unwrap_or_default();
        Self(format!("\"{}\"", hex(&Sha256::digest(json)[..16])))
    }

    fn header(&self) -> (HeaderName, HeaderValue) {
        let value = HeaderValue::from_str(&self.0);
        (
            header::ETAG,
            value.unwrap_or(HeaderValue::from_static("\"\"")),
        )
    }

    /// An answer that carries the mark.
    pub(super) fn mark(&self, answer: impl IntoResponse) -> Response {
        ([self.header()], answer).into_response()
    }
}

/// The header of an edit, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what `If` reads")]
pub(super) struct IfMatch {
    /// The `ETag` of the state that is meant
    #[param(rename = "If-Match")]
    if_match: Option<String>,
}

/// On which condition a request is meant.
#[derive(Debug, Default)]
pub(super) struct If {
    matches: Option<Marks>,
    none_matches: Option<Marks>,
}

#[derive(Debug)]
enum Marks {
    Any,
    These(Vec<String>),
}

impl Marks {
    fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut values = headers.get_all(name).iter().peekable();
        values.peek()?;
        let text: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        let text = text.join(",");
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        Some(Self::These(
            text.split(',').map(|mark| mark.trim().to_owned()).collect(),
        ))
    }

    fn hold(&self, found: Option<&Etag>, weak: bool) -> bool {
        match (self, found) {
            (_, None) => false,
            (Self::Any, Some(_)) => true,
            (Self::These(marks), Some(found)) => marks.iter().any(|mark| {
                let mark = if weak {
                    mark.trim_start_matches("W/")
                } else {
                    mark
                };
                mark == found.0
            }),
        }
    }
}

impl If {
    /// Refuses (412) a change to a resource that is not in the state the caller meant; `None` is a
    /// resource that is not there.
    pub(super) fn holds(&self, found: Option<&Etag>) -> Result<(), Problem> {
        let stale = self
            .matches
            .as_ref()
            .is_some_and(|marks| !marks.hold(found, false));
        let there = self
            .none_matches
            .as_ref()
            .is_some_and(|marks| marks.hold(found, true));
        if !stale && !there {
            return Ok(());
        }
        let detail = match (stale, found) {
            (true, Some(_)) => "somebody changed it meanwhile: read it again, then change it",
            (true, None) => "it is not there",
            _ => "it is there already",
        };
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, detail);
        Err(match found.map(Etag::header) {
            Some((name, value)) => problem.with(name, value),
            None => problem,
        })
    }

    /// The answer to a GET: the resource, or 304 where the caller has it.
    pub(super) fn answer(&self, found: &Etag, body: impl IntoResponse) -> Response {
        if self
            .none_matches
            .as_ref()
            .is_some_and(|marks| marks.hold(Some(found), true))
        {
            return found.mark(StatusCode::NOT_MODIFIED);
        }
        found.mark(body)
    }
}

impl<S: Sync> FromRequestParts<S> for If {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            matches: Marks::read(&parts.headers, &header::IF_MATCH),
            none_matches: Marks::read(&parts.headers, &header::IF_NONE_MATCH),
        })
    }
}
