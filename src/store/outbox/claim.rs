//! Leases on what is due.

use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    domain::{delivery::ChannelKind, device::DeviceToken},
    store::{
        About, StoreError, Tx, instant, ms,
        rows::{about, id},
        sql::{run, statements},
    },
};

statements! {
    // An event waits while an earlier one is under way, and is pointless once there is a later one. Both
    // are said of the sequence, too, so that they are looked up for each row, where Postgres would else
    // gather all that are under way by reading the whole outbox.
    CLAIM = "WITH picked AS MATERIALIZED (
                 SELECT p.{place} AS place FROM outbox p WHERE p.lease_until IS NULL AND p.channel = $1 AND p.due_at <= $2
                     AND (p.deadline_at IS NULL OR p.deadline_at > $2) AND p.crashes BETWEEN $5 AND $6
                     AND (p.channel <> 'presence' OR NOT EXISTS (
                             SELECT 1 FROM outbox n WHERE n.receiver = p.receiver
                             AND n.sequence <> p.sequence AND (n.sequence > p.sequence OR n.lease_until IS NOT NULL))
                         AND NOT EXISTS (SELECT 1 FROM deliveries n WHERE n.receiver = p.receiver
                             AND n.sequence > p.sequence))
                 ORDER BY p.due_at LIMIT $3 {skip_locked})
             UPDATE outbox SET lease_until = $4, epoch = epoch + 1, worker = $7, started_at = $2
             WHERE {place} IN (SELECT place FROM picked)
             RETURNING id, epoch, tries, batch_cap, deadline_at, receiver, transition_id, agent_id, kind,
                 boundary_at, counterpart_at";
}

/// What to claim.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The receiver.
    pub channel: ChannelKind,
    /// The instant it is, UTC.
    pub now: Timestamp,
    /// When (UTC) the leases run out.
    pub until: Timestamp,
    /// At most so many.
    pub limit: i64,
    /// Who claims, for the log.
    pub worker: &'a str,
    /// Which of them.
    pub crashed: Crashed,
}

/// How many workers went down that held a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crashed {
    /// None.
    Never,
    /// One: it, or a neighbour, or none of them is at fault.
    Once,
    /// Several: once more, and it is given up.
    Again,
}

impl Crashed {
    fn range(self) -> (i64, i64) {
        match self {
            Self::Never => (0, 0),
            Self::Once => (1, 1),
            Self::Again => (2, i64::MAX),
        }
    }
}

/// A delivery under lease.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The delivery's id.
    pub id: Uuid,
    /// This lease's number.
    pub epoch: i64,
    /// The dispatch that it is sent with, if it was leased as it was recorded, with many others.
    pub dispatch: Option<Uuid>,
    /// Tries it has cost so far.
    pub tries: i64,
    /// The largest batch it may travel in, once a batch with it was refused.
    pub batch_cap: Option<i64>,
    /// After which (UTC) it is of no use; presence has none.
    pub deadline: Option<Timestamp>,
    /// What it is about, for the log.
    pub about: About,
    /// Where it goes.
    pub(in crate::store) channel: ChannelKind,
    /// When this shift ends, or the next starts, UTC.
    pub(in crate::store) counterpart: Option<Timestamp>,
    /// The phone's token.
    pub(in crate::store) receiver: DeviceToken,
}

impl Claimed {
    /// The agent it is about; none for a workspace's mode.
    pub fn agent(&self) -> Option<&str> {
        self.about.agent.as_deref()
    }

    /// Where it goes.
    pub fn channel(&self) -> ChannelKind {
        self.channel
    }
}

impl Tx {
    /// Leases due deliveries of a channel, earliest first, and begins their attempts.
    pub async fn claim(&mut self, order: &Order<'_>) -> Result<Vec<Claimed>, StoreError> {
        type Row = (
            String,
            i64,
            i64,
            Option<i64>,
            Option<i64>,
            String,
            String,
            Option<String>,
            String,
            Option<i64>,
            Option<i64>,
        );
        let (fewest, most) = order.crashed.range();
        let rows: Vec<Row> = run!(
            self, all CLAIM,
            order.channel.as_str(), ms(order.now), order.limit, ms(order.until), fewest, most, order.worker
        )?;
        rows.into_iter()
            .map(
                |(
                    key,
                    epoch,
                    tries,
                    batch_cap,
                    deadline,
                    receiver,
                    transition,
                    agent,
                    kind,
                    boundary,
                    counterpart,
                )| {
                    let at = |column, value: Option<i64>| {
                        let at = value.map(|v| instant("outbox", column, &key, v));
                        at.transpose()
                    };
                    Ok(Claimed {
                        id: id("outbox", &key)?,
                        epoch,
                        dispatch: None,
                        tries,
                        batch_cap,
                        deadline: at("deadline_at", deadline)?,
                        channel: order.channel,
                        counterpart: at("counterpart_at", counterpart)?,
                        about: about(&key, transition, agent, kind, boundary)?,
                        receiver: DeviceToken::new(receiver),
                    })
                },
            )
            .collect()
    }
}
