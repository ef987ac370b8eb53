//! Receivers as models: what they answer is a function of seed, delivery and attempt.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use shiftbell::{
    channels::Channel,
    domain::{
        delivery::{ChannelKind, Judgement, Push, Verdict},
        presence::{Change, Event},
    },
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::checker::{Push as SeenPush, Seen};

/// A seeded source of chance (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `limit` - 1.
    pub(crate) fn below(&mut self, limit: i64) -> i64 {
        (self.next() % limit.unsigned_abs()).cast_signed()
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as i64) as usize]
    }
}

/// What the receivers of one seed saw, and how they feel.
pub(crate) struct Receivers {
    seed: u64,
    peace: AtomicBool,
    struck: AtomicU64,
    seen: Mutex<Seen>,
    /// How often each message was tried: the number of the attempt at it.
    tries: Mutex<HashMap<Uuid, u64>>,
    contents: Mutex<HashMap<(String, i64), String>>,
    /// Requests until the worker that makes them is killed; none if it is not.
    fuse: Mutex<Option<i64>>,
    blown: Notify,
}

impl std::fmt::Debug for Receivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receivers").finish_non_exhaustive()
    }
}

impl Receivers {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            seed,
            peace: AtomicBool::new(false),
            struck: AtomicU64::new(0),
            seen: Mutex::default(),
            tries: Mutex::default(),
            contents: Mutex::default(),
            fuse: Mutex::new(None),
            blown: Notify::new(),
        })
    }

    /// From now on all of them answer well.
    pub(crate) fn make_peace(&self) {
        self.peace.store(true, Ordering::Relaxed);
    }

    pub(crate) fn struck(&self) -> u64 {
        self.struck.load(Ordering::Relaxed)
    }

    /// The worker is killed at the `requests`-th request from now.
    pub(crate) fn light_fuse(&self, requests: Option<i64>) {
        *self.fuse.lock().unwrap() = requests;
    }

    /// Waits for the fuse to burn down.
    pub(crate) async fn blown(&self) {
        self.blown.notified().await;
    }

    pub(crate) fn with_seen<T>(&self, read: impl FnOnce(&Seen) -> T) -> T {
        read(&self.seen.lock().unwrap())
    }

    /// 0 to 99, the same for the same attempt at the same message.
    fn draw(&self, id: Uuid) -> u64 {
        let mut tries = self.tries.lock().unwrap();
        let count = tries.entry(id).or_default();
        *count += 1;
        let (high, low) = id.as_u64_pair();
        let mut dice = Dice::new(self.seed ^ high ^ low.rotate_left(17) ^ (*count << 40));
        dice.below(100).unsigned_abs()
    }

    /// Whether the worker dies now; then the request never comes back.
    async fn maybe_die(&self) {
        let dies = {
            let mut fuse = self.fuse.lock().unwrap();
            match fuse.as_mut() {
                Some(0) => true,
                Some(left) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        if dies {
            self.blown.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// What becomes of a request with this draw: whether it is processed, and the answer.
    fn answer(&self, draw: u64, batch: usize) -> (bool, Judgement) {
        if self.peace.load(Ordering::Relaxed) {
            return (true, Judgement::new(Verdict::Sent, "ok"));
        }
        let waits = |verdict, secs| Judgement {
            retry_after: Some(Duration::from_secs(secs)),
            http_status: Some(503),
            ..Judgement::new(verdict, "busy")
        };
        let (processed, judgement) = match draw {
            0..=4 => (false, waits(Verdict::Retry, 5)),
            5..=8 => (true, Judgement::new(Verdict::Unknown, "timeout")),
            9..=11 => (false, Judgement::new(Verdict::Unknown, "reset")),
            12..=14 => (false, Judgement::new(Verdict::NotProcessed, "goaway")),
            15..=16 => (false, waits(Verdict::Slow, 30)),
            17 => (false, waits(Verdict::Misconfigured, 0)),
            18..=19 if batch > 1 => (false, waits(Verdict::Narrow, 0)),
            _ => return (true, Judgement::new(Verdict::Sent, "ok")),
        };
        self.struck.fetch_add(1, Ordering::Relaxed);
        (processed, judgement)
    }

    fn note_push(&self, push: &Push, now: Timestamp) {
        self.seen.lock().unwrap().pushes.push(SeenPush {
            alert: format!(
                "{} {} {} {}",
                push.agent,
                push.event.as_str(),
                push.at,
                push.transition
            ),
            arrived: now,
            expires: Some(push.deadline),
            ids: (
                Some(push.delivery.to_string()),
                Some(push.collapse_id.clone()),
            ),
            accepted: true,
        });
    }

    fn note_event(&self, event: &Event) {
        let (subject, word) = match &event.change {
            Change::Agent { agent, status, .. } => (format!("agent:{agent}"), status.as_str()),
            Change::Workspace { mode } => (format!("workspace:{}", event.workspace), mode.as_str()),
        };
        let content = format!("{} {:?} {}", event.id, event.change, event.effective_at);
        let key = (subject.clone(), event.sequence);
        let first = self
            .contents
            .lock()
            .unwrap()
            .entry(key)
            .or_insert(content.clone())
            .clone();
        let mut seen = self.seen.lock().unwrap();
        if first != content {
            let sequence = event.sequence;
            seen.findings
                .push(format!("{subject} changed what sequence {sequence} says"));
        }
        let newest = seen.told.get(&subject).map_or(0, |(sequence, _)| *sequence);
        if event.sequence >= newest {
            seen.told.insert(subject, (event.sequence, word.to_owned()));
        } else {
            let came = event.sequence;
            seen.findings
                .push(format!("{subject}: {came} came after {newest}"));
        }
    }
}

/// APNs or FCM.
#[derive(Debug)]
pub(crate) struct PushModel(pub(crate) ChannelKind, pub(crate) Arc<Receivers>);

/// The chat platform.
#[derive(Debug)]
pub(crate) struct PresenceModel(pub(crate) Arc<Receivers>);

impl Channel for PushModel {
    type Message = Push;

    fn kind(&self) -> ChannelKind {
        self.0
    }

    fn credential_expiry(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }

    fn slots(&self) -> usize {
        3
    }

    fn batch(&self) -> usize {
        1
    }

    async fn send(&self, messages: &[Push], now: Timestamp) -> Judgement {
        let push = &messages[0];
        let (processed, judgement) = self.1.answer(self.1.draw(push.delivery), 1);
        self.1.maybe_die().await;
        if processed {
            self.1.note_push(push, now);
        }
        judgement
    }
}

impl Channel for PresenceModel {
    type Message = Event;

    fn kind(&self) -> ChannelKind {
        ChannelKind::Presence
    }

    fn credential_expiry(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }

    fn slots(&self) -> usize {
        2
    }

    fn batch(&self) -> usize {
        4
    }

    async fn send(&self, messages: &[Event], _: Timestamp) -> Judgement {
        // All of a batch share one fate: that of the message which is drawn lowest.
        let draw = messages.iter().map(|event| self.0.draw(event.id)).min();
        let (processed, judgement) = self.0.answer(draw.unwrap_or(99), messages.len());
        self.0.maybe_die().await;
        if processed {
            for event in messages {
                self.0.note_event(event);
            }
        }
        judgement
    }
}
