//! The FCM channel against the strict stand-in: what is accepted, what each fault comes to.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

use std::{fs, net::TcpListener, sync::Arc, time::Duration};

use jiff::Timestamp;
use shiftbell::{
    channels::{Channel as _, Proof, fcm},
    clock::Clock,
    domain::{
        delivery::{AlertKind, DeviceFate, Judgement, Push, Verdict},
        device::{DeviceToken, Environment},
    },
    sim::{
        World, WorldOptions,
        script::{Behaviour, Fault, Gate, Reason},
        tls::Authority,
    },
};
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

const PHONE: &str = "fcm-canary-token-1";

/// Longer than any exchange should need.
const LONG: Duration = Duration::from_secs(20);

/// For exchanges that end by their limit only; long enough to connect on a busy machine.
const SHORT: Duration = Duration::from_secs(3);

struct Stage {
    world: World,
    clock: Clock,
    options: fcm::Options,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        Self::with(WorldOptions::default()).await
    }

    async fn plain() -> Self {
        let tls = false;
        Self::with(WorldOptions {
            tls,
            ..WorldOptions::default()
        })
        .await
    }

    async fn with(options: WorldOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-30T07:00:00Z".parse().unwrap());
        let world = World::start(folder.path(), clock.clone(), options)
            .await
            .unwrap();
        let account = world.folder.join("service-account.json");
        let options = fcm::Options {
            endpoint: Url::parse(&world.fcm.endpoint()).unwrap(),
            service_account: fs::read_to_string(account).unwrap().into(),
            extra_ca: Some(fs::read(&world.ca_path).unwrap()),
            request_timeout: LONG,
            max_in_flight: 100,
        };
        Self {
            world,
            clock,
            options,
            _folder: folder,
        }
    }

    fn channel(&self) -> fcm::Fcm {
        fcm::Fcm::new(self.options.clone()).unwrap()
    }

    fn impatient(&self) -> fcm::Fcm {
        let options = fcm::Options {
            request_timeout: SHORT,
            ..self.options.clone()
        };
        fcm::Fcm::new(options).unwrap()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sends one push; the judgement must not name the phone.
    async fn send(&self, channel: &fcm::Fcm) -> Judgement {
        let now = self.now();
        let push = Push {
            deadline: push().deadline.max(now + Duration::from_mins(1)),
            ..push()
        };
        let judgement = channel.send(&[push], now).await;
        let printed = format!("{judgement:?}");
        assert!(
            !printed.contains("canary") && !printed.contains("ya29"),
            "{printed}"
        );
        judgement
    }

    /// Sends one push that meets this behaviour.
    async fn meet(&self, channel: &fcm::Fcm, behaviour: impl Into<Behaviour>) -> Judgement {
        self.world.fcm.script().next(1, behaviour);
        self.send(channel).await
    }
}

fn push() -> Push {
    Push {
        delivery: Uuid::from_u128(1),
        token: DeviceToken::new(PHONE),
        environment: Environment::Production,
        event: AlertKind::HoursStart,
        agent: "a-1".to_owned(),
        transition: Uuid::from_u128(2),
        at: "2026-03-30T07:00:00Z".parse().unwrap(),
        since: "2026-03-30T07:00:00Z".parse().unwrap(),
        deadline: "2026-03-30T07:15:00Z".parse().unwrap(),
        collapse_id: "a-1/start".to_owned(),
        title: "Bonjour".to_owned(),
        body: "C'est l'heure 🔔".to_owned(),
    }
}

fn seconds(judgement: &Judgement) -> Option<u64> {
    judgement.retry_after.map(|wait| wait.as_secs())
}

#[tokio::test]
async fn a_push_is_accepted_over_either_http() {
    for stage in [Stage::set().await, Stage::plain().await] {
        let judgement = stage.send(&stage.channel()).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
        assert_eq!(judgement.http_status, Some(200));
        let receipt = judgement.receipt.unwrap();
        assert!(
            receipt.starts_with("projects/shiftbell-demo/messages/0:"),
            "{receipt}"
        );

        let record = stage.world.fcm.record().accepted();
        assert_eq!(record.len(), 1);
        assert_eq!(record[0].token, DeviceToken::new(PHONE));
        assert_eq!(record[0].collapse_id.as_deref(), Some("a-1/start"));
        assert_eq!(record[0].expires, Some(push().deadline));
        let json = record[0].json();
        assert_eq!(json["message"]["android"]["priority"], "HIGH");
        assert_eq!(json["message"]["data"]["event"], "hours_start");
        assert_eq!(json["message"]["data"]["at"], "2026-03-30T07:00:00Z");
    }
}

#[tokio::test]
async fn fifty_sends_share_one_grant() {
    let stage = Stage::set().await;
    let channel = Arc::new(stage.channel());
    let mut sends = JoinSet::new();
    for _ in 0..50 {
        let (channel, now) = (Arc::clone(&channel), stage.now());
        sends.spawn(async move { channel.send(&[push()], now).await.verdict });
    }
    assert_eq!(sends.join_all().await, [Verdict::Sent; 50]);
    assert_eq!(stage.world.fcm.grants().total_count(), 1);

    stage.clock.advance(Duration::from_mins(54));
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
    assert_eq!(stage.world.fcm.grants().total_count(), 1);
    stage.clock.advance(Duration::from_mins(1));
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
    assert_eq!(stage.world.fcm.grants().total_count(), 2);
}

#[tokio::test]
async fn a_refused_access_token_is_replaced_once() {
    let stage = Stage::set().await;
    let channel = stage.channel();
    for _ in 0..2 {
        assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
        stage.world.fcm.revoke_access();
        let refused = stage.send(&channel).await;
        assert_eq!(refused.verdict, Verdict::NotProcessed);
        assert_eq!(refused.reason, "UNAUTHENTICATED");
    }
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
    assert_eq!(stage.world.fcm.grants().total_count(), 3);

    let verdict = async |fault| stage.meet(&channel, fault).await.verdict;
    assert_eq!(verdict(Fault::status(401)).await, Verdict::NotProcessed);
    assert_eq!(verdict(Fault::html(401)).await, Verdict::Misconfigured);
    assert_eq!(verdict(Fault::status(401)).await, Verdict::Misconfigured);
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
    assert_eq!(verdict(Fault::status(401)).await, Verdict::NotProcessed);
}

#[tokio::test]
async fn requests_that_share_a_refused_token_are_all_free() {
    let stage = Stage::set().await;
    let channel = Arc::new(stage.channel());
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
    stage.world.fcm.revoke_access();
    // The refusals come when all three have been sent with the same token.
    let gate = Gate::closed();
    let rule = stage
        .world
        .fcm
        .script()
        .next(3, Behaviour::Hold(gate.clone()));
    let mut sends = JoinSet::new();
    for _ in 0..3 {
        let (channel, now) = (Arc::clone(&channel), stage.now());
        sends.spawn(async move { channel.send(&[push()], now).await.verdict });
    }
    rule.wait_struck(3, LONG).await.unwrap();
    gate.open();
    assert_eq!(sends.join_all().await, [Verdict::NotProcessed; 3]);
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
    assert_eq!(stage.world.fcm.grants().total_count(), 2);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_holds_the_messages_back() {
    let stage = Stage::set().await;
    let channel = stage.channel();
    let script = stage.world.fcm.token_script();
    let rows = [
        (
            Fault::answer(400, r#"{"error":"invalid_grant"}"#),
            Verdict::Misconfigured,
            "invalid_grant",
        ),
        (
            Fault::status(302),
            Verdict::Misconfigured,
            "token endpoint: http_302",
        ),
        (
            Fault::status(503),
            Verdict::Slow,
            "token endpoint: http_503",
        ),
        (Fault::html(200), Verdict::Slow, "no access token"),
        (Fault::Close, Verdict::Slow, "connection_lost"),
        (
            Fault::Reset(Reason::INTERNAL_ERROR),
            Verdict::Slow,
            "token endpoint: reset",
        ),
    ];
    for (fault, verdict, reason) in rows {
        script.next(1, fault);
        let judgement = stage.send(&channel).await;
        assert_eq!(judgement.verdict, verdict, "{judgement:?}");
        assert!(judgement.reason.contains(reason), "{judgement:?}");
        assert_eq!(seconds(&judgement).is_some(), verdict == Verdict::Slow);
    }
    assert_eq!(stage.world.fcm.record().total_count(), 0);
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
}

#[tokio::test]
async fn those_who_wait_for_a_token_share_the_failure() {
    let stage = Stage::set().await;
    let channel = Arc::new(stage.impatient());
    let hang = stage.world.fcm.token_script().always(Fault::Hang);
    let mut sends = JoinSet::new();
    for _ in 0..20 {
        let (channel, now) = (Arc::clone(&channel), stage.now());
        sends.spawn(async move { channel.send(&[push()], now).await.verdict });
    }
    assert_eq!(sends.join_all().await, [Verdict::Slow; 20]);
    assert_eq!(hang.struck(), 1);
}

#[tokio::test]
async fn phones_that_are_gone_or_foreign_are_told_apart() {
    let stage = Stage::set().await;
    let channel = stage.channel();
    let fcm = &stage.world.fcm;
    let phone = DeviceToken::new(PHONE);
    fcm.reject(&phone);
    let judgement = stage.send(&channel).await;
    assert_eq!(
        (judgement.verdict, judgement.device),
        (Verdict::Failed, DeviceFate::Quarantine)
    );
    fcm.mismatch_sender(&phone);
    let judgement = stage.send(&channel).await;
    assert_eq!(
        (judgement.verdict, judgement.device),
        (Verdict::Failed, DeviceFate::Quarantine)
    );
    assert_eq!(judgement.reason, "SENDER_ID_MISMATCH");
    fcm.unregister(&phone);
    let judgement = stage.send(&channel).await;
    assert_eq!(
        (judgement.verdict, judgement.device),
        (Verdict::Failed, DeviceFate::Disable(None))
    );
    assert_eq!(judgement.reason, "UNREGISTERED");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unknown_on_http_2() {
    lose_answers(Stage::set().await).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unknown_on_http_1() {
    lose_answers(Stage::plain().await).await;
}

async fn lose_answers(stage: Stage) {
    let channel = stage.impatient();
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
    let faults: [Behaviour; 7] = [
        Fault::Hang.into(),
        Fault::Drip.into(),
        Fault::Close.into(),
        Fault::Reset(Reason::INTERNAL_ERROR).into(),
        Behaviour::Accepted(Fault::Hang),
        Behaviour::Accepted(Fault::Close),
        Behaviour::Accepted(Fault::GoAway(Reason::INTERNAL_ERROR)),
    ];
    for fault in faults {
        let name = format!("{fault:?}");
        let judgement = stage.meet(&channel, fault).await;
        assert_eq!(judgement.verdict, Verdict::Unknown, "{name} {judgement:?}");
        assert_eq!(seconds(&judgement), Some(10), "{name}");
    }
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
}

#[tokio::test]
async fn odd_answers_are_judged_by_their_status() {
    for stage in [Stage::set().await, Stage::plain().await] {
        let channel = stage.channel();
        let rows = [
            (Fault::html(200), Verdict::Sent, None),
            (Fault::not_utf8(200), Verdict::Sent, None),
            (Fault::Flood(100_000_000), Verdict::Sent, None),
            (Fault::status(500), Verdict::Retry, Some(10)),
            (Fault::html(502), Verdict::Retry, Some(10)),
            (Fault::not_utf8(400), Verdict::Failed, None),
            (
                Fault::status(503).with_header("retry-after", "17"),
                Verdict::Retry,
                Some(17),
            ),
            (Fault::status(429), Verdict::Slow, Some(60)),
            (
                Fault::status(429).with_header("retry-after", "1000000000000"),
                Verdict::Slow,
                Some(3600),
            ),
            (Fault::status(404), Verdict::Misconfigured, None),
        ];
        for (fault, verdict, wait) in rows {
            let name = format!("{fault:?}");
            let judgement = stage.meet(&channel, fault).await;
            assert_eq!(judgement.verdict, verdict, "{name} {judgement:?}");
            assert_eq!(seconds(&judgement), wait, "{name}");
            assert!(judgement.reason.chars().count() < 500 && judgement.receipt.is_none());
        }
    }
}

#[tokio::test]
async fn what_was_not_processed_is_told_apart() {
    let stage = Stage::set().await;
    let channel = stage.channel();
    for fault in [
        Fault::Reset(Reason::REFUSED_STREAM),
        Fault::GoAway(Reason::NO_ERROR),
        Fault::GoAway(Reason::INTERNAL_ERROR),
    ] {
        let name = format!("{fault:?}");
        let judgement = stage.meet(&channel, fault).await;
        assert_eq!(
            judgement.verdict,
            Verdict::NotProcessed,
            "{name} {judgement:?}"
        );
    }
    assert_eq!(stage.world.fcm.record().total_count(), 3);
    assert_eq!(stage.send(&channel).await.verdict, Verdict::Sent);
    // Refused over and over it is asked less often.
    stage
        .world
        .fcm
        .script()
        .always(Fault::Reset(Reason::REFUSED_STREAM));
    let mut last = stage.send(&channel).await;
    for _ in 0..11 {
        assert_eq!(last.verdict, Verdict::NotProcessed);
        last = stage.send(&channel).await;
    }
    assert_eq!((last.verdict, seconds(&last)), (Verdict::Slow, Some(1)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let stage = Stage::set().await;
    let channel = stage.channel();
    let elsewhere = format!("{}/elsewhere", stage.world.presence.url());
    for status in [301, 302, 307, 308] {
        let fault = Fault::status(status).with_header("location", &elsewhere);
        let judgement = stage.meet(&channel, fault).await;
        assert_eq!(judgement.verdict, Verdict::Misconfigured, "{status}");
    }
    assert_eq!(stage.world.fcm.record().total_count(), 4);
    assert_eq!(stage.world.presence.record().total_count(), 0);
}

#[tokio::test]
async fn only_trusted_receivers_get_anything() {
    let stage = Stage::set().await;
    let stranger = Authority::generate().unwrap().ca_pem().to_owned();
    for (extra_ca, problem) in [
        (None, "ca_file"),
        (Some(stranger.into_bytes()), "certificate is refused"),
    ] {
        let channel = fcm::Fcm::new(fcm::Options {
            extra_ca,
            ..stage.options.clone()
        })
        .unwrap();
        let judgement = stage.send(&channel).await;
        assert_eq!(judgement.verdict, Verdict::Misconfigured, "{judgement:?}");
        assert!(judgement.reason.contains(problem), "{judgement:?}");
        let error = channel.check(stage.now()).await.unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
    assert_eq!(stage.world.fcm.grants().total_count(), 0);
}

#[tokio::test]
async fn a_receiver_that_is_down_is_held_back_from() {
    let stage = Stage::set().await;
    let mut options = stage.options.clone();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    options.endpoint = Url::parse(&format!("http://{closed}")).unwrap();
    let channel = fcm::Fcm::new(options).unwrap();
    for wait in [1, 2, 4] {
        let judgement = stage.send(&channel).await;
        assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
        assert_eq!(seconds(&judgement), Some(wait));
        assert!(
            judgement
                .reason
                .starts_with("cannot connect to 127.0.0.1: "),
            "{judgement:?}"
        );
    }
}

#[tokio::test]
async fn a_check_proves_the_credentials_and_rings_nobody() {
    let stage = Stage::set().await;
    let channel = stage.channel();
    for prepare in [
        |_: &World| (),
        |world: &World| world.fcm.reject(&DeviceToken::new("shiftbell-doctor")),
    ] {
        prepare(&stage.world);
        let checkup = channel.check(stage.now()).await.unwrap();
        assert_eq!(checkup.proof, Proof::Credentials, "{checkup:?}");
    }
    assert_eq!(stage.world.fcm.record().accepted_count(), 0);
    stage.world.fcm.script().next(1, Fault::status(404));
    let error = channel.check(stage.now()).await.unwrap_err();
    assert_eq!(error, "http_404 (HTTP 404)");
}

#[test]
fn a_channel_prints_no_secret() {
    let account = serde_json::json!({
        "project_id": "p", "client_email": "canary@p", "token_uri": "https://localhost/token",
        "private_key": include_str!("../src/sim/data/demo_service_account_key.pem"),
    });
    let options = fcm::Options {
        endpoint: Url::parse("https://fcm.googleapis.com/").unwrap(),
        service_account: account.to_string().into(),
        extra_ca: None,
        request_timeout: LONG,
        max_in_flight: 0,
    };
    assert!(!format!("{options:?}").contains("canary"));
    let channel = fcm::Fcm::new(options).unwrap();
    assert_eq!((channel.slots(), channel.batch()), (1, 1));
    let printed = format!("{channel:?}");
    assert_eq!(
        printed,
        r#"Fcm { send_url: "https://fcm.googleapis.com/v1/projects/p/messages:send", .. }"#
    );
}
