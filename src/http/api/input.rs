//! What a request carries, each part refused with a problem that names the field.

use std::fmt;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header, request::Parts},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::{domain::device::DeviceToken, http::Problem};

/// The parameters of the address. What cannot be read is not there.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| Problem::new(StatusCode::NOT_FOUND, "there is nothing at this address"))
    }
}

/// The parameters of the query.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text
                    .split_once("query string: ")
                    .map_or(&*text, |(_, rest)| rest);
                let (field, detail) = match text.split_once(": ") {
                    Some((field, detail)) if !field.contains(' ') => (field, detail),
                    _ => ("", text),
                };
                Err(Problem::field(StatusCode::BAD_REQUEST, field, detail))
            }
        }
    }
}

/// A body that is JSON: its text, unread. `Debug` hides it, for there may be phones' tokens in it.
pub(super) struct Json(pub(super) String);

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(…)")
    }
}

impl Json {
    /// Reads it as `T`.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut from = serde_json::Deserializer::from_str(&self.0);
        let value = serde_path_to_error::deserialize(&mut from).map_err(|error| {
            let field = error.path().to_string();
            let field = if field == "." { "" } else { &field };
            Problem::field(
                StatusCode::UNPROCESSABLE_ENTITY,
                field,
                error.inner().to_string(),
            )
        })?;
        from.end()
            .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
        Ok(value)
    }
}

impl<S: Send + Sync> FromRequest<S> for Json {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let json = ["application/json", "application/merge-patch+json"];
        if !json.iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            let detail = "send `content-type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        String::from_utf8(body.into())
            .map(Self)
            .map_err(|_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the body is not UTF-8"))
    }
}

/// An id or another word to look for: any text but one with a NUL, which is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word(pub(super) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.contains('\0') {
            return Err(serde::de::Error::custom("holds a NUL character"));
        }
        Ok(Self(text))
    }
}

/// A phone's token, as [`Word`] is a word.
#[derive(Debug, Clone)]
pub(super) struct Token(DeviceToken);

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Word::deserialize(from).map(|word| Self(DeviceToken::new(word.0)))
    }
}

impl Token {
    /// As it stands in an address.
    pub(super) fn new(token: &str) -> Self {
        Self(DeviceToken::new(token))
    }

    /// The token itself, for the database only.
    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl std::ops::Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
