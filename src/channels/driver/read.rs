//! Statuses read back from the product.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::Driver;
use crate::domain::{
    delivery::{Judgement, Verdict},
    driver::{Read, fill::Values},
};

impl Driver {
    /// How many agents one request reads; 0 if the product tells no status.
    pub fn reads(&self) -> usize {
        match &self.description.read {
            None => 0,
            Some(read) if read.items.is_some() => read.size.unwrap_or(usize::MAX),
            Some(_) => 1,
        }
    }

    /// What the product shows of these agents (their ids there), as its own words; those whom it does
    /// not know are left out. An error says why nothing could be read.
    pub async fn read(
        &self,
        agents: &[&str],
        now: Timestamp,
    ) -> Result<HashMap<String, Value>, Judgement> {
        let Some(read) = &self.description.read else {
            return Ok(HashMap::new());
        };
        match (&read.items, &read.key) {
            (Some(items), Some(key)) => {
                let all = self.read_lists(read, (items, key), agents, now).await?;
                let wanted = agents.iter().filter_map(|id| all.get_key_value(*id));
                Ok(wanted
                    .map(|(id, word)| (id.clone(), word.clone()))
                    .collect())
            }
            _ => self.read_each(read, agents, now).await,
        }
    }

    /// Reads a list that names agents in halves, where it is refused for one whom it names: only
    /// that one is left out.
    async fn read_lists(
        &self,
        read: &Read,
        place: (&str, &str),
        agents: &[&str],
        now: Timestamp,
    ) -> Result<HashMap<String, Value>, Judgement> {
        let (mut found, mut left) = (HashMap::new(), vec![agents]);
        while let Some(some) = left.pop() {
            match self.read_list(read, place, some, now).await {
                Ok(list) => found.extend(list),
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
        Ok(found)
    }

    async fn read_list(
        &self,
        read: &Read,
        (items, key): (&str, &str),
        agents: &[&str],
        now: Timestamp,
    ) -> Result<HashMap<String, Value>, Judgement> {
        let one = |item: &Value| {
            let id = match item.pointer(key)? {
                Value::String(id) => id.clone(),
                other => other.to_string(),
            };
            Some((id, item.pointer(&read.status)?.clone()))
        };
        let (mut found, mut offset) = (HashMap::new(), 0);
        loop {
            let values = Values {
                agents,
                offset,
                ..self.values()
            };
            let answer = self.exchange(&read.request, &values, now).await?;
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
    }

    async fn read_each(
        &self,
        read: &Read,
        agents: &[&str],
        now: Timestamp,
    ) -> Result<HashMap<String, Value>, Judgement> {
        let mut found = HashMap::with_capacity(agents.len());
        for id in agents {
            let values = Values {
                agent: id,
                ..self.values()
            };
            match self.exchange(&read.request, &values, now).await {
                Ok(answer) => {
                    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                    if let Some(word) = json.pointer(&read.status) {
                        found.insert((*id).to_owned(), word.clone());
                    }
                }
                // Whom the product does not know it says nothing of.
                Err(judgement) if judgement.verdict == Verdict::Narrow => {}
                Err(judgement) => return Err(judgement),
            }
        }
        Ok(found)
    }
}
