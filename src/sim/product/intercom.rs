//! Intercom's admins, as the access token of an app sees them.
//!
//! Source: developers.intercom.com, "Set an admin to away", "List all admins", "Identify an admin", "Rate
//! limiting", "HTTP responses", "Error codes"; intercom/Intercom-OpenAPI, descriptions/2.15.
//!
//! Arranged: `no_seat` (an agent, or whoever the token belongs to), `reason_mandatory`, `restricted` (a plan
//! without the API), `throttled` and `free`.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Asked, Rules};

const TOKEN: &str = "dG9rOmludGVyY29tOnN0YW5kLWluOjE6MA==";
/// A reason of the workspace.
const REASON: i64 = 12_345;

#[derive(Debug, Clone, Default)]
struct Admin {
    away: bool,
    reassign: bool,
    reason: Option<i64>,
}

#[derive(Debug, Default)]
struct Intercom {
    admins: BTreeMap<String, Admin>,
    no_seat: BTreeSet<String>,
    reason_mandatory: bool,
    restricted: bool,
    throttled: bool,
}

pub(super) fn rules() -> Box<dyn Rules> {
    Box::new(Intercom::default())
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let errors = json!([{"code": code, "message": message}]);
    let id = "b68959ea-6328-4f70-83cb-e7913dba1542";
    Answer::json(
        status,
        json!({"type": "error.list", "request_id": id, "errors": errors}),
    )
}

impl Intercom {
    fn json(&self, id: &str, admin: &Admin) -> Value {
        json!({
            "type": "admin", "id": id, "name": id, "email": format!("admin-{id}@example.com"),
            "away_mode_enabled": admin.away, "away_mode_reassign": admin.reassign,
            "has_inbox_seat": !self.no_seat.contains(id),
            "away_status_reason_id": admin.reason.map(|reason| reason.to_string()), "team_ids": [],
        })
    }

    fn away(&mut self, id: &str, body: &Value) -> Answer {
        let field = |name: &str| match body.get(name) {
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(error(
                400,
                "type_mismatch",
                &format!("{name} must be a boolean"),
            )),
            None => Err(error(
                400,
                "parameter_not_found",
                &format!("{name} not found"),
            )),
        };
        let (away, reassign) = match (field("away_mode_enabled"), field("away_mode_reassign")) {
            (Ok(away), Ok(reassign)) => (away, reassign),
            (Err(answer), _) | (_, Err(answer)) => return answer,
        };
        if !self.admins.contains_key(id) {
            return error(404, "admin_not_found", "Admin for admin_id not found");
        }
        if self.no_seat.contains(id) || self.no_seat.contains("") {
            return error(403, "action_forbidden", "Not authorized to access resource");
        }
        let reason = match body.get("away_status_reason_id") {
            None | Some(Value::Null) if away && self.reason_mandatory => {
                let message = "Away status reason is mandatory";
                return error(400, "away_status_reason_mandatory", message);
            }
            None | Some(Value::Null) => None,
            Some(reason) if away && reason.as_i64() == Some(REASON) => Some(REASON),
            Some(_) => return error(400, "parameter_invalid", "Away status reason is invalid"),
        };
        let admin = Admin {
            away,
            reassign,
            reason,
        };
        let shown = self.json(id, &admin);
        self.admins.insert(id.to_owned(), admin);
        Answer::json(200, shown)
    }

    fn authorized(&mut self, request: &Asked) -> Answer {
        let parts = request.parts();
        if self.restricted {
            return error(403, "api_plan_restricted", "Active subscription needed.");
        }
        match (&request.method, parts.as_slice()) {
            (&Method::PUT, ["admins", id, "away"]) => self.away(id, &request.json),
            (&Method::GET, ["admins"]) => {
                let all = self.admins.iter().map(|(id, admin)| self.json(id, admin));
                let all: Vec<Value> = all.collect();
                Answer::json(200, json!({"type": "admin.list", "admins": all}))
            }
            (&Method::GET, ["admins", id]) => match self.admins.get(*id) {
                Some(admin) => Answer::json(200, self.json(id, admin)),
                None => error(404, "admin_not_found", "Admin not found"),
            },
            (&Method::GET, ["me"]) => {
                let seat = !self.no_seat.contains("");
                let me = json!({"type": "admin", "id": "991267459", "has_inbox_seat": seat, "email_verified": true});
                Answer::json(200, me)
            }
            // A wrong method is a page that is not there.
            _ => error(404, "not_found", "The requested resource was not found"),
        }
    }
}

impl Rules for Intercom {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        vec![("token_file", TOKEN.to_owned())]
    }

    fn id(&self, n: usize) -> String {
        (991_267_460 + n).to_string()
    }

    fn add_agent(&mut self, id: &str) {
        self.admins.entry(id.to_owned()).or_default();
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        if request.bearer() != TOKEN {
            return error(401, "unauthorized", "Access Token Invalid");
        }
        if !request.header("accept").contains("application/json") {
            return error(
                406,
                "not_acceptable",
                "The Accept header should send a media type of application/json",
            );
        }
        // Windows of ten seconds.
        let reset = now.as_second() / 10 * 10 + 10;
        let (answer, left) = if self.throttled {
            let message = "Exceeded rate limit of 1667 in 10_seconds";
            (error(429, "rate_limit_exceeded", message), "0")
        } else {
            (self.authorized(request), "1666")
        };
        answer
            .with("x-ratelimit-limit", "1667")
            .with("x-ratelimit-remaining", left)
            .with("x-ratelimit-reset", reset.to_string())
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        let admin = self.admins.get(id)?;
        Some(match (admin.away, admin.reason) {
            (false, _) => "active".to_owned(),
            (true, None) => "away".to_owned(),
            (true, Some(reason)) => format!("away for {reason}"),
        })
    }

    fn set_there(&mut self, id: &str, word: &str, _: Timestamp) {
        if let Some(admin) = self.admins.get_mut(id) {
            admin.away = word != "active";
        }
    }

    fn arrange(&mut self, word: &str, id: &str) {
        match word {
            "no_seat" => drop(self.no_seat.insert(id.to_owned())),
            "reason_mandatory" => self.reason_mandatory = true,
            "restricted" => self.restricted = true,
            "throttled" => self.throttled = true,
            "free" => self.throttled = false,
            _ => unreachable!("nothing to arrange is called {word}"),
        }
    }
}
