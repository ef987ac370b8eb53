//! Agents' ids in other products: a driver that posts presence there looks them up, an import and the
//! API write them.
//!
//! An id in a product belongs to one agent of the installation. Agents who are written in one
//! transaction may swap theirs; an id of anybody else is refused, naming who has it
//! ([`StoreError::Taken`]). Writing them does not have the agent planned afresh. `tests/store/external.rs`
//! holds both engines to it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;

use super::{HOLD_AGENTS, naming};
use crate::{
    domain::agent::{Agent, Field},
    store::{
        StoreError, Tx,
        columns::{List, list, table},
        sql::{run, statements},
    },
};

statements! {
    // A removed agent is still told to be off, unless somebody else has taken that place.
    EXTERNAL_IDS = "SELECT agent_id, external_id FROM external_ids WHERE product = $2 AND agent_id {in_list}
                    UNION ALL SELECT f.agent_id, f.external_id FROM former_external_ids f
                    WHERE f.product = $2 AND f.agent_id {in_list}
                      AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.id = f.agent_id)
                      AND NOT EXISTS (SELECT 1 FROM external_ids e WHERE e.product = f.product AND e.external_id = f.external_id)";
    EXTERNAL_OF = "SELECT agent_id, product, external_id FROM external_ids WHERE agent_id {in_list}";
    DROP_EXTERNAL = "DELETE FROM external_ids WHERE (agent_id, product) IN (SELECT v.agent_id, v.product
                     FROM {rows(agent_id TEXT, product TEXT)})";
    // What another transaction is about to commit is waited for, and then found by the next statement.
    PUT_EXTERNAL = "INSERT INTO external_ids (agent_id, product, external_id) SELECT agent_id, product, external_id
                    FROM {rows(agent_id TEXT, product TEXT, external_id TEXT)} WHERE TRUE ON CONFLICT DO NOTHING";
    TAKEN_EXTERNAL = "SELECT v.agent_id, e.product, e.external_id, e.agent_id, a.workspace_id
                      FROM {rows(agent_id TEXT, product TEXT, external_id TEXT)}
                          CROSS JOIN external_ids e JOIN agents a ON a.id = e.agent_id
                      WHERE e.product = v.product AND e.external_id = v.external_id AND e.agent_id <> v.agent_id
                      ORDER BY 1, 2 LIMIT 1";
}

#[derive(Serialize)]
struct IdRow<'a> {
    agent_id: &'a str,
    product: &'a str,
    external_id: &'a str,
}

/// Agent, product and the agent's id there.
type Stored = HashSet<(String, String, String)>;

impl Tx {
    /// The ids that these agents have in `product`, or had when they were removed, by agent; one who has
    /// none there is left out.
    pub async fn external_ids<'a>(
        &mut self,
        product: &str,
        agents: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, String>, StoreError> {
        let rows: Vec<(String, String)> = run!(self, all EXTERNAL_IDS, list(agents), product)?;
        Ok(rows.into_iter().collect())
    }

    /// Gives up the ids that these agents name no more. Where agents are written in several chunks, this
    /// comes before the first, with all of them: a swap may reach across chunks. It holds the agents, in the
    /// order of their ids, so that nobody who is waited for waits for them.
    pub async fn release_external_ids(&mut self, agents: &[Agent]) -> Result<(), StoreError> {
        if !agents.iter().any(names) {
            return Ok(());
        }
        let ids = list(agents.iter().map(|a| a.id.as_str()));
        let _: Vec<(String,)> = run!(self, all HOLD_AGENTS, ids)?;
        self.release(agents).await?;
        Ok(())
    }

    /// Writes the ids of those agents whose line names them; they are held already.
    pub(super) async fn put_external_ids(&mut self, agents: &[Agent]) -> Result<(), StoreError> {
        if !agents.iter().any(names) {
            return Ok(());
        }
        let kept = self.release(agents).await?;
        let wanted = rows(agents).filter(|row| !kept.contains(&row.owned()));
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted = table(&wanted);
        run!(self, execute PUT_EXTERNAL, &wanted)?;
        self.renamed(&wanted).await?;
        let taken: Option<(String, String, String, String, String)> =
            run!(self, optional TAKEN_EXTERNAL, &wanted)?;
        match taken {
            None => Ok(()),
            Some((agent, product, id, holder, workspace)) => Err(StoreError::Taken {
                agent,
                product,
                id,
                holder,
                workspace,
            }),
        }
    }

    /// Drops what is stored and not wanted; what is both is the answer.
    async fn release(&mut self, agents: &[Agent]) -> Result<Stored, StoreError> {
        let stored: Vec<(String, String, String)> =
            run!(self, all EXTERNAL_OF, naming(agents, Field::External))?;
        let wanted: HashSet<_> = rows(agents).map(|row| row.owned()).collect();
        let (kept, gone): (Stored, Stored) =
            stored.into_iter().partition(|row| wanted.contains(row));
        if !gone.is_empty() {
            let gone = gone.iter().map(|(agent_id, product, external_id)| IdRow {
                agent_id,
                product,
                external_id,
            });
            let gone = table(&gone.collect::<Vec<_>>());
            run!(self, execute DROP_EXTERNAL, &gone)?;
            self.renamed(&gone).await?;
        }
        Ok(kept)
    }

    /// All ids of these agents (a JSON list), by agent and product.
    pub(super) async fn external_of(
        &mut self,
        agents: &List,
    ) -> Result<HashMap<String, BTreeMap<String, String>>, StoreError> {
        let rows: Vec<(String, String, String)> = run!(self, all EXTERNAL_OF, agents)?;
        let mut ids: HashMap<String, BTreeMap<String, String>> = HashMap::new();
        for (agent, product, id) in rows {
            ids.entry(agent).or_default().insert(product, id);
        }
        Ok(ids)
    }
}

impl IdRow<'_> {
    fn owned(&self) -> (String, String, String) {
        let owned = |text: &str| text.to_owned();
        (
            owned(self.agent_id),
            owned(self.product),
            owned(self.external_id),
        )
    }
}

fn names(agent: &Agent) -> bool {
    agent.named.contains(Field::External)
}

fn rows(agents: &[Agent]) -> impl Iterator<Item = IdRow<'_>> {
    agents.iter().filter(|a| names(a)).flat_map(|agent| {
        agent.external.iter().map(|(product, external_id)| IdRow {
            agent_id: &agent.id,
            product,
            external_id,
        })
    })
}
