//! Chatwoot's agents, as an administrator's token sees them.
//!
//! Source: chatwoot/chatwoot, `agents_controller.rs`, `account_user.rs`, `availability_statusable.rb`,
//! `request_exception_handler.rb`, `access_token_auth_helper.rb`; developers.chatwoot.com, "Update Agent
//! in Account", "List Agents in Account".

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Asked, Rules};

const ACCOUNT: &str = "3";
const TOKEN: &str = "chatwoot-admin-token-1f9b";

/// An agent as Chatwoot stores it.
#[derive(Debug, Clone)]
struct Agent {
    availability: String,
    /// Whether it counts as offline while no browser is open; nobody has one open here.
    auto_offline: bool,
}

#[derive(Debug, Default)]
struct Chatwoot {
    agents: BTreeMap<String, Agent>,
}

pub(super) fn rules() -> Box<dyn Rules> {
    Box::new(Chatwoot::default())
}

impl Agent {
    fn status(&self) -> &str {
        if self.auto_offline {
            "offline"
        } else {
            &self.availability
        }
    }

    fn json(&self, id: &str) -> Value {
        json!({
            "id": id.parse::<i64>().unwrap_or_default(), "account_id": 3,
            "availability_status": self.status(), "auto_offline": self.auto_offline,
            "confirmed": true, "email": format!("agent-{id}@example.com"), "available_name": id,
            "name": id, "role": "agent", "thumbnail": "", "custom_role_id": null,
        })
    }
}

impl Chatwoot {
    fn update(&mut self, id: &str, body: &Value) -> Answer {
        let Some(agent) = self.agents.get_mut(id) else {
            return Answer::json(404, json!({"error": "Resource could not be found"}));
        };
        // Rails' parameter wrapper takes a flat body for one under `agent`.
        let fields = body.get("agent").unwrap_or(body);
        if fields.as_object().is_none_or(serde_json::Map::is_empty) {
            let error = "param is missing or the value is empty: agent";
            return Answer::json(422, json!({"error": error}));
        }
        match fields.get("availability").and_then(Value::as_str) {
            Some(word @ ("online" | "offline" | "busy")) => {
                word.clone_into(&mut agent.availability);
            }
            // The enumeration raises an error that nobody rescues.
            Some(_) => return Answer::text(500, "text/html", "<html>We're sorry</html>"),
            None => {}
        }
        if let Some(auto_offline) = fields.get("auto_offline").and_then(Value::as_bool) {
            agent.auto_offline = auto_offline;
        }
        Answer::json(200, agent.json(id))
    }
}

impl Rules for Chatwoot {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        vec![
            ("account", ACCOUNT.to_owned()),
            ("token_file", TOKEN.to_owned()),
        ]
    }

    fn id(&self, n: usize) -> String {
        (17 + n).to_string()
    }

    fn add_agent(&mut self, id: &str) {
        let agent = Agent {
            availability: "offline".to_owned(),
            auto_offline: true,
        };
        self.agents.insert(id.to_owned(), agent);
    }

    fn judge(&mut self, request: &Asked, _: Timestamp) -> Answer {
        let parts = request.parts();
        let ["api", "v1", "accounts", account, "agents", rest @ ..] = &parts[..] else {
            return Answer::text(
                404,
                "text/html",
                "<html>The page you were looking for</html>",
            );
        };
        if request.header("api_access_token") != TOKEN {
            return Answer::json(401, json!({"error": "Invalid Access Token"}));
        }
        if *account != ACCOUNT {
            return Answer::json(404, json!({"error": "Resource could not be found"}));
        }
        match (&request.method, rest) {
            (&Method::GET, []) => {
                let agents = self.agents.iter().map(|(id, agent)| agent.json(id));
                Answer::json(200, agents.collect())
            }
            (&Method::PATCH | &Method::PUT, [id]) => self.update(id, &request.json),
            _ => Answer::text(404, "text/html", "<html>No route matches</html>"),
        }
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        self.agents.get(id).map(|agent| agent.status().to_owned())
    }

    fn set_there(&mut self, id: &str, word: &str, _: Timestamp) {
        if let Some(agent) = self.agents.get_mut(id) {
            word.clone_into(&mut agent.availability);
        }
    }
}
