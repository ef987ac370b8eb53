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
        let Some(id) = job.id.iter().find_map(|place| text_at(&answer, place)) else {
            return Err(Judgement::new(Verdict::Retry, "no job in the answer"));
        };
        let values = Values {
            job: &id,
            ..values.clone()
        };
        let asked = asking(job);
        let (mut answer, mut pause) = (answer, FIRST_PAUSE);
        loop {
            match outcome(job, &answer.body, values.agents.len()) {
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

/// What came of a job for so many agents; `None` while it is under way. One of whom it says nothing was
/// not set, for all that is known.
fn outcome(job: &Job, body: &[u8], agents: usize) -> Option<Result<(), Judgement>> {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let state = json.pointer(&job.state)?.as_str()?;
    if job.failed.iter().any(|failed| failed == state) {
        return Some(Err(Judgement::new(Verdict::Retry, format!("job {state}"))));
    }
    if state != job.done {
        return None;
    }
    let results = json.pointer(&job.results).and_then(Value::as_array);
    let error = |result: &Value| {
        let place = job.error.as_deref();
        place.map(|place| result.pointer(place).is_some_and(|error| !error.is_null()))
    };
    let well = |result: &Value| match result.pointer(&job.success) {
        Some(success) => *success == Value::Bool(true),
        None => error(result) == Some(false),
    };
    let all = results.is_some_and(|all| all.len() >= agents && all.iter().all(well));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_done_when_it_says_so_of_every_agent() {
        let job = Job {
            id: vec!["/id".to_owned()],
            path: "/jobs/{job}".to_owned(),
            state: "/status".to_owned(),
            done: "completed".to_owned(),
            failed: vec!["killed".to_owned()],
            results: "/results".to_owned(),
            success: "/success".to_owned(),
            error: Some("/error".to_owned()),
        };
        let rows = [
            (r#"{"status":"queued"}"#, None),
            (
                r#"{"status":"working","results":[{"success":false}]}"#,
                None,
            ),
            ("<html>", None),
            (r#"{"status":"killed"}"#, Some(Verdict::Retry)),
            (
                r#"{"status":"completed","results":[{"success":true},{"success":true}]}"#,
                Some(Verdict::Sent),
            ),
            (
                r#"{"status":"completed","results":[{"id":1},{"id":2,"error":null}]}"#,
                Some(Verdict::Sent),
            ),
            (
                r#"{"status":"completed","results":[{"id":1},{"id":2,"error":"gone"}]}"#,
                Some(Verdict::Narrow),
            ),
            (
                r#"{"status":"completed","results":[{"success":true},{"success":false}]}"#,
                Some(Verdict::Narrow),
            ),
            (
                r#"{"status":"completed","results":[{"success":true}]}"#,
                Some(Verdict::Narrow),
            ),
            (r#"{"status":"completed"}"#, Some(Verdict::Narrow)),
        ];
        for (body, expected) in rows {
            let found = outcome(&job, body.as_bytes(), 2);
            let found = found.map(|done| done.map_or_else(|j| j.verdict, |()| Verdict::Sent));
            assert_eq!(found, expected, "{body}");
        }
    }
}
