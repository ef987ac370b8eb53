//! `doctor`: all that a run depends on, each broken in turn.

use std::fs;

use serde_json::Value;
use shiftbell::sim::World;

use crate::{
    shell::{Said, Shell},
    shift,
    support::{Database, on_both, postgres::Cluster},
};

on_both!(all_is_well);

/// The stand-ins, and a migrated database.
async fn world(database_url: Option<String>) -> (World, Shell) {
    let (world, shell) = shift::world(database_url).await;
    shell.run("migrate").done();
    (world, shell)
}

/// What `doctor --json` found of `check`: level and detail.
#[track_caller]
fn found(said: &Said, check: &str) -> Vec<(String, String)> {
    let rows = crate::shell::objects(&said.out);
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter()
        .filter(|row| row["check"] == check)
        .map(|row| (word(row, "level"), word(row, "detail")))
        .collect()
}

/// That `check` alone is broken, that the exit code says so, and the detail has all of `words`.
#[track_caller]
fn broken(said: &Said, check: &str, words: &[&str]) {
    assert_eq!(said.code, Some(1), "{said:#?}");
    let rows = crate::shell::objects(&said.out);
    let broken: Vec<&Value> = rows.iter().filter(|row| row["level"] == "broken").collect();
    assert_eq!(broken.len(), 1, "{said:#?}");
    assert_eq!(broken[0]["check"], check, "{said:#?}");
    let detail = broken[0]["detail"].as_str().unwrap();
    for word in words {
        assert!(detail.contains(word), "{word}: {detail}");
    }
}

async fn all_is_well(db: Database) {
    let (world, shell) = world(Some(db.url.clone())).await;
    let line = r#"{"id":"a-1","workspace":"w","name":"A","timezone":"UTC"}"#;
    shell.feed("import -", line).done();
    let said = shell.aside("doctor --json").await;
    said.done();
    for (check, words) in [
        ("configuration", "shiftbell.toml"),
        ("time zones", "IANA 20"),
        ("database", "1 agents"),
        ("http", "0 tokens"),
        ("apns", "accepts the key"),
        ("fcm", "accepted the service account"),
        ("presence", "answered"),
    ] {
        let findings = found(&said, check);
        assert_eq!(findings.len(), 1, "{check}: {said:#?}");
        assert_eq!(findings[0].0, "ok", "{said:#?}");
        assert!(findings[0].1.contains(words), "{words}: {said:#?}");
    }
    let rung = world.apns.record().accepted_count() + world.presence.record().accepted_count();
    assert_eq!(rung, 0, "it rings nobody");
    let people = shell.aside("doctor").await;
    assert!(
        people.done().starts_with("check\tlevel\tdetail\n"),
        "{people:#?}"
    );
}

#[tokio::test]
async fn what_is_switched_off_is_said_to_be_off() {
    let shell = Shell::new();
    shell.run("migrate").done();
    let said = shell.aside("doctor --json").await;
    said.done();
    for check in ["apns", "fcm", "presence"] {
        let (level, detail) = &found(&said, check)[0];
        assert_eq!(level, "off");
        assert!(detail.contains(&format!("[{check}]")), "{detail}");
    }
    assert!(found(&said, "configuration")[0].1.contains("no file"));
}

#[tokio::test]
async fn a_receiver_that_refuses_us_is_broken() {
    let (_world, shell) = world(None).await;
    let wrong = |name: &str, value: &str| shell.clone().with(name, value);
    for (shell, words) in [
        (
            wrong("SHIFTBELL__APNS__KEY_ID", "OTHER12345"),
            &["InvalidProviderToken", "key_id"][..],
        ),
        (
            wrong("SHIFTBELL__APNS__TEAM_ID", "OTHERTEAM1"),
            &["InvalidProviderToken", "team_id"],
        ),
        (
            wrong("SHIFTBELL__APNS__TOPIC", "com.example.other"),
            &["topic"],
        ),
    ] {
        broken(&shell.aside("doctor --json").await, "apns", words);
    }
    let account = fs::read_to_string(shell.path("service-account.json")).unwrap();
    let other = account.replace("shiftbell@", "somebody-else@");
    assert_ne!(account, other);
    shell.write("other.json", other);
    let other = wrong("SHIFTBELL__FCM__SERVICE_ACCOUNT_FILE", "other.json");
    broken(
        &other.aside("doctor --json").await,
        "fcm",
        &["invalid_grant"],
    );
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_broken() {
    let (_world, shell) = world(None).await;
    for (check, name) in [
        ("apns", "SHIFTBELL__APNS__ENDPOINT"),
        ("fcm", "SHIFTBELL__FCM__ENDPOINT"),
        ("presence", "SHIFTBELL__PRESENCE__URL"),
    ] {
        let shell = shell.clone().with(name, "https://127.0.0.1:1");
        broken(&shell.aside("doctor --json").await, check, &[]);
    }
    for (check, name) in [
        ("apns", "SHIFTBELL__APNS__CA_FILE"),
        ("fcm", "SHIFTBELL__FCM__CA_FILE"),
        ("presence", "SHIFTBELL__PRESENCE__CA_FILE"),
    ] {
        // A certificate of somebody who signed nothing here.
        let ca = rcgen::generate_simple_self_signed(vec!["other.example.com".to_owned()]).unwrap();
        shell.write("other-ca.pem", ca.cert.pem());
        let shell = shell.clone().with(name, "other-ca.pem");
        broken(&shell.aside("doctor --json").await, check, &["certificate"]);
    }
}

#[tokio::test]
async fn a_database_that_is_not_fit_is_broken_and_left_as_it_is() {
    let shell = Shell::new();
    let said = shell.aside("doctor --json").await;
    broken(&said, "database", &["shiftbell.db"]);
    assert!(shell.files().is_empty(), "doctor makes no database");
    let empty = Shell::on(&Cluster::shared().empty_database());
    let said = empty.aside("doctor --json").await;
    broken(&said, "database", &["shiftbell migrate"]);
    let gone = Shell::on("postgres://nobody@127.0.0.1:1/nothing");
    broken(
        &gone.aside("doctor --json").await,
        "database",
        &["127.0.0.1:1"],
    );
    shell.write("shiftbell.db", "no database ".repeat(100));
    let said = shell.aside("doctor --json").await;
    broken(&said, "database", &["not a database"]);
}

#[tokio::test]
async fn time_zone_data_that_cannot_be_used_is_broken() {
    let shell = Shell::new();
    shell.run("migrate").done();
    fs::create_dir(shell.path("zones")).unwrap();
    let shell = shell.with("SHIFTBELL__TIMEZONE__DIRECTORY", "zones");
    let said = shell.aside("doctor --json").await;
    broken(&said, "time zones", &["zones", "version"]);
}

#[tokio::test]
async fn a_schedule_that_makes_no_sense_is_named() {
    let db = Database::sqlite().await;
    let shell = Shell::on(&db.url);
    let line = r#"{"id":"a-1","workspace":"w","name":"A","timezone":"UTC"}"#;
    shell.feed("import -", line).done();
    db.sql("UPDATE agents SET timezone = 'Mars/Olympus'");
    shell.aside("tick").await.done();
    let said = shell.aside("doctor --json").await;
    let problems = found(&said, "schedule");
    assert_eq!(
        said.code,
        Some(0),
        "one bad schedule stops nobody: {said:#?}"
    );
    assert_eq!(problems[0].0, "warning");
    for word in ["a-1", "Mars/Olympus"] {
        assert!(problems[0].1.contains(word), "{problems:?}");
    }
}

#[tokio::test]
async fn a_key_open_to_everyone_is_worth_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let (_world, shell) = world(None).await;
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(shell.path("presence.secret"), open).unwrap();
    let said = shell.aside("doctor --json").await;
    said.done();
    let findings = found(&said, "configuration");
    let warned = findings
        .iter()
        .any(|(level, detail)| level == "warning" && detail.contains("presence.secret"));
    assert!(warned, "{said:#?}");
}
