//! The stand-ins as clients see them that others wrote: what such a client sends is accepted, and
//! what the stand-ins answer it understands. That keeps the stand-ins honest in both directions.
//!
//! The clients come from npm and `PyPI` (`tests/third_party/install`), so these tests run only where
//! `SHIFTBELL_THIRD_PARTY` is set; there, a client that is missing is a failure.

#![expect(
    clippy::unwrap_used,
    reason = "where a helper of a test panics, the test has failed"
)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use shiftbell::{
    clock::Clock,
    domain::{
        agent::Agent,
        calendar,
        device::DeviceToken,
        hours::{Slot, day_from_word},
        zone::Zones,
    },
    sim::{World, WorldOptions, record::ReceivedPush},
};
use tokio::process::Command;

/// Ends a client that would hang.
const LONG: Duration = Duration::from_mins(1);

const KNOWN: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";
const GONE: &str = "11fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f1";
const FOREIGN: &str = "foreign";

/// Whether to run; says so where not.
fn wanted() -> bool {
    let wanted = env::var_os("SHIFTBELL_THIRD_PARTY").is_some();
    if !wanted {
        println!("left out: set SHIFTBELL_THIRD_PARTY=1 after tests/third_party/install");
    }
    wanted
}

/// Where the clients are installed, as the install script decides it.
fn installed() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("target"), PathBuf::from);
    target.join("third_party")
}

fn python(script: &str) -> Command {
    let mut command = Command::new(installed().join("venv/bin/python"));
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party");
    command.arg(scripts.join(script));
    command
}

/// The stand-ins on the machine's own clock, which is what these clients go by.
async fn world(folder: &Path) -> World {
    World::start(folder, Clock::system(), WorldOptions::default())
        .await
        .unwrap()
}

/// Runs a client to its end and reads the object it prints.
async fn run(mut command: Command, world: &World) -> Value {
    let url = world.apns.endpoint();
    let port = url.rsplit(':').next().unwrap();
    command
        .env("FOLDER", &world.folder)
        .env("PORT", port)
        .env("ENDPOINT", world.fcm.endpoint())
        .env("REQUESTS_CA_BUNDLE", &world.ca_path)
        .env("KNOWN", KNOWN)
        .env("GONE", GONE)
        .env("FOREIGN", FOREIGN)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(LONG, command.output())
        .await
        .expect("the client ends in time")
        .expect("the client is installed: run tests/third_party/install");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "the client failed: {said}");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("the client printed no JSON: {error}: {said}"))
}

/// What all of these clients were told to send.
fn assert_as_told(push: &ReceivedPush) {
    assert_eq!(push.token, DeviceToken::new(KNOWN));
    assert_eq!(push.collapse_id.as_deref(), Some("a-1/start"));
    let left = push.expires.unwrap().duration_since(push.at).as_secs();
    assert!((890..=901).contains(&left), "{left} seconds");
}

#[tokio::test]
async fn node_apn_is_served() {
    if !wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let since: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    world.apns.unregister(&DeviceToken::new(GONE), since);
    let mut node = Command::new("node");
    node.arg(installed().join("node_apn.mjs"));
    let seen = run(node, &world).await;
    assert_eq!(seen["sent"], 1, "{seen}");
    assert_eq!(seen["failed"][0]["status"], 410, "{seen}");
    assert_eq!(seen["failed"][0]["reason"], "Unregistered");
    assert_eq!(seen["other"][0]["status"], 400, "{seen}");
    assert_eq!(seen["other"][0]["reason"], "TopicDisallowed");
    let accepted = world.apns.record().accepted();
    assert_eq!(accepted.len(), 1);
    assert_as_told(&accepted[0]);
    assert_eq!(accepted[0].json()["shiftbell"]["event"], "hours_start");
}

#[tokio::test]
async fn aioapns_is_served() {
    if !wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let since: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    world.apns.unregister(&DeviceToken::new(GONE), since);
    let seen = run(python("aioapns_client.py"), &world).await;
    assert_eq!(seen["known"]["status"], 200, "{seen}");
    assert_eq!(seen["gone"]["reason"], "Unregistered", "{seen}");
    assert_eq!(seen["other"]["reason"], "TopicDisallowed", "{seen}");
    let accepted = world.apns.record().accepted();
    assert_eq!(accepted.len(), 1);
    assert_as_told(&accepted[0]);
}

#[tokio::test]
async fn firebase_admin_is_served() {
    if !wanted() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let google = "https://oauth2.googleapis.com/token";
    world.fcm.accept_audience(google.to_owned());
    world.fcm.unregister(&DeviceToken::new(GONE));
    world.fcm.mismatch_sender(&DeviceToken::new(FOREIGN));
    let seen = run(python("firebase_client.py"), &world).await;
    let name = seen["known"]["sent"].as_str().unwrap_or_default();
    assert!(
        name.starts_with("projects/shiftbell-demo/messages/"),
        "{seen}"
    );
    assert_eq!(seen["gone"]["error"], "UnregisteredError", "{seen}");
    assert_eq!(seen["foreign"]["error"], "SenderIdMismatchError", "{seen}");
    let accepted = world.fcm.record().accepted();
    assert_eq!(accepted.len(), 1);
    assert_as_told(&accepted[0]);
    assert_eq!(accepted[0].json()["message"]["data"]["agent"], "a-1");
    assert_eq!(world.fcm.grants().accepted_count(), 1);
}

#[test]
fn icalendar_reads_a_feed() {
    if !wanted() {
        return;
    }
    let zones = Zones::built_in();
    let mut agent = Agent::new("a-1", "acme", "Zoë Ruiz ".repeat(20), "Europe/Paris");
    agent.locale = Some("pt-BR".into());
    agent.hours = vec![Slot {
        day: day_from_word("mon").unwrap(),
        start: "09:00".parse().unwrap(),
        end: "17:30".parse().unwrap(),
    }];
    let hours = agent.operating_hours(&zones, &[]).unwrap();
    let feed = calendar::feed(&agent, &hours, "2026-03-30T06:00:00Z".parse().unwrap());
    let seen = assert_cmd::Command::from_std(python("icalendar_client.py").into_std())
        .write_stdin(feed)
        .timeout(LONG)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&seen.stderr);
    assert!(seen.status.success(), "{said}");
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen["faults"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["version"], "2.0");
    assert_eq!(seen["refresh"], 3600.0);
    assert_eq!(seen["name"], agent.name);
    assert_eq!(seen["same"], true);
    assert_eq!(seen["events"].as_array().unwrap().len(), 9);
    let monday = &seen["events"][1];
    assert_eq!(monday["start"], "2026-03-30T07:00:00+00:00");
    assert_eq!(monday["end"], "2026-03-30T15:30:00+00:00");
    assert_eq!(monday["summary"], "Em serviço");
}
