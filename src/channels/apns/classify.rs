//! What each of Apple's answers means. Pure.
//!
//! Source: Apple, "Handling notification responses from APNs". The table of the tests shows each
//! row. A reason that Apple adds later is kept as text and judged by its status.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    channels::answer::{Answer, excerpt},
    domain::{
        delivery::{DeviceFate, Judgement, Verdict},
        device::DeviceToken,
    },
};

/// What becomes of the connection that carried the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// It stays in use.
    Keep,
    /// A new one takes its place.
    Replace,
    /// The same, and the request was not processed.
    Unprocessed,
    /// The same, since the token it knows is stale; forgiven once.
    Stale,
}

/// An answer, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) judgement: Judgement,
    pub(super) aftermath: Aftermath,
}

/// Judges one answer to a push for `token`. `now`: UTC, for a `Retry-After` that is a date.
pub(super) fn classify(answer: &Answer, token: &DeviceToken, now: Timestamp) -> Finding {
    let status = answer.status.as_u16();
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let word = json.get("reason").and_then(Value::as_str).unwrap_or("");
    let (verdict, aftermath) = verdict(status, word);
    let waits = matches!(
        verdict,
        Verdict::Retry | Verdict::Slow | Verdict::NotProcessed
    );
    let judgement = Judgement {
        verdict,
        reason: reason(answer, word, token),
        http_status: Some(status),
        retry_after: answer.retry_after(now).filter(|_| waits),
        device: device(status, word, &json),
        receipt: receipt(answer).filter(|_| verdict == Verdict::Sent),
    };
    Finding {
        judgement,
        aftermath,
    }
}

fn verdict(status: u16, reason: &str) -> (Verdict, Aftermath) {
    use Aftermath::{Keep, Replace, Stale, Unprocessed};
    use Verdict::{Failed, Misconfigured, NotProcessed, Retry, Sent, Slow, Unknown};
    match (status, reason) {
        (200, _) => (Sent, Keep),
        (400, "IdleTimeout") | (503, "Shutdown") => (NotProcessed, Unprocessed),
        (403, "ExpiredProviderToken" | "UnrelatedKeyIdInToken") => (NotProcessed, Stale),
        (429, "TooManyProviderTokenUpdates") => (Slow, Replace),
        // Apple redirects nobody and asks for no other credentials: whoever does is not Apple.
        (400, "TopicDisallowed" | "BadTopic" | "MissingTopic")
        | (300..=399 | 401 | 403 | 407, _) => (Misconfigured, Keep),
        // Whatever it was that was accepted here, it may have been the push.
        (201..=299, _) => (Unknown, Keep),
        (408 | 429 | 500..=599, _) => (Retry, Keep),
        _ => (Failed, Keep),
    }
}

/// What the answer says of the phone. With 410 comes the last instant (UTC, in milliseconds) at
/// which Apple knew the token to be dead.
fn device(status: u16, reason: &str, json: &Value) -> DeviceFate {
    match (status, reason) {
        (400, "BadDeviceToken" | "DeviceTokenNotForTopic") => DeviceFate::Quarantine,
        (410, _) => {
            let since = json.get("timestamp").and_then(Value::as_i64);
            DeviceFate::Disable(since.and_then(|ms| Timestamp::from_millisecond(ms).ok()))
        }
        _ => DeviceFate::Keep,
    }
}

/// Apple's id of the push: a UUID. As any other text it would be taken for a credential.
fn receipt(answer: &Answer) -> Option<String> {
    let id = answer.headers.get("apns-id")?.to_str().ok()?;
    let id = uuid::Uuid::try_parse(id).ok()?;
    Some(id.hyphenated().to_string())
}

/// Apple's word; without one, what else the answer says. Never the token.
fn reason(answer: &Answer, word: &str, token: &DeviceToken) -> String {
    let secrets = [token.expose()];
    if answer.status.as_u16() == 200 {
        return "ok".to_owned();
    }
    let text = excerpt(word.as_bytes(), &secrets);
    if text.is_empty() {
        answer.text_or_status(&secrets)
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::{
        Aftermath::{Keep, Replace, Stale, Unprocessed},
        *,
    };
    use Verdict::{Failed, Misconfigured, NotProcessed, Retry, Sent, Slow, Unknown};

    const PHONE: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

    fn found(status: u16, body: impl Into<Vec<u8>>, headers: &[(&'static str, &str)]) -> Finding {
        let headers = headers.iter().map(|(name, value)| {
            let name = http::HeaderName::from_static(name);
            (name, HeaderValue::from_str(value).unwrap())
        });
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect::<HeaderMap>(),
            body: body.into(),
        };
        let now = "2026-03-30T07:00:00Z".parse().unwrap();
        classify(&answer, &DeviceToken::new(PHONE), now)
    }

    #[test]
    fn every_row_of_apples_table() {
        let quarantine = DeviceFate::Quarantine;
        let gone = DeviceFate::Disable(None);
        let stays = DeviceFate::Keep;
        let rows = [
            (200, "", Sent, Keep, stays),
            (400, "BadDeviceToken", Failed, Keep, quarantine),
            (400, "DeviceTokenNotForTopic", Failed, Keep, quarantine),
            (400, "TopicDisallowed", Misconfigured, Keep, stays),
            (400, "BadTopic", Misconfigured, Keep, stays),
            (400, "MissingTopic", Misconfigured, Keep, stays),
            (400, "BadCollapseId", Failed, Keep, stays),
            (400, "BadExpirationDate", Failed, Keep, stays),
            (400, "BadMessageId", Failed, Keep, stays),
            (400, "BadPriority", Failed, Keep, stays),
            (400, "InvalidPushType", Failed, Keep, stays),
            (400, "PayloadEmpty", Failed, Keep, stays),
            (400, "DuplicateHeaders", Failed, Keep, stays),
            (400, "MissingDeviceToken", Failed, Keep, stays),
            (400, "IdleTimeout", NotProcessed, Unprocessed, stays),
            (403, "ExpiredProviderToken", NotProcessed, Stale, stays),
            (403, "UnrelatedKeyIdInToken", NotProcessed, Stale, stays),
            (403, "InvalidProviderToken", Misconfigured, Keep, stays),
            (403, "MissingProviderToken", Misconfigured, Keep, stays),
            (
                403,
                "BadEnvironmentKeyIdInToken",
                Misconfigured,
                Keep,
                stays,
            ),
            (403, "BadCertificate", Misconfigured, Keep, stays),
            (403, "BadCertificateEnvironment", Misconfigured, Keep, stays),
            (403, "Forbidden", Misconfigured, Keep, stays),
            (404, "BadPath", Failed, Keep, stays),
            (405, "MethodNotAllowed", Failed, Keep, stays),
            (410, "Unregistered", Failed, Keep, gone),
            (410, "ExpiredToken", Failed, Keep, gone),
            (413, "PayloadTooLarge", Failed, Keep, stays),
            (429, "TooManyRequests", Retry, Keep, stays),
            (429, "TooManyProviderTokenUpdates", Slow, Replace, stays),
            (500, "InternalServerError", Retry, Keep, stays),
            (503, "ServiceUnavailable", Retry, Keep, stays),
            (503, "Shutdown", NotProcessed, Unprocessed, stays),
            // Reasons that Apple has not invented yet, and statuses that it does not use.
            (400, "NotInTheList", Failed, Keep, stays),
            (403, "NotInTheList", Misconfigured, Keep, stays),
            (410, "NotInTheList", Failed, Keep, gone),
            (429, "NotInTheList", Retry, Keep, stays),
            (503, "NotInTheList", Retry, Keep, stays),
            (204, "NotInTheList", Unknown, Keep, stays),
            (302, "NotInTheList", Misconfigured, Keep, stays),
            (401, "NotInTheList", Misconfigured, Keep, stays),
            (408, "NotInTheList", Retry, Keep, stays),
            (502, "NotInTheList", Retry, Keep, stays),
            (418, "NotInTheList", Failed, Keep, stays),
        ];
        for (status, reason, verdict, aftermath, device) in rows {
            let body = serde_json::json!({"reason": reason}).to_string();
            let found = found(status, body, &[]);
            let row = format!("{status} {reason}");
            assert_eq!(found.judgement.verdict, verdict, "{row}");
            assert_eq!(found.aftermath, aftermath, "{row}");
            assert_eq!(found.judgement.device, device, "{row}");
            assert_eq!(found.judgement.http_status, Some(status), "{row}");
            if status != 200 {
                assert_eq!(found.judgement.reason, reason, "{row}");
            }
        }
    }

    #[test]
    fn a_dead_token_is_dead_since_apples_timestamp() {
        let fate = |body: &str| found(410, body, &[]).judgement.device;
        let since = "2026-03-29T10:00:00.250Z".parse().unwrap();
        let body = r#"{"reason":"Unregistered","timestamp":1774778400250}"#;
        assert_eq!(fate(body), DeviceFate::Disable(Some(since)));
        for odd in ["-9223372036854775808", "1e300", "\"soon\"", "null", "[]"] {
            let body = format!(r#"{{"reason":"Unregistered","timestamp":{odd}}}"#);
            assert_eq!(fate(&body), DeviceFate::Disable(None), "{odd}");
        }
    }

    #[test]
    fn a_wait_is_kept_where_something_waits() {
        let after = [("retry-after", "7")];
        let wait = |status, reason: &str| {
            let body = format!(r#"{{"reason":"{reason}"}}"#);
            found(status, body, &after).judgement.retry_after
        };
        let seven = Some(Duration::from_secs(7));
        assert_eq!(wait(429, "TooManyRequests"), seven);
        assert_eq!(wait(429, "TooManyProviderTokenUpdates"), seven);
        assert_eq!(wait(503, "ServiceUnavailable"), seven);
        assert_eq!(wait(400, "BadDeviceToken"), None);
    }

    #[test]
    fn the_receipt_is_apples_id_of_what_it_accepted() {
        let id = "6f0c1a52-8d3e-4f0a-9b1c-2d3e4f5a6b7c";
        let receipt = |status| found(status, "", &[("apns-id", id)]).judgement.receipt;
        assert_eq!(receipt(200).as_deref(), Some(id));
        assert_eq!(receipt(500), None);
        let odd = found(200, "", &[("apns-id", "not a UUID")]);
        assert_eq!(odd.judgement.receipt, None);
    }

    #[test]
    fn any_text_is_made_harmless() {
        let reason = |body: &[u8]| found(500, body, &[]).judgement.reason;
        assert_eq!(reason(b""), "http_500");
        assert_eq!(
            reason(br#"{"reason":""}"#),
            r"{\u{22}reason\u{22}:\u{22}\u{22}}"
        );
        assert_eq!(reason(b"<b>no"), r"\u{3c}b\u{3e}no");
        assert_eq!(reason(br#"{"reason":"a\u0000b"}"#), r"a\u{0}b");
        assert!(!reason(b"\xff\xfe").is_empty());
        let named = format!(r#"{{"reason":"No {PHONE}, or {}"}}"#, PHONE.to_uppercase());
        assert_eq!(reason(named.as_bytes()), "No …, or …");
    }
}
