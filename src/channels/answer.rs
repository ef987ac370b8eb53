//! What any receiver's answer may contain, made harmless: waiting times are clamped, texts are
//! cut short, escaped and stripped of whatever looks like a credential.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;

/// How much of a body is read, where nobody expects lists; the rest is dropped unread.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// The longest wait a receiver can ask for.
pub(super) const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Characters of a receiver's text that are kept.
const EXCERPT: usize = 200;

/// A run of token characters of this length or more, with a digit in it, is a credential for all we know.
const SUSPICIOUS_RUN: usize = 32;

/// One answer, read up to [`BODY_LIMIT`] or what its channel expects.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// Its status.
    pub(super) status: StatusCode,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body, or the part that came in time.
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// `Retry-After` (RFC 9110, 10.2.3) as a wait from `now`, between zero and an hour.
    /// Negative numbers and what cannot be read count as absent.
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let seconds = text.parse().unwrap_or(u64::MAX);
            return Some(Duration::from_secs(seconds).min(LONGEST_WAIT));
        }
        // As civil time, since a date at the end of the calendar is no timestamp.
        let date = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
        let now = jiff::tz::TimeZone::UTC.to_datetime(now);
        let wait = date.duration_since(now).max(jiff::SignedDuration::ZERO);
        Some(wait.unsigned_abs().min(LONGEST_WAIT))
    }

    /// What the answer says where it says nothing we understand: its text, else its status.
    pub(super) fn text_or_status(&self, secrets: &[&str]) -> String {
        let text = excerpt(&self.body, secrets);
        if text.is_empty() {
            format!("http_{}", self.status.as_u16())
        } else {
            text
        }
    }
}

/// A short, printable rendering of whatever a receiver wrote. `secrets` never appear in it, in
/// either case of letters; nor does any long run of token characters.
pub(super) fn excerpt(raw: &[u8], secrets: &[&str]) -> String {
    let mut text = String::from_utf8_lossy(raw).into_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = without(&text, secret);
    }
    let text = without_long_runs(&text);
    let mut out = String::new();
    let mut kept = 0;
    for word in text.split_whitespace() {
        if kept > 0 {
            out.push(' ');
        }
        for character in word.chars() {
            kept += 1;
            if kept > EXCERPT {
                out.push('…');
                return out;
            }
            push_escaped(&mut out, character);
        }
    }
    out
}

fn push_escaped(out: &mut String, character: char) {
    let invisible = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if character.is_control() || invisible || matches!(character, '<' | '>' | '&' | '"' | '\'') {
        out.extend(character.escape_unicode());
    } else {
        out.push(character);
    }
}

fn without(text: &str, secret: &str) -> String {
    let (haystack, needle) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = haystack[from..].find(&needle) {
        out.push_str(&text[from..from + found]);
        out.push('…');
        from += found + needle.len();
    }
    out.push_str(&text[from..]);
    out
}

fn without_long_runs(text: &str) -> String {
    let token_like =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '+' | '=' | '%');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(token_like) {
        out.push_str(&rest[..start]);
        let run = &rest[start..];
        let end = run.find(|c| !token_like(c)).unwrap_or(run.len());
        let (run, after) = run.split_at(end);
        if run.len() >= SUSPICIOUS_RUN && run.bytes().any(|byte| byte.is_ascii_digit()) {
            out.push('…');
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-30T07:00:00Z".parse().unwrap()
    }

    fn with_retry_after(value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::RETRY_AFTER,
            http::HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
        let answer = Answer {
            status: StatusCode::TOO_MANY_REQUESTS,
            headers,
            body: Vec::new(),
        };
        answer.retry_after(now()).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_clamped_or_ignored() {
        let rows = [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 7 ", Some(7)),
            ("3600", Some(3600)),
            ("1000000000000", Some(3600)),
            ("99999999999999999999999999", Some(3600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("é", None),
            ("Mon, 30 Mar 2026 07:00:30 GMT", Some(30)),
            ("Mon, 30 Mar 2026 06:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(3600)),
            ("Thu, 99 Foo 2026 07:00:30 GMT", None),
        ];
        for (value, expected) in rows {
            assert_eq!(with_retry_after(value), expected, "{value:?}");
        }
    }

    #[test]
    fn texts_are_short_and_printable() {
        assert_eq!(
            excerpt(b"<b>Oops</b>\r\n\t  twice", &[]),
            "\\u{3c}b\\u{3e}Oops\\u{3c}/b\\u{3e} twice"
        );
        assert_eq!(
            excerpt("a\u{202e}b\u{0}c".as_bytes(), &[]),
            "a\\u{202e}b\\u{0}c"
        );
        assert_eq!(excerpt(b"\xff\xfeok", &[]), "\u{fffd}\u{fffd}ok");
        assert_eq!(excerpt(b" \n ", &[]), "");
        let long = excerpt("né ".repeat(50_000).as_bytes(), &[]);
        assert!(
            long.chars().count() <= EXCERPT * 2 && long.ends_with('…'),
            "{long}"
        );
    }

    #[test]
    fn tokens_are_taken_out() {
        let token = "abc:DEF-123";
        let text = excerpt(b"bad token abc:DEF-123, or ABC:def-123!", &[token]);
        assert_eq!(text, "bad token …, or …!");
        let unknown = excerpt(format!("key {} here", "a1".repeat(32)).as_bytes(), &[]);
        assert_eq!(unknown, "key … here");
    }
}
