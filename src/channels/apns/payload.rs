//! The request's body: what the phone shows, and what the app may read. Pure.
//!
//! Apple refuses more than 4,096 bytes. So the body is cut first, then the title; the agent's id,
//! of which an app needs every character, only when nothing else is left to cut.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::delivery::Push;

/// Apple's limit in bytes for an alert.
const LIMIT: usize = 4096;

#[derive(Serialize)]
struct Payload<'a> {
    aps: Aps<'a>,
    shiftbell: Facts<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Aps<'a> {
    alert: Alert<'a>,
    sound: &'static str,
    interruption_level: &'static str,
}

#[derive(Serialize)]
struct Alert<'a> {
    title: &'a str,
    body: &'a str,
}

#[derive(Serialize)]
struct Facts<'a> {
    event: &'static str,
    agent: &'a str,
    transition: Uuid,
    at: Timestamp,
}

/// The payload as JSON, never longer than [`LIMIT`]. The same push gives the same bytes.
pub(super) fn render(push: &Push) -> Vec<u8> {
    let whole = json(push, &push.agent, &push.title, &push.body);
    if whole.len() <= LIMIT {
        return whole;
    }
    let mut room = LIMIT - json(push, "", "", "").len();
    let agent = shorten(&push.agent, &mut room, "");
    let title = shorten(&push.title, &mut room, "…");
    let body = shorten(&push.body, &mut room, "…");
    json(push, &agent, &title, &body)
}

fn json(push: &Push, agent: &str, title: &str, body: &str) -> Vec<u8> {
    let payload = Payload {
        aps: Aps {
            alert: Alert { title, body },
            sound: "default",
            interruption_level: "time-sensitive",
        },
        shiftbell: Facts {
            event: push.event.as_str(),
            agent,
            transition: push.transition,
            at: push.at,
        },
    };
    serde_json::to_vec(&payload).expect("text is JSON")
}

/// As much of `text` as fits into `room` bytes of JSON, which it uses up. Ends in `mark` if cut.
fn shorten(text: &str, room: &mut usize, mark: &str) -> String {
    let whole: usize = text.chars().map(width).sum();
    if whole <= *room {
        *room -= whole;
        return text.to_owned();
    }
    let Some(mut left) = room.checked_sub(mark.len()) else {
        return String::new();
    };
    let mut kept = String::new();
    for character in text.chars() {
        let Some(rest) = left.checked_sub(width(character)) else {
            break;
        };
        left = rest;
        kept.push(character);
    }
    kept.push_str(mark);
    *room = left;
    kept
}

/// How many bytes a character takes in JSON (RFC 8259, 7; the short escapes where there is one).
fn width(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{
        delivery::AlertKind,
        device::{DeviceToken, Environment},
    };

    fn push(agent: &str, title: &str, body: &str) -> Push {
        Push {
            delivery: uuid::Uuid::nil(),
            token: DeviceToken::new("00"),
            environment: Environment::Production,
            event: AlertKind::HoursStart,
            agent: agent.to_owned(),
            transition: uuid::Uuid::nil(),
            at: "2026-03-30T07:00:00Z".parse().unwrap(),
            since: "2026-03-30T07:00:00Z".parse().unwrap(),
            deadline: "2026-03-30T07:15:00Z".parse().unwrap(),
            collapse_id: "c".to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
        }
    }

    fn rendered(agent: &str, title: &str, body: &str) -> (usize, Value) {
        let bytes = render(&push(agent, title, body));
        (bytes.len(), serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn it_says_what_the_contract_says() {
        let (_, json) = rendered("a-1", "Title", "Body");
        let expected = json!({
            "aps": {
                "alert": {"title": "Title", "body": "Body"},
                "sound": "default",
                "interruption-level": "time-sensitive",
            },
            "shiftbell": {
                "event": "hours_start",
                "agent": "a-1",
                "transition": "00000000-0000-0000-0000-000000000000",
                "at": "2026-03-30T07:00:00Z",
            },
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn it_never_exceeds_the_limit_and_cuts_the_body_first() {
        let long = "né\u{1}\"\\\n😀".repeat(1000);
        let (size, json) = rendered("a-1", "Title", &long);
        assert!((LIMIT - 6..=LIMIT).contains(&size), "{size}");
        assert_eq!(json["aps"]["alert"]["title"], "Title");
        let body = json["aps"]["alert"]["body"].as_str().unwrap();
        assert!(long.starts_with(body.strip_suffix('…').unwrap()));

        let (size, json) = rendered("a-1", &long, &long);
        assert!((LIMIT - 6..=LIMIT).contains(&size), "{size}");
        assert_eq!(
            json["aps"]["alert"]["body"]
                .as_str()
                .unwrap()
                .chars()
                .count(),
            0
        );
        assert_eq!(json["shiftbell"]["agent"], "a-1");

        let (size, _) = rendered(&long, &long, &long);
        assert!((LIMIT - 6..=LIMIT).contains(&size), "{size}");
    }

    #[test]
    fn every_character_is_as_wide_as_reckoned() {
        for character in ('\0'..='\u{7ff}').chain(['\u{2028}', '\u{ffff}', '😀']) {
            let json = serde_json::to_string(&character.to_string()).unwrap();
            assert_eq!(width(character), json.len() - 2, "{character:?}");
        }
    }
}
