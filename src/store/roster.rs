//! Agents and workspaces as people write them: import (an upsert by id) and export.
//!
//! What a line names replaces what was there; what it does not name stays. A phone that is already
//! registered for the same agent keeps its registration and its state, so that importing the same
//! file every hour does not wake a token that Apple or Google declared dead.

pub(super) mod external;
pub(super) mod leads;
pub(super) mod slots;

use std::collections::HashMap;

use jiff::{Timestamp, civil::Date};
use serde::Serialize;

use super::{
    StoreError, Tx,
    columns::{List, list, table},
    ms,
    rows::word,
    sql::{run, statements},
};
use crate::domain::{
    agent::{Agent, Device, Field, Named, Notify, Workspace},
    device::{DeviceToken, Environment, Platform},
    hours::local_minute,
};

statements! {
    UPSERT_WORKSPACES = "INSERT INTO workspaces (id, name) SELECT id, name FROM {rows(id TEXT, name TEXT)} WHERE TRUE
                         ON CONFLICT (id) DO UPDATE SET name = excluded.name";
    ASK_INVISIBLE = "UPDATE workspaces SET ask_invisible_after_seconds = v.seconds FROM {rows(id TEXT, seconds BIGINT)}
                     WHERE workspaces.id = v.id";
    // Those that are there are looked at and not waited for, should somebody be editing them.
    KEEP_WORKSPACES = "INSERT INTO workspaces (id, name) SELECT DISTINCT workspace_id, workspace_id
                       FROM {rows(workspace_id TEXT)}
                       WHERE NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.id = v.workspace_id)
                       ON CONFLICT (id) DO NOTHING";
    CLEAR_HOLIDAYS = "DELETE FROM holidays WHERE workspace_id {in_list}";
    PUT_HOLIDAYS = "INSERT INTO holidays (workspace_id, date) SELECT id, date FROM {rows(id TEXT, date TEXT)}
                    WHERE TRUE ON CONFLICT DO NOTHING";
    STORED = "SELECT id, workspace_id, name, photo_url, timezone, locale, notify_start, notify_end,
                  auto_offline_after_minutes, receive_when_invisible FROM agents WHERE id {in_list} ORDER BY id";
    PAGE = "SELECT id FROM agents WHERE id > $1 ORDER BY id LIMIT $2";
    WORKSPACES = "SELECT w.id, w.name, w.ask_invisible_after_seconds, h.date
                  FROM workspaces w LEFT JOIN holidays h ON h.workspace_id = w.id ORDER BY w.id, h.date";
    DEVICES_OF = "SELECT agent_id, platform, token, environment FROM devices WHERE agent_id {in_list}
                  ORDER BY agent_id, platform, token";
    UPSERT_AGENTS = "INSERT INTO agents (id, workspace_id, name, photo_url, timezone, locale, notify_start, notify_end,
                         auto_offline_after_minutes, receive_when_invisible)
                     SELECT id, workspace_id, name, photo_url, timezone, locale, notify_start, notify_end,
                         auto_offline_after_minutes, receive_when_invisible
                     FROM {rows(id TEXT, workspace_id TEXT, name TEXT, photo_url TEXT, timezone TEXT, locale TEXT,
                         notify_start BOOLEAN, notify_end BOOLEAN, auto_offline_after_minutes BIGINT,
                         receive_when_invisible BOOLEAN)} WHERE TRUE
                     ON CONFLICT (id) DO UPDATE SET workspace_id = excluded.workspace_id, name = excluded.name,
                         photo_url = excluded.photo_url, timezone = excluded.timezone, locale = excluded.locale,
                         notify_start = excluded.notify_start, notify_end = excluded.notify_end,
                         auto_offline_after_minutes = excluded.auto_offline_after_minutes,
                         receive_when_invisible = excluded.receive_when_invisible";
    HOLD_AGENTS = "SELECT id FROM agents WHERE id {in_list} ORDER BY id {lock}";
    CLEAR_OVERRIDES = "DELETE FROM overrides WHERE agent_id {in_list}";
    PUT_OVERRIDES = "INSERT INTO overrides (agent_id, date) SELECT id, date FROM {rows(id TEXT, date TEXT)}
                     WHERE TRUE ON CONFLICT DO NOTHING";
    PUT_OVERRIDE_SLOTS = "INSERT INTO override_slots (agent_id, date, start_time, end_time)
                          SELECT id, date, start_time, end_time
                          FROM {rows(id TEXT, date TEXT, start_time TEXT, end_time TEXT)}
                          WHERE TRUE ON CONFLICT DO NOTHING";
    CLEAR_AWAY = "DELETE FROM away WHERE agent_id {in_list}";
    PUT_AWAY = "INSERT INTO away (agent_id, from_local, until_local) SELECT id, from_local, until_local
                FROM {rows(id TEXT, from_local TEXT, until_local TEXT)} WHERE TRUE ON CONFLICT DO NOTHING";
    DROP_SPELLINGS = "DELETE FROM devices WHERE (platform, token) IN (SELECT d.platform, d.token
                      FROM {rows(platform TEXT, token TEXT)} CROSS JOIN devices d
                      WHERE v.platform = 'ios' AND d.platform = 'ios' AND lower(d.token) = lower(v.token)
                        AND d.token <> v.token)";
    DROP_DEVICES = "DELETE FROM devices WHERE (platform, token) IN (SELECT v.platform, v.token
                    FROM {rows(platform TEXT, token TEXT)})";
    PUT_DEVICES = "INSERT INTO devices (platform, token, agent_id, environment, registered_at)
                   SELECT platform, token, agent_id, environment, registered_at
                   FROM {rows(platform TEXT, token TEXT, agent_id TEXT, environment TEXT, registered_at BIGINT)}
                   WHERE TRUE ON CONFLICT (platform, token) DO UPDATE SET agent_id = excluded.agent_id,
                       environment = excluded.environment, state = 'active', state_reason = NULL,
                       registered_at = excluded.registered_at
                   WHERE devices.agent_id <> excluded.agent_id OR devices.environment <> excluded.environment";
    DATE_EDIT = "UPDATE agent_state SET stale_at = v.stale_at FROM {rows(id TEXT, stale_at BIGINT)}
                 WHERE agent_state.agent_id = v.id AND agent_state.stale_at IS NOT NULL";
    COUNT_AGENTS = "SELECT count(*) FROM agents";
    REMOVE_AGENTS = "DELETE FROM agents WHERE id {in_list}";
}

/// What an import wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ImportCounts {
    /// Agents written.
    pub agents: usize,
    /// Workspaces written.
    pub workspaces: usize,
}

#[derive(Serialize, PartialEq)]
struct AgentRow<'a> {
    id: &'a str,
    workspace_id: &'a str,
    name: &'a str,
    photo_url: Option<&'a str>,
    timezone: &'a str,
    locale: Option<&'a str>,
    notify_start: bool,
    notify_end: bool,
    auto_offline_after_minutes: Option<u16>,
    receive_when_invisible: bool,
}

/// A child row of an agent or a workspace; absent columns are not read by its statement.
#[derive(Default, Serialize)]
struct Child<'a> {
    id: &'a str,
    name: Option<&'a str>,
    date: Option<Date>,
    start_time: Option<String>,
    end_time: Option<String>,
    from_local: Option<String>,
    until_local: Option<String>,
    stale_at: Option<i64>,
    seconds: Option<u32>,
}

/// A phone's token, however it is spelt.
#[derive(Serialize)]
pub(super) struct Spelling<'a> {
    pub(super) platform: &'a str,
    pub(super) token: &'a str,
}

#[derive(Serialize)]
struct DeviceRow<'a> {
    platform: &'static str,
    token: &'a str,
    agent_id: &'a str,
    environment: &'static str,
    registered_at: i64,
}

impl Tx {
    /// Writes workspaces: names, and holidays where the line named them.
    pub async fn put_workspaces(&mut self, workspaces: &[Workspace]) -> Result<(), StoreError> {
        let names: Vec<_> = workspaces
            .iter()
            .map(|w| Child {
                id: &w.id,
                name: Some(&w.name),
                ..Child::default()
            })
            .collect();
        run!(self, execute UPSERT_WORKSPACES, table(&names))?;
        let with_holidays = || {
            workspaces
                .iter()
                .filter_map(|w| w.holidays.as_ref().map(|h| (w, h)))
        };
        run!(self, execute CLEAR_HOLIDAYS, list(with_holidays().map(|(w, _)| w.id.as_str())))?;
        let holidays: Vec<_> = with_holidays()
            .flat_map(|(w, dates)| {
                dates.iter().map(|&date| Child {
                    id: &w.id,
                    date: Some(date),
                    ..Child::default()
                })
            })
            .collect();
        run!(self, execute PUT_HOLIDAYS, table(&holidays))?;
        let waits = workspaces.iter().filter_map(|w| {
            Some(Child {
                id: &w.id,
                seconds: w.ask_invisible?.seconds(),
                ..Child::default()
            })
        });
        let waits: Vec<Child<'_>> = waits.collect();
        if !waits.is_empty() {
            run!(self, execute ASK_INVISIBLE, table(&waits))?;
        }
        Ok(())
    }

    /// Writes one chunk of agents: what each names replaces what was there. `now` (UTC) dates the
    /// edit and new registrations. Of several chunks in one transaction, a later one has greater ids.
    pub async fn put_agents(&mut self, agents: &[Agent], now: Timestamp) -> Result<(), StoreError> {
        let ids = list(agents.iter().map(|a| a.id.as_str()));
        let _: Vec<(String,)> = run!(self, all HOLD_AGENTS, &ids)?;
        self.hold_states(&ids).await?;
        let stored: HashMap<String, Agent> = self
            .profiles(&ids)
            .await?
            .into_iter()
            .map(|a| (a.id.clone(), a))
            .collect();
        let rows: Vec<_> = agents
            .iter()
            .map(|a| agent_row(a, stored.get(&a.id)))
            .collect();
        run!(self, execute KEEP_WORKSPACES, table(&rows))?;
        let as_stored = |row: &AgentRow| {
            stored
                .get(row.id)
                .is_some_and(|s| *row == agent_row(s, None))
        };
        let changed: Vec<_> = rows.into_iter().filter(|row| !as_stored(row)).collect();
        run!(self, execute UPSERT_AGENTS, table(&changed))?;
        self.put_slots(agents).await?;
        self.put_exceptions(agents).await?;
        self.put_leads(agents).await?;
        self.put_devices(agents, now).await?;
        self.put_external_ids(agents).await?;
        let edits: Vec<_> = agents
            .iter()
            .map(|a| Child {
                id: &a.id,
                stale_at: Some(ms(now)),
                ..Child::default()
            })
            .collect();
        run!(self, execute DATE_EDIT, table(&edits))?;
        Ok(())
    }

    async fn put_exceptions(&mut self, agents: &[Agent]) -> Result<(), StoreError> {
        run!(self, execute CLEAR_OVERRIDES, naming(agents, Field::Overrides))?;
        let mut dates = Vec::new();
        let mut slots = Vec::new();
        for (agent, over) in agents
            .iter()
            .flat_map(|a| a.overrides.iter().map(move |o| (a, o)))
        {
            dates.push(Child {
                id: &agent.id,
                date: Some(over.date),
                ..Child::default()
            });
            slots.extend(over.slots.iter().map(|s| Child {
                id: &agent.id,
                date: Some(over.date),
                start_time: Some(s.start.to_string()),
                end_time: Some(s.end.to_string()),
                ..Child::default()
            }));
        }
        if !dates.is_empty() {
            run!(self, execute PUT_OVERRIDES, table(&dates))?;
            run!(self, execute PUT_OVERRIDE_SLOTS, table(&slots))?;
        }
        run!(self, execute CLEAR_AWAY, naming(agents, Field::Away))?;
        let away: Vec<_> = agents
            .iter()
            .flat_map(|a| {
                a.away.iter().map(|s| Child {
                    id: &a.id,
                    from_local: Some(local_minute(s.from)),
                    until_local: Some(local_minute(s.until)),
                    ..Child::default()
                })
            })
            .collect();
        if !away.is_empty() {
            run!(self, execute PUT_AWAY, table(&away))?;
        }
        Ok(())
    }

    async fn put_devices(&mut self, agents: &[Agent], now: Timestamp) -> Result<(), StoreError> {
        let rows: Vec<_> = agents
            .iter()
            .flat_map(|a| a.devices.iter().map(|d| device_row(&a.id, d, now)))
            .collect();
        let keep: std::collections::HashSet<_> =
            rows.iter().map(|r| (r.platform, r.token)).collect();
        let stored: Vec<(String, String, String, String)> =
            run!(self, all DEVICES_OF, naming(agents, Field::Devices))?;
        let gone: Vec<_> = stored
            .iter()
            .filter(|(_, platform, token, _)| !keep.contains(&(platform.as_str(), token.as_str())))
            .map(|(_, platform, token, _)| Spelling { platform, token })
            .collect();
        if !gone.is_empty() {
            run!(self, execute DROP_DEVICES, table(&gone))?;
        }
        if !rows.is_empty() {
            let rows = table(&rows);
            run!(self, execute DROP_SPELLINGS, &rows)?;
            run!(self, execute PUT_DEVICES, &rows)?;
        }
        Ok(())
    }

    /// All workspaces, by id.
    pub async fn workspaces(&mut self) -> Result<Vec<Workspace>, StoreError> {
        super::directory::gathered(run!(self, all WORKSPACES)?)
    }

    /// At most `limit` agents with ids after `after`, by id.
    pub async fn agents_after(
        &mut self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Agent>, StoreError> {
        let ids: Vec<(String,)> = run!(self, all PAGE, after, limit)?;
        self.agents(ids.iter().map(|(id,)| id.as_str())).await
    }

    /// These agents, whole; unknown ids are left out.
    pub async fn agents<'a>(
        &mut self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Agent>, StoreError> {
        let ids = list(ids);
        let mut agents = self.profiles(&ids).await?;
        let mut schedules = self.written_hours(&ids).await?;
        self.leads_of(&ids, &mut schedules).await?;
        let mut devices: HashMap<String, Vec<Device>> = HashMap::new();
        let mut external = self.external_of(&ids).await?;
        let rows: Vec<(String, String, String, String)> = run!(self, all DEVICES_OF, ids)?;
        for (agent, platform, token, environment) in rows {
            devices.entry(agent).or_default().push(Device {
                platform: if platform == "ios" {
                    Platform::Ios
                } else {
                    Platform::Android
                },
                token: DeviceToken::new(token),
                environment: if environment == "sandbox" {
                    Environment::Sandbox
                } else {
                    Environment::Production
                },
            });
        }
        for agent in &mut agents {
            if let Some(schedule) = schedules.remove(&agent.id).transpose()? {
                agent.hours = schedule.slots;
                agent
                    .hours
                    .sort_by_key(|s| (s.day.to_monday_zero_offset(), s.start));
                agent.overrides = schedule.overrides;
                agent.away = schedule.away;
                agent.leads = schedule.leads;
                agent.leads.sort_unstable();
            }
            agent.devices = devices.remove(&agent.id).unwrap_or_default();
            agent.external = external.remove(&agent.id).unwrap_or_default();
        }
        Ok(agents)
    }

    /// Agents' own columns, without hours and phones.
    async fn profiles(&mut self, ids: &List) -> Result<Vec<Agent>, StoreError> {
        type Row = (
            String,
            String,
            String,
            Option<String>,
            String,
            Option<String>,
            bool,
            bool,
            Option<i64>,
            bool,
        );
        let rows: Vec<Row> = run!(self, all STORED, ids)?;
        rows.into_iter()
            .map(
                |(
                    id,
                    workspace,
                    name,
                    photo_url,
                    timezone,
                    locale,
                    start,
                    end,
                    minutes,
                    invisible,
                )| {
                    let minutes = minutes
                        .map(|m| {
                            word(
                                "agents",
                                "auto_offline_after_minutes",
                                &id,
                                &m.to_string(),
                                |v| v.parse().ok(),
                            )
                        })
                        .transpose()?;
                    Ok(Agent {
                        photo_url,
                        locale,
                        notify: Notify { start, end },
                        auto_offline_after_minutes: minutes,
                        receive_when_invisible: invisible,
                        named: Named::ALL,
                        ..Agent::new(id, workspace, name, timezone)
                    })
                },
            )
            .collect()
    }

    /// How many agents there are.
    pub async fn count_agents(&mut self) -> Result<i64, StoreError> {
        let (count,): (i64,) = run!(self, one COUNT_AGENTS)?;
        Ok(count)
    }

    /// Removes agents; the next scan posts them offline and cancels what is pending.
    pub async fn remove_agents<'a>(
        &mut self,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<u64, StoreError> {
        run!(self, execute REMOVE_AGENTS, list(ids))
    }
}

fn naming(agents: &[Agent], field: Field) -> List {
    list(
        agents
            .iter()
            .filter(|a| a.named.contains(field))
            .map(|a| a.id.as_str()),
    )
}

fn agent_row<'a>(agent: &'a Agent, stored: Option<&'a Agent>) -> AgentRow<'a> {
    // An unnamed field keeps what is stored; a new agent gets the default.
    let from = |field| {
        if agent.named.contains(field) {
            agent
        } else {
            stored.unwrap_or(agent)
        }
    };
    let notify = from(Field::Notify).notify;
    AgentRow {
        id: &agent.id,
        workspace_id: &agent.workspace,
        name: &agent.name,
        photo_url: from(Field::PhotoUrl).photo_url.as_deref(),
        timezone: &agent.timezone,
        locale: from(Field::Locale).locale.as_deref(),
        notify_start: notify.start,
        notify_end: notify.end,
        auto_offline_after_minutes: from(Field::AutoOffline).auto_offline_after_minutes,
        receive_when_invisible: from(Field::ReceiveWhenInvisible).receive_when_invisible,
    }
}

fn device_row<'a>(agent: &'a str, device: &'a Device, now: Timestamp) -> DeviceRow<'a> {
    DeviceRow {
        platform: device.platform.as_str(),
        token: device.token.expose(),
        agent_id: agent,
        environment: device.environment.as_str(),
        registered_at: ms(now),
    }
}
