//! What each of FCM's answers means. Pure.
//!
//! Source: Google, "FCM Error Codes" and "google.rpc.Status".

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    channels::answer::{Answer, excerpt},
    domain::delivery::{DeviceFate, Judgement, Verdict},
};

/// The least wait that Google asks for after an error of its own.
const AFTER_ERROR: Duration = Duration::from_secs(10);

/// The wait that Google asks for when the quota is used up and no `Retry-After` says otherwise.
const AFTER_QUOTA: Duration = Duration::from_mins(1);

/// The longest name of a message that is kept.
const RECEIPT: usize = 200;

/// What an answer's body says, made printable.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// `errorCode` of the detail of type `FcmError`: FCM's own word.
    pub(super) code: Option<String>,
    /// The most precise word there is for what happened.
    reason: String,
    /// Whether the registration token is said to be wrong.
    blames_token: bool,
    /// `name` of an accepted message.
    receipt: Option<String>,
}

impl Said {
    /// Reads `answer`; `secrets` do not come out.
    pub(super) fn read(answer: &Answer, secrets: &[&str]) -> Self {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let error = &json["error"];
        let word = |value: &Value| {
            let text = excerpt(value.as_str()?.as_bytes(), secrets);
            Some(text).filter(|text| !text.is_empty())
        };
        let code = detail(error, "google.firebase.fcm.v1.FcmError")
            .and_then(|detail| word(&detail["errorCode"]));
        let reason = code.clone().or_else(|| word(&error["status"]));
        let receipt = json["name"]
            .as_str()
            .filter(|name| is_receipt(name, secrets));
        Self {
            reason: reason.unwrap_or_else(|| {
                if answer.status.is_success() {
                    "sent".to_owned()
                } else {
                    answer.text_or_status(secrets)
                }
            }),
            blames_token: blames_token(error),
            receipt: receipt.map(str::to_owned),
            code,
        }
    }
}

/// What an answer that came at `now` (UTC) means. A 401 that is not FCM's own word is judged as one
/// of a stale access token; whether it is, only the one before it tells.
pub(super) fn classify(answer: &Answer, said: &Said, now: Timestamp) -> Judgement {
    let (verdict, device) = meaning(answer.status, said);
    let wait = answer.retry_after(now);
    let retry_after = match verdict {
        Verdict::Slow => wait.or(Some(AFTER_QUOTA)),
        Verdict::Retry => wait.or(Some(AFTER_ERROR)),
        _ => None,
    };
    Judgement {
        verdict,
        reason: said.reason.clone(),
        http_status: Some(answer.status.as_u16()),
        retry_after,
        device,
        receipt: said.receipt.clone().filter(|_| verdict == Verdict::Sent),
    }
}

fn meaning(status: StatusCode, said: &Said) -> (Verdict, DeviceFate) {
    use DeviceFate::{Disable, Keep, Quarantine};
    match (status.as_u16(), said.code.as_deref()) {
        (200..=299, _) => (Verdict::Sent, Keep),
        (400, _) if said.blames_token => (Verdict::Failed, Quarantine),
        (401, None) => (Verdict::NotProcessed, Keep),
        (403, Some("SENDER_ID_MISMATCH")) => (Verdict::Failed, Quarantine),
        (404, Some("UNREGISTERED")) => (Verdict::Failed, Disable(None)),
        // A redirect is none of FCM's answers: somebody else's host, or a proxy. 404: the project.
        (300..=399 | 401 | 403 | 404, _) => (Verdict::Misconfigured, Keep),
        (429, _) => (Verdict::Slow, Keep),
        (408 | 500..=599, _) => (Verdict::Retry, Keep),
        // Our fault, whatever it is.
        _ => (Verdict::Failed, Keep),
    }
}

/// The detail of `error` whose type (a URL, AIP-193) ends in `name`.
fn detail<'e>(error: &'e Value, name: &str) -> Option<&'e Value> {
    let details = error["details"].as_array()?;
    details.iter().find(|detail| {
        let kind = detail["@type"].as_str().unwrap_or_default();
        kind.rsplit('/').next() == Some(name)
    })
}

/// Whether `error` is about the registration token: its field is at fault, or, where no field is
/// named, the message says so.
fn blames_token(error: &Value) -> bool {
    if let Some(bad_request) = detail(error, "google.rpc.BadRequest") {
        let fields = bad_request["fieldViolations"].as_array();
        return fields
            .into_iter()
            .flatten()
            .any(|violation| violation["field"] == "message.token");
    }
    let message = error["message"].as_str().unwrap_or_default();
    message.to_ascii_lowercase().contains("registration token")
}

/// `projects/…/messages/…`: kept whole, as it is how Google's support finds a message.
fn is_receipt(name: &str, secrets: &[&str]) -> bool {
    name.starts_with("projects/")
        && name.len() <= RECEIPT
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b':' | b'%' | b'-' | b'_' | b'.')
        })
        && !secrets.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};
    use serde_json::json;

    use super::*;

    const TOKEN: &str = "fcm-token-1";

    fn judge(status: u16, retry_after: Option<&'static str>, body: &[u8]) -> Judgement {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer {
            status,
            headers,
            body: body.to_vec(),
        };
        let now = "2026-03-30T07:00:00Z".parse().unwrap();
        classify(&answer, &Said::read(&answer, &[TOKEN]), now)
    }

    fn fcm(word: &str, code: &str) -> Vec<u8> {
        let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        let details = json!([{"@type": kind, "errorCode": code}]);
        let error = json!({"status": word, "message": "…", "details": details});
        json!({ "error": error }).to_string().into_bytes()
    }

    fn plain(word: &str) -> Vec<u8> {
        json!({"error": {"status": word, "message": "…"}})
            .to_string()
            .into_bytes()
    }

    fn bad_request(field: &str) -> Vec<u8> {
        let kind = "type.googleapis.com/google.rpc.BadRequest";
        let details = json!([{"@type": kind, "fieldViolations": [{"field": field}]}]);
        let message = "Invalid registration token or ttl";
        let error = json!({"status": "INVALID_ARGUMENT", "message": message, "details": details});
        json!({ "error": error }).to_string().into_bytes()
    }

    fn bad_token() -> Vec<u8> {
        let mut body: Value =
            serde_json::from_slice(&fcm("INVALID_ARGUMENT", "INVALID_ARGUMENT")).unwrap();
        body["error"]["message"] =
            "The registration token is not a valid FCM registration token".into();
        body.to_string().into_bytes()
    }

    /// Status, `Retry-After`, body; verdict, reason, wait in seconds, the phone's fate.
    type Row = (
        u16,
        Option<&'static str>,
        Vec<u8>,
        Verdict,
        &'static str,
        Option<u64>,
        DeviceFate,
    );

    #[rustfmt::skip]
    fn rows() -> Vec<Row> {
        use DeviceFate::{Disable, Keep, Quarantine};
        use Verdict::{Failed, Misconfigured, NotProcessed, Retry, Sent, Slow};
        vec![
            (200, None, br#"{"name":"projects/p/messages/1"}"#.to_vec(), Sent, "sent", None, Keep),
            (200, None, b"<html>".to_vec(), Sent, "sent", None, Keep),
            (400, None, bad_token(), Failed, "INVALID_ARGUMENT", None, Quarantine),
            (400, None, bad_request("message.token"), Failed, "INVALID_ARGUMENT", None, Quarantine),
            (400, None, bad_request("message.android.ttl"), Failed, "INVALID_ARGUMENT", None, Keep),
            (400, None, fcm("INVALID_ARGUMENT", "INVALID_ARGUMENT"), Failed, "INVALID_ARGUMENT", None, Keep),
            (401, None, plain("UNAUTHENTICATED"), NotProcessed, "UNAUTHENTICATED", None, Keep),
            (401, None, fcm("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), Misconfigured, "THIRD_PARTY_AUTH_ERROR", None, Keep),
            (403, None, plain("PERMISSION_DENIED"), Misconfigured, "PERMISSION_DENIED", None, Keep),
            (403, None, fcm("PERMISSION_DENIED", "SENDER_ID_MISMATCH"), Failed, "SENDER_ID_MISMATCH", None, Quarantine),
            (404, None, fcm("NOT_FOUND", "UNREGISTERED"), Failed, "UNREGISTERED", None, Disable(None)),
            (404, None, plain("NOT_FOUND"), Misconfigured, "NOT_FOUND", None, Keep),
            (404, None, Vec::new(), Misconfigured, "http_404", None, Keep),
            (302, None, Vec::new(), Misconfigured, "http_302", None, Keep),
            (413, None, Vec::new(), Failed, "http_413", None, Keep),
            (429, None, fcm("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), Slow, "QUOTA_EXCEEDED", Some(60), Keep),
            (429, Some("7"), fcm("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), Slow, "QUOTA_EXCEEDED", Some(7), Keep),
            (429, Some("-1"), Vec::new(), Slow, "http_429", Some(60), Keep),
            (429, Some("1000000000000"), Vec::new(), Slow, "http_429", Some(3600), Keep),
            (500, None, fcm("INTERNAL", "INTERNAL"), Retry, "INTERNAL", Some(10), Keep),
            (500, None, Vec::new(), Retry, "http_500", Some(10), Keep),
            (502, None, b"<b>Bad".to_vec(), Retry, "\\u{3c}b\\u{3e}Bad", Some(10), Keep),
            (503, Some("30"), fcm("UNAVAILABLE", "UNAVAILABLE"), Retry, "UNAVAILABLE", Some(30), Keep),
            (504, None, vec![0xff], Retry, "\u{fffd}", Some(10), Keep),
            (408, None, Vec::new(), Retry, "http_408", Some(10), Keep),
        ]
    }

    #[test]
    fn every_answer_has_its_meaning() {
        for (status, retry_after, body, verdict, reason, wait, device) in rows() {
            let judgement = judge(status, retry_after, &body);
            let expected = Judgement {
                verdict,
                reason: reason.to_owned(),
                http_status: Some(status),
                retry_after: wait.map(Duration::from_secs),
                device,
                receipt: judgement.receipt.clone(),
            };
            assert_eq!(
                judgement,
                expected,
                "{status} {}",
                String::from_utf8_lossy(&body)
            );
        }
    }

    #[test]
    fn a_receipt_is_a_message_name_or_nothing() {
        let name = "projects/p-1/messages/0:1500415314455276%31bd1c9631bd1c96";
        let rows = [
            (name, Some(name)),
            ("projects/fcm-token-1", None),
            ("x", None),
            ("projects/<b>", None),
        ];
        for (name, receipt) in rows {
            let judgement = judge(200, None, json!({"name": name}).to_string().as_bytes());
            assert_eq!(judgement.receipt.as_deref(), receipt);
        }
    }

    #[test]
    fn the_token_does_not_come_back() {
        let body = json!({"error": {"status": format!("bad {TOKEN}")}}).to_string();
        assert_eq!(judge(400, None, body.as_bytes()).reason, "bad …");
    }
}
