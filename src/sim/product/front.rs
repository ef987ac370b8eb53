//! Front's teammates, as a company's API token sees them.
//!
//! Source: dev.frontapp.com, "Teammates", "Rate limiting"; frontapp/front-api-specs, core-api.json; bodies of
//! refusals as others measured them.
//!
//! Arranged: `assigned` (a conversation to this teammate), `read_only` (a token without teammates:write),
//! `throttled` and `free`.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Asked, Rules};

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZXMiOlsiKiJdfQ.stand-in-1f9b";

#[derive(Debug, Clone, Default)]
struct Teammate {
    available: bool,
    conversations: u32,
}

#[derive(Debug, Default)]
struct Front {
    teammates: BTreeMap<String, Teammate>,
    read_only: bool,
    throttled: bool,
}

pub(super) fn rules() -> Box<dyn Rules> {
    Box::new(Front::default())
}

fn error(status: u16, title: &str, message: &str) -> Answer {
    let error = json!({"status": status, "title": title, "message": message});
    Answer::json(status, json!({"_error": error}))
}

fn teammate(id: &str, teammate: &Teammate) -> Value {
    json!({
        "_links": {"self": format!("https://api2.frontapp.com/teammates/{id}")},
        "id": id, "email": format!("{id}@example.com"), "username": id, "first_name": "", "last_name": "",
        "is_admin": false, "is_available": teammate.available, "is_blocked": false, "type": "user",
        "custom_fields": {},
    })
}

impl Front {
    fn update(&mut self, id: &str, body: &Value) -> Answer {
        if self.read_only {
            let message = "Missing required scopes: [teammates:*:write]";
            return error(403, "Forbidden", message);
        }
        let Some(teammate) = self.teammates.get_mut(id) else {
            return error(404, "Not found", "Unknown teammate");
        };
        match body.get("is_available") {
            Some(Value::Bool(available)) => teammate.available = *available,
            None if body.is_object() => {}
            _ => return error(400, "Bad request", "Body did not satisfy requirements"),
        }
        if !teammate.available {
            teammate.conversations = 0;
        }
        Answer::empty(204)
    }
}

impl Rules for Front {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        vec![("token_file", TOKEN.to_owned())]
    }

    fn id(&self, n: usize) -> String {
        format!("tea_{:x}", 0x6c_55a0 + n)
    }

    fn add_agent(&mut self, id: &str) {
        self.teammates.entry(id.to_owned()).or_default();
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        match request.bearer() {
            TOKEN => {}
            token if token.starts_with("eyJ") => {
                return error(401, "Unauthenticated", "Invalid token");
            }
            _ => return error(401, "Unauthenticated", "JSON Web Token error"),
        }
        if self.throttled {
            let reset = format!("{}.321", now.as_second() + 5);
            let message = "Rate limit exceeded. Please retry in 4321 milliseconds.";
            return error(429, "Too many requests", message)
                .with("retry-after", "5")
                .with("x-ratelimit-limit", "50")
                .with("x-ratelimit-remaining", "0")
                .with("x-ratelimit-reset", reset);
        }
        let parts = request.parts();
        match (&request.method, parts.as_slice()) {
            (&Method::PATCH, ["teammates", id]) => self.update(id, &request.json),
            (&Method::GET, ["teammates"]) => {
                let all = self.teammates.iter().map(|(id, one)| teammate(id, one));
                let all: Vec<Value> = all.collect();
                let links = json!({"self": "https://api2.frontapp.com/teammates"});
                Answer::json(200, json!({"_links": links, "_results": all}))
            }
            (&Method::GET, ["teammates", id]) => match self.teammates.get(*id) {
                Some(one) => Answer::json(200, teammate(id, one)),
                None => error(404, "Not found", "Unknown teammate"),
            },
            (&Method::GET, ["me"]) => Answer::json(200, json!({"id": "cmp_1a", "name": "Acme"})),
            _ => Answer::text(404, "text/html", "<html>Not found</html>"),
        }
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        let teammate = self.teammates.get(id)?;
        Some(match (teammate.available, teammate.conversations) {
            (false, _) => "unavailable".to_owned(),
            (true, 0) => "available".to_owned(),
            (true, n) => format!("available with {n} conversations"),
        })
    }

    fn set_there(&mut self, id: &str, word: &str, _: Timestamp) {
        if let Some(teammate) = self.teammates.get_mut(id) {
            teammate.available = word == "available";
        }
    }

    fn arrange(&mut self, word: &str, id: &str) {
        match word {
            "assigned" => {
                if let Some(teammate) = self.teammates.get_mut(id) {
                    teammate.conversations += 1;
                }
            }
            "read_only" => self.read_only = true,
            "throttled" => self.throttled = true,
            "free" => self.throttled = false,
            _ => unreachable!("nothing to arrange is called {word}"),
        }
    }
}
