//! Mattermost's users and their statuses.
//!
//! Source: mattermost/mattermost, `api4/status.go`, `app/platform/status.go`, `model/status.go`,
//! `app/authorization.go`, `app/ratelimit.go`, `web/context.go`; `api/v4/source/status.yaml`. From memory:
//! the English texts of refusals.
//!
//! Switches: `manage_system` and `edit_other_users` of the token's user, `EnableUserStatuses`,
//! `RateLimitSettings.Enable`.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Asked, Rules};

const BOT: &str = "4xp9fdt77pncbef59f4k1qe83o";
const TOKEN: &str = "9xuqwrwgstrb3mzrxb83nb357a";
const PER_SECOND: i64 = 10;
const BURST: i64 = 100;

#[derive(Debug, Clone)]
struct Status {
    word: String,
    manual: bool,
    /// UTC.
    at: Timestamp,
}

#[derive(Debug)]
struct Mattermost {
    on: BTreeSet<String>,
    statuses: BTreeMap<String, Status>,
    users: BTreeSet<String>,
    /// Milliseconds (Unix time) until which the limit is used up, as it empties.
    used_until: i64,
}

pub(super) fn rules() -> Box<dyn Rules> {
    let on = ["manage_system", "edit_other_users", "EnableUserStatuses"];
    Box::new(Mattermost {
        on: on.map(str::to_owned).into(),
        statuses: BTreeMap::new(),
        users: BTreeSet::from([BOT.to_owned()]),
        used_until: 0,
    })
}

fn error(status: u16, id: &str, message: &str) -> Answer {
    let body = json!({
        "id": id, "message": message, "detailed_error": "",
        "request_id": "cu7wkzxz63ddmb1tcgghetxufa", "status_code": status,
    });
    Answer::json(status, body)
}

fn invalid(name: &str) -> Answer {
    let message = format!("Invalid or missing {name} in request body.");
    error(400, "api.context.invalid_body_param.app_error", &message)
}

/// Whether it looks like an id.
fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() == 26 && text.chars().all(plain)
}

impl Mattermost {
    fn is_on(&self, name: &str) -> bool {
        self.on.contains(name)
    }

    /// A bucket of `BURST` requests that empties by `PER_SECOND`.
    fn limit(&mut self, now: Timestamp) -> Option<Answer> {
        let (now, one) = (now.as_millisecond(), 1000 / PER_SECOND);
        let until = self.used_until.max(now) + one;
        if until - now > BURST * one {
            let refused = Answer::text(429, "text/plain; charset=utf-8", "limit exceeded\n");
            let reset = (self.used_until - now + 999) / 1000;
            return Some(
                refused
                    .with("x-ratelimit-limit", BURST.to_string())
                    .with("x-ratelimit-remaining", "0")
                    .with("x-ratelimit-reset", reset.to_string())
                    .with("retry-after", "1"),
            );
        }
        self.used_until = until;
        None
    }

    fn json(&self, id: &str) -> Value {
        match self.statuses.get(id) {
            Some(status) => json!({
                "user_id": id, "status": status.word, "manual": status.manual,
                "last_activity_at": status.at.as_millisecond(), "dnd_end_time": 0,
            }),
            None => json!({
                "user_id": id, "status": "offline", "manual": false,
                "last_activity_at": 0, "dnd_end_time": 0,
            }),
        }
    }

    fn put(&mut self, id: &str, body: &Value, now: Timestamp) -> Answer {
        if !is_id(id) {
            let message = "Invalid or missing user_id parameter in request URL.";
            return error(400, "api.context.invalid_url_param.app_error", message);
        }
        if body["user_id"] != *id {
            return invalid("user_id");
        }
        let known = self.users.contains(id);
        let may = self.is_on("manage_system") || (self.is_on("edit_other_users") && known);
        if id != BOT && !may {
            let message = "You do not have the appropriate permissions.";
            return error(403, "api.context.permissions.app_error", message);
        }
        let Some(word @ ("online" | "away" | "dnd" | "offline")) = body["status"].as_str() else {
            return invalid("status");
        };
        if !self.is_on("EnableUserStatuses") {
            let message = "User not found.";
            return error(404, "api.status.user_not_found.app_error", message);
        }
        self.store(id, word, now);
        Answer::json(200, self.json(id))
    }

    fn store(&mut self, id: &str, word: &str, now: Timestamp) {
        let status = Status {
            word: word.to_owned(),
            // "For online there's no manual setting."
            manual: word != "online",
            at: now,
        };
        self.statuses.insert(id.to_owned(), status);
    }

    fn read(&self, body: &Value) -> Answer {
        let ids: Option<Vec<&str>> = body
            .as_array()
            .and_then(|ids| ids.iter().map(Value::as_str).collect());
        let ids = ids.unwrap_or_default();
        if ids.is_empty() || !ids.iter().all(|id| is_id(id)) {
            return invalid("user_ids");
        }
        let some = ids.iter().filter(|_| self.is_on("EnableUserStatuses"));
        // Not in the order in which they were asked for.
        Answer::json(200, some.rev().map(|id| self.json(id)).collect())
    }
}

impl Rules for Mattermost {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        vec![("token_file", TOKEN.to_owned())]
    }

    fn id(&self, n: usize) -> String {
        format!("nt6jrbk1yjnp5n4z8nxmh1u{n:03}")
    }

    fn add_agent(&mut self, id: &str) {
        self.users.insert(id.to_owned());
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        if self.is_on("RateLimitSettings.Enable")
            && let Some(refused) = self.limit(now)
        {
            return refused;
        }
        if request.header("authorization") != format!("Bearer {TOKEN}") {
            let message = "Invalid or expired session, please login again.";
            return error(401, "api.context.session_expired.app_error", message);
        }
        match (&request.method, &request.parts()[..]) {
            (&Method::PUT, ["api", "v4", "users", id, "status"]) => {
                self.put(id, &request.json, now)
            }
            (&Method::POST, ["api", "v4", "users", "status", "ids"]) => self.read(&request.json),
            (&Method::GET, ["api", "v4", "users", "me"]) => {
                let body = json!({"id": BOT, "username": "shiftbell", "delete_at": 0});
                Answer::json(200, body)
            }
            _ => error(
                404,
                "api.context.404.app_error",
                "Sorry, we could not find the page.",
            ),
        }
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        self.statuses.get(id).map(|status| status.word.clone())
    }

    fn set_there(&mut self, id: &str, word: &str, now: Timestamp) {
        self.store(id, word, now);
    }

    fn arrange(&mut self, word: &str, setting: &str) {
        let on = word == "on";
        if on {
            self.on.insert(setting.to_owned());
        } else {
            self.on.remove(setting);
        }
    }
}
