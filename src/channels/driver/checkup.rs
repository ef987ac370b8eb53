//! Whether the product takes our credentials: `doctor` asks.

use jiff::Timestamp;

use super::Driver;
use crate::{
    channels::{Checkup, Proof},
    domain::{
        delivery::{Judgement, Verdict},
        driver::{Request, fill::Values},
    },
};

/// Agents whose credentials are named as refused; after so many nobody else is asked for.
const TOLD: usize = 5;

impl Driver {
    /// Asks the product for something that changes nothing there and takes our credentials, where its
    /// description knows such a request; for each agent, where each has its own. An error says what is
    /// wrong, printable.
    pub async fn check(&self, now: Timestamp) -> Result<Checkup, String> {
        let product = &self.description.product;
        let Some(request) = &self.description.check else {
            return self.reach().await;
        };
        let mut problems = Vec::new();
        for agent in self.credentials.asked_for() {
            match self.check_for(agent, request, now).await {
                Ok(()) => {}
                Err(judgement) if agent.is_empty() || !is_its_own(&judgement) => {
                    return Err(format!("{product}: {}", told(&judgement)));
                }
                Err(judgement) => problems.push(format!("agent {agent}: {}", told(&judgement))),
            }
            if problems.len() == TOLD {
                break;
            }
        }
        if problems.is_empty() {
            Ok(Checkup {
                proof: Proof::Credentials,
                detail: format!("{product} answered and took the credentials"),
            })
        } else {
            Err(format!("{product}: {}", problems.join(", ")))
        }
    }

    async fn check_for(
        &self,
        agent: &str,
        request: &Request,
        now: Timestamp,
    ) -> Result<(), Judgement> {
        let values = Values {
            agent,
            ..self.values()
        };
        self.exchange(request, &values, now).await.map(drop)
    }

    /// Whether there is anybody.
    async fn reach(&self) -> Result<Checkup, String> {
        let product = &self.description.product;
        let request = reqwest::Request::new(reqwest::Method::OPTIONS, self.base.clone());
        match self.web.send(request).await {
            Ok(answer) => Ok(Checkup {
                proof: Proof::Reached,
                detail: format!(
                    "{product} answered (HTTP {}); what it makes of the credentials shows with the first status",
                    answer.status.as_u16()
                ),
            }),
            Err(lost) => Err(lost.judge(&self.streak).reason),
        }
    }
}

/// Whether it says nothing of the other agents' credentials.
fn is_its_own(judgement: &Judgement) -> bool {
    matches!(judgement.verdict, Verdict::Narrow | Verdict::Retry)
}

fn told(judgement: &Judgement) -> String {
    match judgement.http_status {
        Some(status) => format!("{} (HTTP {status})", judgement.reason),
        None => judgement.reason.clone(),
    }
}
