//! Errors as RFC 9457 has them.

use std::error::Error as _;

use axum::{
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::store::StoreError;

/// An `application/problem+json` answer. Its type is `about:blank`: the status says what it is, the
/// detail what to do, and `errors` which fields are at fault.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<Fault>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A field that is at fault.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(PartialEq, Eq))]
struct Fault {
    field: String,
    detail: String,
}

impl Problem {
    /// `detail` is for the caller: it holds no secret and none of our insides.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// There is no such thing, or not for this caller, who is told no difference.
    pub(super) fn absent(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// The address knows no such method, but these.
    pub(super) fn not_allowed(method: &Method, allowed: &'static str) -> Self {
        let detail = format!("{method} is not for this address");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail)
            .with(header::ALLOW, HeaderValue::from_static(allowed))
    }

    /// One field is at fault: it cannot be read (400), or what it says cannot be (422).
    pub(super) fn field(status: StatusCode, field: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let whole = if field.is_empty() {
            detail.clone()
        } else {
            format!("{field}: {detail}")
        };
        Self::new(status, whole).and_field(field, detail)
    }

    /// The same with one more field at fault; without a name it is the whole body.
    pub(super) fn and_field(mut self, field: &str, detail: impl Into<String>) -> Self {
        if !field.is_empty() {
            self.errors.push(Fault {
                field: field.to_owned(),
                detail: detail.into(),
            });
        }
        self
    }

    /// The same with a header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// Values that the database refuses are the caller's; everything else is ours, is logged whole and
/// told without its insides.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_refusal() {
            let detail = "the database cannot hold these values";
            return Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        }
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain = format!("{chain}: {cause}");
            source = cause.source();
        }
        tracing::error!(error = chain, "request failed");
        if matches!(error, StoreError::Corrupt { .. }) {
            let detail = "a stored value cannot be read; the log says which";
            return Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail);
        }
        let detail = "the database did not do it; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.errors.is_empty() {
            body["errors"] = serde_json::json!(self.errors);
        }
        let kind = HeaderValue::from_static("application/problem+json");
        let mut answer = (
            self.status,
            [(header::CONTENT_TYPE, kind)],
            body.to_string(),
        )
            .into_response();
        answer.headers_mut().extend(self.headers);
        answer
    }
}
