//! Rocket.Chat's users, as colleagues see them.
//!
//! Source: RocketChat/Rocket.Chat, `app/api/server/v1/users.ts` (late 7), `ee/packages/presence` (8: who is
//! not connected shows at most `online`, until the next event), end-to-end tests; developer.rocket.chat,
//! "Set User Status", "Get Status". From memory: the fields of `me`.
//!
//! Switches: the permissions of the token's user, the workspace's settings, and a user by the id, who
//! disconnects.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Answer, Asked, Rules,
    rocketchat::{Gate, USER, failure, no_such_page, thrown, with},
};

const MESSAGES: &str = "Accounts_AllowUserStatusMessageChange";
const INVISIBLE: &str = "Accounts_AllowInvisibleStatusOption";

#[derive(Debug, Clone)]
struct User {
    /// What was asked for.
    default: String,
    /// What is shown.
    status: String,
    connected: bool,
}

#[derive(Debug)]
struct Users {
    gate: Gate,
    users: BTreeMap<String, User>,
}

pub(super) fn rules() -> Box<dyn Rules> {
    let mut rules = Users {
        gate: Gate::new(&[
            "api-bypass-rate-limit",
            "edit-other-user-info",
            MESSAGES,
            INVISIBLE,
        ]),
        users: BTreeMap::new(),
    };
    rules.add_agent(USER);
    Box::new(rules)
}

impl User {
    fn set(&mut self, word: &str) {
        word.clone_into(&mut self.default);
        let shown = match (self.connected, word) {
            (true, word) => word,
            (false, "online") => "online",
            (false, _) => "offline",
        };
        shown.clone_into(&mut self.status);
    }
}

fn no_such_user() -> Answer {
    let text = "The required \"userId\" or \"username\" param provided does not match any users";
    thrown("error-invalid-user", text)
}

fn of_the_method(mut answer: Answer) -> Answer {
    if let Some((_, text)) = &mut answer.body {
        let mut body: Value = serde_json::from_str(text).unwrap_or_default();
        body["details"] = json!({"method": "users.setStatus"});
        *text = body.to_string();
    }
    answer
}

impl Users {
    fn set(&mut self, body: &Value) -> Answer {
        let (status, message) = (body["status"].as_str(), body["message"].as_str());
        if status.is_none() && message.is_none() {
            let text = "Match error: Failed Match.OneOf, Match.Maybe or Match.Optional validation";
            return failure(400, text);
        }
        if !self.gate.is_on(MESSAGES) {
            return of_the_method(thrown("error-not-allowed", "Change status is not allowed"));
        }
        let id = body["userId"].as_str().unwrap_or(USER);
        if id != USER && !self.gate.is_on("edit-other-user-info") {
            return failure(403, "unauthorized");
        }
        let Some(user) = self.users.get_mut(id) else {
            return no_such_user();
        };
        match status {
            Some("offline") if !self.gate.is_on(INVISIBLE) => {
                let text = "Invisible status is disabled";
                return of_the_method(thrown("error-status-not-allowed", text));
            }
            Some(word @ ("online" | "away" | "busy" | "offline")) => user.set(word),
            Some(_) => {
                let text = "Valid status types include online, away, offline, and busy.";
                return of_the_method(thrown("error-invalid-status", text));
            }
            None => {}
        }
        Answer::json(200, json!({"success": true}))
    }

    fn get(&self, request: &Asked) -> Answer {
        let id = request.query.get("userId").map_or(USER, String::as_str);
        let Some(user) = self.users.get(id) else {
            return no_such_user();
        };
        let mut body = json!({"_id": id, "status": user.status, "success": true});
        if id == USER {
            body["connectionStatus"] = if user.connected { "online" } else { "offline" }.into();
        }
        Answer::json(200, body)
    }
}

impl Rules for Users {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        Gate::configuration()
    }

    fn id(&self, n: usize) -> String {
        format!("zXuq7SvPKYbzY{n:04}")
    }

    fn add_agent(&mut self, id: &str) {
        let user = User {
            default: "offline".to_owned(),
            status: "offline".to_owned(),
            connected: true,
        };
        self.users.insert(id.to_owned(), user);
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        let headers = match self.gate.enter(request, now) {
            Ok(headers) => headers,
            Err(refusal) => return refusal,
        };
        let answer = match (&request.method, &request.parts()[..]) {
            (&Method::POST, ["api", "v1", "users.setStatus"]) => self.set(&request.json),
            (&Method::GET, ["api", "v1", "users.getStatus"]) => self.get(request),
            (&Method::GET, ["api", "v1", "me"]) => {
                let body = json!({"_id": USER, "username": "shiftbell", "success": true});
                Answer::json(200, body)
            }
            _ => no_such_page(),
        };
        with(answer, headers)
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        self.users.get(id).map(|user| user.status.clone())
    }

    fn set_there(&mut self, id: &str, word: &str, _: Timestamp) {
        if let Some(user) = self.users.get_mut(id) {
            user.connected = true;
            user.set(word);
        }
    }

    fn arrange(&mut self, word: &str, setting: &str) {
        let on = word == "on";
        match self.users.get_mut(setting) {
            Some(user) => {
                user.connected = on;
                let shown = if on {
                    user.default.clone()
                } else {
                    "offline".to_owned()
                };
                user.status = shown;
            }
            None => self.gate.switch(setting, on),
        }
    }
}
