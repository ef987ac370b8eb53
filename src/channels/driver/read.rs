//! Statuses read back from the product.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde_json::Value;

use super::Driver;
use crate::{
    channels::answer::Answer,
    domain::{
        delivery::{Judgement, Verdict},
        driver::{Read, Request, fill::Values},
    },
};

/// Pages of one list, at most: a product that always has one more is not read for ever.
const MOST_PAGES: usize = 1000;
/// Agents in a row who cannot be read, after whom nobody else is asked for.
const IN_VAIN: usize = 3;

/// What came of reading.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// What the product shows, as its own words, by the agent's id there; whom it does not know is left
    /// out.
    pub shown: HashMap<String, Value>,
    /// Of whom it could not be read now.
    pub unread: HashSet<String>,
    /// How many requests it took.
    pub asked: usize,
    /// Why it ended before everybody was read, if it did.
    pub failed: Option<Judgement>,
}

impl Reading {
    /// Whether it says nothing of an agent (the id there) who is not shown: not even that nobody is known
    /// by that id.
    pub fn is_without(&self, id: &str) -> bool {
        self.failed.is_some() || self.unread.contains(id)
    }
}

impl Driver {
    /// How many agents one request reads; 0 if the product tells no status.
    pub fn reads(&self) -> usize {
        match &self.description.read {
            None => 0,
            Some(read) if read.items.is_some() => read.size.unwrap_or(usize::MAX),
            Some(_) => 1,
        }
    }

    /// What the product shows of these agents (their ids there).
    pub async fn read(&self, agents: &[&str], now: Timestamp) -> Reading {
        let mut reading = Reading::default();
        let Some(read) = &self.description.read else {
            return reading;
        };
        let done = match (&read.items, &read.key) {
            (Some(items), Some(key)) => {
                let place = (items.as_str(), key.as_str());
                self.read_lists(read, place, agents, now, &mut reading)
                    .await
            }
            _ => self.read_each(read, agents, now, &mut reading).await,
        };
        reading.failed = done.err();
        reading
    }

    /// One request of a reading.
    async fn ask(
        &self,
        request: &Request,
        values: &Values<'_>,
        now: Timestamp,
        reading: &mut Reading,
    ) -> Result<Answer, Judgement> {
        reading.asked += 1;
        self.exchange(request, values, now).await
    }

    /// Reads a list that names agents in halves, where it is refused for one whom it names: only
    /// that one is left out.
    async fn read_lists(
        &self,
        read: &Read,
        place: (&str, &str),
        agents: &[&str],
        now: Timestamp,
        reading: &mut Reading,
    ) -> Result<(), Judgement> {
        let mut left = vec![agents];
        while let Some(some) = left.pop() {
            match self.read_list(read, place, some, now, reading).await {
                Ok(list) => {
                    let wanted = some.iter().filter_map(|id| list.get_key_value(*id));
                    let wanted = wanted.map(|(id, word)| (id.clone(), word.clone()));
                    reading.shown.extend(wanted);
                }
                Err(judgement) if judgement.verdict != Verdict::Narrow || read.size.is_none() => {
                    return Err(judgement);
                }
                Err(_) if some.len() > 1 => {
                    let (one, other) = some.split_at(some.len() / 2);
                    left.extend([one, other]);
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    async fn read_list(
        &self,
        read: &Read,
        (items, key): (&str, &str),
        agents: &[&str],
        now: Timestamp,
        reading: &mut Reading,
    ) -> Result<HashMap<String, Value>, Judgement> {
        let one = |item: &Value| {
            let id = match item.pointer(key)? {
                Value::String(id) => id.clone(),
                other => other.to_string(),
            };
            Some((id, item.pointer(&read.status)?.clone()))
        };
        let (mut found, mut offset) = (HashMap::new(), 0);
        for _ in 0..MOST_PAGES {
            let values = Values {
                agents,
                offset,
                ..self.values()
            };
            let answer = self.ask(&read.request, &values, now, reading).await?;
            let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let Some(items) = json.pointer(items).and_then(Value::as_array) else {
                return Err(Judgement::new(Verdict::Retry, "no list in the answer"));
            };
            found.extend(items.iter().filter_map(one));
            offset += items.len();
            // Products shorten a page as they like, so what is left is counted, not the pages.
            let total = read
                .pages
                .as_ref()
                .and_then(|pages| json.pointer(&pages.total)?.as_u64());
            if items.is_empty() || total.is_none_or(|total| offset as u64 >= total) {
                return Ok(found);
            }
        }
        Err(Judgement::new(Verdict::Retry, "a list without an end"))
    }

    /// Reads one after the other; one of whom the product cannot tell now keeps nobody else from being
    /// read.
    async fn read_each(
        &self,
        read: &Read,
        agents: &[&str],
        now: Timestamp,
        reading: &mut Reading,
    ) -> Result<(), Judgement> {
        let mut in_vain = 0;
        for id in agents {
            let values = Values {
                agent: id,
                ..self.values()
            };
            match self.ask(&read.request, &values, now, reading).await {
                Ok(answer) => {
                    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                    if let Some(word) = json.pointer(&read.status) {
                        reading.shown.insert((*id).to_owned(), word.clone());
                    }
                    in_vain = 0;
                }
                // Whom the product does not know it says nothing of.
                Err(judgement) if judgement.verdict == Verdict::Narrow => in_vain = 0,
                Err(judgement) if judgement.verdict == Verdict::Retry && in_vain + 1 < IN_VAIN => {
                    reading.unread.insert((*id).to_owned());
                    in_vain += 1;
                }
                Err(judgement) => return Err(judgement),
            }
        }
        Ok(())
    }
}
