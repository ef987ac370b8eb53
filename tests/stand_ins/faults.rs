//! Every way to misbehave, seen from a client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use h2::Reason;
use shiftbell::sim::{
    WorldOptions,
    record::Verdict,
    script::{Behaviour, Fault, Gate},
};

use crate::client::{Connection, LONG, PHONE, Stage};

async fn ready() -> (Stage, Connection, String) {
    let stage = Stage::set().await;
    let connection = stage.connect(&stage.world.apns.endpoint()).await;
    let token = stage.good_token();
    (stage, connection, token)
}

#[tokio::test]
async fn answers_may_be_anything() {
    let (stage, connection, token) = ready().await;
    let script = stage.world.apns.script();
    script.next(1, Fault::answer(429, "{}").with_header("retry-after", "30"));
    script.next(1, Fault::html(200));
    script.next(1, Fault::status(500));
    script.next(1, Fault::not_utf8(400));
    let send = || connection.send(stage.push(&token));
    let answer = send().await.unwrap();
    assert_eq!((answer.status.as_u16(), &*answer.body), (429, &b"{}"[..]));
    assert_eq!(answer.headers["retry-after"], "30");
    assert!(send().await.unwrap().body.starts_with(b"<!doctype html>"));
    let answer = send().await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.len()), (500, 0));
    assert!(str::from_utf8(&send().await.unwrap().body).is_err());
    assert_eq!(send().await.unwrap().status, 200);

    let verdicts: Vec<_> = stage.world.apns.record().all();
    let faulted = verdicts
        .iter()
        .filter(|push| push.verdict == Verdict::Faulted("answer"));
    assert_eq!(faulted.count(), 4);
}

#[tokio::test]
async fn rules_may_be_for_one_phone_and_may_be_ended() {
    let (stage, connection, token) = ready().await;
    let script = stage.world.apns.script();
    let here = script.whenever(PHONE, Fault::status(503));
    let elsewhere = script.whenever("another", Fault::status(500));
    let send = || connection.send(stage.push(&token));
    assert_eq!(send().await.unwrap().status, 503);
    assert_eq!(send().await.unwrap().status, 503);
    assert_eq!((here.struck(), elsewhere.struck()), (2, 0));
    here.wait_struck(2, LONG).await.unwrap();
    script.remove(&here);
    assert_eq!(send().await.unwrap().status, 200);
    script.always(Fault::status(502));
    script.next_of(PHONE, 1, Fault::status(504));
    assert_eq!(send().await.unwrap().status, 502);
    script.clear();
    assert_eq!(send().await.unwrap().status, 200);
}

#[tokio::test]
async fn no_answer_comes_from_a_hang() {
    let (stage, connection, token) = ready().await;
    let rule = stage.world.apns.script().next(1, Fault::Hang);
    let hanging = connection.exchange(stage.push(&token));
    tokio::select! {
        answer = hanging => panic!("an answer: {answer:?}"),
        struck = rule.wait_struck(1, LONG) => struck.unwrap(),
    }
    // Other streams of the connection go on.
    assert_eq!(
        connection.send(stage.push(&token)).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn a_drip_has_a_status_but_no_end() {
    let stage = Stage::set().await;
    stage.world.presence.script().always(Fault::Drip);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(stage.file("ca.pem").as_bytes()).unwrap();
    for old in [true, false] {
        let client = reqwest::Client::builder().tls_certs_only([ca.clone()]);
        let client = if old { client.http1_only() } else { client };
        let client = client.build().unwrap();
        let request = client.post(stage.world.presence.url()).body("{}");
        let mut answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.chunk().await.unwrap().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_flood_is_as_large_as_asked_for() {
    let (stage, connection, token) = ready().await;
    let size = 10_000_001;
    stage.world.apns.script().next(1, Fault::Flood(size));
    let answer = connection.send(stage.push(&token)).await.unwrap();
    assert_eq!(answer.body.len() as u64, size);
}

#[tokio::test]
async fn streams_are_reset_and_the_connection_goes_on() {
    let (stage, connection, token) = ready().await;
    for reason in [Reason::REFUSED_STREAM, Reason::INTERNAL_ERROR] {
        stage.world.apns.script().next(1, Fault::Reset(reason));
        let error = connection.send(stage.push(&token)).await.unwrap_err();
        assert!(error.is_reset() && error.is_remote(), "{error:?}");
        assert_eq!(error.reason(), Some(reason));
    }
    assert_eq!(
        connection.send(stage.push(&token)).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn a_connection_closes_without_a_word() {
    let (stage, connection, token) = ready().await;
    stage.world.apns.script().next(1, Fault::Close);
    let error = connection.send(stage.push(&token)).await.unwrap_err();
    assert!(!error.is_reset() && !error.is_go_away(), "{error:?}");
    assert_eq!(stage.world.apns.record().accepted_count(), 0);
}

#[tokio::test]
async fn what_was_accepted_may_stay_unanswered() {
    let (stage, connection, token) = ready().await;
    let script = stage.world.apns.script();
    script.next(1, Behaviour::Accepted(Fault::status(500)));
    script.next(1, Behaviour::Accepted(Fault::Reset(Reason::INTERNAL_ERROR)));
    script.next(1, Behaviour::Accepted(Fault::Close));
    let send = || connection.send(stage.push(&token));
    assert_eq!(send().await.unwrap().status, 500);
    assert!(send().await.unwrap_err().is_reset());
    send().await.unwrap_err();
    assert_eq!(stage.world.apns.record().accepted_count(), 3);
}

#[tokio::test]
async fn goaway_tells_the_truth() {
    let (stage, connection, token) = ready().await;
    let script = stage.world.apns.script();
    // Alone on its connection, the request was not processed, and GOAWAY says so: nothing was
    // recorded as accepted, and the client may tell.
    script.next(1, Fault::GoAway(Reason::NO_ERROR));
    let error = connection.send(stage.push(&token)).await.unwrap_err();
    assert!(error.is_go_away() && error.is_remote(), "{error:?}");
    assert_eq!(stage.world.apns.record().accepted_count(), 0);

    // Once it was accepted, GOAWAY must not say that it was not.
    let connection = stage.connect(&stage.world.apns.endpoint()).await;
    script.next(1, Behaviour::Accepted(Fault::GoAway(Reason::NO_ERROR)));
    let error = connection.send(stage.push(&token)).await.unwrap_err();
    assert!(
        !(error.is_go_away() && error.reason() == Some(Reason::NO_ERROR)),
        "{error:?}"
    );
    assert_eq!(stage.world.apns.record().accepted_count(), 1);

    // Among many at once: whatever the client is told was not processed, was not.
    let connection = stage.connect(&stage.world.apns.endpoint()).await;
    script.whenever(&other_phone(50), Fault::GoAway(Reason::NO_ERROR));
    let pushes = (0..100).map(|number| {
        let mut request = stage.push(&token);
        let path = format!("/3/device/{}", other_phone(number));
        *request.uri_mut() = path.parse().unwrap();
        (other_phone(number), request)
    });
    let mut running = tokio::task::JoinSet::new();
    let connection = Arc::new(connection);
    for (phone, request) in pushes {
        let connection = Arc::clone(&connection);
        running.spawn(async move { (phone, connection.send(request).await) });
    }
    let outcomes = running.join_all().await;
    let accepted = stage.world.apns.record().accepted();
    for (phone, outcome) in outcomes {
        let was_accepted = accepted.iter().any(|push| push.token.expose() == phone);
        match outcome {
            Ok(answer) => assert!(answer.status == 200 && was_accepted),
            Err(error) if error.is_go_away() && error.is_remote() => {
                assert!(!was_accepted, "{error:?}");
            }
            Err(_) => {}
        }
    }
}

fn other_phone(number: u32) -> String {
    format!("{number:064x}")
}

#[tokio::test]
async fn the_last_request_of_a_connection_is_answered() {
    let (stage, connection, token) = ready().await;
    stage
        .world
        .apns
        .script()
        .next(1, Behaviour::LastOfConnection);
    assert_eq!(
        connection.send(stage.push(&token)).await.unwrap().status,
        200
    );
    let error = connection.send(stage.push(&token)).await.unwrap_err();
    assert!(!error.is_reset(), "{error:?}");
    assert_eq!(stage.world.apns.record().total_count(), 1);
    let connection = stage.connect(&stage.world.apns.endpoint()).await;
    assert_eq!(
        connection.send(stage.push(&token)).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn an_answer_waits_for_its_gate_and_for_what_runs_before_it() {
    let (stage, connection, token) = ready().await;
    let (gate, ran) = (Gate::closed(), Arc::new(AtomicBool::new(false)));
    let script = stage.world.apns.script();
    script.next(1, Behaviour::Hold(gate.clone()));
    let held = async {
        let answer = connection.send(stage.push(&token)).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(stage.world.apns.record().accepted_count(), 1);
    };
    let open = async {
        stage.world.apns.record().wait_for(1, LONG).await.unwrap();
        gate.open();
    };
    tokio::join!(held, open);

    let flag = Arc::clone(&ran);
    script.next(
        1,
        Behaviour::run(move || flag.store(true, Ordering::SeqCst)),
    );
    assert_eq!(
        connection.send(stage.push(&token)).await.unwrap().status,
        200
    );
    assert!(ran.load(Ordering::SeqCst));

    script.next(1, Behaviour::Delay(Duration::from_millis(1)));
    assert_eq!(
        connection.send(stage.push(&token)).await.unwrap().status,
        200
    );
}

#[tokio::test]
async fn no_more_streams_are_open_than_settings_allow() {
    let options = WorldOptions {
        max_concurrent_streams: 2,
        ..WorldOptions::default()
    };
    let stage = Stage::with(options).await;
    let connection = stage.connect(&stage.world.apns.endpoint()).await;
    let token = stage.good_token();
    // The first exchange brings the server's SETTINGS along.
    connection.send(stage.push(&token)).await.unwrap();
    let sends = (0..8).map(|_| connection.send(stage.push(&token)));
    for answer in futures(sends).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert!(stage.world.apns.traffic().peak() <= 2);
    assert_eq!(stage.world.apns.traffic().connections(), 1);
}

/// All of them at once.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in &mut all {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => *output = Some(done),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    all.into_iter().filter_map(|(_, output)| output).collect()
}
