//! Bulk requests, and jobs that a product takes on and tells about when it is asked.
//!
//! The outcome counts, not the acceptance: an agent whom the job could not set makes the batch narrow
//! down until it stands alone. A job that is not over within the request's time is unknown, and its
//! agents are set again: states, so nothing is lost or doubled.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::Driver;
use crate::{
    channels::answer::Answer,
    domain::{
        delivery::{Judgement, Verdict},
        driver::{Bulk, Job, Method, Request, fill::Values},
    },
};

/// Between two questions about a job: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl Driver {
    /// Sets all agents of `values` at once and waits for the outcome.
    pub(super) async fn set_many(
        &self,
        bulk: &Bulk,
        values: &Values<'_>,
        now: Timestamp,
    ) -> Result<Answer, Judgement> {
        let deadline = self.web.deadline();
        tokio::pin!(deadline);
        let answer = self
            .exchange_until(&bulk.request, values, deadline.as_mut(), now)
            .await?;
        let Some(job) = &bulk.job else {
            return Ok(answer);
        };
        let Some(id) = text_at(&answer, &job.id) else {
            return Err(Judgement::new(Verdict::Retry, "no job in the answer"));
        };
        let values = Values {
            job: &id,
            ..values.clone()
        };
        let asked = asking(job);
        let (mut answer, mut pause) = (answer, FIRST_PAUSE);
        loop {
            match outcome(job, &answer) {
                Some(Ok(())) => return Ok(answer),
                Some(Err(judgement)) => return Err(judgement),
                None => {}
            }
            tokio::select! {
                biased;
                () = deadline.as_mut() => return Err(Judgement::new(Verdict::Unknown, "job_not_over")),
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            answer = self
                .exchange_until(&asked, &values, deadline.as_mut(), now)
                .await?;
        }
    }
}

fn asking(job: &Job) -> Request {
    Request {
        method: Method::Get,
        path: job.path.clone(),
        headers: std::collections::BTreeMap::new(),
        json: None,
        form: None,
        expect: std::collections::BTreeMap::new(),
        done: Vec::new(),
    }
}

/// What came of the job; `None` while it is under way.
fn outcome(job: &Job, answer: &Answer) -> Option<Result<(), Judgement>> {
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let state = json.pointer(&job.state)?.as_str()?;
    if job.failed.iter().any(|failed| failed == state) {
        return Some(Err(Judgement::new(Verdict::Retry, format!("job {state}"))));
    }
    if state != job.done {
        return None;
    }
    let results = json.pointer(&job.results).and_then(Value::as_array);
    let well = |result: &Value| result.pointer(&job.success) == Some(&Value::Bool(true));
    let all = results.is_some_and(|results| results.iter().all(well));
    Some(if all {
        Ok(())
    } else {
        Err(Judgement::new(Verdict::Narrow, "not_all_were_set"))
    })
}

fn text_at(answer: &Answer, pointer: &str) -> Option<String> {
    let json: Value = serde_json::from_slice(&answer.body).ok()?;
    match json.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
