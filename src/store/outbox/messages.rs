//! What leases are about, as it stands when it is sent.

use std::collections::HashMap;

use jiff::{Timestamp, tz::TimeZone};
use uuid::Uuid;

use super::claim::Claimed;
use crate::{
    domain::{
        agent::Notify,
        alert,
        delivery::AlertKind,
        device::{DeviceToken, Environment},
        lead::Lead,
        plan::{Phone, Schedule},
        presence::{Change, Event, Mode, Reason, Status},
    },
    store::{
        About, StoreError, Tx,
        columns::{List, list},
        instant,
        rows::{environment_of, id, push_channel, word},
        sql::{run, statements},
    },
};

statements! {
    PUSHES = "SELECT a.id, a.timezone, a.locale, a.notify_start, a.notify_end, a.auto_offline_after_minutes, v.platform, v.token, v.environment
              FROM agents a LEFT JOIN devices v ON v.agent_id = a.id AND v.state = 'active'
              WHERE a.id {in_list}";
    EVENTS = "SELECT id, workspace_id, effective_at, sequence, agent_id, status, accepts, reason, mode
              FROM transitions WHERE id {in_list}";
}

/// What a push is made of, as it stands at sending time.
#[derive(Debug, Clone)]
pub struct PushFacts {
    /// The phone.
    pub token: DeviceToken,
    /// Which of Apple's hosts knows it.
    pub environment: Environment,
    /// What it is about.
    pub event: AlertKind,
    /// The agent.
    pub agent: String,
    /// The agent's zone, an IANA name.
    pub timezone: String,
    /// The agent's language.
    pub locale: Option<String>,
    /// The transition that called for it.
    pub transition: Uuid,
    /// The boundary, UTC.
    pub at: Timestamp,
    /// When this shift ends, or the next starts, UTC.
    pub counterpart: Option<Timestamp>,
    /// How many minutes the agent may leave a visitor without a reply, if it is about that.
    pub minutes: i64,
    /// The lead it is of, if it comes before the boundary.
    pub lead: Option<Lead>,
}

impl PushFacts {
    /// Those of a lease that was recorded of this schedule in the transaction that read it; `Err` says why
    /// it must not ring.
    pub fn of(
        claimed: &Claimed,
        schedule: &Schedule,
    ) -> Result<Result<Self, &'static str>, StoreError> {
        let profile = Profile {
            timezone: schedule.timezone.clone(),
            locale: schedule.locale.clone(),
            notify: schedule.notify,
            minutes: schedule.auto_offline_after.map(|after| after.as_mins()),
            leads: schedule.leads.clone(),
            phones: schedule.phones.clone(),
        };
        push(claimed, Some(&profile))
    }

    /// The instant (UTC) from which lateness counts: the boundary, or the lead that announces it on the
    /// clock of `zone`.
    pub fn since(&self, zone: &TimeZone) -> Timestamp {
        let lead = self.lead.and_then(|lead| lead.instant(self.at, zone));
        lead.unwrap_or(self.at)
    }
}

/// An agent as it stands when its phones are to ring.
#[derive(Debug)]
struct Profile {
    timezone: String,
    locale: Option<String>,
    notify: Notify,
    /// How many minutes the agent may leave a visitor without a reply.
    minutes: Option<i64>,
    /// How long before hours start they ring as well; read only if one of the leases is of that.
    leads: Vec<Lead>,
    /// The active ones.
    phones: Vec<Phone>,
}

impl Tx {
    /// The pushes of these leases as they stand now, in the same order; `Err` says why one must not
    /// ring any more.
    pub async fn pushes(
        &mut self,
        claimed: &[Claimed],
    ) -> Result<Vec<Result<PushFacts, &'static str>>, StoreError> {
        let agents = claimed.iter().filter_map(|c| c.about.agent.as_deref());
        let mut profiles = self.profiles_of(list(agents)).await?;
        let kind = AlertKind::HoursStartLead.as_str();
        let ahead = claimed.iter().filter(|c| c.about.kind == kind);
        let ahead: Vec<&str> = ahead.filter_map(|c| c.about.agent.as_deref()).collect();
        if !ahead.is_empty() {
            for (agent, leads) in self.chosen_leads(&list(ahead)).await? {
                profiles.entry(agent).and_modify(|p| p.leads = leads);
            }
        }
        let profile = |c: &Claimed| profiles.get(c.about.agent.as_deref()?);
        claimed.iter().map(|c| push(c, profile(c))).collect()
    }

    async fn profiles_of(&mut self, ids: List) -> Result<HashMap<String, Profile>, StoreError> {
        type Row = (
            String,
            String,
            Option<String>,
            bool,
            bool,
            Option<i64>,
            Option<String>,
            Option<String>,
            Option<String>,
        );
        let rows: Vec<Row> = run!(self, all PUSHES, ids)?;
        let mut profiles: HashMap<String, Profile> = HashMap::with_capacity(rows.len());
        for (agent, timezone, locale, start, end, minutes, platform, token, environment) in rows {
            let profile = profiles.entry(agent).or_insert_with(|| Profile {
                timezone,
                locale,
                notify: Notify { start, end },
                minutes,
                leads: Vec::new(),
                phones: Vec::new(),
            });
            if let (Some(platform), Some(token), Some(environment)) = (platform, token, environment)
            {
                profile.phones.push(Phone {
                    channel: push_channel(&platform),
                    token: DeviceToken::new(token),
                    environment: environment_of(&environment),
                });
            }
        }
        Ok(profiles)
    }

    /// The presence events of these leases, in the same order; with the agents' ids in the product
    /// `named_in`, where there is one.
    pub async fn events(
        &mut self,
        claimed: &[Claimed],
        named_in: Option<&str>,
    ) -> Result<Vec<Event>, StoreError> {
        type Row = (
            String,
            String,
            i64,
            i64,
            Option<String>,
            Option<String>,
            bool,
            String,
            Option<String>,
        );
        let transitions = list(claimed.iter().map(|c| c.about.transition.as_str()));
        let rows: Vec<Row> = run!(self, all EVENTS, transitions)?;
        let mut found = HashMap::with_capacity(rows.len());
        for (key, workspace, effective_at, sequence, agent, status, accepts, reason, mode) in rows {
            let missing = |_: &str| None;
            let change = match (agent, mode) {
                (Some(agent), _) => Change::Agent {
                    status: word(
                        "transitions",
                        "status",
                        &key,
                        status.as_deref().unwrap_or(""),
                        Status::from_word,
                    )?,
                    accepts_conversations: accepts,
                    reason: word("transitions", "reason", &key, &reason, Reason::from_word)?,
                    agent,
                    external: None,
                },
                (None, Some(mode)) => Change::Workspace {
                    mode: word("transitions", "mode", &key, &mode, Mode::from_word)?,
                },
                (None, None) => return word("transitions", "mode", &key, "", missing),
            };
            let effective_at = instant("transitions", "effective_at", &key, effective_at)?;
            found.insert(key, (workspace, effective_at, sequence, change));
        }
        if let Some(product) = named_in {
            self.name_agents(product, &mut found).await?;
        }
        claimed
            .iter()
            .map(|c| {
                let (workspace, effective_at, sequence, change) = found
                    .remove(&c.about.transition)
                    .ok_or_else(|| StoreError::Corrupt {
                        table: "outbox",
                        column: "transition_id",
                        row: c.id.to_string(),
                        problem: "its transition is gone".into(),
                    })?;
                Ok(Event {
                    id: c.id,
                    workspace,
                    effective_at,
                    sequence,
                    change,
                })
            })
            .collect()
    }
}

/// What a transition tells: workspace, instant (UTC), sequence, change.
type Told = (String, Timestamp, i64, Change);

impl Tx {
    /// Adds the agents' ids in `product` to what is told of them.
    async fn name_agents(
        &mut self,
        product: &str,
        told: &mut HashMap<String, Told>,
    ) -> Result<(), StoreError> {
        let agents = told.values().filter_map(|(.., change)| match change {
            Change::Agent { agent, .. } => Some(agent.as_str()),
            Change::Workspace { .. } => None,
        });
        let mut ids = self.external_ids(product, agents).await?;
        for (.., change) in told.values_mut() {
            if let Change::Agent {
                agent, external, ..
            } = change
            {
                *external = ids.remove(agent);
            }
        }
        Ok(())
    }
}

impl Profile {
    /// The lead of which this lease is, if the agent still has it.
    fn lead(&self, lease: &Claimed) -> Option<Lead> {
        let agent = lease.about.agent.as_deref()?;
        let (start, phone) = (lease.about.boundary?, lease.receiver.expose());
        alert::lead_of(lease.id, &self.leads, agent, start, phone)
    }

    /// Where the phone of this lease is reached, or why it must not ring any more.
    fn phone(&self, lease: &Claimed, event: AlertKind) -> Result<Environment, &'static str> {
        // Whoever may let visitors wait for ever is told of none.
        let told = event != AlertKind::NoReply || self.minutes.is_some();
        let chosen = event != AlertKind::HoursStartLead || self.lead(lease).is_some();
        let wanted = self.notify.wants(event) && told && chosen;
        let mut phones = self.phones.iter();
        let same = |phone: &&Phone| {
            phone.channel == lease.channel && phone.token.expose() == lease.receiver.expose()
        };
        match phones.find(same) {
            _ if !wanted => Err("opted_out"),
            None => Err("phone_gone"),
            Some(phone) => Ok(phone.environment),
        }
    }
}

/// What a lease is to ring with, or why it must not.
fn push(
    claimed: &Claimed,
    profile: Option<&Profile>,
) -> Result<Result<PushFacts, &'static str>, StoreError> {
    let row = claimed.id.to_string();
    let missing = |column| StoreError::Corrupt {
        table: "outbox",
        column,
        row: row.clone(),
        problem: "an alert has none".into(),
    };
    let About {
        transition,
        agent,
        kind,
        boundary,
    } = &claimed.about;
    let event = word("outbox", "kind", &row, kind, AlertKind::from_word)?;
    let agent = agent.as_ref().ok_or_else(|| missing("agent_id"))?;
    let Some(profile) = profile else {
        return Ok(Err("agent_removed"));
    };
    let environment = match profile.phone(claimed, event) {
        Ok(environment) => environment,
        Err(reason) => return Ok(Err(reason)),
    };
    Ok(Ok(PushFacts {
        token: claimed.receiver.clone(),
        environment,
        event,
        agent: agent.clone(),
        timezone: profile.timezone.clone(),
        locale: profile.locale.clone(),
        transition: id("transitions", transition)?,
        at: boundary.ok_or_else(|| missing("boundary_at"))?,
        counterpart: claimed.counterpart,
        minutes: profile.minutes.unwrap_or_default(),
        lead: profile.lead(claimed),
    }))
}
