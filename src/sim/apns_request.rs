//! What APNs has against a request, part by part. Pure.

use std::{borrow::Cow, collections::HashMap};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

/// A refusal, in Apple's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
    pub(super) unregistered_since: Option<Timestamp>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, reason: &'static str) -> Self {
        Self {
            status,
            reason,
            unregistered_since: None,
        }
    }

    /// 400
    pub(super) fn bad(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// 403
    pub(super) fn forbidden(reason: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason)
    }

    /// 410
    pub(super) fn unregistered(since: Timestamp) -> Self {
        Self {
            unregistered_since: Some(since),
            ..Self::new(StatusCode::GONE, "Unregistered")
        }
    }
}

/// No header may come twice.
pub(super) fn check_duplicates(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.len() == headers.keys_len() {
        Ok(())
    } else {
        Err(Refusal::bad("DuplicateHeaders"))
    }
}

/// The `apns-` headers.
pub(super) fn check_headers(headers: &HeaderMap, own_topic: &str) -> Result<(), Refusal> {
    if header(headers, "apns-id").is_some_and(|id| !is_canonical_uuid(id)) {
        return Err(Refusal::bad("BadMessageId"));
    }
    check_topic(header(headers, "apns-topic"), own_topic)?;
    let push_type = header(headers, "apns-push-type").unwrap_or_default();
    if !PUSH_TYPES.contains(&push_type) {
        return Err(Refusal::bad("InvalidPushType"));
    }
    match header(headers, "apns-priority").unwrap_or("10") {
        "10" if push_type == "background" => return Err(Refusal::bad("BadPriority")),
        "1" | "5" | "10" => {}
        _ => return Err(Refusal::bad("BadPriority")),
    }
    if header(headers, "apns-expiration").is_some_and(|at| !is_whole_number(at)) {
        return Err(Refusal::bad("BadExpirationDate"));
    }
    if header(headers, "apns-collapse-id").is_some_and(|id| id.is_empty() || id.len() > 64) {
        return Err(Refusal::bad("BadCollapseId"));
    }
    Ok(())
}

/// The device token: the hexadecimal form of at least 32 bytes.
pub(super) fn check_token(token: &str) -> Result<(), Refusal> {
    if token.is_empty() {
        return Err(Refusal::bad("MissingDeviceToken"));
    }
    let hex = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex && token.len().is_multiple_of(2) && (64..=200).contains(&token.len()) {
        Ok(())
    } else {
        Err(Refusal::bad("BadDeviceToken"))
    }
}

/// The body: a JSON object with a dictionary `aps`, at most 4,096 bytes.
pub(super) fn check_payload(payload: &Bytes) -> Result<(), Refusal> {
    if payload.len() > 4096 {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err(Refusal::new(status, "PayloadTooLarge"));
    }
    // A struct may be read from a list, too.
    let object = payload.trim_ascii_start().starts_with(b"{");
    if object && serde_json::from_slice::<Payload>(payload).is_ok() {
        Ok(())
    } else {
        Err(Refusal::bad("PayloadEmpty"))
    }
}

/// What is looked at; the rest is read over, at no cost.
#[derive(Deserialize)]
#[expect(
    clippy::zero_sized_map_values,
    reason = "a set would be read from a list"
)]
struct Payload<'a> {
    #[serde(borrow, rename = "aps")]
    _aps: HashMap<Cow<'a, str>, IgnoredAny>,
}

const PUSH_TYPES: [&str; 11] = [
    "alert",
    "background",
    "complication",
    "controls",
    "fileprovider",
    "liveactivity",
    "location",
    "mdm",
    "pushtotalk",
    "voip",
    "widgets",
];

fn check_topic(topic: Option<&str>, own: &str) -> Result<(), Refusal> {
    let topic = topic.ok_or_else(|| Refusal::bad("MissingTopic"))?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    if topic.is_empty() || !topic.bytes().all(allowed) {
        return Err(Refusal::bad("BadTopic"));
    }
    if topic != own {
        return Err(Refusal::bad("TopicDisallowed"));
    }
    Ok(())
}

/// A header's text; one that is not ASCII counts as empty, which no rule allows.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().unwrap_or_default())
}

fn is_whole_number(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<i64>().is_ok()
}

/// 32 lower-case hexadecimal digits in groups of 8-4-4-4-12, as Apple asks.
fn is_canonical_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}
