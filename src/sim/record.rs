//! Everything a stand-in received, in order of arrival, and how a test waits for it.
//!
//! A waiter is woken by each new entry; nothing polls. `tests/stand_ins/` shows it.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::domain::device::{DeviceToken, Environment};

/// What a stand-in made of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted: the phone rings, the status counts. Holds even if the answer was lost afterwards.
    Accepted,
    /// Refused by the receiver's own rules.
    Refused {
        /// HTTP status of the refusal.
        status: StatusCode,
        /// The receiver's word for it.
        reason: String,
    },
    /// A rule of the script struck before the request was judged; the fault's name.
    Faulted(&'static str),
}

impl Verdict {
    /// A refusal.
    pub(super) fn refused(status: StatusCode, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Refused { status, reason }
    }
}

/// An entry of a [`Record`].
pub trait Received: Send + Sync + 'static {
    /// What the stand-in made of it.
    fn verdict(&self) -> &Verdict;
}

/// A push that reached APNs or FCM.
#[derive(Clone)]
pub struct ReceivedPush {
    /// When it arrived: UTC, by the stand-in's clock.
    pub at: Timestamp,
    /// The phone it was meant for, as far as the request told.
    pub token: DeviceToken,
    /// Which of Apple's hosts got it; production for FCM.
    pub environment: Environment,
    /// `apns-id`; FCM has none.
    pub id: Option<String>,
    /// `apns-collapse-id`, or FCM's `android.collapse_key`.
    pub collapse_id: Option<String>,
    /// The UTC instant after which it is of no use: `apns-expiration`, or arrival plus FCM's `ttl`.
    pub expires: Option<Timestamp>,
    /// The request's headers; the credential among them is marked as sensitive.
    pub headers: HeaderMap,
    /// The request's body.
    pub payload: Bytes,
    /// What the stand-in made of it.
    pub verdict: Verdict,
}

impl ReceivedPush {
    /// The body as JSON, or null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload).unwrap_or_default()
    }
}

impl Received for ReceivedPush {
    fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

impl fmt::Debug for ReceivedPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedPush")
            .field("at", &self.at)
            .field("environment", &self.environment)
            .field("id", &self.id)
            .field("collapse_id", &self.collapse_id)
            .field("payload_bytes", &self.payload.len())
            .field("verdict", &self.verdict)
            .finish_non_exhaustive()
    }
}

/// What was waited for did not come.
#[derive(Debug, Clone, thiserror::Error)]
#[error("waited {within:?} for {wanted}, but saw {seen}")]
pub struct NotInTime {
    /// What was waited for.
    pub wanted: String,
    /// What there was when time was up.
    pub seen: String,
    /// How long was waited.
    pub within: Duration,
}

/// Looks at one entry as it arrives.
type Look<T> = Box<dyn Fn(&T) + Send + Sync>;

/// What one stand-in received.
pub struct Record<T> {
    entries: Mutex<Vec<Arc<T>>>,
    accepted: AtomicU64,
    total: AtomicU64,
    counting_only: AtomicBool,
    look: OnceLock<Look<T>>,
    changed: Notify,
}

impl<T> fmt::Debug for Record<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("total", &self.total)
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}

impl<T> Default for Record<T> {
    fn default() -> Self {
        Self {
            entries: Mutex::default(),
            accepted: AtomicU64::new(0),
            total: AtomicU64::new(0),
            counting_only: AtomicBool::new(false),
            look: OnceLock::new(),
            changed: Notify::new(),
        }
    }
}

impl<T: Received> Record<T> {
    /// Everything received, in order of arrival.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.entries().clone()
    }

    /// What was accepted, in order of arrival.
    pub fn accepted(&self) -> Vec<Arc<T>> {
        let entries = self.entries();
        let accepted = entries
            .iter()
            .filter(|entry| *entry.verdict() == Verdict::Accepted);
        accepted.cloned().collect()
    }

    /// How many requests were accepted.
    pub fn accepted_count(&self) -> u64 {
        self.accepted.load(Ordering::Acquire)
    }

    /// How many requests arrived.
    pub fn total_count(&self) -> u64 {
        self.total.load(Ordering::Acquire)
    }

    /// From now on only counts, for measurements with millions of requests.
    pub fn count_only(&self) {
        self.counting_only.store(true, Ordering::Release);
    }

    /// Counts only, and shows `look` each entry as it arrives; a second `look` changes nothing.
    pub fn only_show(&self, look: impl Fn(&T) + Send + Sync + 'static) {
        self.count_only();
        // The first one stays: whoever measures sets it up before the first request.
        let _ = self.look.set(Box::new(look));
    }

    /// Waits until at least `accepted` requests were accepted; answers with those there are.
    pub async fn wait_for(
        &self,
        accepted: u64,
        within: Duration,
    ) -> Result<Vec<Arc<T>>, NotInTime> {
        let wanted = || format!("{accepted} accepted");
        self.wait(within, wanted, || self.accepted_count() >= accepted)
            .await?;
        Ok(self.accepted())
    }

    /// Waits until `holds` is true of everything received so far.
    pub async fn wait_until(
        &self,
        within: Duration,
        holds: impl Fn(&[Arc<T>]) -> bool,
    ) -> Result<(), NotInTime> {
        let wanted = || "a condition".to_owned();
        self.wait(within, wanted, || holds(&self.entries())).await
    }

    async fn wait(
        &self,
        within: Duration,
        wanted: impl Fn() -> String,
        holds: impl Fn() -> bool,
    ) -> Result<(), NotInTime> {
        let reached = async {
            loop {
                // Listens before it looks, so that no entry falls between the two.
                let changed = self.changed.notified();
                if holds() {
                    return;
                }
                changed.await;
            }
        };
        within_time(within, reached).await.ok_or_else(|| NotInTime {
            wanted: wanted(),
            seen: format!(
                "{} requests, {} of them accepted",
                self.total_count(),
                self.accepted_count()
            ),
            within,
        })
    }

    pub(super) fn add(&self, entry: T) {
        let accepted = *entry.verdict() == Verdict::Accepted;
        if let Some(look) = self.look.get() {
            look(&entry);
        }
        if !self.counting_only.load(Ordering::Acquire) {
            self.entries().push(Arc::new(entry));
        }
        if accepted {
            self.accepted.fetch_add(1, Ordering::AcqRel);
        }
        self.total.fetch_add(1, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Vec<Arc<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn within_time<F: Future>(within: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(within, future).await.ok()
}
