//! The presence channel against the strict stand-in: signatures, bodies, and what each fault comes to.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

use std::{fs, time::Duration};

use jiff::Timestamp;
use shiftbell::{
    channels::{Channel as _, Proof, presence},
    clock::Clock,
    domain::{
        delivery::{Judgement, Verdict},
        presence::{Change, Event, Mode, Reason as Why, Status},
    },
    sim::{
        World, WorldOptions,
        script::{Behaviour, Fault, Reason},
        tls::Authority,
    },
};
use url::Url;
use uuid::Uuid;

/// Longer than any exchange should need.
const LONG: Duration = Duration::from_secs(20);

/// For exchanges that end by their limit only; long enough to connect on a busy machine.
const SHORT: Duration = Duration::from_secs(3);

struct Stage {
    world: World,
    clock: Clock,
    options: presence::Options,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set(tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-30T07:00:00Z".parse().unwrap());
        let options = WorldOptions {
            tls,
            ..WorldOptions::default()
        };
        let world = World::start(folder.path(), clock.clone(), options)
            .await
            .unwrap();
        let secret = world.folder.join("presence.secret");
        let options = presence::Options {
            url: Url::parse(&world.presence.url()).unwrap(),
            secret: fs::read_to_string(secret).unwrap().into(),
            batch_size: 100,
            extra_ca: Some(fs::read(&world.ca_path).unwrap()),
            request_timeout: LONG,
            max_in_flight: 4,
        };
        Self {
            world,
            clock,
            options,
            _folder: folder,
        }
    }

    fn channel(&self) -> presence::Presence {
        presence::Presence::new(self.options.clone()).unwrap()
    }

    fn impatient(&self) -> presence::Presence {
        let options = presence::Options {
            request_timeout: SHORT,
            ..self.options.clone()
        };
        presence::Presence::new(options).unwrap()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn post(&self, channel: &presence::Presence) -> Judgement {
        channel.send(&[agent(17)], self.now()).await
    }

    async fn meet(
        &self,
        channel: &presence::Presence,
        behaviour: impl Into<Behaviour>,
    ) -> Judgement {
        self.world.presence.script().next(1, behaviour);
        self.post(channel).await
    }

    fn webhook_ids(&self) -> Vec<String> {
        let record = self.world.presence.record().all();
        let ids = record.iter().map(|batch| batch.webhook_id.clone().unwrap());
        ids.collect()
    }
}

fn event(id: i64, sequence: i64, change: Change) -> Event {
    Event {
        id: Uuid::from_u128(id.unsigned_abs().into()),
        workspace: "acme".to_owned(),
        effective_at: "2026-03-30T07:00:00Z".parse().unwrap(),
        sequence,
        change,
    }
}

fn agent(sequence: i64) -> Event {
    let change = Change::Agent {
        agent: "a-1".to_owned(),
        external: None,
        status: Status::Online,
        accepts_conversations: true,
        reason: Why::HoursStart,
    };
    event(sequence, sequence, change)
}

fn workspace() -> Event {
    let mode = Mode::LiveChat;
    event(1000, 4, Change::Workspace { mode })
}

#[tokio::test]
async fn a_batch_is_accepted_over_either_http() {
    for tls in [true, false] {
        let stage = Stage::set(tls).await;
        let batch = [agent(17), workspace()];
        let judgement = stage.channel().send(&batch, stage.now()).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
        assert_eq!(judgement.http_status, Some(200));
        let presence = &stage.world.presence;
        assert_eq!(presence.status("a-1"), Some(Status::Online));
        assert_eq!(presence.agent("a-1").unwrap().sequence, 17);
        assert_eq!(presence.mode("acme"), Some(Mode::LiveChat));
        assert_eq!(presence.record().accepted()[0].events.len(), 2);
        assert_eq!(presence.findings(), []);
    }
}

#[tokio::test]
async fn the_same_body_keeps_its_id_and_a_changed_one_does_not() {
    let stage = Stage::set(true).await;
    let channel = stage.channel();
    let spoilt = stage
        .meet(&channel, Behaviour::Accepted(Fault::Close))
        .await;
    assert_eq!(spoilt.verdict, Verdict::Unknown, "{spoilt:?}");
    // Much later, and after a restart: the signature is new, the id is not.
    stage.clock.advance(Duration::from_hours(1));
    let judgement = stage.post(&stage.channel()).await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    let judgement = channel.send(&[agent(18)], stage.now()).await;
    assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    let ids = stage.webhook_ids();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    assert_eq!(stage.world.presence.findings(), []);
}

#[tokio::test]
async fn a_batch_with_a_bad_event_is_to_be_narrowed() {
    let stage = Stage::set(true).await;
    let channel = stage.channel();
    let mut nameless = agent(18);
    nameless.workspace = String::new();
    let batch = [workspace(), nameless];
    let judgement = channel.send(&batch, stage.now()).await;
    assert_eq!(judgement.verdict, Verdict::Narrow);
    assert_eq!(judgement.http_status, Some(400));
    assert!(judgement.reason.contains("events[1]"), "{judgement:?}");
    let judgement = channel.send(&batch[..1], stage.now()).await;
    assert_eq!(judgement.verdict, Verdict::Sent);
    assert_eq!(stage.world.presence.findings(), []);
}

#[tokio::test]
async fn a_wrong_secret_or_path_is_a_matter_of_configuration() {
    let stage = Stage::set(true).await;
    let mut wrong_secret = stage.options.clone();
    wrong_secret.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into();
    let mut wrong_path = stage.options.clone();
    wrong_path.url.set_path("/elsewhere");
    for (options, status) in [(wrong_secret, 401), (wrong_path, 404)] {
        let channel = presence::Presence::new(options).unwrap();
        let judgement = stage.post(&channel).await;
        assert_eq!(judgement.verdict, Verdict::Misconfigured);
        assert_eq!(judgement.http_status, Some(status));
    }
}

#[tokio::test]
async fn odd_answers_are_judged_by_their_status() {
    for tls in [true, false] {
        let stage = Stage::set(tls).await;
        let channel = stage.channel();
        let rows = [
            (Fault::html(200), Verdict::Sent, None),
            (Fault::Flood(100_000_000), Verdict::Sent, None),
            (Fault::not_utf8(422), Verdict::Narrow, None),
            (Fault::status(500), Verdict::Retry, None),
            (
                Fault::html(503).with_header("retry-after", "17"),
                Verdict::Retry,
                Some(17),
            ),
            (
                Fault::status(429).with_header("retry-after", "1000000000000"),
                Verdict::Slow,
                Some(3600),
            ),
            (
                Fault::status(429).with_header("retry-after", "-1"),
                Verdict::Slow,
                None,
            ),
            (
                Fault::status(308).with_header("location", &stage.world.fcm.endpoint()),
                Verdict::Misconfigured,
                None,
            ),
        ];
        for (fault, verdict, wait) in rows {
            let name = format!("{fault:?}");
            let judgement = stage.meet(&channel, fault).await;
            assert_eq!(judgement.verdict, verdict, "{name} {judgement:?}");
            let seconds = judgement.retry_after.map(|wait| wait.as_secs());
            assert_eq!(seconds, wait, "{name}");
            assert!(judgement.reason.chars().count() < 500, "{judgement:?}");
        }
        assert_eq!(stage.world.fcm.traffic().connections(), 0);
        assert_eq!(stage.world.presence.findings(), []);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unknown() {
    let stage = Stage::set(true).await;
    let channel = stage.impatient();
    for fault in [
        Fault::Hang,
        Fault::Drip,
        Fault::Close,
        Fault::Reset(Reason::INTERNAL_ERROR),
    ] {
        let name = format!("{fault:?}");
        let judgement = stage.meet(&channel, fault).await;
        assert_eq!(judgement.verdict, Verdict::Unknown, "{name} {judgement:?}");
    }
    let ids = stage.webhook_ids();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn what_was_not_processed_is_told_apart() {
    let stage = Stage::set(true).await;
    let channel = stage.channel();
    for fault in [
        Fault::Reset(Reason::REFUSED_STREAM),
        Fault::GoAway(Reason::NO_ERROR),
    ] {
        let name = format!("{fault:?}");
        let verdict = stage.meet(&channel, fault).await.verdict;
        assert_eq!(verdict, Verdict::NotProcessed, "{name}");
    }
    assert_eq!(stage.world.presence.record().total_count(), 2);
    assert_eq!(stage.post(&channel).await.verdict, Verdict::Sent);
    assert_eq!(stage.world.presence.findings(), []);
}

#[tokio::test]
async fn a_check_changes_nothing_and_says_what_it_found() {
    let stage = Stage::set(true).await;
    let checkup = stage.channel().check(stage.now()).await.unwrap();
    assert_eq!(checkup.proof, Proof::Reached);
    assert_eq!(stage.world.presence.record().accepted_count(), 0);

    let mut options = stage.options.clone();
    let stranger = Authority::generate().unwrap();
    options.extra_ca = Some(stranger.ca_pem().as_bytes().to_vec());
    let channel = presence::Presence::new(options).unwrap();
    let error = channel.check(stage.now()).await.unwrap_err();
    assert!(error.contains("certificate is refused"), "{error}");
    assert_eq!(stage.post(&channel).await.verdict, Verdict::Misconfigured);

    stage.world.presence.script().next(1, Fault::Hang);
    let error = stage.impatient().check(stage.now()).await.unwrap_err();
    assert_eq!(error, "connected, but got no answer: timeout");
}
