//! Alerts ahead of hours told as stories, against strict receivers, on a clock that the story moves.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

mod stage;

use shiftbell::sim::script::Fault;
use stage::Stage;

/// Ana (Paris, 09:00–18:00, iPhone) wants to hear of her hours the evening before, a quarter of an hour
/// before, and when they start. Ben (London, 09:00–17:00, Android) an hour before, and not when they start.
/// Monday 2026-03-30: Ana is on duty from 07:00 UTC on, Ben from 08:00 UTC on.
const TEAM: &str = r#"{"id":"ana","workspace":"acme","name":"Ana","timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"18:00"}],"notify":{"start":true,"end":false},"leads":[{"day_before":"20:00"},{"minutes":15}],"devices":[{"platform":"ios","token":"aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"}]}
{"id":"ben","workspace":"acme","name":"Ben","timezone":"Europe/London","hours":[{"day":"mon","start":"09:00","end":"17:00"}],"leads":[{"minutes":60}],"devices":[{"platform":"android","token":"ben-phone"}]}
"#;

const LEAD: &str = "ana hours_start_lead 2026-03-30T07:00:00Z";
const START: &str = "ana hours_start 2026-03-30T07:00:00Z";

/// The Sunday before, on which Paris' clock skipped an hour in the morning.
async fn sunday() -> Stage {
    Stage::set("2026-03-29T17:00:00Z", None, TEAM).await
}

/// What Ana's phone was told, with ids and deadlines, in order of arrival.
fn pushes(stage: &Stage) -> Vec<(String, Option<String>, Option<String>)> {
    let pushes = stage.world.apns.record().accepted().into_iter();
    pushes
        .map(|push| {
            let body = push.json()["aps"]["alert"]["body"]
                .as_str()
                .unwrap()
                .to_owned();
            (body, push.id.clone(), push.collapse_id.clone())
        })
        .collect()
}

/// How Ana's alerts ended, in no order of time.
async fn ends(stage: &Stage) -> Vec<String> {
    let log = stage.log().await.into_iter();
    let mut ends: Vec<_> = log
        .filter(|row| row.channel == "apns")
        .map(|row| format!("{} {} {}", row.kind, row.state, row.reason.unwrap()))
        .collect();
    ends.sort();
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn two_leads_and_the_start_ring_three_times_in_one_place() {
    let stage = sunday().await;
    for now in [
        "2026-03-29T17:59:59Z",
        "2026-03-29T18:00:00Z",
        "2026-03-29T18:00:01Z",
        "2026-03-30T06:44:59Z",
        "2026-03-30T06:45:00Z",
        "2026-03-30T06:46:00Z",
        "2026-03-30T07:00:00Z",
        "2026-03-30T08:00:00Z",
        "2026-03-30T17:00:00Z",
    ] {
        stage.at(now).await;
    }
    let told = pushes(&stage);
    let bodies: Vec<_> = told.iter().map(|(body, ..)| body.as_str()).collect();
    assert_eq!(
        bodies,
        [
            "Monday at 09:00.",
            "In 15 minutes, at 09:00.",
            "You're on until 18:00."
        ]
    );
    let mut ids: Vec<_> = told.iter().map(|(_, id, _)| id.clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "each is an alert of its own");
    let mut places: Vec<_> = told.iter().map(|(.., collapse)| collapse.clone()).collect();
    places.dedup();
    assert_eq!(places.len(), 1, "each takes the place of the one before");
    let ben = "ben hours_start_lead 2026-03-30T08:00:00Z";
    assert_eq!(stage.rung(), [START, LEAD, LEAD, ben]);
    let leads = stage.posted();
    assert!(
        !leads.iter().any(|event| event.contains("lead")),
        "{leads:?}"
    );
    let presence = leads.iter().filter(|event| event.starts_with("ana "));
    assert_eq!(presence.count(), 3, "a lead changes no status");
    let last = &stage.world.apns.record().accepted()[1];
    assert_eq!(last.expires, Some(stage::time("2026-03-30T07:00:00Z")));
    let android = stage.world.fcm.record().accepted()[0].json()["message"].clone();
    assert_eq!(
        android["android"]["collapse_key"],
        android["android"]["notification"]["tag"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_in_between_cancels_what_has_not_rung() {
    let stage = sunday().await;
    let down = stage.world.apns.script().always(Fault::status(503));
    stage.at("2026-03-30T06:45:00Z").await;
    stage
        .import(r#"{"id":"ana","workspace":"acme","name":"Ana","timezone":"Europe/Paris","hours":[{"day":"mon","start":"10:00","end":"18:00"}]}"#)
        .await;
    stage.world.apns.script().remove(&down);
    stage.at("2026-03-30T06:46:00Z").await;
    assert_eq!(
        ends(&stage).await,
        [
            "hours_start_lead cancelled boundary_gone",
            "hours_start_lead expired too_late"
        ]
    );
    for now in ["07:00:00", "07:44:59", "07:45:00", "08:00:00"] {
        stage.at(&format!("2026-03-30T{now}Z")).await;
    }
    let ana = stage
        .rung()
        .into_iter()
        .filter(|line| line.starts_with("ana"));
    assert_eq!(
        ana.collect::<Vec<_>>(),
        [
            "ana hours_start 2026-03-30T08:00:00Z",
            "ana hours_start_lead 2026-03-30T08:00:00Z"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_was_switched_off_does_not_ring() {
    let stage = sunday().await;
    let down = stage.world.apns.script().always(Fault::status(503));
    stage.at("2026-03-29T18:00:00Z").await;
    stage
        .import(r#"{"id":"ana","workspace":"acme","name":"Ana","timezone":"Europe/Paris","leads":[{"minutes":15}]}"#)
        .await;
    stage.world.apns.script().remove(&down);
    for now in [
        "2026-03-29T18:01:00Z",
        "2026-03-30T06:45:00Z",
        "2026-03-30T07:00:00Z",
    ] {
        stage.at(now).await;
    }
    assert_eq!(
        ends(&stage).await,
        [
            "hours_start sent ok",
            "hours_start_lead cancelled opted_out",
            "hours_start_lead sent ok"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_chosen_after_it_came_rings_nobody() {
    let stage = sunday().await;
    stage.at("2026-03-30T06:50:00Z").await;
    stage
        .import(r#"{"id":"ana","workspace":"acme","name":"Ana","timezone":"Europe/Paris","leads":[{"minutes":20},{"minutes":5}]}"#)
        .await;
    for now in ["06:50:01", "06:55:00", "07:00:00"] {
        stage.at(&format!("2026-03-30T{now}Z")).await;
    }
    let told = pushes(&stage);
    let bodies: Vec<_> = told.iter().map(|(body, ..)| body.as_str()).collect();
    // That of 06:45 was five minutes late, and says what is left.
    assert_eq!(
        bodies,
        [
            "In 10 minutes, at 09:00.",
            "In 5 minutes, at 09:00.",
            "You're on until 18:00."
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_down_tells_what_is_still_of_use() {
    let stage = sunday().await;
    stage.at("2026-03-29T18:15:00Z").await;
    assert_eq!(ends(&stage).await, ["hours_start_lead expired too_late"]);
    stage.at("2026-03-30T07:05:00Z").await;
    assert_eq!(
        ends(&stage).await,
        [
            "hours_start sent ok",
            "hours_start_lead expired missed",
            "hours_start_lead expired too_late"
        ]
    );
    assert_eq!(stage.rung()[0], START);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_steps_back_rings_no_lead_twice() {
    let stage = sunday().await;
    for now in [
        "06:45:00", "06:30:00", "06:45:00", "06:40:00", "06:46:00", "07:00:00",
    ] {
        stage.at(&format!("2026-03-30T{now}Z")).await;
    }
    let ana = stage
        .rung()
        .into_iter()
        .filter(|line| line.starts_with("ana"));
    assert_eq!(ana.collect::<Vec<_>>(), [START, LEAD]);
}
