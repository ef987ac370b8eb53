//! Presence of a tenant's users, as an application sees it that has Presence.ReadWrite.All.
//!
//! Source: learn.microsoft.com, Microsoft Graph: "presence: setPresence", "presence: clearPresence", "Manage
//! presence state using the Microsoft Graph API", "Get presence information for multiple users", "Error
//! responses", "Get access without a user"; Entra's error codes. Users' own wishes are left out.
//!
//! Arranged: `no_permission`, `no_teams` (a user without it), `expired_secret`, `revoked` (all access tokens
//! so far), `throttled` and `free`.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Asked, Rules, tokens::Tokens};

const TENANT: &str = "9f4ebab6-520d-49c0-85cc-7b25c78d4a93";
const CLIENT: &str = "22553876-f5ab-4529-bffb-cfe50aa89f87";
const SECRET: &str = "graph-client-secret-q7Q8~";
const SCOPE: &str = "https://graph.microsoft.com/.default";
/// The pairs that a session may have.
const PAIRS: [(&str, &str); 5] = [
    ("Available", "Available"),
    ("Busy", "InACall"),
    ("Busy", "InAConferenceCall"),
    ("Away", "Away"),
    ("DoNotDisturb", "Presenting"),
];
/// Which one of several is shown, the first that there is.
const RANK: [&str; 4] = ["DoNotDisturb", "Busy", "Available", "Away"];
const FADES: SignedDuration = SignedDuration::from_mins(5);
const MOST_IDS: usize = 650;

#[derive(Debug, Clone)]
struct Session {
    pair: (&'static str, &'static str),
    set_at: Timestamp,
    ends_at: Timestamp,
}

#[derive(Debug, Clone, Default)]
struct User {
    /// The application's.
    session: Option<Session>,
    /// What the user's own Teams says, while it runs.
    teams: Option<String>,
}

impl User {
    fn session(&self, now: Timestamp) -> Option<&Session> {
        self.session
            .as_ref()
            .filter(|session| now < session.ends_at)
    }

    fn presence(&self, now: Timestamp) -> (String, String) {
        let session = self.session(now).map(|session| {
            let age = now.duration_since(session.set_at);
            match session.pair {
                ("Available", _) if age >= FADES * 2 => ("Away", "Away"),
                ("Available", _) if age >= FADES => ("Available", "AvailableInactive"),
                pair => pair,
            }
        });
        let teams = self.teams.as_deref().map(|word| (word, word));
        let all = [session, teams];
        let rank = |word: &str| RANK.iter().position(|r| *r == word).unwrap_or(RANK.len());
        let shown = all.into_iter().flatten().min_by_key(|(word, _)| rank(word));
        let (availability, activity) = shown.unwrap_or(("Offline", "Offline"));
        (availability.to_owned(), activity.to_owned())
    }
}

struct Graph {
    users: BTreeMap<String, User>,
    no_teams: BTreeSet<String>,
    tokens: Tokens,
    expired_secret: bool,
    no_permission: bool,
    throttled: bool,
}

pub(super) fn rules() -> Box<dyn Rules> {
    Box::new(Graph {
        users: BTreeMap::new(),
        no_teams: BTreeSet::new(),
        tokens: Tokens::new(CLIENT, SECRET, SignedDuration::from_secs(3599), "eyJ0eXAi"),
        expired_secret: false,
        no_permission: false,
        throttled: false,
    })
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let inner = json!({"date": "2026-03-30T07:00:00", "request-id": "", "client-request-id": ""});
    let error = json!({"code": code, "message": message, "innerError": inner});
    Answer::json(status, json!({"error": error}))
}

/// Entra's refusal of a token.
fn refused(status: u16, word: &str, code: u32, why: &str) -> Answer {
    let description = format!("AADSTS{code}: {why} Trace ID: 0 Correlation ID: 0 Timestamp: 0Z");
    let body = json!({"error": word, "error_description": description, "error_codes": [code]});
    Answer::json(status, body)
}

/// An ISO 8601 duration between five minutes and four hours.
fn duration(value: Option<&Value>) -> Option<SignedDuration> {
    let text = match value {
        None => "PT5M",
        Some(value) => value.as_str()?,
    };
    let duration: SignedDuration = text.parse().ok()?;
    let (least, most) = (SignedDuration::from_mins(5), SignedDuration::from_hours(4));
    (least..=most).contains(&duration).then_some(duration)
}

impl Graph {
    fn token(&mut self, tenant: &str, request: &Asked, now: Timestamp) -> Answer {
        let is = |name: &str, value: &str| request.form.get(name).is_some_and(|v| v == value);
        if tenant != TENANT {
            return refused(400, "invalid_request", 90_002, "Tenant not found.");
        }
        if !is("grant_type", "client_credentials") || !is("scope", SCOPE) {
            return refused(
                400,
                "invalid_scope",
                70_011,
                "The provided request must include a scope.",
            );
        }
        match self.tokens.knows(request) {
            (false, _) => refused(
                400,
                "unauthorized_client",
                700_016,
                "Application was not found.",
            ),
            (true, _) if self.expired_secret => refused(
                401,
                "invalid_client",
                7_000_222,
                "The provided client secret keys are expired.",
            ),
            (true, false) => refused(
                401,
                "invalid_client",
                7_000_215,
                "Invalid client secret provided.",
            ),
            (true, true) => {
                let (token, life) = self.tokens.issue(now);
                let body = json!({
                    "token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token,
                });
                Answer::json(200, body)
            }
        }
    }

    fn set(&mut self, id: &str, body: &Value, now: Timestamp) -> Answer {
        let (availability, activity) = (body["availability"].as_str(), body["activity"].as_str());
        let pair = PAIRS
            .iter()
            .find(|pair| Some(**pair) == availability.zip(activity));
        let (Some(pair), Some(life)) = (pair, duration(body.get("expirationDuration"))) else {
            return error(400, "InvalidArgument", "The request is invalid.");
        };
        if body["sessionId"] != CLIENT {
            return error(400, "InvalidArgument", "sessionId is not right.");
        }
        let Some(user) = self
            .users
            .get_mut(id)
            .filter(|_| !self.no_teams.contains(id))
        else {
            return error(404, "NotFound", "The user was not found.");
        };
        user.session = Some(Session {
            pair: *pair,
            set_at: now,
            ends_at: now + life,
        });
        Answer::empty(200)
    }

    fn clear(&mut self, id: &str, body: &Value, now: Timestamp) -> Answer {
        if body["sessionId"] != CLIENT {
            return error(400, "InvalidArgument", "sessionId is not right.");
        }
        let user = self.users.get_mut(id);
        match user.filter(|user| user.session(now).is_some()) {
            Some(user) => {
                user.session = None;
                Answer::empty(200)
            }
            None => error(404, "NotFound", "The presence session was not found."),
        }
    }

    fn read_many(&self, body: &Value, now: Timestamp) -> Answer {
        let ids = body["ids"]
            .as_array()
            .filter(|ids| (1..=MOST_IDS).contains(&ids.len()));
        let Some(ids) = ids else {
            return error(400, "InvalidArgument", "ids must be 1 to 650 users.");
        };
        let ids = ids.iter().filter_map(Value::as_str);
        let known = ids.filter_map(|id| self.users.get_key_value(id));
        let all: Vec<Value> = known.map(|(id, user)| presence(id, user, now)).collect();
        Answer::json(200, json!({"@odata.context": "", "value": all}))
    }
}

fn presence(id: &str, user: &User, now: Timestamp) -> Value {
    let (availability, activity) = user.presence(now);
    json!({"id": id, "availability": availability, "activity": activity})
}

impl Rules for Graph {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        let token_url = format!("{{url}}/{TENANT}/oauth2/v2.0/token");
        vec![
            ("account", TENANT.to_owned()),
            ("user", CLIENT.to_owned()),
            ("token_file", SECRET.to_owned()),
            ("token_url", token_url),
        ]
    }

    fn id(&self, n: usize) -> String {
        format!("fa8bf3dc-eca7-46b7-bad1-{:012x}", 0xdb19_9b62_afc3 + n)
    }

    fn add_agent(&mut self, id: &str) {
        self.users.entry(id.to_owned()).or_default();
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        let parts = request.parts();
        if let (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) = (&request.method, &parts[..])
        {
            return self.token(tenant, request, now);
        }
        if !self.tokens.take(request, now) {
            let message = "Access token has expired or is not yet valid.";
            return error(401, "InvalidAuthenticationToken", message);
        }
        if self.throttled {
            return error(429, "TooManyRequests", "").with("retry-after", "5");
        }
        if self.no_permission {
            return error(403, "Forbidden", "Missing role permissions on the request.");
        }
        match (&request.method, &parts[..]) {
            (&Method::POST, ["v1.0", "users", id, "presence", "setPresence"]) => {
                self.set(id, &request.json, now)
            }
            (&Method::POST, ["v1.0", "users", id, "presence", "clearPresence"]) => {
                self.clear(id, &request.json, now)
            }
            (&Method::POST, ["v1.0", "communications", "getPresencesByUserId"]) => {
                self.read_many(&request.json, now)
            }
            (&Method::GET, ["v1.0", "users", id, "presence"]) => match self.users.get(*id) {
                Some(user) => Answer::json(200, presence(id, user, now)),
                None => error(404, "NotFound", "The user was not found."),
            },
            _ => Answer::text(404, "text/html", "<html>Not found</html>"),
        }
    }

    fn shown(&self, id: &str, now: Timestamp) -> Option<String> {
        let (availability, activity) = self.users.get(id)?.presence(now);
        Some(format!("{availability}/{activity}"))
    }

    fn set_there(&mut self, id: &str, word: &str, _: Timestamp) {
        if let Some(user) = self.users.get_mut(id) {
            user.teams = (word != "Offline").then(|| word.to_owned());
        }
    }

    fn arrange(&mut self, word: &str, id: &str) {
        match word {
            "no_permission" => self.no_permission = true,
            "no_teams" => drop(self.no_teams.insert(id.to_owned())),
            "expired_secret" => self.expired_secret = true,
            "revoked" => self.tokens.revoke(),
            "throttled" => self.throttled = true,
            "free" => self.throttled = false,
            _ => unreachable!("nothing to arrange is called {word}"),
        }
    }
}
