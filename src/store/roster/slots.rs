//! The weekly slots of imported agents: nine tenths of what an import writes.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::naming;
use crate::{
    domain::{
        agent::{Agent, Field},
        hours::{Slot, day_word},
    },
    store::{
        StoreError, Tx,
        columns::{list, table},
        facts::{SLOTS, stored_slots},
        sql::{run, statements},
    },
};

statements! {
    CLEAR_SLOTS = "DELETE FROM operating_hours WHERE agent_id {in_list}";
    PUT_SLOTS = "INSERT INTO operating_hours (agent_id, day, start_time, end_time)
                 SELECT id, day, start_time, end_time FROM {rows(id TEXT, day TEXT, start_time TEXT, end_time TEXT)}
                 WHERE TRUE ON CONFLICT DO NOTHING";
}

#[derive(Serialize)]
struct SlotRow<'a> {
    id: &'a str,
    day: String,
    start_time: String,
    end_time: String,
}

/// Day, start and end, as the columns spell them.
type Words = (String, String, String);

impl Tx {
    /// Writes the slots of those agents whose slots are others than before: most of what is imported
    /// every night is as it was, and writing it again would have every plan made afresh.
    pub(super) async fn put_slots(&mut self, agents: &[Agent]) -> Result<(), StoreError> {
        let rows: Vec<(String, String)> = run!(self, all SLOTS, naming(agents, Field::Hours))?;
        let stored: HashMap<String, String> = rows.into_iter().collect();
        let named = |a: &&Agent| a.named.contains(Field::Hours);
        let (mut cleared, mut slots) = (Vec::new(), Vec::new());
        for agent in agents.iter().filter(named) {
            let wanted: BTreeSet<_> = agent.hours.iter().copied().map(words).collect();
            let before: BTreeSet<_> = match stored.get(&agent.id) {
                Some(week) => stored_slots(week).map(owned).collect(),
                None => BTreeSet::new(),
            };
            if wanted == before {
                continue;
            }
            if !before.is_empty() {
                cleared.push(agent.id.as_str());
            }
            slots.extend(
                wanted
                    .into_iter()
                    .map(|(day, start_time, end_time)| SlotRow {
                        id: &agent.id,
                        day,
                        start_time,
                        end_time,
                    }),
            );
        }
        if !cleared.is_empty() {
            run!(self, execute CLEAR_SLOTS, list(cleared))?;
        }
        if !slots.is_empty() {
            run!(self, execute PUT_SLOTS, table(&slots))?;
        }
        Ok(())
    }
}

fn owned([day, start, end]: [&str; 3]) -> Words {
    (day.to_owned(), start.to_owned(), end.to_owned())
}

fn words(slot: Slot) -> Words {
    let day = day_word(slot.day).to_owned();
    (day, slot.start.to_string(), slot.end.to_string())
}
