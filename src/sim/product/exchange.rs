//! A request as a product's rules look at it, and what they answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

use crate::sim::server::Reply;

/// A request, as rules look at it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path below the base URL, decoded, in its parts.
    pub path: Vec<String>,
    /// The query, decoded.
    pub query: BTreeMap<String, String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null if it is none.
    pub json: Value,
    /// The body as a form; empty if it is none.
    pub form: BTreeMap<String, String>,
}

impl Asked {
    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// The token in `Authorization: Bearer`; empty where there is none.
    pub fn bearer(&self) -> &str {
        let token = self.header("authorization").strip_prefix("Bearer ");
        token.unwrap_or_default()
    }

    /// The path's parts.
    pub fn parts(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    pub(super) fn of(request: &Request<Bytes>) -> Self {
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let url = url::Url::parse(&format!("http://localhost{target}"));
        let (mut path, mut query) = (Vec::new(), BTreeMap::new());
        if let Ok(url) = url {
            let parts = url.path_segments().into_iter().flatten();
            path = parts.map(decoded).collect();
            query = url.query_pairs().into_owned().collect();
        }
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
        let is = |expected: &str| kind.split(';').next().is_some_and(|k| k.trim() == expected);
        let json = is("application/json").then(|| serde_json::from_slice(request.body()).ok());
        let form = is("application/x-www-form-urlencoded").then(|| {
            let pairs = url::form_urlencoded::parse(request.body());
            pairs.into_owned().collect()
        });
        Self {
            method: request.method().clone(),
            path,
            query,
            headers: request.headers().clone(),
            json: json.flatten().unwrap_or_default(),
            form: form.unwrap_or_default(),
        }
    }
}

fn decoded(part: &str) -> String {
    let pair = format!("p={}", part.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// What rules answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers besides the body's own.
    pub headers: Vec<(&'static str, String)>,
    /// The body and its media type.
    pub body: Option<(&'static str, String)>,
}

impl Answer {
    /// An answer in JSON.
    #[expect(clippy::needless_pass_by_value, reason = "it is written in place")]
    pub fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some(("application/json; charset=utf-8", body.to_string())),
        }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: None,
        }
    }

    /// An answer in plain text or HTML.
    pub fn text(status: u16, kind: &'static str, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some((kind, body.to_owned())),
        }
    }

    /// The same with another header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn reply(self) -> Reply {
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        let body = self.body.map(|(kind, body)| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            body.into()
        });
        Reply {
            status: StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers,
            body: body.unwrap_or_default(),
        }
    }
}
