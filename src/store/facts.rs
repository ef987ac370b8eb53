//! Reading who is due, with everything a trigger needs to decide.
//!
//! A batch costs ten statements however many agents it holds, three more where visitors matter to one of
//! them, and agents who are not due are never read. One corrupt row spoils its own agent only ([`Facts::schedule`] is a `Result`).

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp, civil};

use super::{
    StoreError, Tx,
    columns::{List, list},
    instant, ms,
    rows::{environment_of, id, push_channel, word},
    sql::{run, statements},
};
use crate::domain::{
    agent::Notify,
    alert,
    delivery::AlertKind,
    device::DeviceToken,
    hours::{Away, DaySlot, Override, Slot, day_from_word},
    plan::{Facts, PendingAlert, Phone, Recorded, Schedule},
    presence::Status,
};

statements! {
    DUE = "SELECT agent_id, workspace_id, status, accepts, sequence, evaluated_at, boundary_at, lead_at, stale_at,
               no_reply_at, dispatch_id
           FROM agent_state WHERE due_at <= $1 ORDER BY due_at LIMIT $2 {skip_locked}";
    HOLD_STATES = "SELECT agent_id FROM agent_state WHERE agent_id {in_list} ORDER BY agent_id {lock}";
    AGENTS = "SELECT id, workspace_id, timezone, locale, notify_start, notify_end, auto_offline_after_minutes, receive_when_invisible
              FROM agents WHERE id {in_list}";
    // A row an agent: a week has ten slots, and a row costs more than what is in it.
    SLOTS = "SELECT agent_id, string_agg(day || ' ' || start_time || ' ' || end_time, ',') FROM operating_hours
             WHERE agent_id {in_list} GROUP BY agent_id";
    OVERRIDES = "SELECT o.agent_id, o.date, s.start_time, s.end_time
                 FROM overrides o LEFT JOIN override_slots s ON s.agent_id = o.agent_id AND s.date = o.date
                 WHERE o.agent_id {in_list} ORDER BY o.agent_id, o.date";
    HOLIDAYS = "SELECT a.id, h.date FROM agents a JOIN holidays h ON h.workspace_id = a.workspace_id
                WHERE a.id {in_list}";
    AWAY = "SELECT agent_id, from_local, until_local FROM away WHERE agent_id {in_list}";
    PHONES = "SELECT agent_id, platform, token, environment FROM devices
              WHERE agent_id {in_list} AND state = 'active' ORDER BY platform, token";
    PENDING = "SELECT agent_id, id, kind, boundary_at, receiver FROM outbox WHERE agent_id {in_list} AND channel <> 'presence'";
}

pub(super) type Parts = HashMap<String, Result<Schedule, StoreError>>;

impl Tx {
    /// At most `limit` agents who are due at `now` (UTC), locked for this transaction. What their deliveries
    /// are in is taken apart: none of them is in a dispatch any more.
    pub async fn due_agents(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<Facts>, StoreError> {
        let (recorded, dispatches) = self.due_rows(now, limit).await?;
        self.unpack(&list(dispatches)).await?;
        if recorded.is_empty() {
            return Ok(Vec::new());
        }
        let ids = list(recorded.iter().map(|r| r.agent.as_str()));
        let mut parts = self.schedules(&ids).await?;
        Ok(recorded
            .into_iter()
            .map(|recorded| {
                let schedule = parts
                    .remove(&recorded.agent)
                    .transpose()
                    .map_err(|e| e.to_string());
                Facts { recorded, schedule }
            })
            .collect())
    }

    /// They, and the dispatches that they were in last.
    async fn due_rows(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<(Vec<Recorded>, BTreeSet<String>), StoreError> {
        type Row = (
            String,
            String,
            Option<String>,
            bool,
            i64,
            Option<i64>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
            Option<String>,
        );
        let rows: Vec<Row> = run!(self, all DUE, ms(now), limit)?;
        let mut dispatches = BTreeSet::new();
        let recorded = rows
            .into_iter()
            .map(
                |(
                    agent,
                    workspace,
                    status,
                    accepts,
                    sequence,
                    evaluated,
                    boundary,
                    lead,
                    stale,
                    no_reply,
                    dispatch,
                )| {
                    dispatches.extend(dispatch);
                    let at = |column, value: Option<i64>| {
                        value
                            .map(|v| instant("agent_state", column, &agent, v))
                            .transpose()
                    };
                    Ok(Recorded {
                        status: status
                            .map(|s| word("agent_state", "status", &agent, &s, Status::from_word))
                            .transpose()?,
                        evaluated_at: at("evaluated_at", evaluated)?,
                        boundary_at: at("boundary_at", boundary)?,
                        lead_at: at("lead_at", lead)?,
                        stale_at: at("stale_at", stale)?,
                        no_reply_at: at("no_reply_at", no_reply)?,
                        accepts,
                        sequence,
                        workspace,
                        agent,
                    })
                },
            )
            .collect::<Result<_, StoreError>>()?;
        Ok((recorded, dispatches))
    }

    /// Locks what was recorded of these agents, in the order in which everybody does who locks several.
    pub(super) async fn hold_states(&mut self, ids: &List) -> Result<(), StoreError> {
        let _: Vec<(String,)> = run!(self, all HOLD_STATES, ids)?;
        Ok(())
    }

    /// Everything a decision about these agents needs.
    pub(super) async fn schedules(&mut self, ids: &List) -> Result<Parts, StoreError> {
        let mut parts = self.written_hours(ids).await?;
        self.by_hand_of(ids, &mut parts).await?;
        self.leads_of(ids, &mut parts).await?;
        self.phones_and_pending(ids, &mut parts).await?;
        self.conversations_of(&mut parts).await?;
        Ok(parts)
    }

    /// These agents' settings and hours alone.
    pub(super) async fn written_hours(&mut self, ids: &List) -> Result<Parts, StoreError> {
        let agents: Vec<AgentRow> = run!(self, all AGENTS, ids)?;
        let mut parts: Parts = agents.into_iter().map(without_parts).collect();
        let slots: Vec<(String, String)> = run!(self, all SLOTS, ids)?;
        for (agent, week) in slots {
            add(&mut parts, &agent, |schedule| {
                let slots = stored_slots(&week).map(|slot| weekly_slot(&agent, slot));
                schedule.slots = slots.collect::<Result<_, StoreError>>()?;
                Ok(())
            });
        }
        let overrides: Vec<(String, String, Option<String>, Option<String>)> =
            run!(self, all OVERRIDES, ids)?;
        for (agent, date, start, end) in overrides {
            add(&mut parts, &agent, |schedule| {
                add_override(schedule, &agent, &date, start.zip(end))
            });
        }
        let holidays: Vec<(String, String)> = run!(self, all HOLIDAYS, ids)?;
        for (agent, date) in holidays {
            add(&mut parts, &agent, |schedule| {
                schedule
                    .holidays
                    .push(parse("holidays", "date", &date, &date)?);
                Ok(())
            });
        }
        let away: Vec<(String, String, String)> = run!(self, all AWAY, ids)?;
        for (agent, from, until) in away {
            add(&mut parts, &agent, |schedule| {
                let read =
                    |column, value: &str| parse::<civil::DateTime>("away", column, &agent, value);
                schedule.away.push(Away {
                    from: read("from_local", &from)?,
                    until: read("until_local", &until)?,
                });
                Ok(())
            });
        }
        Ok(parts)
    }

    async fn phones_and_pending(
        &mut self,
        ids: &List,
        parts: &mut Parts,
    ) -> Result<(), StoreError> {
        let phones: Vec<(String, String, String, String)> = run!(self, all PHONES, ids)?;
        for (agent, platform, token, environment) in phones {
            let channel = push_channel(&platform);
            add(parts, &agent, |schedule| {
                schedule.phones.push(Phone {
                    channel,
                    token: DeviceToken::new(token),
                    environment: environment_of(&environment),
                });
                Ok(())
            });
        }
        let pending: Vec<(String, String, String, i64, String)> = run!(self, all PENDING, ids)?;
        for (agent, row, kind, at, phone) in pending {
            add(parts, &agent, |schedule| {
                let delivery = id("outbox", &row)?;
                let kind = word("outbox", "kind", &row, &kind, AlertKind::from_word)?;
                let at = instant("outbox", "boundary_at", &row, at)?;
                let lead = (kind == AlertKind::HoursStartLead)
                    .then(|| alert::lead_of(delivery, &schedule.leads, &agent, at, &phone));
                schedule.pending.push(PendingAlert {
                    delivery,
                    kind,
                    at,
                    lead: lead.flatten(),
                });
                Ok(())
            });
        }
        Ok(())
    }
}

type AgentRow = (
    String,
    String,
    String,
    Option<String>,
    bool,
    bool,
    Option<i64>,
    bool,
);

/// An agent's own row; the other tables add to it.
fn without_parts(row: AgentRow) -> (String, Result<Schedule, StoreError>) {
    let (id, workspace, timezone, locale, start, end, minutes, receive_when_invisible) = row;
    let minutes = minutes.map(|minutes| {
        let (column, text) = ("auto_offline_after_minutes", minutes.to_string());
        word("agents", column, &id, &text, |m| m.parse::<u16>().ok())
    });
    let schedule = minutes.transpose().map(|minutes| Schedule {
        workspace,
        timezone,
        locale,
        notify: Notify { start, end },
        auto_offline_after: minutes.map(|minutes| SignedDuration::from_mins(minutes.into())),
        receive_when_invisible,
        ..Schedule::default()
    });
    (id, schedule)
}

/// Adds to an agent's schedule; what cannot be read spoils that schedule alone.
pub(super) fn add(
    parts: &mut Parts,
    agent: &str,
    put: impl FnOnce(&mut Schedule) -> Result<(), StoreError>,
) {
    if let Some(entry) = parts.get_mut(agent)
        && let Ok(schedule) = entry
        && let Err(error) = put(schedule)
    {
        *entry = Err(error);
    }
}

fn add_override(
    schedule: &mut Schedule,
    agent: &str,
    date: &str,
    times: Option<(String, String)>,
) -> Result<(), StoreError> {
    let date = parse("overrides", "date", agent, date)?;
    if schedule.overrides.last().is_none_or(|o| o.date != date) {
        schedule.overrides.push(Override {
            date,
            slots: Vec::new(),
        });
    }
    if let (Some((start, end)), Some(last)) = (times, schedule.overrides.last_mut()) {
        last.slots
            .push(day_slot("override_slots", agent, &start, &end)?);
    }
    Ok(())
}

/// The slots in a row of [`SLOTS`]: day, start and end of each, as they are stored.
pub(super) fn stored_slots(week: &str) -> impl Iterator<Item = [&str; 3]> {
    week.split(',').map(|slot| {
        let mut columns = slot.splitn(3, ' ');
        std::array::from_fn(|_| columns.next().unwrap_or_default())
    })
}

fn weekly_slot(agent: &str, [day, start, end]: [&str; 3]) -> Result<Slot, StoreError> {
    let DaySlot { start, end } = day_slot("operating_hours", agent, start, end)?;
    let day = word("operating_hours", "day", agent, day, day_from_word)?;
    Ok(Slot { day, start, end })
}

fn day_slot(
    table: &'static str,
    agent: &str,
    start: &str,
    end: &str,
) -> Result<DaySlot, StoreError> {
    Ok(DaySlot {
        start: parse(table, "start_time", agent, start)?,
        end: parse(table, "end_time", agent, end)?,
    })
}

/// Reads a date, a local time or both; the error names the agent whose row it is.
pub(super) fn parse<T: std::str::FromStr>(
    table: &'static str,
    column: &'static str,
    row: &str,
    value: &str,
) -> Result<T, StoreError> {
    word(table, column, row, value, |v| v.parse().ok())
}
