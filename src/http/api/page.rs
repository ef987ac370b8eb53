//! Lists in pages: 100 items unless asked otherwise, and an opaque cursor to what follows.

use axum::http::StatusCode;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::http::Problem;

const DEFAULT: u16 = 100;
const MOST: u16 = 1000;

/// How many items a page holds at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(u16);

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u16::deserialize(from) {
            Ok(limit @ 1..=MOST) => Ok(Self(limit)),
            _ => Err(serde::de::Error::custom(
                "must be a whole number from 1 to 1000",
            )),
        }
    }
}

impl Limit {
    /// One more than the page holds: whether it is there tells whether another page follows.
    pub(super) fn and_one(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// A page of `items`, of which there may be one too many; `place` tells where one stands.
    pub(super) fn page<T, P: Serialize>(
        self,
        mut items: Vec<T>,
        place: impl Fn(&T) -> P,
    ) -> Page<T> {
        let more = items.len() > usize::from(self.0);
        items.truncate(usize::from(self.0));
        let last = items.last().filter(|_| more);
        Page {
            next: last.map(|last| Cursor::at(&place(last)).0),
            items,
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// At most as many as were asked for.
    items: Vec<T>,
    /// What to send as `cursor` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> Page<T> {
    /// The same page of what `change` makes of each item.
    pub(super) fn map<U>(self, change: impl Fn(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next: self.next,
        }
    }
}

/// Where in a list a page begins, as the page before said it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Cursor(String);

impl Cursor {
    fn at(place: &impl Serialize) -> Self {
        let text = serde_json::to_vec(place).unwrap_or_default();
        Self(BASE64_URL_SAFE_NO_PAD.encode(text))
    }

    /// The place; anything that no page said is refused.
    pub(super) fn place<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&self.0).ok();
        let text = bytes.filter(|bytes| !bytes.windows(6).any(|w| w == b"\\u0000"));
        text.and_then(|text| serde_json::from_slice(&text).ok())
            .ok_or_else(|| {
                let detail = "is no cursor of this list: send `next` of the page before";
                Problem::field(StatusCode::UNPROCESSABLE_ENTITY, "cursor", detail)
            })
    }
}
