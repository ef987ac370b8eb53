//! Short ways to say what stories need: instants, agents, decisions, leases.

use jiff::Timestamp;
use shiftbell::{
    domain::{
        alert,
        delivery::{AlertKind, ChannelKind, DeliveryState, DeviceFate},
        device::{DeviceToken, Environment},
        hours::BoundaryKind,
        plan::{Alert, Decision, NewAlert, Phone, Reached, StatusChange},
        presence::{Reason, Status},
    },
    store::{Claimed, Crashed, DeliveryFilter, DeliveryRow, Lease, Order, Settlement, Terms},
};

use crate::support::Database;

/// A UTC instant on the day of all stories, `HH:MM:SS`.
pub(crate) fn at(time: &str) -> Timestamp {
    format!("2026-03-30T{time}Z").parse().unwrap()
}

/// What stands in the columns of instants.
pub(crate) fn ms(time: &str) -> i64 {
    at(time).as_millisecond()
}

/// Nothing decided: the agent was looked at, and nothing comes of it.
pub(crate) fn decision(agent: &str, workspace: &str) -> Decision {
    Decision {
        agent: agent.into(),
        workspace: workspace.into(),
        left_workspace: None,
        next: None,
        next_lead: None,
        due: None,
        problem: None,
        change: None,
        boundaries: Vec::new(),
        leads: Vec::new(),
        no_reply_at: None,
        removed: false,
        cancel: Vec::new(),
    }
}

/// The agent's `sequence`-th change, at `time`.
pub(crate) fn change(agent: &str, status: Status, sequence: i64, time: &str) -> Decision {
    Decision {
        change: Some(StatusChange {
            status,
            accepts: status == Status::Online,
            reason: Reason::Sync,
            effective_at: at(time),
            sequence,
            alert: None,
            cause: None,
        }),
        ..decision(agent, "acme")
    }
}

/// The agent's hours start at `time`: a change and an alert for each of these iOS tokens, of use for
/// ten minutes.
pub(crate) fn shift_starts(agent: &str, sequence: i64, time: &str, tokens: &[&str]) -> Decision {
    let phones = tokens.iter().map(|token| NewAlert {
        delivery: alert::delivery_id(agent, AlertKind::HoursStart, at(time), token),
        phone: Phone {
            channel: ChannelKind::Apns,
            token: DeviceToken::new(*token),
            environment: Environment::Production,
        },
    });
    Decision {
        next: Some(at("17:00:00")),
        due: Some(at("17:00:00")),
        boundaries: vec![Reached {
            kind: BoundaryKind::Start,
            missed: false,
            alert: Alert {
                kind: AlertKind::HoursStart,
                at: at(time),
                counterpart: Some(at("17:00:00")),
                deadline: at(time) + jiff::SignedDuration::from_mins(10),
                expired: None,
                phones: phones.collect(),
            },
        }],
        ..change(agent, Status::Online, sequence, time)
    }
}

/// What a lease came to, with nothing special about it.
pub(crate) fn settlement(lease: &Claimed, state: DeliveryState, time: &str) -> Settlement {
    Settlement {
        id: lease.id,
        epoch: lease.epoch,
        dispatch: lease.dispatch,
        state,
        reason: "test".into(),
        due_at: None,
        cost: true,
        batch_cap: None,
        receipt: None,
        outcome: "sent",
        http_status: Some(200),
        finished_at: at(time),
        device: DeviceFate::Keep,
    }
}

impl Database {
    /// A workspace with one agent whose hours are 09:00 to 17:00 UTC, with an iPhone `token-<id>`.
    pub(crate) fn hire(&self, agent: &str, workspace: &str) {
        self.sql(&format!(
            "INSERT INTO workspaces (id, name) VALUES ('{workspace}', '{workspace}') ON CONFLICT DO NOTHING;
             INSERT INTO agents (id, workspace_id, name, timezone, notify_start, notify_end)
             VALUES ('{agent}', '{workspace}', '{agent}', 'UTC', TRUE, TRUE);
             INSERT INTO operating_hours (agent_id, day, start_time, end_time) VALUES ('{agent}', 'mon', '09:00', '17:00');
             INSERT INTO devices (platform, token, agent_id, registered_at) VALUES ('ios', 'token-{agent}', '{agent}', 1)"
        ));
    }

    /// Records decisions made at `time`, in one transaction.
    pub(crate) async fn record(&self, decisions: &[Decision], time: &str) {
        let mut tx = self.store.begin().await.unwrap();
        self.store
            .record(&mut tx, decisions, at(time), true, None)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// Records decisions made at `time` as somebody who has so many places for each channel; what is
    /// leased at once, for a minute, and whether something waits.
    pub(crate) async fn record_with_places(
        &self,
        decisions: &[Decision],
        time: &str,
        places: usize,
    ) -> (Vec<Claimed>, bool) {
        let mut tx = self.store.begin().await.unwrap();
        let terms = Terms {
            lease: Lease {
                worker: "recorder",
                began: at(time),
                until: at(time) + jiff::SignedDuration::from_mins(1),
            },
            places: &mut |_, deliveries| deliveries.min(places),
        };
        let written = self
            .store
            .record(&mut tx, decisions, at(time), true, Some(terms))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (written.begun, written.waits)
    }

    /// Leases what is due at `time`, for a minute.
    pub(crate) async fn claim(&self, channel: ChannelKind, time: &str) -> Vec<Claimed> {
        self.claim_those(channel, time, Crashed::Never).await
    }

    /// The same, of those that took a worker down before.
    pub(crate) async fn claim_suspects(&self, channel: ChannelKind, time: &str) -> Vec<Claimed> {
        let once = self.claim_those(channel, time, Crashed::Once).await;
        if once.is_empty() {
            self.claim_those(channel, time, Crashed::Again).await
        } else {
            once
        }
    }

    async fn claim_those(
        &self,
        channel: ChannelKind,
        time: &str,
        crashed: Crashed,
    ) -> Vec<Claimed> {
        let mut tx = self.store.begin().await.unwrap();
        let order = Order {
            channel,
            now: at(time),
            until: at(time) + jiff::SignedDuration::from_mins(1),
            limit: 100,
            worker: "worker",
            crashed,
        };
        let leases = tx.claim(&order).await.unwrap();
        tx.commit().await.unwrap();
        leases
    }

    /// Settles leases; how many came late.
    pub(crate) async fn settle(&self, settlements: &[Settlement]) -> usize {
        let mut tx = self.store.begin().await.unwrap();
        let kept = tx.settle(settlements).await.unwrap().kept;
        tx.commit().await.unwrap();
        settlements.len() - kept.len()
    }

    /// Takes back what ran out by `time`; how many deliveries that touched.
    pub(crate) async fn reap(&self, time: &str) -> usize {
        let mut tx = self.store.begin().await.unwrap();
        let reaped = tx.reap(at(time)).await.unwrap();
        tx.commit().await.unwrap();
        // What failed as poison had lapsed as well.
        let ended = reaped.ended.iter().filter(|e| e.reason != "poison");
        reaped.lapsed + ended.count()
    }

    /// Settles the modes of all workspaces at `time`.
    pub(crate) async fn settle_modes(&self, time: &str) -> usize {
        let mut tx = self.store.begin().await.unwrap();
        let looked_at = self
            .store
            .settle_modes(&mut tx, at(time), 100, true)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        looked_at.settled
    }

    /// The whole delivery log, newest first.
    pub(crate) async fn log(&self) -> Vec<DeliveryRow> {
        let mut tx = self.store.snapshot().await.unwrap();
        let filter = DeliveryFilter {
            limit: 1000,
            ..DeliveryFilter::default()
        };
        tx.deliveries(&filter).await.unwrap()
    }

    /// Channel, state and reason of each delivery, in words, in order.
    pub(crate) async fn states(&self) -> Vec<String> {
        let mut states: Vec<_> = self
            .log()
            .await
            .into_iter()
            .map(|d| {
                let sequence = d.sequence.map(|s| format!(" {s}")).unwrap_or_default();
                let reason = d.reason.map(|r| format!(" {r}")).unwrap_or_default();
                format!("{}{sequence} {}{reason}", d.channel, d.state)
            })
            .collect();
        states.sort();
        states
    }
}
