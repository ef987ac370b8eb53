//! Slack's users, each with its own token.
//!
//! Source: docs.slack.dev, "users.setPresence", "users.getPresence", "auth.test", "User presence and status",
//! "Rate limits". From memory: the shapes of `invalid_arguments` and `user_not_found`.
//!
//! Switches: the tokens' scopes; `limits`, without which nobody counts; a user by the id, whose account is
//! closed. Nobody has a client open.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Answer, Asked, Rules};

/// How many users gave their token.
const USERS: usize = 24;
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

#[derive(Debug, Clone, Default)]
struct User {
    manual_away: bool,
    closed: bool,
}

#[derive(Debug)]
struct Slack {
    on: BTreeSet<String>,
    users: BTreeMap<String, User>,
    /// Calls of each method since the instant (UTC) at which its minute began.
    calls: BTreeMap<String, (Timestamp, u32)>,
}

fn id(n: usize) -> String {
    format!("U024BE{n:03}")
}

fn token(id: &str) -> String {
    format!("xoxp-240951-{id}-5b3d0c1e9a77")
}

pub(super) fn rules() -> Box<dyn Rules> {
    let users = (0..USERS).map(|n| (id(n), User::default()));
    Box::new(Slack {
        on: ["users:read", "users:write"].map(str::to_owned).into(),
        users: users.collect(),
        calls: BTreeMap::new(),
    })
}

fn refused(word: &str) -> Answer {
    Answer::json(200, json!({"ok": false, "error": word}))
}

impl Slack {
    /// The owner of the token in the header.
    fn owner(&self, request: &Asked) -> Option<&String> {
        let sent = request.header("authorization").strip_prefix("Bearer ")?;
        self.users.keys().find(|id| token(id) == sent)
    }

    /// Counted for all tokens of the app together.
    fn limit(&mut self, method: &str, now: Timestamp) -> Option<Answer> {
        let most = match method {
            "users.setPresence" => 20,
            "users.getPresence" => 50,
            _ => return None,
        };
        let (begun, calls) = self.calls.entry(method.to_owned()).or_insert((now, 0));
        if now.duration_since(*begun) >= WINDOW {
            (*begun, *calls) = (now, 0);
        }
        *calls += 1;
        let wait = (*begun + WINDOW).duration_since(now).as_secs();
        (*calls > most).then(|| {
            let body = json!({"ok": false, "error": "ratelimited"});
            Answer::json(429, body).with("retry-after", wait.to_string())
        })
    }

    fn lacks(&self, scope: &str) -> Option<Answer> {
        let provided: Vec<&str> = self.on.iter().map(String::as_str).collect();
        (!self.on.contains(scope)).then(|| {
            let provided = provided.join(",");
            let body = json!({"ok": false, "error": "missing_scope", "needed": scope, "provided": provided});
            Answer::json(200, body)
        })
    }

    /// There is no argument for whose: it is always the token's owner's.
    fn set(&mut self, owner: &str, request: &Asked) -> Answer {
        let in_form = request.form.get("presence").map(String::as_str);
        let away = match in_form.or(request.json["presence"].as_str()) {
            Some("away") => true,
            Some("auto") => false,
            Some(_) => return refused("invalid_presence"),
            None => {
                let messages = ["[ERROR] missing required field: presence"];
                let body = json!({
                    "ok": false, "error": "invalid_arguments",
                    "response_metadata": {"messages": messages},
                });
                return Answer::json(200, body);
            }
        };
        if let Some(user) = self.users.get_mut(owner) {
            user.manual_away = away;
        }
        Answer::json(200, json!({"ok": true}))
    }

    fn get(&self, owner: &str, request: &Asked) -> Answer {
        let asked = request.query.get("user").map_or(owner, String::as_str);
        match self.users.get(asked) {
            None => refused("user_not_found"),
            Some(_) if asked != owner => Answer::json(200, json!({"ok": true, "presence": "away"})),
            Some(user) => {
                let body = json!({
                    "ok": true, "presence": "away", "online": false, "auto_away": false,
                    "manual_away": user.manual_away, "connection_count": 0,
                });
                Answer::json(200, body)
            }
        }
    }
}

impl Rules for Slack {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        let tokens: BTreeMap<&String, String> =
            self.users.keys().map(|id| (id, token(id))).collect();
        vec![("agent_tokens_file", json!(tokens).to_string())]
    }

    fn id(&self, n: usize) -> String {
        id(n)
    }

    /// They are there from the start, since each has given a token.
    fn add_agent(&mut self, _: &str) {}

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        let parts = request.parts();
        let [called] = parts[..] else {
            return Answer::text(404, "text/html", "<html>There's been a glitch</html>");
        };
        if request.header("authorization").is_empty() {
            return refused("not_authed");
        }
        let Some(owner) = self.owner(request).cloned() else {
            return refused("invalid_auth");
        };
        if self.users[&owner].closed {
            return refused("account_inactive");
        }
        if self.on.contains("limits")
            && let Some(slower) = self.limit(called, now)
        {
            return slower;
        }
        match (&request.method, called) {
            (&Method::POST, "users.setPresence") => match self.lacks("users:write") {
                Some(refusal) => refusal,
                None => self.set(&owner, request),
            },
            (_, "users.getPresence") => match self.lacks("users:read") {
                Some(refusal) => refusal,
                None => self.get(&owner, request),
            },
            (_, "auth.test") => {
                let body = json!({
                    "ok": true, "url": "https://acme.slack.com/", "team": "Acme", "user": "ann",
                    "team_id": "T12345678", "user_id": owner,
                });
                Answer::json(200, body)
            }
            _ => refused("unknown_method"),
        }
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        let user = self.users.get(id)?;
        Some(if user.manual_away { "away" } else { "auto" }.to_owned())
    }

    fn set_there(&mut self, id: &str, word: &str, _: Timestamp) {
        if let Some(user) = self.users.get_mut(id) {
            user.manual_away = word == "away";
        }
    }

    fn arrange(&mut self, word: &str, setting: &str) {
        let on = word == "on";
        if let Some(user) = self.users.get_mut(setting) {
            user.closed = !on;
        } else if on {
            self.on.insert(setting.to_owned());
        } else {
            self.on.remove(setting);
        }
    }

    fn subject(&self, request: &Asked) -> Option<String> {
        self.owner(request).cloned()
    }
}
