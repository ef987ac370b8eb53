//! `tick`: one pass for cron.

use std::fs;

use crate::{
    shell::Shell,
    shift::{self, BEN_IOS},
    support::{Database, on_both},
};
use shiftbell::domain::device::DeviceToken;

on_both!(
    what_is_due_rings_and_is_counted,
    two_at_once_ring_everything_once,
    with_nothing_due_nothing_happens,
);

async fn what_is_due_rings_and_is_counted(db: Database) {
    let (stage, shell, boundary) = shift::due(&db.url).await;
    assert!(stage.rung().is_empty(), "nothing rang before");
    stage
        .world
        .apns
        .unregister(&DeviceToken::new(BEN_IOS), stage.clock.now());
    let said = shell.aside("tick --metrics-file shiftbell.prom").await;
    assert_eq!(said.done(), "");
    let start = format!("ana hours_start {boundary}");
    assert_eq!(stage.rung(), [start.clone(), start]);
    assert_eq!(
        stage.posted(),
        [
            "acme live_chat #2",
            "acme messaging #1",
            "ana offline sync #1",
            "ana online hours_start #2",
            "bell live_chat #1",
            "bell messaging #2",
            "ben offline hours_end #2",
            "ben online sync #1",
        ]
    );
    let metrics = fs::read_to_string(shell.path("shiftbell.prom")).unwrap();
    for name in [
        "build_info{version=",
        "tzdata_info{version=",
        "last_successful_scan_timestamp_seconds ",
        "scan_duration_seconds_count ",
        "transitions_total{reason=\"hours_start\"} 1",
        "transitions_total{reason=\"hours_end\"} 1",
        "transition_lag_seconds_count{kind=\"start\"} 1",
        "delivery_lag_seconds_count{channel=\"apns\"} 1",
        "delivery_lag_seconds_count{channel=\"fcm\"} 1",
        "deliveries_total{channel=\"apns\",outcome=\"failed\",reason=\"Unregistered\"} 1",
        "deliveries_total{channel=\"presence\",outcome=\"sent\",",
        "delivery_request_duration_seconds_count{channel=\"apns\"} 2",
        "deliveries{channel=\"apns\",state=\"pending\"} 0",
        "oldest_pending_age_seconds{channel=\"apns\"} 0",
        "breaker_open{channel=\"fcm\"} 0",
        "devices{platform=\"ios\",state=\"active\"} 1",
        "devices{platform=\"ios\",state=\"disabled\"} 1",
        "devices_disabled_total{platform=\"ios\",reason=\"Unregistered\"} 1",
        "plans_stale 0",
    ] {
        let line = format!("shiftbell_{name}");
        let found = metrics.lines().any(|have| have.starts_with(&line));
        assert!(found, "{line}\n{metrics}");
    }
    assert!(!metrics.contains("ana"), "metrics name no agent");
    // The log tells the same story, with no token in it.
    for event in crate::shell::objects(&said.err) {
        assert!(
            event["event"].is_string() && event["ts"].is_string(),
            "{event}"
        );
    }
    for canary in [shift::ANA_IOS, BEN_IOS, "ana-phone", "Ana Ruiz"] {
        assert!(!said.err.contains(canary), "{canary}: {said:#?}");
    }
}

async fn two_at_once_ring_everything_once(db: Database) {
    let (stage, shell, boundary) = shift::due(&db.url).await;
    let (one, other) = tokio::join!(shell.aside("tick"), shell.aside("tick"));
    one.done();
    other.done();
    // What one had leased when the other looked is that one's; so all is over now.
    let start = format!("ana hours_start {boundary}");
    let end = format!("ben hours_end {boundary}");
    assert_eq!(stage.rung(), [start.clone(), start, end]);
    assert_eq!(stage.posted().len(), 8, "{:?}", stage.posted());
    assert_eq!(
        db.sql("SELECT count(*) FROM delivery_log WHERE state <> 'sent'"),
        "0"
    );
    assert_eq!(db.sql("SELECT count(*) FROM attempt_log"), "11");
}

async fn with_nothing_due_nothing_happens(db: Database) {
    let (stage, shell, _) = shift::due(&db.url).await;
    shell.aside("tick").await.done();
    let (rung, posted) = (stage.rung(), stage.posted());
    let recorded = "SELECT (SELECT count(*) FROM transitions), (SELECT count(*) FROM delivery_log), (SELECT count(*) FROM attempt_log)";
    let before = db.sql(recorded);
    for _ in 0..2 {
        assert_eq!(shell.aside("tick").await.done(), "");
    }
    assert_eq!((stage.rung(), stage.posted()), (rung, posted));
    assert_eq!(db.sql(recorded), before);
}

#[tokio::test]
async fn without_receivers_it_records_and_says_so() {
    let shell = Shell::new();
    let line = r#"{"id":"a-1","workspace":"w","name":"A","timezone":"UTC"}"#;
    shell.feed("import -", line).done();
    let said = shell.aside("tick --metrics-file no/such/folder.prom").await;
    said.failed(&["no/such/folder.prom"]);
    let said = shell.aside("tick").await;
    said.done();
    for channel in ["apns", "fcm", "presence"] {
        let off = format!(r#""event":"switched_off","channel":"{channel}""#);
        assert_eq!(said.err.matches(&off).count(), 1, "{said:#?}");
    }
    assert_eq!(shell.aside("deliveries --json").await.done(), "");
}
