//! A push as FCM wants it. Pure.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::delivery::Push;

/// The most that FCM takes, in bytes. Google counts less than the whole body; we count all of it.
const LIMIT: usize = 4096;

/// The longest that FCM keeps a message, in seconds: four weeks.
const LONGEST: i64 = 28 * 24 * 3600;

#[derive(Serialize)]
struct Body<'a> {
    message: Message<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    token: &'a str,
    notification: Notification<'a>,
    data: Data<'a>,
    android: Android<'a>,
}

#[derive(Serialize)]
struct Notification<'a> {
    title: &'a str,
    body: &'a str,
}

#[derive(Serialize)]
struct Data<'a> {
    event: &'static str,
    agent: &'a str,
    transition: Uuid,
    at: Timestamp,
}

#[derive(Serialize)]
struct Android<'a> {
    priority: &'static str,
    ttl: String,
    collapse_key: &'a str,
    notification: Tag<'a>,
}

#[derive(Serialize)]
struct Tag<'a> {
    tag: &'a str,
}

/// The request's body at `now` (UTC). Texts that are too long for FCM are cut; `None` if the rest
/// alone is too big.
pub(super) fn body(push: &Push, now: Timestamp) -> Option<Bytes> {
    let mut written = write(push, &push.title, &push.body, now);
    if written.len() > LIMIT {
        let text = cut(&push.body, written.len() - LIMIT);
        written = write(push, &push.title, &text, now);
        if written.len() > LIMIT {
            let title = cut(&push.title, written.len() - LIMIT);
            written = write(push, &title, &text, now);
        }
    }
    (written.len() <= LIMIT).then(|| written.into())
}

fn write(push: &Push, title: &str, text: &str, now: Timestamp) -> String {
    let left = push.deadline.duration_since(now).as_secs();
    let message = Message {
        token: push.token.expose(),
        notification: Notification { title, body: text },
        data: Data {
            event: push.event.as_str(),
            agent: &push.agent,
            transition: push.transition,
            at: push.at,
        },
        android: Android {
            priority: "HIGH",
            ttl: format!("{}s", left.clamp(0, LONGEST)),
            collapse_key: &push.collapse_id,
            notification: Tag {
                tag: &push.collapse_id,
            },
        },
    };
    serde_json::to_string(&Body { message }).expect("text is JSON")
}

/// `text` at least `excess` bytes shorter, where it is long enough. A byte of text is a byte of JSON
/// or more.
fn cut(text: &str, excess: usize) -> String {
    const MARK: char = '…';
    let keep = text.len().saturating_sub(excess + MARK.len_utf8());
    let keep = text.floor_char_boundary(keep);
    if keep == 0 {
        return String::new();
    }
    format!("{}{MARK}", &text[..keep])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{
        delivery::AlertKind,
        device::{DeviceToken, Environment},
    };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn push() -> Push {
        Push {
            delivery: Uuid::from_u128(1),
            token: DeviceToken::new("fcm-token-1"),
            environment: Environment::Production,
            event: AlertKind::HoursStart,
            agent: "a-1".to_owned(),
            transition: Uuid::from_u128(2),
            at: at("2026-03-30T07:00:00Z"),
            since: at("2026-03-30T07:00:00Z"),
            deadline: at("2026-03-30T07:15:00Z"),
            collapse_id: "a-1/start".to_owned(),
            title: "Bonjour".to_owned(),
            body: "C'est l'heure".to_owned(),
        }
    }

    fn json(push: &Push, now: &str) -> Value {
        serde_json::from_slice(&body(push, at(now)).unwrap()).unwrap()
    }

    #[test]
    fn it_is_written_as_the_app_expects_it() {
        let expected = json!({"message": {
            "token": "fcm-token-1",
            "notification": {"title": "Bonjour", "body": "C'est l'heure"},
            "data": {
                "event": "hours_start", "agent": "a-1", "at": "2026-03-30T07:00:00Z",
                "transition": "00000000-0000-0000-0000-000000000002",
            },
            "android": {
                "priority": "HIGH", "ttl": "899s", "collapse_key": "a-1/start",
                "notification": {"tag": "a-1/start"},
            },
        }});
        assert_eq!(json(&push(), "2026-03-30T07:00:00.5Z"), expected);
    }

    #[test]
    fn it_lives_until_the_deadline_and_no_longer() {
        for (now, ttl) in [
            ("2026-03-30T07:14:59.001Z", "0s"),
            ("2026-03-30T07:15:00Z", "0s"),
            ("2026-03-30T09:00:00Z", "0s"),
            ("2026-01-30T07:00:00Z", "2419200s"),
        ] {
            assert_eq!(
                json(&push(), now)["message"]["android"]["ttl"],
                ttl,
                "{now}"
            );
        }
    }

    #[test]
    fn texts_are_cut_to_fit() {
        for filler in ["é", "\u{1}", "\"", "x", "🔔"] {
            for (title, text) in [(1, 9000), (9000, 1), (9000, 9000), (1, 4096), (3000, 900)] {
                let mut push = push();
                (push.title, push.body) = (filler.repeat(title), filler.repeat(text));
                let body = body(&push, push.at).unwrap();
                assert!(body.len() <= LIMIT, "{filler:?} {title} {text}");
            }
        }
        let mut push = push();
        push.body = "x".repeat(9000);
        assert_eq!(body(&push, push.at).unwrap().len(), LIMIT);
        push.agent = "x".repeat(LIMIT);
        assert_eq!(body(&push, push.at), None);
    }
}
