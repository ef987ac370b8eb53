//! The rows of a story, read into what [`crate::domain::explain`] knows them as.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    ALERTS_OF, CHANGES_AFTER, CHANGES_UNTIL, EVENT_OF, EXPLAIN_STATE, FIRST_CHANGE, LEADS_AROUND,
    Question, SILENCED, THESE_RECORDED,
};
use crate::{
    domain::{
        delivery::AlertKind,
        explain::{Attempt, Delivery, Facts, Phone, State, Transition},
        hours::BoundaryKind,
        presence::Status,
    },
    store::{
        AttemptRow, DeliveryRow, LAST_EVALUATION, PhoneRow, StoreError, Tx,
        columns::list,
        instant,
        log::fingerprint,
        ms,
        rows::{push_channel, word},
        sql::run,
    },
};

/// How long after its boundary an alert may have been recorded: the scan looks back no further.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(31 * 24 + 1);
/// How long before: a lead is a week at most, and the clock may have run ahead by a day.
const AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);

type Row = (
    String,
    String,
    String,
    Option<String>,
    bool,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    i64,
    i64,
    bool,
);

/// Workspace, last look, edit since, problem.
type Known = (String, Option<i64>, Option<i64>, Option<String>);

impl Tx {
    /// The agent itself: schedule, phones, and what the worker made of it last.
    pub(super) async fn explained(
        &mut self,
        question: Question<'_>,
    ) -> Result<Option<Facts>, StoreError> {
        let agent = question.agent;
        let known: Option<Known> = run!(self, optional EXPLAIN_STATE, agent)?;
        let schedule = self
            .schedules(&list([agent]))
            .await?
            .remove(agent)
            .transpose();
        let schedule = schedule.map_err(|error| error.to_string());
        let present = self.workspace_of(agent).await?;
        let (last, state) = match known {
            Some(known) => {
                let (workspace, state) = read_state(agent, known)?;
                (Some(workspace), state)
            }
            None => (None, State::default()),
        };
        let Some(workspace) = present.or(last) else {
            return Ok(None);
        };
        Ok(Some(Facts {
            agent: agent.to_owned(),
            workspace,
            at: question.at,
            schedule,
            state,
            last_look: self.last_look().await?,
            first_recorded: self.first_recorded(question).await?,
            transitions: Vec::new(),
            deliveries: Vec::new(),
            phones: self.told_phones(agent).await?,
        }))
    }

    async fn last_look(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let kept = self.meta(LAST_EVALUATION).await?;
        let last = kept.and_then(|kept| kept.parse().ok());
        let read = |last| instant("meta", "value", LAST_EVALUATION, last);
        last.map(read).transpose()
    }

    async fn first_recorded(
        &mut self,
        question: Question<'_>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let first: Option<(String, i64)> = run!(self, optional FIRST_CHANGE, question.agent)?;
        let first = first.filter(|(workspace, _)| question.sees(workspace));
        let read = |(_, at)| instant("transitions", "recorded_at", question.agent, at);
        first.map(read).transpose()
    }

    async fn told_phones(&mut self, agent: &str) -> Result<Vec<Phone>, StoreError> {
        let silenced: Vec<(String, i64)> = run!(self, all SILENCED, agent)?;
        let mut since = HashMap::with_capacity(silenced.len());
        for (token, at) in silenced {
            since.insert(
                fingerprint(&token),
                instant("deliveries", "settled_at", agent, at)?,
            );
        }
        let phones = self.phones(agent).await?.into_iter();
        let told = phones.map(|phone: PhoneRow| Phone {
            channel: push_channel(&phone.platform),
            since: since.remove(&phone.fingerprint),
            fingerprint: phone.fingerprint,
            state: phone.state,
            reason: phone.state_reason,
            registered_at: phone.registered_at,
        });
        Ok(told.collect())
    }

    /// The changes of status around `until` (UTC), oldest first.
    pub(super) async fn changes(
        &mut self,
        question: Question<'_>,
        until: Timestamp,
    ) -> Result<Vec<Transition>, StoreError> {
        let agent = question.agent;
        let mut rows: Vec<Row> = run!(self, all CHANGES_UNTIL, agent, ms(until))?;
        let newest = rows.first().and_then(|row| row.7).unwrap_or(0);
        rows.reverse();
        let after: Vec<Row> = run!(self, all CHANGES_AFTER, agent, newest)?;
        rows.extend(after);
        read_all(question, rows)
    }

    /// Adds what was recorded under these ids.
    pub(super) async fn add_recorded(
        &mut self,
        question: Question<'_>,
        facts: &mut Facts,
        ids: &[String],
    ) -> Result<(), StoreError> {
        let ids = ids.iter().map(String::as_str);
        let known = |id: &&str| !facts.transitions.iter().any(|t| t.id == *id);
        let ids: Vec<&str> = ids.filter(known).collect();
        let rows: Vec<Row> = run!(self, all THESE_RECORDED, list(ids), question.agent)?;
        facts.transitions.extend(read_all(question, rows)?);
        facts
            .transitions
            .sort_by_key(|t| (t.effective_at, t.sequence));
        Ok(())
    }

    /// Adds the leads that called for alerts around the minute from `from` (UTC) on and announced hours that
    /// were to start after it, whatever leads and hours the agent has now.
    pub(super) async fn add_leads(
        &mut self,
        question: Question<'_>,
        facts: &mut Facts,
        from: Timestamp,
    ) -> Result<(), StoreError> {
        let around = |by| ms(from.saturating_add(by).unwrap_or(from));
        let callers: Vec<(String,)> = run!(
            self, all LEADS_AROUND, question.agent, ms(from), around(AHEAD), around(-AHEAD), around(LOOK_BACK)
        )?;
        let callers: Vec<String> = callers.into_iter().map(|(id,)| id).collect();
        self.add_recorded(question, facts, &callers).await
    }

    /// The alerts about instants from `from` until before `until` (UTC).
    pub(super) async fn alerts_of(
        &mut self,
        question: Question<'_>,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Delivery>, StoreError> {
        let around = |at: Timestamp, by| at.saturating_add(by).unwrap_or(at);
        let (first, last) = (around(from, -AHEAD), around(until, LOOK_BACK));
        let ids: Vec<(String,)> = run!(
            self, all ALERTS_OF, question.agent, ms(from), ms(until), ms(first), ms(last)
        )?;
        self.told_deliveries(question, ids).await
    }

    /// Adds the events of what changed at `at` (UTC).
    pub(super) async fn add_events(
        &mut self,
        question: Question<'_>,
        facts: &mut Facts,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let receiver = format!("agent:{}", question.agent);
        let of_it = |t: &&Transition| {
            t.effective_at == at || t.boundary.is_some_and(|(_, boundary)| boundary == at)
        };
        let changes = facts.transitions.iter().filter(of_it);
        let sequences: Vec<i64> = changes.filter_map(|t| t.sequence).collect();
        for sequence in sequences {
            let ids: Vec<(String,)> = run!(self, all EVENT_OF, &receiver, sequence)?;
            facts
                .deliveries
                .extend(self.told_deliveries(question, ids).await?);
        }
        Ok(())
    }

    async fn told_deliveries(
        &mut self,
        question: Question<'_>,
        ids: Vec<(String,)>,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut told = Vec::with_capacity(ids.len());
        for (id,) in ids {
            let Some(row) = self.delivery(&id).await? else {
                continue;
            };
            if question.sees(&row.workspace) {
                let attempts = self.attempts(&id).await?;
                told.push(told_delivery(row, attempts));
            }
        }
        told.sort_by_key(|delivery: &Delivery| delivery.created_at);
        Ok(told)
    }
}

fn read_state(agent: &str, known: Known) -> Result<(String, State), StoreError> {
    let (workspace, looked, edited, problem) = known;
    let at = |column, value: Option<i64>| {
        let read = value.map(|value| instant("agent_state", column, agent, value));
        read.transpose()
    };
    let state = State {
        evaluated_at: at("evaluated_at", looked)?,
        stale_at: at("stale_at", edited)?,
        problem,
    };
    Ok((workspace, state))
}

fn told_delivery(row: DeliveryRow, attempts: Vec<AttemptRow>) -> Delivery {
    let attempts = attempts.into_iter().map(|attempt| Attempt {
        delivery: row.id.clone(),
        epoch: attempt.epoch,
        worker: attempt.worker,
        started_at: attempt.started_at,
        finished_at: attempt.finished_at,
        outcome: attempt.outcome,
        late: attempt.late,
        http_status: attempt.http_status,
        reason: attempt.reason,
        retry_at: attempt.retry_at,
    });
    Delivery {
        attempts: attempts.collect(),
        id: row.id,
        transition: row.transition,
        channel: row.channel,
        kind: row.kind,
        receiver: row.receiver,
        state: row.state,
        reason: row.reason,
        boundary: row.boundary,
        sequence: row.sequence,
        created_at: row.created_at,
        due_at: row.due_at,
        deadline: row.deadline,
        settled_at: row.settled_at,
    }
}

fn read_all(question: Question<'_>, rows: Vec<Row>) -> Result<Vec<Transition>, StoreError> {
    let seen = rows.into_iter().filter(|row| question.sees(&row.1));
    seen.map(read).collect()
}

fn read(row: Row) -> Result<Transition, StoreError> {
    let (
        id,
        _,
        reason,
        status,
        accepts,
        cause,
        waiting_since,
        sequence,
        kind,
        boundary,
        effective,
        recorded,
        missed,
    ) = row;
    let at = |column, value| instant("transitions", column, &id, value);
    let status = status.map(|s| word("transitions", "status", &id, &s, Status::from_word));
    let kind = kind.map(|k| {
        word(
            "transitions",
            "boundary_kind",
            &id,
            &k,
            BoundaryKind::from_word,
        )
    });
    let boundary = boundary.map(|value| at("boundary_at", value));
    let boundary = kind.transpose()?.zip(boundary.transpose()?);
    let ahead = reason == AlertKind::HoursStartLead.as_str();
    Ok(Transition {
        status: status.transpose()?,
        accepts_conversations: accepts,
        cause,
        waiting_since: waiting_since
            .map(|value| at("waiting_since", value))
            .transpose()?,
        boundary: boundary.filter(|_| !ahead),
        announces: boundary.filter(|_| ahead).map(|(_, start)| start),
        effective_at: at("effective_at", effective)?,
        recorded_at: at("recorded_at", recorded)?,
        reason,
        sequence,
        missed,
        id,
    })
}
