//! Rocket.Chat's omnichannel agents, and the gate before all of Rocket.Chat's routes.
//!
//! Source: RocketChat/Rocket.Chat, `livechat/server/api/v1/agent.ts` and its end-to-end tests,
//! `app/api/server/ApiClass.ts`, `server/settings/rate`; developer.rocket.chat, "Update Agent Status".
//! From memory: the answer for a page that is not there.
//!
//! Switches: the permissions of the token's user; `business-hours-closed`; an agent by its id, who is
//! deactivated.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Asked, Rules};

/// Whom the token belongs to.
pub(super) const USER: &str = "rbAXPnMktTFbNpwtJ";
const TOKEN: &str = "RScctEHSmLGZGywfIhWyRpyofhKOiMoUIpimhvheU3f";
const CALLS: u32 = 10;
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// Who may pass, and how fast.
#[derive(Debug)]
pub(super) struct Gate {
    on: BTreeSet<String>,
    /// Calls of each route since the instant (UTC) at which its window began.
    calls: BTreeMap<String, (Timestamp, u32)>,
}

impl Gate {
    pub(super) fn new(on: &[&str]) -> Self {
        Self {
            on: on.iter().map(|name| (*name).to_owned()).collect(),
            calls: BTreeMap::new(),
        }
    }

    pub(super) fn configuration() -> Vec<(&'static str, String)> {
        vec![("user", USER.to_owned()), ("token_file", TOKEN.to_owned())]
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        self.on.contains(name)
    }

    pub(super) fn switch(&mut self, name: &str, on: bool) {
        if on {
            self.on.insert(name.to_owned());
        } else {
            self.on.remove(name);
        }
    }

    /// Authentication, then the limit: the headers that the answer bears, or the refusal.
    pub(super) fn enter(
        &mut self,
        request: &Asked,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, String)>, Answer> {
        if request.header("x-auth-token") != TOKEN || request.header("x-user-id") != USER {
            let text = "You must be logged in to do this.";
            let body = json!({"success": false, "error": text, "status": "error", "message": text});
            return Err(Answer::json(401, body));
        }
        if self.is_on("api-bypass-rate-limit") {
            return Ok(Vec::new());
        }
        let route = format!("{} {}", request.method, request.path.join("/"));
        let (begun, calls) = self.calls.entry(route).or_insert((now, 0));
        if now.duration_since(*begun) >= WINDOW {
            (*begun, *calls) = (now, 0);
        }
        *calls += 1;
        let reset = *begun + WINDOW;
        let headers = vec![
            ("x-ratelimit-limit", CALLS.to_string()),
            (
                "x-ratelimit-remaining",
                CALLS.saturating_sub(*calls).to_string(),
            ),
            ("x-ratelimit-reset", reset.as_millisecond().to_string()),
        ];
        if *calls <= CALLS {
            return Ok(headers);
        }
        let wait = reset.duration_since(now).as_secs();
        let error = format!(
            "Error, too many requests. Please slow down. You must wait {wait} seconds before trying this endpoint again. [error-too-many-requests]"
        );
        Err(with(failure(429, &error), headers))
    }
}

/// An answer with the limit's headers.
pub(super) fn with(mut answer: Answer, headers: Vec<(&'static str, String)>) -> Answer {
    answer.headers.extend(headers);
    answer
}

pub(super) fn failure(status: u16, error: &str) -> Answer {
    Answer::json(status, json!({"success": false, "error": error}))
}

/// What a thrown `Meteor.Error` becomes.
pub(super) fn thrown(code: &str, text: &str) -> Answer {
    let error = format!("{text} [{code}]");
    Answer::json(
        400,
        json!({"success": false, "error": error, "errorType": code}),
    )
}

pub(super) fn no_such_page() -> Answer {
    let body = json!({"status": "error", "message": "API endpoint does not exist"});
    Answer::json(404, body)
}

/// Where the route itself names the permission.
fn not_permitted() -> Answer {
    let error = "User does not have the permissions required for this action [error-unauthorized]";
    failure(403, error)
}

#[derive(Debug, Clone)]
struct Agent {
    /// Absent until it is set for the first time.
    status: Option<String>,
    active: bool,
}

#[derive(Debug)]
struct Omnichannel {
    gate: Gate,
    agents: BTreeMap<String, Agent>,
}

pub(super) fn rules() -> Box<dyn Rules> {
    let mut rules = Omnichannel {
        gate: Gate::new(&[
            "api-bypass-rate-limit",
            "view-l-room",
            "manage-livechat-agents",
            "transfer-livechat-guest",
        ]),
        agents: BTreeMap::new(),
    };
    rules.add_agent(USER);
    Box::new(rules)
}

impl Omnichannel {
    fn set(&mut self, body: &Value) -> Answer {
        let known = |name: &String| matches!(name.as_str(), "agentId" | "status");
        let fields = body.as_object().cloned().unwrap_or_default();
        if !fields.keys().all(known) {
            return thrown("invalid-params", "must NOT have additional properties");
        }
        let status = fields.get("status").map(Value::as_str);
        if !matches!(status, None | Some(Some("available" | "not-available"))) {
            let text = "must be equal to one of the allowed values";
            return thrown("invalid-params", text);
        }
        if !self.gate.is_on("view-l-room") {
            return not_permitted();
        }
        let id = fields
            .get("agentId")
            .and_then(Value::as_str)
            .unwrap_or(USER);
        let Some(agent) = self.agents.get_mut(id) else {
            return failure(404, "Agent not found");
        };
        if !agent.active {
            return failure(400, "error-user-deactivated");
        }
        let was = agent
            .status
            .as_deref()
            .unwrap_or("not-available")
            .to_owned();
        let toggled = if was == "available" {
            "not-available"
        } else {
            "available"
        };
        let wanted = status.flatten().unwrap_or(toggled);
        let done = |status: &str| Answer::json(200, json!({"status": status, "success": true}));
        // Before the permission is looked at.
        if agent.status.as_deref() == Some(wanted) {
            return done(wanted);
        }
        if id != USER && !self.gate.is_on("manage-livechat-agents") {
            return failure(403, "unauthorized");
        }
        match (wanted, self.gate.is_on("business-hours-closed"), id == USER) {
            ("available", true, true) => failure(400, "error-business-hours-are-closed"),
            // "Silent fail", says the source.
            ("available", true, false) => done(&was),
            _ => {
                agent.status = Some(wanted.to_owned());
                done(wanted)
            }
        }
    }

    fn list(&self, request: &Asked) -> Answer {
        let needed = ["manage-livechat-agents", "transfer-livechat-guest"];
        if !needed.iter().all(|name| self.gate.is_on(name)) {
            return not_permitted();
        }
        let number = |name: &str| request.query.get(name).and_then(|text| text.parse().ok());
        let (offset, count) = (number("offset").unwrap_or(0), number("count").unwrap_or(50));
        let page = self.agents.iter().skip(offset).take(count.min(100));
        let users: Vec<Value> = page
            .map(|(id, agent)| {
                let mut user = json!({
                    "_id": id, "username": id.to_lowercase(), "name": id, "status": "offline",
                    "emails": [], "livechat": {}, "departments": [],
                });
                if let Some(status) = &agent.status {
                    user["statusLivechat"] = status.as_str().into();
                }
                user
            })
            .collect();
        let (count, total) = (users.len(), self.agents.len());
        let body = json!({"users": users, "count": count, "offset": offset, "total": total, "success": true});
        Answer::json(200, body)
    }
}

impl Rules for Omnichannel {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        Gate::configuration()
    }

    fn id(&self, n: usize) -> String {
        format!("J6Q87AnWP5aNc{n:04}")
    }

    fn add_agent(&mut self, id: &str) {
        let agent = Agent {
            status: None,
            active: true,
        };
        self.agents.insert(id.to_owned(), agent);
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        let headers = match self.gate.enter(request, now) {
            Ok(headers) => headers,
            Err(refusal) => return refusal,
        };
        let answer = match (&request.method, &request.parts()[..]) {
            (&Method::POST, ["api", "v1", "livechat", "agent.status"]) => self.set(&request.json),
            (&Method::GET, ["api", "v1", "livechat", "users", "agent"]) => self.list(request),
            _ => no_such_page(),
        };
        with(answer, headers)
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        self.agents.get(id)?.status.clone()
    }

    fn set_there(&mut self, id: &str, word: &str, _: Timestamp) {
        if let Some(agent) = self.agents.get_mut(id) {
            agent.status = Some(word.to_owned());
        }
    }

    fn arrange(&mut self, word: &str, setting: &str) {
        let on = word == "on";
        match self.agents.get_mut(setting) {
            Some(agent) => agent.active = on,
            None => self.gate.switch(setting, on),
        }
    }
}
