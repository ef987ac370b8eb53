//! The APNs client against a stand-in as strict as Apple, over real TLS and HTTP/2.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use shiftbell::{
    channels::{
        Channel as _, ChannelError, Proof,
        apns::{Apns, Options},
    },
    clock::Clock,
    domain::{
        delivery::{AlertKind, ChannelKind, DeviceFate, Judgement, Push, Verdict},
        device::{DeviceToken, Environment},
    },
    sim::{
        World, WorldOptions,
        record::Verdict as Received,
        script::{Behaviour, Fault, Gate, Reason},
    },
};
use uuid::Uuid;

/// Longer than any test should need: it ends a test that would hang.
const LONG: Duration = Duration::from_secs(20);

fn noon() -> Timestamp {
    "2026-03-30T12:00:00Z".parse().unwrap()
}

/// The stand-ins in a folder of their own, on a clock that stands at noon.
struct Stage {
    world: World,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(noon());
        let world = World::start(folder.path(), clock.clone(), WorldOptions::default());
        Self {
            world: world.await.unwrap(),
            clock,
            _folder: folder,
        }
    }

    fn options(&self) -> Options {
        let file = |name: &str| std::fs::read_to_string(self.world.folder.join(name)).unwrap();
        Options {
            endpoint: self.world.apns.endpoint().parse().unwrap(),
            sandbox_endpoint: self.world.apns.sandbox_endpoint().parse().unwrap(),
            key_pem: file("AuthKey_DEMO123456.p8").into(),
            key_id: "DEMO123456".to_owned(),
            team_id: "DEMOTEAM01".to_owned(),
            topic: "com.example.agent".to_owned(),
            extra_ca: Some(file("ca.pem").into_bytes()),
            request_timeout: LONG,
            max_in_flight: 50,
        }
    }

    fn client(&self) -> Apns {
        Apns::new(self.options()).unwrap()
    }

    /// How often each push, by its `apns-id`, was accepted.
    fn accepted(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for push in self.world.apns.record().accepted() {
            *counts.entry(push.id.clone().unwrap()).or_default() += 1;
        }
        counts
    }

    async fn ready() -> (Self, Apns) {
        let stage = Self::set().await;
        let apns = stage.client();
        (stage, apns)
    }
}

/// The push number `n`: a delivery and a phone of its own.
fn push(n: u128) -> Push {
    Push {
        delivery: Uuid::from_u128(0xA_0000 + n),
        token: DeviceToken::new(format!("{n:064x}")),
        environment: Environment::Production,
        event: AlertKind::HoursStart,
        agent: "a-1".to_owned(),
        transition: Uuid::from_u128(0xB_0000 + n),
        at: noon(),
        since: noon(),
        deadline: noon() + Duration::from_mins(15),
        collapse_id: format!("alert-{n}"),
        title: "Title".to_owned(),
        body: "Body".to_owned(),
    }
}

async fn send(apns: &Apns, n: u128) -> Judgement {
    apns.send(&[push(n)], noon()).await
}

/// Sends these pushes all at the same time.
async fn send_all(
    apns: &Arc<Apns>,
    pushes: impl IntoIterator<Item = u128>,
) -> Vec<(u128, Judgement)> {
    let mut tasks = Vec::new();
    for n in pushes {
        let apns = Arc::clone(apns);
        tasks.push(tokio::spawn(async move { (n, send(&apns, n).await) }));
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn a_push_carries_all_that_apple_asks_for() {
    let (stage, apns) = Stage::ready().await;
    assert_eq!((apns.kind(), apns.batch()), (ChannelKind::Apns, 1));
    let judgement = send(&apns, 7).await;
    let id = push(7).delivery.to_string();
    let expected = Judgement {
        http_status: Some(200),
        receipt: Some(id.clone()),
        ..Judgement::new(Verdict::Sent, "ok")
    };
    assert_eq!(judgement, expected);

    let record = stage.world.apns.record().all();
    let [received] = &record[..] else {
        panic!("one push, not {record:?}")
    };
    let header = |name: &str| received.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("apns-id"), id);
    assert_eq!(header("apns-collapse-id"), "alert-7");
    assert_eq!(header("apns-topic"), "com.example.agent");
    assert_eq!(header("apns-push-type"), "alert");
    assert_eq!(header("apns-priority"), "10");
    assert_eq!(header("apns-expiration"), "1774872900");
    assert!(header("authorization").starts_with("bearer "));
    assert_eq!(received.token, push(7).token);
    let expected = serde_json::json!({
        "aps": {
            "alert": {"title": "Title", "body": "Body"},
            "sound": "default",
            "interruption-level": "time-sensitive",
        },
        "shiftbell": {
            "event": "hours_start",
            "agent": "a-1",
            "transition": push(7).transition.to_string(),
            "at": "2026-03-30T12:00:00Z",
        },
    });
    assert_eq!(received.json(), expected);
}

#[tokio::test]
async fn two_hundred_pushes_take_one_connection() {
    let (stage, apns) = Stage::ready().await;
    let apns = Arc::new(apns);
    let outcomes = send_all(&apns, 0..200).await;
    assert!(outcomes.iter().all(|(_, it)| it.verdict == Verdict::Sent));
    assert_eq!(stage.world.apns.traffic().connections(), 1);
    assert!(stage.world.apns.traffic().peak() <= 50);
    assert_eq!(stage.accepted().len(), 200);
}

#[tokio::test]
async fn one_push_is_in_flight_until_the_first_is_accepted() {
    let (stage, apns) = Stage::ready().await;
    let apns = Arc::new(apns);
    assert_eq!(apns.slots(), 1);
    let gate = Gate::closed();
    let held = Behaviour::Hold(gate.clone());
    let held = stage.world.apns.script().always(held);
    let batch = tokio::spawn({
        let apns = Arc::clone(&apns);
        async move { send_all(&apns, 0..20).await }
    });
    held.wait_struck(1, LONG).await.unwrap();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!((held.struck(), apns.slots()), (1, 1));
    gate.open();
    let outcomes = batch.await.unwrap();
    assert!(outcomes.iter().all(|(_, it)| it.verdict == Verdict::Sent));
    assert_eq!(apns.slots(), 50);
    assert_eq!(stage.world.apns.traffic().connections(), 1);
}

#[tokio::test]
async fn each_environment_has_its_host() {
    let (stage, apns) = Stage::ready().await;
    let sandbox = Push {
        environment: Environment::Sandbox,
        ..push(1)
    };
    assert_eq!(apns.send(&[sandbox], noon()).await.verdict, Verdict::Sent);
    assert_eq!(stage.world.apns.traffic().connections(), 0);
    assert_eq!(apns.slots(), 50);
    assert_eq!(send(&apns, 2).await.verdict, Verdict::Sent);
    let record = stage.world.apns.record().all();
    let environments: Vec<_> = record.iter().map(|it| it.environment).collect();
    assert_eq!(
        environments,
        [Environment::Sandbox, Environment::Production]
    );
}

#[tokio::test]
async fn what_apple_says_of_a_phone_is_heard() {
    let (stage, apns) = Stage::ready().await;
    let since = noon() - Duration::from_hours(1);
    stage.world.apns.unregister(&push(1).token, since);
    stage.world.apns.reject(&push(2).token);
    stage.world.apns.other_topic(&push(3).token);
    let quarantine = DeviceFate::Quarantine;
    let rows = [
        (1, 410, "Unregistered", DeviceFate::Disable(Some(since))),
        (2, 400, "BadDeviceToken", quarantine),
        (3, 400, "DeviceTokenNotForTopic", quarantine),
    ];
    for (n, status, reason, device) in rows {
        let expected = Judgement {
            http_status: Some(status),
            device,
            ..Judgement::new(Verdict::Failed, reason)
        };
        assert_eq!(send(&apns, n).await, expected);
    }
    let odd = Push {
        token: DeviceToken::new("../x?y#z"),
        ..push(4)
    };
    let judgement = apns.send(&[odd], noon()).await;
    assert_eq!(
        (judgement.verdict, judgement.device),
        (Verdict::Failed, quarantine)
    );
    assert_eq!(stage.world.apns.record().total_count(), 3);
}

/// Sends again whatever was not processed, until nothing is.
async fn send_until_processed(apns: &Arc<Apns>, outcomes: &mut HashMap<u128, Verdict>) {
    for _ in 0..20 {
        let again = outcomes
            .iter()
            .filter(|(_, it)| **it == Verdict::NotProcessed);
        let again: Vec<_> = again.map(|(n, _)| *n).collect();
        if again.is_empty() {
            return;
        }
        let sent = send_all(apns, again).await;
        outcomes.extend(sent.into_iter().map(|(n, it)| (n, it.verdict)));
    }
    panic!("still not processed");
}

#[tokio::test]
async fn a_goaway_in_the_middle_of_a_batch_doubles_nothing() {
    let (stage, apns) = Stage::ready().await;
    let apns = Arc::new(apns);
    assert_eq!(send(&apns, 0).await.verdict, Verdict::Sent);
    let script = stage.world.apns.script();
    script.next_of(push(50).token.expose(), 1, Fault::GoAway(Reason::NO_ERROR));
    let outcomes = send_all(&apns, 1..101).await;
    let accepted = stage.accepted();
    let count = |n: u128| {
        accepted
            .get(&push(n).delivery.to_string())
            .copied()
            .unwrap_or(0)
    };
    let mut unknown = Vec::new();
    for (n, judgement) in &outcomes {
        match judgement.verdict {
            Verdict::Sent => assert_eq!(count(*n), 1),
            Verdict::NotProcessed => assert_eq!(count(*n), 0, "{judgement:?}"),
            // Its answer was on its way when the connection closed: nobody can know.
            Verdict::Unknown => unknown.push(push(*n).delivery.to_string()),
            other => panic!("{other:?}: {judgement:?}"),
        }
    }
    let mut outcomes: HashMap<_, _> = outcomes
        .into_iter()
        .map(|(n, it)| (n, it.verdict))
        .collect();
    send_until_processed(&apns, &mut outcomes).await;
    assert_eq!(send(&apns, 101).await.verdict, Verdict::Sent);
    let accepted = stage.accepted();
    assert!(accepted.values().all(|count| *count == 1));
    unknown.retain(|id| !accepted.contains_key(id));
    assert_eq!(accepted.len() + unknown.len(), 102);
    assert_eq!(stage.world.apns.traffic().connections(), 2);
}

#[tokio::test]
async fn a_server_that_restarts_in_the_middle_of_a_batch_loses_nothing() {
    let (stage, apns) = Stage::ready().await;
    let apns = Arc::new(apns);
    assert_eq!(send(&apns, 0).await.verdict, Verdict::Sent);
    let script = stage.world.apns.script();
    script.next_of(push(50).token.expose(), 1, Behaviour::LastOfConnection);
    let outcomes = send_all(&apns, 1..101).await;
    let mut outcomes: HashMap<_, _> = outcomes
        .into_iter()
        .map(|(n, it)| (n, it.verdict))
        .collect();
    send_until_processed(&apns, &mut outcomes).await;
    assert!(
        outcomes.values().all(|it| *it == Verdict::Sent),
        "{outcomes:?}"
    );
    let accepted = stage.accepted();
    assert_eq!(accepted.len(), 101);
    assert!(accepted.values().all(|count| *count == 1));
}

#[tokio::test]
async fn only_what_may_have_been_processed_is_unknown() {
    let (stage, apns) = Stage::ready().await;
    let not_processed = Verdict::NotProcessed;
    let rows: [(Behaviour, Verdict, &str); 7] = [
        (
            Fault::Reset(Reason::REFUSED_STREAM).into(),
            not_processed,
            "refused_stream",
        ),
        (
            Fault::GoAway(Reason::NO_ERROR).into(),
            not_processed,
            "goaway",
        ),
        (
            Fault::answer(503, r#"{"reason":"Shutdown"}"#).into(),
            not_processed,
            "Shutdown",
        ),
        (
            Fault::answer(400, r#"{"reason":"IdleTimeout"}"#).into(),
            not_processed,
            "IdleTimeout",
        ),
        (
            Fault::Reset(Reason::INTERNAL_ERROR).into(),
            Verdict::Unknown,
            "reset",
        ),
        (
            Behaviour::Accepted(Fault::Close),
            Verdict::Unknown,
            "connection_lost",
        ),
        (
            Behaviour::Accepted(Fault::GoAway(Reason::NO_ERROR)),
            Verdict::Unknown,
            "connection_lost",
        ),
    ];
    for (behaviour, verdict, reason) in rows {
        stage.world.apns.script().next(1, behaviour);
        let judgement = send(&apns, 1).await;
        assert_eq!((judgement.verdict, &*judgement.reason), (verdict, reason));
        assert_eq!(
            send(&apns, 2).await.verdict,
            Verdict::Sent,
            "after {reason}"
        );
    }
}

#[tokio::test]
async fn a_server_that_only_shuts_down_is_not_asked_without_a_pause() {
    let (stage, apns) = Stage::ready().await;
    let shutdown = Fault::answer(503, r#"{"reason":"Shutdown"}"#);
    let rule = stage.world.apns.script().always(shutdown);
    let mut free = 0;
    let slow = loop {
        let judgement = send(&apns, 1).await;
        if judgement.verdict != Verdict::NotProcessed {
            break judgement;
        }
        free += 1;
        assert!(free < 100, "no end of free tries");
    };
    assert_eq!(
        (slow.verdict, slow.retry_after),
        (Verdict::Slow, Some(Duration::from_secs(1)))
    );
    stage.world.apns.script().remove(&rule);
    assert_eq!(send(&apns, 1).await.verdict, Verdict::Sent);
}

#[tokio::test]
async fn silence_ends_within_the_time_limit() {
    let stage = Stage::set().await;
    let apns = Apns::new(Options {
        request_timeout: Duration::from_millis(300),
        ..stage.options()
    });
    let apns = apns.unwrap();
    for fault in [Fault::Hang, Fault::Drip] {
        stage.world.apns.script().next(1, fault);
        let judgement = tokio::time::timeout(LONG, send(&apns, 1)).await.unwrap();
        assert_eq!(judgement.verdict, Verdict::Unknown, "{judgement:?}");
    }
}

#[tokio::test]
async fn odd_answers_are_judged_by_their_status() {
    let (stage, apns) = Stage::ready().await;
    let html = r"\u{3c}!doctype html\u{3e}\u{3c}title\u{3e}Welcome";
    let rows = [
        (Fault::Flood(1 << 30), Verdict::Sent, "ok"),
        (Fault::html(200), Verdict::Sent, "ok"),
        (Fault::html(503), Verdict::Retry, html),
        (Fault::html(403), Verdict::Misconfigured, html),
        (
            Fault::not_utf8(500),
            Verdict::Retry,
            r"{\u{22}reason\u{22}:",
        ),
        (Fault::status(500), Verdict::Retry, "http_500"),
        (
            Fault::answer(429, r#"{"reason":"TooManyRequests"}"#),
            Verdict::Retry,
            "TooManyRequests",
        ),
    ];
    for (fault, verdict, start) in rows {
        stage.world.apns.script().next(1, fault.clone());
        let judgement = tokio::time::timeout(LONG, send(&apns, 1)).await.unwrap();
        assert_eq!(judgement.verdict, verdict, "{fault:?}");
        assert!(judgement.reason.starts_with(start), "{judgement:?}");
    }
    assert_eq!(send(&apns, 1).await.verdict, Verdict::Sent);
    assert_eq!(stage.world.apns.traffic().connections(), 1);
}

#[tokio::test]
async fn an_unknown_authority_is_our_configuration() {
    let stage = Stage::set().await;
    let apns = Apns::new(Options {
        extra_ca: None,
        ..stage.options()
    });
    let apns = apns.unwrap();
    let judgement = send(&apns, 1).await;
    assert_eq!(judgement.verdict, Verdict::Misconfigured);
    assert!(judgement.reason.contains("ca_file"), "{judgement:?}");
    assert!(apns.check(noon()).await.unwrap_err().contains("ca_file"));
}

#[tokio::test]
async fn nobody_there_slows_down() {
    let stage = Stage::set().await;
    let options = stage.options();
    drop(stage);
    let apns = Apns::new(options).unwrap();
    for wait in [1, 2, 4] {
        let judgement = send(&apns, 1).await;
        assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
        assert_eq!(judgement.retry_after, Some(Duration::from_secs(wait)));
    }
}

#[tokio::test]
async fn a_stale_token_is_forgiven_once() {
    let (stage, apns) = Stage::ready().await;
    for reason in ["ExpiredProviderToken", "UnrelatedKeyIdInToken"] {
        let refusal = || Fault::answer(403, format!(r#"{{"reason":"{reason}"}}"#));
        stage.world.apns.script().next(1, refusal());
        let before = stage.world.apns.traffic().connections();
        assert_eq!(send(&apns, 1).await.verdict, Verdict::NotProcessed);
        assert_eq!(send(&apns, 1).await.verdict, Verdict::Sent);
        let now = stage.world.apns.traffic().connections();
        assert_eq!(now, before.max(1) + 1);

        stage.world.apns.script().next(3, refusal());
        assert_eq!(send(&apns, 2).await.verdict, Verdict::NotProcessed);
        assert_eq!(send(&apns, 2).await.verdict, Verdict::Misconfigured);
        assert_eq!(send(&apns, 2).await.verdict, Verdict::Misconfigured);
        assert_eq!(send(&apns, 2).await.verdict, Verdict::Sent);
    }
}

#[tokio::test]
async fn too_many_token_updates_hold_everything() {
    let (stage, apns) = Stage::ready().await;
    let refusal = Fault::answer(429, r#"{"reason":"TooManyProviderTokenUpdates"}"#);
    let refusal = refusal.with_header("retry-after", "30");
    stage.world.apns.script().next(1, refusal);
    let judgement = send(&apns, 1).await;
    assert_eq!(judgement.verdict, Verdict::Slow);
    assert_eq!(judgement.retry_after, Some(Duration::from_secs(30)));
    assert_eq!(send(&apns, 1).await.verdict, Verdict::Sent);
    assert_eq!(stage.world.apns.traffic().connections(), 2);
}

#[tokio::test]
async fn all_processes_share_a_token_and_change_it_each_half_hour() {
    let (stage, one) = Stage::ready().await;
    let other = stage.client();
    let rows = [
        ("2026-03-30T12:00:00Z", 1),
        ("2026-03-30T12:29:59Z", 1),
        ("2026-03-30T12:30:00Z", 2),
        ("2026-03-30T12:59:59Z", 2),
        ("2026-03-30T13:00:00Z", 3),
    ];
    for (at, tokens) in rows {
        let at: Timestamp = at.parse().unwrap();
        stage.clock.set(at);
        for apns in [&one, &other, &stage.client()] {
            let push = Push {
                deadline: at + Duration::from_mins(15),
                ..push(1)
            };
            let judgement = apns.send(&[push], at).await;
            assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
        }
        assert_eq!(stage.world.apns.provider_tokens_seen(), tokens, "{at}");
    }
}

#[tokio::test]
async fn a_long_name_fits_into_a_payload() {
    let (stage, apns) = Stage::ready().await;
    let name = "Ünïcødé 🦀 ".repeat(700);
    assert!(name.len() > 10_000);
    let pushes = [
        Push {
            title: name.clone(),
            ..push(1)
        },
        Push {
            body: name.clone(),
            ..push(2)
        },
        Push {
            agent: name.clone(),
            title: name.clone(),
            body: name.clone(),
            ..push(3)
        },
    ];
    for push in pushes {
        let judgement = apns.send(&[push], noon()).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{judgement:?}");
    }
    let record = stage.world.apns.record().all();
    assert!(record.iter().all(|it| it.verdict == Received::Accepted));
    assert!(
        record
            .iter()
            .all(|it| (4000..=4096).contains(&it.payload.len()))
    );
    assert_eq!(record[0].json()["shiftbell"]["agent"], "a-1");
    assert_eq!(record[1].json()["aps"]["alert"]["title"], "Title");
}

#[tokio::test]
async fn a_check_rings_nobody_and_proves_the_credentials() {
    let (stage, apns) = Stage::ready().await;
    assert_eq!(apns.check(noon()).await.unwrap().proof, Proof::Credentials);
    assert_eq!(stage.world.apns.record().accepted_count(), 0);

    let down = Fault::answer(503, r#"{"reason":"ServiceUnavailable"}"#);
    stage.world.apns.script().next(1, down);
    assert_eq!(apns.check(noon()).await.unwrap().proof, Proof::Reached);

    let strangers = Apns::new(Options {
        team_id: "OTHERTEAM1".to_owned(),
        ..stage.options()
    });
    let problem = strangers.unwrap().check(noon()).await.unwrap_err();
    assert!(
        problem.contains("InvalidProviderToken") && problem.contains("team_id"),
        "{problem}"
    );

    let other_app = Apns::new(Options {
        topic: "com.example.other".to_owned(),
        ..stage.options()
    });
    let problem = other_app.unwrap().check(noon()).await.unwrap_err();
    assert!(problem.contains("TopicDisallowed"), "{problem}");
}

#[tokio::test]
async fn options_that_cannot_work_are_refused_and_no_secret_is_shown() {
    let stage = Stage::set().await;
    let refused = |options| Apns::new(options).unwrap_err();
    let plain = refused(Options {
        sandbox_endpoint: "http://api.push.apple.com".parse().unwrap(),
        ..stage.options()
    });
    assert!(
        plain.to_string().starts_with("APNs sandbox endpoint: "),
        "{plain}"
    );
    let no_topic = refused(Options {
        topic: String::new(),
        ..stage.options()
    });
    assert!(matches!(
        no_topic,
        ChannelError::Credential {
            what: "APNs topic",
            ..
        }
    ));
    let no_key = refused(Options {
        key_pem: "s3cret".into(),
        ..stage.options()
    });
    assert!(!format!("{no_key} {no_key:?}").contains("s3cret"));

    let apns = stage.client();
    send(&apns, 1).await;
    let shown = format!("{apns:?} {:?}", stage.options());
    assert!(
        !shown.contains("PRIVATE KEY") && !shown.contains("bearer"),
        "{shown}"
    );
}
