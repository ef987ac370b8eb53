//! Waiting for what will be received, and the files of a world.

use std::{os::unix::fs::PermissionsExt as _, time::Duration};

use shiftbell::sim::WorldOptions;

use crate::client::{LONG, Stage};

#[tokio::test]
async fn a_waiter_is_woken_by_what_it_waits_for() {
    let stage = Stage::set().await;
    let connection = stage.connect(&stage.world.apns.endpoint()).await;
    let token = stage.good_token();
    let record = stage.world.apns.record();
    let send = async {
        for _ in 0..3 {
            connection.send(stage.push(&token)).await.unwrap();
        }
    };
    let any_id = |push: &std::sync::Arc<shiftbell::sim::record::ReceivedPush>| push.id.is_some();
    let (pushes, held, ()) = tokio::join!(
        record.wait_for(3, LONG),
        record.wait_until(LONG, |all| all.iter().any(any_id)),
        send,
    );
    assert_eq!(pushes.unwrap().len(), 3);
    held.unwrap();
}

#[tokio::test]
async fn a_wait_ends_and_says_what_there_was() {
    let stage = Stage::set().await;
    let record = stage.world.apns.record();
    let late = record
        .wait_for(1, Duration::from_millis(1))
        .await
        .unwrap_err();
    let said = late.to_string();
    assert!(
        said.contains("1 accepted") && said.contains("0 requests"),
        "{said}"
    );
}

#[tokio::test]
async fn counting_only_keeps_nothing_but_the_count() {
    let stage = Stage::set().await;
    let connection = stage.connect(&stage.world.apns.endpoint()).await;
    stage.world.apns.record().count_only();
    connection
        .send(stage.push(&stage.good_token()))
        .await
        .unwrap();
    assert_eq!(stage.world.apns.record().accepted_count(), 1);
    assert!(stage.world.apns.record().all().is_empty());
}

#[tokio::test]
async fn a_world_writes_a_configuration_and_keys_for_its_owner_only() {
    let options = WorldOptions {
        database_url: Some("postgres://localhost/x".to_owned()),
        ..WorldOptions::default()
    };
    let stage = Stage::with(options).await;
    let config: toml::Table = stage.file("shiftbell.toml").parse().unwrap();
    assert_eq!(
        config["database"]["url"].as_str(),
        Some("postgres://localhost/x")
    );
    let endpoint = config["apns"]["endpoint"].as_str();
    assert_eq!(endpoint, Some(&*stage.world.apns.endpoint()));
    let url = config["presence"]["url"].as_str();
    assert_eq!(url, Some(&*stage.world.presence.url()));
    for (section, key) in [
        ("apns", "key_file"),
        ("fcm", "service_account_file"),
        ("presence", "secret_file"),
    ] {
        let file = config[section][key].as_str().unwrap();
        let meta = std::fs::metadata(stage.world.folder.join(file)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{file}");
    }
}
