//! The behaviour table told as stories, against strict receivers, on a clock that the story moves.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

mod stage;

use shiftbell::{
    domain::{delivery::AlertKind, device::DeviceToken, plan::ByHand, presence::Status},
    sim::script::Fault,
};
use stage::{Stage, time};

/// Ana (Paris, 09:00–18:00, iPhone) and Ben (London, 09:00–17:00, Android), both opted in.
/// Monday 2026-03-30: Ana is on duty 07:00–16:00 UTC, Ben 08:00–16:00 UTC.
const TEAM: &str = r#"{"type":"workspace","id":"acme","name":"Acme"}
{"id":"ana","workspace":"acme","name":"Ana Ruiz","timezone":"Europe/Paris","locale":"fr","hours":[{"day":"mon","start":"09:00","end":"18:00"}],"notify":{"start":true,"end":true},"devices":[{"platform":"ios","token":"aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"}]}
{"id":"ben","workspace":"acme","name":"Ben Hall","timezone":"Europe/London","hours":[{"day":"mon","start":"09:00","end":"17:00"}],"notify":{"start":true,"end":true},"devices":[{"platform":"android","token":"ben-phone"}]}
"#;
const ANA: &str = "aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11";

async fn monday() -> Stage {
    Stage::set("2026-03-30T06:00:00Z", None, TEAM).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_rings_each_boundary_once_and_posts_it() {
    let stage = monday().await;
    assert_eq!(
        stage.posted(),
        [
            "acme messaging #1",
            "ana offline sync #1",
            "ben offline sync #1"
        ]
    );
    assert!(stage.rung().is_empty(), "a first start rings nobody");
    for now in [
        "06:59:59", "07:00:00", "07:00:01", "08:00:00", "16:00:00", "16:00:01", "17:00:00",
    ] {
        stage.at(&format!("2026-03-30T{now}Z")).await;
    }
    assert_eq!(
        stage.rung(),
        [
            "ana hours_end 2026-03-30T16:00:00Z",
            "ana hours_start 2026-03-30T07:00:00Z",
            "ben hours_end 2026-03-30T16:00:00Z",
            "ben hours_start 2026-03-30T08:00:00Z",
        ]
    );
    assert_eq!(
        stage.posted(),
        [
            "acme live_chat #2",
            "acme messaging #1",
            "acme messaging #3",
            "ana offline hours_end #3",
            "ana offline sync #1",
            "ana online hours_start #2",
            "ben offline hours_end #3",
            "ben offline sync #1",
            "ben online hours_start #2",
        ]
    );
    assert!(
        stage
            .log()
            .await
            .iter()
            .all(|row| row.state == "sent" && row.attempts == 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_is_told_what_the_contract_says() {
    let stage = monday().await;
    stage.at("2026-03-30T07:00:00Z").await;
    let push = &stage.world.apns.record().accepted()[0];
    let json = push.json();
    assert_eq!(json["shiftbell"]["event"], "hours_start");
    assert_eq!(json["shiftbell"]["at"], "2026-03-30T07:00:00Z");
    assert!(
        json["aps"]["alert"]["body"]
            .as_str()
            .unwrap()
            .contains("18:00"),
        "{json}"
    );
    let id = shiftbell::domain::alert::delivery_id(
        "ana",
        AlertKind::HoursStart,
        time("2026-03-30T07:00:00Z"),
        ANA,
    );
    assert_eq!(push.id.as_deref(), Some(id.to_string().as_str()));
    assert_eq!(push.expires, Some(time("2026-03-30T07:15:00Z")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_down_tells_the_present_and_logs_the_rest() {
    let stage = monday().await;
    stage.at("2026-03-30T16:10:00Z").await;
    assert_eq!(
        stage.posted(),
        [
            "acme messaging #1",
            "ana offline sync #1",
            "ben offline sync #1"
        ]
    );
    assert_eq!(
        stage.rung(),
        [
            "ana hours_end 2026-03-30T16:00:00Z",
            "ben hours_end 2026-03-30T16:00:00Z"
        ],
        "ten minutes late is still of use"
    );
    let missed = stage
        .log()
        .await
        .into_iter()
        .filter(|row| row.reason.as_deref() == Some("missed"))
        .count();
    assert_eq!(missed, 2, "the starts were passed over");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_on_duty_is_followed_and_rings_nobody() {
    let stage = monday().await;
    stage.at("2026-03-30T07:00:00Z").await;
    stage.clock.set(time("2026-03-30T10:00:00Z"));
    stage
        .import(r#"{"id":"ana","workspace":"acme","name":"Ana Ruiz","timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"11:00"}]}"#)
        .await;
    stage.tick().await;
    assert!(
        stage.posted().contains(&"ana offline sync #3".to_owned()),
        "{:?}",
        stage.posted()
    );
    stage.at("2026-03-30T16:00:00Z").await;
    assert!(
        !stage
            .rung()
            .iter()
            .any(|alert| alert.starts_with("ana hours_end")),
        "{:?}",
        stage.rung()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_counts_when_the_phone_rings() {
    let stage = monday().await;
    let down = stage.world.apns.script().always(Fault::status(503));
    stage.at("2026-03-30T07:00:00Z").await;
    assert_eq!(stage.count("apns", "pending").await, 1);
    stage
        .import(r#"{"id":"ana","workspace":"acme","name":"Ana Ruiz","timezone":"Europe/Paris","notify":{"start":false,"end":true}}"#)
        .await;
    stage.world.apns.script().remove(&down);
    stage.at("2026-03-30T07:05:00Z").await;
    assert!(stage.rung().is_empty());
    let row = stage.row("apns").await;
    assert_eq!(
        (row.state.as_str(), row.reason.as_deref()),
        ("cancelled", Some("opted_out"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_receiver_down_delays_no_other() {
    let stage = monday().await;
    stage.world.apns.script().always(Fault::Close);
    for minute in 0..20 {
        stage.at(&format!("2026-03-30T07:{minute:02}:00Z")).await;
    }
    assert!(
        stage
            .posted()
            .contains(&"ana online hours_start #2".to_owned())
    );
    let row = stage.row("apns").await;
    assert_eq!(row.state, "expired", "never past its deadline: {row:?}");
    stage.at("2026-03-30T08:00:00Z").await;
    assert_eq!(stage.rung(), ["ben hours_start 2026-03-30T08:00:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_push_whose_answer_was_lost_comes_again_under_the_same_ids() {
    let stage = monday().await;
    stage
        .world
        .apns
        .script()
        .next(1, shiftbell::sim::script::Behaviour::Accepted(Fault::Close));
    stage.at("2026-03-30T07:00:00Z").await;
    stage.at("2026-03-30T07:01:30Z").await;
    let pushes = stage.world.apns.record().accepted();
    assert_eq!(pushes.len(), 2);
    assert_eq!(
        (&pushes[0].id, &pushes[0].collapse_id),
        (&pushes[1].id, &pushes[1].collapse_id)
    );
    let row = stage.row("apns").await;
    assert_eq!((row.state.as_str(), row.attempts), ("sent", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_disabled_and_not_rung_again() {
    let stage = monday().await;
    stage
        .world
        .apns
        .unregister(&DeviceToken::new(ANA), time("2026-03-30T06:30:00Z"));
    stage.at("2026-03-30T07:00:00Z").await;
    stage.at("2026-03-30T16:00:00Z").await;
    let rows: Vec<_> = stage
        .log()
        .await
        .into_iter()
        .filter(|row| row.channel == "apns")
        .collect();
    assert_eq!(
        rows.len(),
        1,
        "the end of the shift calls for no push to it"
    );
    assert_eq!(
        (rows[0].state.as_str(), rows[0].reason.as_deref()),
        ("failed", Some("Unregistered"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_retried_until_a_newer_status_overtakes_it() {
    let stage = monday().await;
    let down = stage.world.presence.script().always(Fault::status(503));
    stage.at("2026-03-30T07:00:00Z").await;
    stage.at("2026-03-30T16:00:00Z").await;
    stage.world.presence.script().remove(&down);
    stage.at("2026-03-30T16:10:00Z").await;
    let posted = stage.posted();
    assert!(
        posted.contains(&"ana offline hours_end #3".to_owned()),
        "{posted:?}"
    );
    assert!(
        !posted.contains(&"ana online hours_start #2".to_owned()),
        "{posted:?}"
    );
    assert!(stage.count("presence", "superseded").await >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_does_not_hold_up_the_batch() {
    let stage = monday().await;
    stage
        .world
        .presence
        .script()
        .whenever("ben", Fault::status(422));
    stage.at("2026-03-30T08:00:00Z").await;
    let posted = stage.posted();
    assert!(
        posted.contains(&"ana online hours_start #2".to_owned()),
        "{posted:?}"
    );
    let failed: Vec<_> = stage
        .log()
        .await
        .into_iter()
        .filter(|row| row.state == "failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].agent.as_deref(), Some("ben"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_at_one_instant_makes_no_flicker() {
    let team = r#"{"id":"early","workspace":"w","name":"E","timezone":"UTC","hours":[{"day":"mon","start":"06:00","end":"14:00"}]}
{"id":"late","workspace":"w","name":"L","timezone":"UTC","hours":[{"day":"mon","start":"14:00","end":"22:00"}]}
"#;
    let stage = Stage::set("2026-03-30T13:00:00Z", None, team).await;
    stage.at("2026-03-30T14:00:00Z").await;
    stage.at("2026-03-30T22:00:00Z").await;
    let modes: Vec<_> = stage
        .posted()
        .into_iter()
        .filter(|e| e.starts_with("w "))
        .collect();
    assert_eq!(modes, ["w live_chat #1", "w messaging #2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_agent_is_posted_offline_once() {
    let stage = monday().await;
    stage.at("2026-03-30T07:00:00Z").await;
    let mut tx = stage.store.begin().await.unwrap();
    tx.remove_agents(["ana"]).await.unwrap();
    tx.commit().await.unwrap();
    stage.at("2026-03-30T09:00:00Z").await;
    stage.at("2026-03-30T16:00:00Z").await;
    let ana: Vec<_> = stage
        .posted()
        .into_iter()
        .filter(|e| e.starts_with("ana"))
        .collect();
    assert_eq!(
        ana,
        [
            "ana offline sync #1",
            "ana offline sync #3",
            "ana online hours_start #2"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_back_rings_nothing_twice_and_loses_nothing() {
    let stage = monday().await;
    stage.at("2026-03-30T07:00:00Z").await;
    stage.at("2026-03-30T06:30:00Z").await;
    assert!(
        stage.posted().contains(&"ana offline sync #3".to_owned()),
        "{:?}",
        stage.posted()
    );
    stage.at("2026-03-30T07:00:00Z").await;
    stage.at("2026-03-30T08:00:00Z").await;
    assert_eq!(
        stage.rung(),
        [
            "ana hours_start 2026-03-30T07:00:00Z",
            "ben hours_start 2026-03-30T08:00:00Z"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_open_the_breaker_and_cost_no_try() {
    let stage = monday().await;
    let refused = Fault::answer(403, r#"{"reason":"InvalidProviderToken"}"#);
    let wrong = stage.world.apns.script().always(refused);
    stage.at("2026-03-30T07:00:00Z").await;
    let row = stage.row("apns").await;
    assert_eq!((row.state.as_str(), row.tries), ("pending", 0));
    stage.world.apns.script().remove(&wrong);
    stage.at("2026-03-30T07:10:00Z").await;
    assert_eq!(stage.rung(), ["ana hours_start 2026-03-30T07:00:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_ran_ahead_and_came_back_loses_no_boundary() {
    let stage = monday().await;
    // An hour ahead: Ana's start is long past, and too late to ring.
    stage.at("2026-03-30T07:40:00Z").await;
    assert_eq!(stage.count("apns", "expired").await, 1);
    stage.at("2026-03-30T06:40:00Z").await;
    stage.at("2026-03-30T07:00:00Z").await;
    assert_eq!(stage.rung(), ["ana hours_start 2026-03-30T07:00:00Z"]);
    let log = stage.log().await;
    let alerts = log.iter().filter(|row| row.channel == "apns");
    assert_eq!(alerts.count(), 1, "one alert, one row");
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_switched_on_later_is_told_the_present_once() {
    let mut stage = monday().await;
    stage.switch_presence(false);
    stage.at("2026-03-30T07:00:00Z").await;
    stage.at("2026-03-30T08:00:00Z").await;
    assert_eq!(stage.posted().len(), 3, "only what was posted before");
    stage.switch_presence(true);
    stage.at("2026-03-30T09:00:00Z").await;
    let mut news = stage.posted();
    news.retain(|event| !event.ends_with("#1"));
    assert_eq!(
        news,
        [
            "acme live_chat #2",
            "ana online hours_start #2",
            "ben online hours_start #2"
        ]
    );
    stage.at("2026-03-30T09:10:00Z").await;
    assert_eq!(stage.posted().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_holds_until_the_next_boundary() {
    let stage = monday().await;
    stage.at("2026-03-30T07:00:00Z").await;
    stage.clock.set(time("2026-03-30T09:30:00Z"));
    let click = |status, until: Option<&str>| ByHand {
        status,
        set_at: stage.clock.now(),
        until: until.map(time),
    };
    let set = async |set: ByHand| {
        let mut tx = stage.store.begin().await.unwrap();
        assert!(!tx.set_by_hand("nobody", &set).await.unwrap());
        assert!(tx.set_by_hand("ana", &set).await.unwrap());
        assert_eq!(tx.by_hand("ana").await.unwrap(), Some(set));
        tx.commit().await.unwrap();
        stage.tick().await;
    };
    set(click(Status::Invisible, None)).await;
    stage.at("2026-03-30T15:59:00Z").await;
    stage.at("2026-03-30T16:00:00Z").await;
    stage.clock.set(time("2026-03-30T17:00:00Z"));
    set(click(Status::Online, Some("2026-03-30T18:00:00Z"))).await;
    stage.at("2026-03-30T18:00:00Z").await;
    let anas = |line: &String| line.starts_with("ana ");
    let posted = stage.posted();
    let posted: Vec<_> = posted.iter().filter(|line| anas(line)).collect();
    assert_eq!(
        posted,
        [
            "ana invisible manual #3",
            "ana offline hours_end #4",
            "ana offline sync #1",
            "ana offline sync #6",
            "ana online hours_start #2",
            "ana online manual #5",
        ]
    );
    let rung = stage.rung();
    assert_eq!(rung.iter().filter(|line| anas(line)).count(), 2);
}
