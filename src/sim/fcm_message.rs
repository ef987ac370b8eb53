//! What FCM has against a message beyond its schema. Pure.
//!
//! Source: Google, "REST Resource: projects.messages" and "FCM Error Codes".

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::fcm_schema::{self, Violation, field};

/// The most that data and notification may hold together, in bytes.
const PAYLOAD_LIMIT: usize = 4096;
const FOUR_WEEKS: f64 = 28.0 * 24.0 * 3600.0;

/// A refusal, as Google's API errors are made.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) code: StatusCode,
    /// The canonical status, as `INVALID_ARGUMENT`.
    pub(super) status: &'static str,
    pub(super) message: String,
    details: Vec<Value>,
}

impl Refusal {
    /// A refusal that says nothing of FCM: the gateway's own.
    pub(super) fn plain(code: StatusCode, status: &'static str, message: &str) -> Self {
        Self {
            code,
            status,
            message: message.to_owned(),
            details: Vec::new(),
        }
    }

    /// A refusal with FCM's own error code.
    pub(super) fn fcm(
        code: StatusCode,
        status: &'static str,
        error_code: &str,
        message: &str,
    ) -> Self {
        Self {
            details: vec![json!({
                "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError",
                "errorCode": error_code,
            })],
            ..Self::plain(code, status, message)
        }
    }

    /// 400 with the fields at fault.
    pub(super) fn bad_request(violations: &[Violation]) -> Self {
        let descriptions = violations.iter().map(|one| one.description.as_str());
        let message = descriptions.collect::<Vec<_>>().join("\n");
        let fields = violations
            .iter()
            .map(|one| json!({"field": one.field, "description": one.description}))
            .collect::<Vec<_>>();
        Self {
            details: vec![json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": fields,
            })],
            ..Self::plain(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &message)
        }
    }

    /// 400 for one field.
    fn bad_field(name: &str, description: &str) -> Self {
        Self::bad_request(&[Violation {
            field: name.to_owned(),
            description: description.to_owned(),
        }])
    }

    /// The answer's body.
    pub(super) fn body(&self) -> Bytes {
        let mut error = json!({
            "code": self.code.as_u16(),
            "message": self.message,
            "status": self.status,
        });
        if !self.details.is_empty() {
            error["details"] = self.details.clone().into();
        }
        json!({ "error": error }).to_string().into()
    }
}

/// What the stand-in needs of a good message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Message {
    pub(super) token: String,
    pub(super) collapse_key: Option<String>,
    pub(super) ttl_seconds: Option<f64>,
    pub(super) validate_only: bool,
}

/// Reads what can be read of a body, good or not.
pub(super) fn glance(body: &[u8]) -> Message {
    seen(&serde_json::from_slice(body).unwrap_or_default())
}

fn seen(body: &Value) -> Message {
    let message = body.get("message").unwrap_or(&Value::Null);
    let android = message.get("android").unwrap_or(&Value::Null);
    let text = |object, name| field(object, name).and_then(Value::as_str);
    Message {
        token: text(message, "token").unwrap_or_default().to_owned(),
        collapse_key: text(android, "collapseKey").map(str::to_owned),
        ttl_seconds: text(android, "ttl").and_then(fcm_schema::seconds),
        validate_only: field(body, "validateOnly") == Some(&Value::Bool(true)),
    }
}

/// Checks a body against the schema and the rules that the schema cannot say.
pub(super) fn check(body: &[u8]) -> Result<Message, Refusal> {
    let json: Value = serde_json::from_slice(body).map_err(|error| {
        let message = format!("Invalid JSON payload received. {error}");
        Refusal::plain(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &message)
    })?;
    let violations = fcm_schema::violations(&json);
    if !violations.is_empty() {
        return Err(Refusal::bad_request(&violations));
    }
    let message = json
        .get("message")
        .filter(|message| message.is_object())
        .ok_or_else(|| Refusal::bad_field("message", "Message is missing."))?;
    check_target(message)?;
    check_data(message)?;
    check_size(message)?;
    let seen = seen(&json);
    match seen.ttl_seconds {
        Some(ttl) if !(0.0..=FOUR_WEEKS).contains(&ttl) => Err(Refusal::bad_field(
            "message.android.ttl",
            "The TTL must be between 0 seconds and four weeks.",
        )),
        _ => Ok(seen),
    }
}

fn check_target(message: &Value) -> Result<(), Refusal> {
    let targets = ["token", "fid", "topic", "condition"];
    let given = |name: &&str| {
        message[*name]
            .as_str()
            .is_some_and(|target| !target.is_empty())
    };
    match targets.iter().filter(|name| given(name)).count() {
        1 => Ok(()),
        0 => Err(Refusal::bad_field(
            "message",
            "Recipient of the message is not set.",
        )),
        _ => Err(Refusal::bad_field(
            "message",
            "Only one of the recipients token, fid, topic and condition may be set.",
        )),
    }
}

fn check_data(message: &Value) -> Result<(), Refusal> {
    let android = message.get("android").unwrap_or(&Value::Null);
    for (place, owner) in [("message.data", message), ("message.android.data", android)] {
        let keys = owner.get("data").and_then(Value::as_object);
        for key in keys.into_iter().flat_map(|data| data.keys()) {
            let reserved = ["from", "message_type", "gcm", "google"].contains(&key.as_str())
                || key.starts_with("google.")
                || key.starts_with("gcm.");
            if reserved {
                let description = format!("Invalid data payload key: {key}");
                return Err(Refusal::bad_field(place, &description));
            }
        }
    }
    Ok(())
}

fn check_size(message: &Value) -> Result<(), Refusal> {
    let android = message.get("android").unwrap_or(&Value::Null);
    let parts = [message, android];
    let size: usize = parts
        .iter()
        .flat_map(|part| [part.get("data"), part.get("notification")])
        .flatten()
        .map(weight)
        .sum();
    if size <= PAYLOAD_LIMIT {
        return Ok(());
    }
    Err(Refusal::fcm(
        StatusCode::BAD_REQUEST,
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "Android message is too big",
    ))
}

/// Bytes of all keys and values.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields.iter().map(|(key, v)| key.len() + weight(v)).sum(),
        other => other.to_string().len(),
    }
}
