//! How long before their hours agents want to be told.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::naming;
use crate::{
    domain::{
        agent::{Agent, Field},
        lead::Lead,
    },
    store::{
        StoreError, Tx,
        columns::{List, list, table},
        facts::{Parts, add},
        rows::word,
        sql::{run, statements},
    },
};

statements! {
    LEADS = "SELECT agent_id, minutes, day_before FROM leads WHERE agent_id {in_list}
             ORDER BY agent_id, minutes, day_before";
    CLEAR_LEADS = "DELETE FROM leads WHERE agent_id {in_list}";
    PUT_LEADS = "INSERT INTO leads (agent_id, minutes, day_before)
                 SELECT id, minutes, day_before FROM {rows(id TEXT, minutes BIGINT, day_before TEXT)}
                 WHERE TRUE ON CONFLICT DO NOTHING";
}

#[derive(Serialize)]
struct LeadRow<'a> {
    id: &'a str,
    minutes: i64,
    day_before: String,
}

/// Agent, minutes (0 for none) and time of the day before (empty for none).
type Row = (String, i64, String);

impl Tx {
    /// Adds their leads to these agents' schedules.
    pub(in crate::store) async fn leads_of(
        &mut self,
        ids: &List,
        parts: &mut Parts,
    ) -> Result<(), StoreError> {
        let rows: Vec<Row> = run!(self, all LEADS, ids)?;
        for row in rows {
            add(parts, &row.0, |schedule| {
                schedule.leads.push(read(&row)?);
                Ok(())
            });
        }
        Ok(())
    }

    /// What these agents chose, as it stands.
    pub(in crate::store) async fn chosen_leads(
        &mut self,
        ids: &List,
    ) -> Result<HashMap<String, Vec<Lead>>, StoreError> {
        let mut chosen: HashMap<String, Vec<Lead>> = HashMap::new();
        let rows: Vec<Row> = run!(self, all LEADS, ids)?;
        for row in rows {
            let lead = read(&row)?;
            chosen.entry(row.0).or_default().push(lead);
        }
        Ok(chosen)
    }

    /// Writes the leads of those agents whose leads are others than before, as with slots.
    pub(super) async fn put_leads(&mut self, agents: &[Agent]) -> Result<(), StoreError> {
        let named = |a: &&Agent| a.named.contains(Field::Leads);
        if !agents.iter().any(|a| named(&a)) {
            return Ok(());
        }
        let mut stored = self.chosen_leads(&naming(agents, Field::Leads)).await?;
        let (mut cleared, mut leads) = (Vec::new(), Vec::new());
        for agent in agents.iter().filter(named) {
            let wanted: BTreeSet<Lead> = agent.leads.iter().copied().collect();
            let before = stored.remove(&agent.id).unwrap_or_default();
            if wanted == before.iter().copied().collect() {
                continue;
            }
            if !before.is_empty() {
                cleared.push(agent.id.as_str());
            }
            leads.extend(wanted.into_iter().map(|lead| row(&agent.id, lead)));
        }
        if !cleared.is_empty() {
            run!(self, execute CLEAR_LEADS, list(cleared))?;
        }
        if !leads.is_empty() {
            run!(self, execute PUT_LEADS, table(&leads))?;
        }
        Ok(())
    }
}

fn row(id: &str, lead: Lead) -> LeadRow<'_> {
    let (minutes, day_before) = match lead {
        Lead::Minutes(minutes) => (minutes.into(), String::new()),
        Lead::DayBefore(time) => (0, time.to_string()),
    };
    LeadRow {
        id,
        minutes,
        day_before,
    }
}

fn read((agent, minutes, day_before): &Row) -> Result<Lead, StoreError> {
    if day_before.is_empty() {
        let text = minutes.to_string();
        let minutes = word("leads", "minutes", agent, &text, |m| m.parse().ok());
        return minutes.map(Lead::Minutes);
    }
    let time = word("leads", "day_before", agent, day_before, |t| t.parse().ok());
    time.map(Lead::DayBefore)
}
