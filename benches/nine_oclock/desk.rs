//! What the stand-ins were sent: counts, lateness, and one request of each kind. No list grows.

use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shiftbell::{
    domain::presence::Reason,
    sim::{
        World,
        presence::ReceivedBatch,
        record::{ReceivedPush, Verdict},
    },
};

use crate::histogram::Histogram;

/// What arrived so far, by channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) apns: Channel,
    pub(crate) fcm: Channel,
    /// Status changes at a boundary.
    pub(crate) presence: Channel,
    /// Status changes of a first start.
    pub(crate) synced: u64,
    /// Changes of a workspace's mode.
    pub(crate) modes: u64,
    /// Requests to the presence API.
    pub(crate) batches: u64,
    /// Requests that were refused.
    pub(crate) refused: u64,
    /// Promises to the presence API that were broken.
    pub(crate) findings: usize,
}

/// What one channel was sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Channel {
    pub(crate) late: Histogram,
    /// When the last came, UTC milliseconds.
    pub(crate) last: i64,
    /// The first request, for sending more like it.
    pub(crate) sample: Option<Sample>,
}

/// A request that was accepted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Sample {
    fn new(headers: &HeaderMap, body: &Bytes) -> Self {
        let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        Self {
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }
}

impl Channel {
    fn add(&mut self, at: Timestamp, boundary: Timestamp) {
        let late = at.as_microsecond() - boundary.as_microsecond();
        self.late.add(late);
        self.last = self.last.max(at.as_millisecond());
    }
}

/// Writes down what the stand-ins are sent.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub(crate) apns: Mutex<Channel>,
    pub(crate) fcm: Mutex<Channel>,
    presence: Mutex<Posted>,
    boundary: OnceLock<(Bytes, Timestamp)>,
}

#[derive(Debug, Default)]
struct Posted {
    channel: Channel,
    synced: u64,
    modes: u64,
}

impl Desk {
    pub(crate) fn pushed(&self, channel: &Mutex<Channel>, push: &ReceivedPush) {
        if push.verdict != Verdict::Accepted {
            return;
        }
        let Some(boundary) = self.boundary(&push.payload) else {
            return;
        };
        let mut channel = lock(channel);
        channel.add(push.at, boundary);
        if channel.sample.is_none() {
            channel.sample = Some(Sample::new(&push.headers, &push.payload));
        }
    }

    /// The instant after `"at":"` in a payload. All of a run have the same, so it is read once.
    fn boundary(&self, payload: &Bytes) -> Option<Timestamp> {
        const KEY: &[u8] = br#""at":""#;
        let start = payload.windows(KEY.len()).position(|at| at == KEY)? + KEY.len();
        let length = payload[start..].iter().position(|byte| *byte == b'"')?;
        let text = payload.slice(start..start + length);
        let read = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<Timestamp>().ok();
        match self.boundary.get() {
            Some((known, at)) if *known == text => Some(*at),
            _ => {
                let at = read(&text)?;
                let _ = self.boundary.set((Bytes::copy_from_slice(&text), at));
                Some(at)
            }
        }
    }

    pub(crate) fn posted(&self, batch: &ReceivedBatch) {
        if batch.verdict != Verdict::Accepted {
            return;
        }
        let mut posted = lock(&self.presence);
        for event in &batch.events {
            match event.reason {
                None => posted.modes += 1,
                Some(Reason::HoursStart) => posted.channel.add(batch.at, event.effective_at),
                Some(_) => posted.synced += 1,
            }
        }
        // The last is a usual one; the first of a run may be small.
        if posted
            .channel
            .sample
            .as_ref()
            .is_none_or(|sample| sample.body.len() < batch.body.len())
        {
            posted.channel.sample = Some(Sample::new(&HeaderMap::new(), &batch.body));
        }
    }

    pub(crate) fn seen(&self, world: &World) -> Seen {
        let posted = lock(&self.presence);
        let refused = |total: u64, accepted: u64| total - accepted;
        let (apns, fcm) = (world.apns.record(), world.fcm.record());
        let presence = world.presence.record();
        Seen {
            apns: lock(&self.apns).clone(),
            fcm: lock(&self.fcm).clone(),
            presence: posted.channel.clone(),
            synced: posted.synced,
            modes: posted.modes,
            batches: presence.accepted_count(),
            refused: refused(apns.total_count(), apns.accepted_count())
                + refused(fcm.total_count(), fcm.accepted_count())
                + refused(presence.total_count(), presence.accepted_count()),
            findings: world.presence.findings().len(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
