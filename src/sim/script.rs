//! How a test tells a stand-in to misbehave.
//!
//! A stand-in follows the receiver's rules strictly until a [`Rule`] is added to its [`Script`].
//! Rules may be added and removed while requests are under way; the oldest rule that matches
//! strikes, so `next(1, a)` then `next(1, b)` answer two requests with `a` and `b` in this order.
//! A [`Fault`] given alone happens *instead* of judging the request: nothing was accepted. Wrapped
//! in [`Behaviour::Accepted`] the request is judged and recorded first, and only the answer is lost
//! or spoilt: the difference on which "at least once" turns. `tests/stand_ins/faults.rs` shows each.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use tokio::sync::watch;

use super::record::NotInTime;

/// The HTTP/2 error code of a reset or a GOAWAY.
pub use h2::Reason;

/// What goes wrong on the wire.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This answer, whatever the request was.
    Answer {
        /// HTTP status.
        status: StatusCode,
        /// Headers besides the length.
        headers: HeaderMap,
        /// Body, any bytes.
        body: Bytes,
    },
    /// No answer, ever.
    Hang,
    /// Status 200, then one byte a second without end.
    Drip,
    /// Status 200 with a body of so many bytes.
    Flood(u64),
    /// `RST_STREAM` with this code. `REFUSED_STREAM` promises that nothing was processed. On
    /// HTTP/1.1 the connection closes.
    Reset(Reason),
    /// GOAWAY with this code, then the connection closes. If the request was not judged, GOAWAY says
    /// that it was not processed (unless a later one on the same connection was). On HTTP/1.1 the
    /// connection closes.
    GoAway(Reason),
    /// The connection closes without a word.
    Close,
}

impl Fault {
    /// An answer with this status and a JSON body.
    ///
    /// # Panics
    /// If `status` is not between 100 and 999.
    pub fn answer(status: u16, body: impl Into<Bytes>) -> Self {
        Self::typed(status, "application/json", body)
    }

    /// An empty answer.
    ///
    /// # Panics
    /// If `status` is not between 100 and 999.
    pub fn status(status: u16) -> Self {
        Self::typed(status, "text/plain", Bytes::new())
    }

    /// A web page, as a proxy or a captive portal would answer.
    ///
    /// # Panics
    /// If `status` is not between 100 and 999.
    pub fn html(status: u16) -> Self {
        Self::typed(
            status,
            "text/html",
            "<!doctype html><title>Welcome</title><p>Please sign in.</p>",
        )
    }

    /// A body that is not UTF-8 though it claims to be JSON.
    ///
    /// # Panics
    /// If `status` is not between 100 and 999.
    pub fn not_utf8(status: u16) -> Self {
        Self::answer(status, &b"{\"reason\":\"\xff\xfe\xc3(\"}"[..])
    }

    /// The same answer with one more header.
    ///
    /// # Panics
    /// If the fault is not an answer, or the header is not one that HTTP allows.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        let Self::Answer { headers, .. } = &mut self else {
            panic!("only an answer has headers, this is {self:?}");
        };
        let value = HeaderValue::from_str(value).expect("a header value that HTTP allows");
        headers.insert(HeaderName::from_static(name), value);
        self
    }

    fn typed(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status: StatusCode::from_u16(status).expect("an HTTP status"),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]),
            body: body.into(),
        }
    }

    /// A word for the record.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Answer { .. } => "answer",
            Self::Hang => "hang",
            Self::Drip => "drip",
            Self::Flood(_) => "flood",
            Self::Reset(_) => "reset",
            Self::GoAway(_) => "goaway",
            Self::Close => "close",
        }
    }
}

/// What a stand-in does with a request that a rule matches.
#[derive(Clone)]
pub enum Behaviour {
    /// The request is not judged and nothing is accepted; this happens instead.
    Instead(Fault),
    /// The request is judged and recorded as ever; this happens in place of the answer.
    Accepted(Fault),
    /// Judged and recorded at once; the answer goes out so much later.
    Delay(Duration),
    /// Judged and recorded at once; the answer goes out when the gate opens.
    Hold(Gate),
    /// Judged and recorded; then this runs to its end before the answer goes out. A test kills the
    /// worker here.
    Run(Arc<dyn Fn() + Send + Sync>),
    /// Judged and answered, and the connection takes no request after it: GOAWAY with `NO_ERROR`, as
    /// a server sends it that is about to restart.
    LastOfConnection,
}

impl Behaviour {
    /// Judged and recorded; then `action` runs to its end before the answer goes out.
    pub fn run(action: impl Fn() + Send + Sync + 'static) -> Self {
        Self::Run(Arc::new(action))
    }
}

impl From<Fault> for Behaviour {
    fn from(fault: Fault) -> Self {
        Self::Instead(fault)
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instead(fault) => f.debug_tuple("Instead").field(fault).finish(),
            Self::Accepted(fault) => f.debug_tuple("Accepted").field(fault).finish(),
            Self::Delay(by) => f.debug_tuple("Delay").field(by).finish(),
            Self::Hold(_) => f.write_str("Hold"),
            Self::Run(_) => f.write_str("Run"),
            Self::LastOfConnection => f.write_str("LastOfConnection"),
        }
    }
}

/// Holds answers back until it is opened. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets every held answer out, and all later ones.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn opened(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// One instruction: which requests, how often, and what happens to them.
#[derive(Debug)]
pub struct Rule {
    subject: Option<String>,
    left: Mutex<Option<u64>>,
    behaviour: Behaviour,
    struck: watch::Sender<u64>,
}

impl Rule {
    /// How many requests it has struck so far.
    pub fn struck(&self) -> u64 {
        *self.struck.borrow()
    }

    /// Waits until it has struck at least `count` requests.
    pub async fn wait_struck(&self, count: u64, within: Duration) -> Result<(), NotInTime> {
        let mut struck = self.struck.subscribe();
        let reached = struck.wait_for(|now| *now >= count);
        match tokio::time::timeout(within, reached).await {
            Ok(_) => Ok(()),
            Err(_) => Err(NotInTime {
                wanted: format!("{count} requests struck by a rule"),
                seen: format!("{} struck", self.struck()),
                within,
            }),
        }
    }

    fn matches(&self, subjects: &[String]) -> bool {
        self.subject
            .as_ref()
            .is_none_or(|subject| subjects.contains(subject))
    }

    /// Uses up one turn; `false` if none is left.
    fn strike(&self) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *left {
            Some(0) => return false,
            Some(turns) => *turns -= 1,
            None => {}
        }
        self.struck.send_modify(|struck| *struck += 1);
        true
    }
}

/// The rules of one stand-in, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Script {
    rules: Mutex<Vec<Arc<Rule>>>,
    count: AtomicUsize,
}

impl Script {
    /// The next `turns` requests behave so.
    pub fn next(&self, turns: u64, behaviour: impl Into<Behaviour>) -> Arc<Rule> {
        self.add(None, Some(turns), behaviour.into())
    }

    /// Every request behaves so until the rule is removed.
    pub fn always(&self, behaviour: impl Into<Behaviour>) -> Arc<Rule> {
        self.add(None, None, behaviour.into())
    }

    /// Every request that concerns `subject` (a device token, an agent's or a workspace's id)
    /// behaves so until the rule is removed.
    pub fn whenever(&self, subject: &str, behaviour: impl Into<Behaviour>) -> Arc<Rule> {
        self.add(Some(subject.to_owned()), None, behaviour.into())
    }

    /// The next `turns` requests that concern `subject` behave so.
    pub fn next_of(&self, subject: &str, turns: u64, behaviour: impl Into<Behaviour>) -> Arc<Rule> {
        self.add(Some(subject.to_owned()), Some(turns), behaviour.into())
    }

    /// Ends one rule. Requests that it has struck already are not touched.
    pub fn remove(&self, rule: &Arc<Rule>) {
        let mut rules = self.rules();
        rules.retain(|kept| !Arc::ptr_eq(kept, rule));
        self.count.store(rules.len(), Ordering::Release);
    }

    /// Ends all rules.
    pub fn clear(&self) {
        self.rules().clear();
        self.count.store(0, Ordering::Release);
    }

    /// Whether no rule is left, which is the usual case and costs one load.
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// The behaviour of the oldest rule that matches and has a turn left, which it uses up.
    pub(super) fn strike(&self, subjects: &[String]) -> Option<Behaviour> {
        self.rules()
            .iter()
            .find(|rule| rule.matches(subjects) && rule.strike())
            .map(|rule| rule.behaviour.clone())
    }

    fn add(&self, subject: Option<String>, turns: Option<u64>, behaviour: Behaviour) -> Arc<Rule> {
        let rule = Arc::new(Rule {
            subject,
            left: Mutex::new(turns),
            behaviour,
            struck: watch::Sender::new(0),
        });
        let mut rules = self.rules();
        rules.push(Arc::clone(&rule));
        self.count.store(rules.len(), Ordering::Release);
        rule
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Rule>>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
