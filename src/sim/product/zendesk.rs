//! Zendesk's unified agent status, as an administrator's API token sees it.
//!
//! Source: developer.zendesk.com, "Unified Agent Status", "Agent Availabilities", "Agent Status", "Job
//! Status"; for bodies, libzapi's client. Where nothing tells, as for an item of a job's results, Zendesk's
//! other bulk requests are followed.
//!
//! Arranged: `not_admin` (the token's owner), `locked` (an agent who cannot be set), `bare` (a job that
//! comes without its wrapper), `throttled` and `free`.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Asked, Rules};

const USER: &str = "admin@example.com";
const TOKEN: &str = "zendesk-api-token-6wiIBWbGkBMo1mRDMuVw";
const STATUSES: [(i64, &str); 4] = [
    (2, "offline"),
    (3, "online"),
    (4, "away"),
    (5, "transfers_only"),
];
/// How long a job is told about.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

#[derive(Debug, Clone, Copy)]
struct Agent {
    status: i64,
    reason: &'static str,
    updated_at: Timestamp,
}

/// Work taken on: half of it is done when somebody asks for the first time, all at the second.
#[derive(Debug)]
struct Job {
    status: i64,
    ids: Vec<String>,
    results: Vec<Value>,
    begun: Timestamp,
}

#[derive(Debug, Default)]
struct Zendesk {
    agents: BTreeMap<String, Agent>,
    jobs: Vec<Job>,
    locked: BTreeSet<String>,
    not_admin: bool,
    bare: bool,
    throttled: bool,
}

pub(super) fn rules() -> Box<dyn Rules> {
    Box::new(Zendesk::default())
}

fn name(status: i64) -> Option<&'static str> {
    let found = STATUSES.iter().find(|(id, _)| *id == status);
    found.map(|(_, name)| *name)
}

/// An id as it stands in JSON.
fn number(id: &str) -> Value {
    id.parse::<i64>().map_or_else(|_| id.into(), Into::into)
}

fn not_found() -> Answer {
    let body = json!({"error": "RecordNotFound", "description": "Not found"});
    Answer::json(404, body)
}

fn no_endpoint() -> Answer {
    let body = json!({"error": "InvalidEndpoint", "description": "Not found"});
    Answer::json(404, body)
}

fn invalid() -> Answer {
    let details = json!({"id": [{"description": "Id is invalid"}]});
    let description = "Record validation errors";
    let body = json!({"error": "RecordInvalid", "description": description, "details": details});
    Answer::json(422, body)
}

impl Zendesk {
    fn set(&mut self, id: &str, status: i64, now: Timestamp) -> bool {
        let Some(agent) = self
            .agents
            .get_mut(id)
            .filter(|_| !self.locked.contains(id))
        else {
            return false;
        };
        *agent = Agent {
            status,
            reason: "PUBLIC_API",
            updated_at: now,
        };
        true
    }

    fn update(&mut self, id: &str, body: &Value, now: Timestamp) -> Answer {
        let Some(status) = body["id"].as_i64().filter(|id| name(*id).is_some()) else {
            return invalid();
        };
        if !self.agents.contains_key(id) {
            return not_found();
        }
        if !self.set(id, status, now) {
            return invalid();
        }
        let shown = json!({"id": status, "name": name(status)});
        let attributes = json!({"agent_id": number(id), "agent_status": shown});
        let id = format!("agent_availabilities|{id}");
        let data = json!({"id": id, "type": "agent_availabilities", "attributes": attributes});
        Answer::json(200, json!({"data": data}))
    }

    fn update_many(&mut self, request: &Asked, now: Timestamp) -> Answer {
        let ids = request.query.get("ids").map_or("", String::as_str);
        let ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
        let status = request.json["id"].as_i64();
        let Some(status) = status.filter(|id| name(*id).is_some()) else {
            return invalid();
        };
        if ids.len() > 100 {
            return Answer::json(400, json!({"error": "TooManyValues"}));
        }
        self.jobs.push(Job {
            status,
            ids,
            results: Vec::new(),
            begun: now,
        });
        let job = self.job(self.jobs.len() - 1, "queued");
        let wrapped = json!({"job_status": job});
        Answer::json(200, if self.bare { job } else { wrapped })
    }

    fn job(&self, at: usize, status: &str) -> Value {
        let job = &self.jobs[at];
        let id = format!("01JB1GQENJMK3X983S{at:08}");
        let url = format!(
            "https://example.zendesk.com/api/v2/agent_availabilities/agent_statuses/job_statuses/{id}"
        );
        json!({
            "id": id, "status": status, "message": "", "url": url, "results": job.results,
            "progress": job.results.len(), "total": job.ids.len(),
        })
    }

    /// What the job comes to when somebody asks for it.
    fn work(&mut self, id: &str, now: Timestamp) -> Answer {
        let at = id
            .strip_prefix("01JB1GQENJMK3X983S")
            .and_then(|n| n.parse::<usize>().ok());
        let Some((at, job)) = at.and_then(|at| Some((at, self.jobs.get(at)?))) else {
            return not_found();
        };
        if now >= job.begun + KEPT {
            return not_found();
        }
        let (done, all) = (job.results.len(), job.ids.len());
        let until = if done == 0 && all > 1 { all / 2 } else { all };
        let (ids, status) = (job.ids[done..until].to_vec(), job.status);
        for id in ids {
            let result = match (self.agents.contains_key(&id), self.set(&id, status, now)) {
                (true, true) => {
                    json!({"id": number(&id), "action": "update", "status": "Updated", "success": true})
                }
                (known, _) => {
                    let error = if known {
                        "RecordInvalid"
                    } else {
                        "RecordNotFound"
                    };
                    json!({"id": number(&id), "error": error, "details": "", "success": false})
                }
            };
            self.jobs[at].results.push(result);
        }
        let over = until == all;
        Answer::json(
            200,
            self.job(at, if over { "completed" } else { "working" }),
        )
    }

    fn read(&self, id: &str) -> Answer {
        let Some(agent) = self.agents.get(id) else {
            return not_found();
        };
        let status = json!({
            "id": agent.status, "name": name(agent.status), "reason": agent.reason,
            "updated_at": agent.updated_at.to_string(),
        });
        let attributes = json!({
            "agent_id": number(id), "agent_status": status, "group_ids": [1], "skills": [], "version": 236,
        });
        let id = format!("agent_availabilities|{id}");
        let data = json!({"id": id, "type": "agent_availabilities", "attributes": attributes});
        Answer::json(200, json!({"data": data, "included": []}))
    }

    fn refusal(&self, request: &Asked) -> Option<Answer> {
        let basic = STANDARD.encode(format!("{USER}/token:{TOKEN}"));
        if request.header("authorization") != format!("Basic {basic}") {
            let body = json!({"error": "Couldn't authenticate you"});
            return Some(Answer::json(401, body));
        }
        if self.throttled {
            let text = "You have exceeded the rate limit for this API";
            let answer = Answer::text(429, "text/plain", text).with("retry-after", "41");
            return Some(
                answer
                    .with("x-rate-limit", "200")
                    .with("x-rate-limit-remaining", "150"),
            );
        }
        self.not_admin.then(|| {
            let error =
                json!({"title": "Forbidden", "message": "You do not have access to this page."});
            Answer::json(403, json!({"error": error}))
        })
    }
}

impl Rules for Zendesk {
    fn configuration(&self) -> Vec<(&'static str, String)> {
        vec![("user", USER.to_owned()), ("token_file", TOKEN.to_owned())]
    }

    fn id(&self, n: usize) -> String {
        (10_011 + n).to_string()
    }

    fn add_agent(&mut self, id: &str) {
        let new = Agent {
            status: 2,
            reason: "UNKNOWN",
            updated_at: Timestamp::UNIX_EPOCH,
        };
        self.agents.entry(id.to_owned()).or_insert(new);
    }

    fn judge(&mut self, request: &Asked, now: Timestamp) -> Answer {
        if let Some(refusal) = self.refusal(request) {
            return refusal;
        }
        let parts = request.parts();
        let ["api", "v2", "agent_availabilities", rest @ ..] = parts.as_slice() else {
            return no_endpoint();
        };
        match (&request.method, rest) {
            (&Method::PUT, ["agent_statuses", "agents", "update_many"]) => {
                self.update_many(request, now)
            }
            (&Method::PUT, ["agent_statuses", "agents", id]) => self.update(id, &request.json, now),
            (&Method::GET, ["agent_statuses", "job_statuses", job]) => self.work(job, now),
            (&Method::GET, ["agent_statuses"]) => {
                let status = |(id, name): &(i64, &str)| json!({"id": id, "type": "agent_status", "attributes": {"name": name}});
                let all: Vec<Value> = STATUSES.iter().map(status).collect();
                Answer::json(200, json!({"default": all, "custom": []}))
            }
            (&Method::GET, [id]) => self.read(id),
            _ => no_endpoint(),
        }
    }

    fn shown(&self, id: &str, _: Timestamp) -> Option<String> {
        let agent = self.agents.get(id)?;
        name(agent.status).map(str::to_owned)
    }

    fn set_there(&mut self, id: &str, word: &str, now: Timestamp) {
        let status = STATUSES.iter().find(|(_, name)| *name == word);
        if let (Some(agent), Some((status, _))) = (self.agents.get_mut(id), status) {
            *agent = Agent {
                status: *status,
                reason: "AGENT_STATUS_SWITCHER",
                updated_at: now,
            };
        }
    }

    fn arrange(&mut self, word: &str, id: &str) {
        match word {
            "not_admin" => self.not_admin = true,
            "locked" => drop(self.locked.insert(id.to_owned())),
            "bare" => self.bare = true,
            "throttled" => self.throttled = true,
            "free" => self.throttled = false,
            _ => unreachable!("nothing to arrange is called {word}"),
        }
    }
}
