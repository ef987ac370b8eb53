//! LiveChat's agents, as an administrator's personal access token sees them.
//!
//! Source: livechat/livechat-public-docs, Agent Chat API 3.6 (Web), its RTM reference, list of errors;
//! livechat/lc-sdk-go, whose test answers `{}`. From memory: HTTP codes besides 401, and that an agent who
//! is not logged in cannot be set.
//!
//! Switches: the token's scopes; `limits-reached`; an agent by the e-mail address, who logs out and in.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Asked, Rules};

const ACCOUNT: &str = "b7eff798-f8df-4364-8059-649c35c9ed0c";
const OWNER: &str = "owner@example.com";
const TOKEN: &str = "us-south1:7Vd0c3kqLx9TzN2hJw";
/// What the agents' settings say, to which a login brings them back.
const AT_LOGIN: &str = "accepting_chats";

#[derive(Debug, Clone)]
struct Agent {
    status: String,
    logged_in: bool,
}

#[derive(Debug)]
struct LiveChat {
    on: BTreeSet<String>,
    agents: BTreeMap<String, Agent>,
}

pub(super) fn rules() -> Box<dyn Rules> {
    let scopes = ["agents--all:rw", "agents--all:ro", "agents-bot--all:ro"];
    let mut rules = LiveChat {
        on: scopes.map(str::to_owned).into(),
        agents: BTreeMap::new(),
    };
    rules.add_agent(OWNER);
    Box::new(rules)
}

fn error(status: u16, kind: &str, message: &str) -> Answer {
    let body = json!({"error": {"type": kind, "message": message}});
    Answer::json(status, body)
}

impl LiveChat {
    fn lacks(&self, scopes: &[&str]) -> bool {
        !scopes.iter().all(|scope| self.on.contains(*scope))
    }

    fn set(&mut self, body: &Value) -> Answer {
        if self.lacks(&["agents--all:rw"]) {
            return error(403, "authorization", "Authorization error");
        }
        let Some(word @ ("accepting_chats" | "not_accepting_chats")) = body["status"].as_str()
        else {
            return error(400, "validation", "Wrong format of request");
        };
        let id = body["agent_id"].as_str().unwrap_or(OWNER);
        match self.agents.get_mut(id) {
            None => error(404, "not_found", "Resource not found"),
            Some(agent) if !agent.logged_in => error(403, "agent_offline", "Agent offline"),
            Some(agent) => {
                word.clone_into(&mut agent.status);
                Answer::json(200, json!({}))
            }
        }
    }

    fn list(&self, body: &Value) -> Answer {
        if self.lacks(&["agents--all:ro", "agents-bot--all:ro"]) {
            return error(403, "authorization", "Authorization error");
        }
        if !body.is_object() {
            return error(400, "validation", "Wrong format of request");
        }
        let agents = self.agents.iter().map(|(id, agent)| {
            let status = if agent.logged_in {
                &agent.status
            } else {
                "offline"
            };
            json!({"agent_id": id, "status": status})
        });
        Answer::json(200, agents.collect())
    }
}

impl Rules for LiveChat {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        vec![
            ("user", ACCOUNT.to_owned()),
            ("token_file", TOKEN.to_owned()),
        ]
    }

    fn id(&self, n: usize) -> String {
        format!("smith{n}@example.com")
    }

    fn add_agent(&mut self, id: &str) {
        let agent = Agent {
            status: AT_LOGIN.to_owned(),
            logged_in: true,
        };
        self.agents.insert(id.to_owned(), agent);
    }

    fn judge(&mut self, request: &Asked, _: Timestamp) -> Answer {
        let expected = STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
        match request.header("authorization").strip_prefix("Basic ") {
            None => return error(401, "authentication", "No `Authorization` header"),
            Some(sent) if sent != expected => {
                return error(401, "authentication", "Invalid access token");
            }
            Some(_) => {}
        }
        if self.on.contains("limits-reached") {
            return error(429, "too_many_requests", "Too many requests");
        }
        match (&request.method, &request.parts()[..]) {
            (&Method::POST, ["v3.6", "agent", "action", "set_routing_status"]) => {
                self.set(&request.json)
            }
            (&Method::POST, ["v3.6", "agent", "action", "list_routing_statuses"]) => {
                self.list(&request.json)
            }
            _ => Answer::text(404, "text/plain", "404 page not found\n"),
        }
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        self.agents.get(id).map(|agent| agent.status.clone())
    }

    fn set_there(&mut self, id: &str, word: &str, _: Timestamp) {
        if let Some(agent) = self.agents.get_mut(id) {
            word.clone_into(&mut agent.status);
        }
    }

    fn arrange(&mut self, word: &str, setting: &str) {
        let on = word == "on";
        if let Some(agent) = self.agents.get_mut(setting) {
            agent.logged_in = on;
            AT_LOGIN.clone_into(&mut agent.status);
        } else if on {
            self.on.insert(setting.to_owned());
        } else {
            self.on.remove(setting);
        }
    }
}
