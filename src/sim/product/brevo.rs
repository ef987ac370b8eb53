//! Brevo's agents of Conversations, as an API key sees them.
//!
//! Source: developers.brevo.com, "Sets agent's status to online for 2–3 minutes", "Rate limits", "Get account
//! details", "Error codes". Online ends after the least that is promised. The answer for an agent that is
//! not known is documented nowhere; it is the one of Brevo's other requests.
//!
//! Arranged: `advanced` and `extended` (the account's kind, else general), `no_plan` (without Conversations).

use std::collections::BTreeMap;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Asked, Rules};

const KEY: &str = "xkeysib-stand-in-5d2c9a7e41f0-AbCdEf123456";
const LEASE: SignedDuration = SignedDuration::from_secs(120);
const HOUR: i64 = 3600;

struct Brevo {
    /// When each agent was last pinged.
    agents: BTreeMap<String, Option<Timestamp>>,
    /// Requests an hour, and how many came in the hour that began then.
    limit: u32,
    used: (i64, u32),
    no_plan: bool,
}

pub(super) fn rules() -> Box<dyn Rules> {
    Box::new(Brevo {
        agents: BTreeMap::new(),
        limit: 100,
        used: (0, 0),
        no_plan: false,
    })
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, json!({"code": code, "message": message}))
}

impl Brevo {
    fn ping(&mut self, body: &Value, now: Timestamp) -> Answer {
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
        let id = match (text("agentId"), text("agentEmail")) {
            (Some(id), None) if self.agents.contains_key(id) => id.to_owned(),
            (Some(_), None) => return error(404, "document_not_found", "Agent does not exist"),
            // Whoever is not known is made up.
            (None, Some(email)) if text("agentName").and(text("receivedFrom")).is_some() => {
                email.to_owned()
            }
            _ => return error(400, "missing_parameter", "agentId is missing"),
        };
        if self.no_plan {
            return error(403, "permission_denied", "Conversations is not activated");
        }
        self.agents.insert(id, Some(now));
        Answer::empty(201)
    }

    /// Counts a request; whether there was room for it, how much is left, and seconds to the next hour.
    fn count(&mut self, now: Timestamp) -> (bool, u32, i64) {
        let hour = now.as_second() / HOUR;
        if self.used.0 != hour {
            self.used = (hour, 0);
        }
        let room = self.used.1 < self.limit;
        self.used.1 += u32::from(room);
        let left = self.limit - self.used.1;
        (room, left, HOUR - now.as_second() % HOUR)
    }
}

impl Rules for Brevo {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        vec![("token_file", KEY.to_owned())]
    }

    fn id(&self, n: usize) -> String {
        format!("d9nKoegKSjmCtyK{:02}", 10 + n)
    }

    fn add_agent(&mut self, id: &str) {
        self.agents.entry(id.to_owned()).or_default();
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        if request.header("api-key") != KEY {
            return error(401, "unauthorized", "Key not found");
        }
        let (room, left, reset) = self.count(now);
        let parts = request.parts();
        let answer = match (&request.method, parts.as_slice()) {
            _ if !room => error(429, "too_many_requests", "Too many requests"),
            (&Method::POST, ["v3", "conversations", "agentOnlinePing"]) => {
                self.ping(&request.json, now)
            }
            (&Method::GET, ["v3", "account"]) => Answer::json(
                200,
                json!({"email": "owner@example.com", "companyName": "Acme"}),
            ),
            _ => Answer::text(404, "text/html", "<html>Not found</html>"),
        };
        answer
            .with("x-sib-ratelimit-limit", self.limit.to_string())
            .with("x-sib-ratelimit-remaining", left.to_string())
            .with("x-sib-ratelimit-reset", reset.to_string())
    }

    fn shown(&self, id: &str, now: Timestamp) -> Option<String> {
        let pinged = self.agents.get(id)?;
        let online = pinged.is_some_and(|at| now < at + LEASE);
        Some(if online { "online" } else { "offline" }.to_owned())
    }

    fn set_there(&mut self, id: &str, word: &str, now: Timestamp) {
        let pinged = (word == "online").then_some(now);
        self.agents.insert(id.to_owned(), pinged);
    }

    fn arrange(&mut self, word: &str, _: &str) {
        match word {
            "advanced" => self.limit = 200,
            "extended" => self.limit = 600,
            "no_plan" => self.no_plan = true,
            _ => unreachable!("nothing to arrange is called {word}"),
        }
    }
}
