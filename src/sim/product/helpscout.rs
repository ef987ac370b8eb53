//! Help Scout's users, as an application sees them that an account owner made.
//!
//! Source: developer.helpscout.com, Inbox API: "Authentication", "Update User Status", "Get User Status",
//! "Get Resource Owner", "Rate Limiting", "Errors".
//!
//! Arranged: `not_admin` (the application's owner), `revoked` (all access tokens so far), `throttled` and
//! `free`.

use std::collections::BTreeMap;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Asked, Rules, tokens::Tokens};

const APP: &str = "73ab5c0d8f6e41f5";
const SECRET: &str = "help-scout-app-secret-9c41";
const LIFE: SignedDuration = SignedDuration::from_secs(172_800);

#[derive(Debug, Clone)]
struct User {
    status: String,
    source: &'static str,
    updated_at: Timestamp,
}

struct HelpScout {
    users: BTreeMap<String, User>,
    tokens: Tokens,
    not_admin: bool,
    throttled: bool,
}

pub(super) fn rules() -> Box<dyn Rules> {
    Box::new(HelpScout {
        users: BTreeMap::new(),
        tokens: Tokens::new(APP, SECRET, LIFE, "hs"),
        not_admin: false,
        throttled: false,
    })
}

/// `application/vnd.error+json`, with what is wrong with the field, if one is.
fn error(status: u16, message: &str, field: Option<(&str, &str, &Value)>) -> Answer {
    let about = "http://developer.helpscout.net/mailbox-api/overview/errors";
    let mut body = json!({
        "logRef": "64bb72b4-0a92-11e8-ba89-0ed5f89f718b", "message": message,
        "_links": {"about": {"href": about}},
    });
    if let Some((path, message, value)) = field {
        let error =
            json!({"path": path, "message": message, "rejectedValue": value, "source": "JSON"});
        body["_embedded"] = json!({"errors": [error]});
    }
    Answer::text(status, "application/vnd.error+json", &body.to_string())
}

impl HelpScout {
    fn token(&mut self, request: &Asked, now: Timestamp) -> Answer {
        let grant = request.form.get("grant_type").map(String::as_str);
        if grant != Some("client_credentials") {
            return Answer::json(400, json!({"error": "unsupported_grant_type"}));
        }
        if self.tokens.knows(request) != (true, true) {
            let description = "Client authentication failed";
            return Answer::json(
                401,
                json!({"error": "invalid_client", "error_description": description}),
            );
        }
        let (token, life) = self.tokens.issue(now);
        // The scheme in small letters.
        Answer::json(
            200,
            json!({"token_type": "bearer", "access_token": token, "expires_in": life}),
        )
    }

    fn set(&mut self, id: &str, body: &Value, now: Timestamp) -> Answer {
        let status = &body["status"];
        let Some(word @ ("active" | "away")) = status.as_str() else {
            let message = "Expected one of these: 'active', 'away'";
            return error(400, "Bad request", Some(("status", message, status)));
        };
        let Some(user) = self.users.get_mut(id) else {
            return error(404, "Not found", None);
        };
        *user = User {
            status: word.to_owned(),
            source: "api",
            updated_at: now,
        };
        Answer::empty(204)
    }

    fn read(&self, id: &str) -> Answer {
        let Some(user) = self.users.get(id) else {
            return error(404, "Not found", None);
        };
        // Live chat is another status, which nobody here can set.
        let body = json!({
            "userId": id.parse::<i64>().unwrap_or_default(),
            "email": {
                "status": user.status, "updatedAt": user.updated_at.to_string(), "performedBy": 4,
                "source": user.source,
            },
            "chat": {"status": "custom", "mailboxStatuses": {"100": "assign", "101": "unavailable"}},
            "_links": {"self": {"href": "..."}},
        });
        Answer::text(200, "application/hal+json", &body.to_string())
    }

    fn authorized(&mut self, request: &Asked, now: Timestamp) -> Answer {
        let parts = request.parts();
        match (&request.method, parts.as_slice()) {
            (&Method::GET, ["v2", "users", "me"]) => {
                let me = json!({"id": 4, "role": "owner", "type": "user", "companyId": 1});
                Answer::text(200, "application/hal+json", &me.to_string())
            }
            (&Method::PUT, ["v2", "users", _, "status"]) if self.not_admin => {
                error(403, "Access denied", None)
            }
            (&Method::PUT, ["v2", "users", id, "status"]) => self.set(id, &request.json, now),
            (&Method::GET, ["v2", "users", id, "status"]) => self.read(id),
            _ => Answer::text(404, "text/html", "<html>Not found</html>"),
        }
    }
}

impl Rules for HelpScout {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        vec![("user", APP.to_owned()), ("token_file", SECRET.to_owned())]
    }

    fn id(&self, n: usize) -> String {
        (4 + n).to_string()
    }

    fn add_agent(&mut self, id: &str) {
        let new = User {
            status: "away".to_owned(),
            source: "ui",
            updated_at: Timestamp::UNIX_EPOCH,
        };
        self.users.entry(id.to_owned()).or_insert(new);
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        if (&request.method, request.parts().as_slice())
            == (&Method::POST, &["v2", "oauth2", "token"])
        {
            return self.token(request, now);
        }
        let answer = if !self.tokens.take(request, now) {
            let description =
                "The access token provided is expired, revoked, malformed, or invalid";
            Answer::json(
                401,
                json!({"error": "invalid_token", "error_description": description}),
            )
        } else if self.throttled {
            Answer::json(429, json!({"message": "API rate limit exceeded"}))
                .with("x-ratelimit-limit-minute", "400")
                .with("x-ratelimit-remaining-minute", "0")
                .with("x-ratelimit-retry-after", "23")
        } else {
            self.authorized(request, now)
        };
        answer.with("correlation-id", "f2a1b7c4-9e53-4f6b-8f0e-0a4c7a6f5d21")
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        self.users.get(id).map(|user| user.status.clone())
    }

    fn set_there(&mut self, id: &str, word: &str, now: Timestamp) {
        if let Some(user) = self.users.get_mut(id) {
            *user = User {
                status: word.to_owned(),
                source: "presence_detection",
                updated_at: now,
            };
        }
    }

    fn arrange(&mut self, word: &str, _: &str) {
        match word {
            "not_admin" => self.not_admin = true,
            "revoked" => self.tokens.revoke(),
            "throttled" => self.throttled = true,
            "free" => self.throttled = false,
            _ => unreachable!("nothing to arrange is called {word}"),
        }
    }
}
