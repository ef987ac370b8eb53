//! The whole engine with a product in place of the presence API: who is told, what is mended, and what is
//! left alone.

use std::{path::Path, time::Duration};

use shiftbell::{
    config::Config,
    domain::driver::drift::Found,
    sim::{WorldOptions, product::Product, script::Fault},
    workers::upkeep::Look,
};

use super::stage::Stage;

const NOON: &str = "2026-03-30T12:00:00Z";

/// A team whose hours run from nine to six; ana and bea have another id in the product.
fn team() -> String {
    let hours = r#""timezone":"UTC","hours":[{"day":"mon","start":"09:00","end":"18:00"}]"#;
    format!(
        r#"{{"id":"ana","workspace":"acme","name":"Ana",{hours},"external":{{"chatwoot":"17"}}}}
{{"id":"bea","workspace":"acme","name":"Bea",{hours},"external":{{"chatwoot":"18"}}}}
"#
    )
}

async fn stage(now: &str, team: &str) -> Stage {
    let options = WorldOptions {
        driver: Some("chatwoot".to_owned()),
        ..WorldOptions::default()
    };
    Stage::set_with(now, options, team).await
}

fn product(stage: &Stage) -> &Product {
    stage.world.product.as_ref().unwrap()
}

/// What is shown of ana and bea.
fn shown(stage: &Stage) -> [String; 2] {
    ["17", "18"].map(|id| product(stage).shown(id).unwrap_or_default())
}

async fn look(stage: &Stage, force: bool) -> Vec<(String, Found, bool)> {
    let told = {
        let mut tx = stage.store.snapshot().await.unwrap();
        let told = tx.told_after("", 100).await.unwrap();
        tx.commit().await.unwrap();
        told
    };
    let upkeep = stage.engine.upkeep().unwrap();
    let looks = upkeep.compare(told, force, true).await.unwrap().unwrap();
    let line = |look: Look| (look.told.agent.clone(), look.found, look.mended);
    looks.into_iter().map(line).collect()
}

fn found(agent: &str, found: Found, mended: bool) -> (String, Found, bool) {
    (agent.to_owned(), found, mended)
}

#[tokio::test]
async fn a_product_is_told_of_statuses_and_of_no_modes() {
    let stage = stage("2026-03-30T08:00:00Z", "").await;
    assert_eq!(
        [product(&stage).add_agent(0), product(&stage).add_agent(1)],
        ["17", "18"]
    );
    stage.import(&team()).await;
    stage.at("2026-03-30T09:00:00Z").await;
    assert_eq!(shown(&stage), ["online", "online"]);
    stage.at("2026-03-30T18:00:00Z").await;
    assert_eq!(shown(&stage), ["offline", "offline"]);
    let log = stage.log().await;
    assert!(!log.is_empty());
    assert!(
        log.iter().all(|row| row.kind == "agent.status_changed"),
        "{log:?}"
    );
    assert!(
        log.iter()
            .all(|row| matches!(row.state.as_str(), "sent" | "superseded")),
        "{log:?}"
    );
}

#[tokio::test]
async fn whoever_the_product_does_not_know_fails_alone_and_is_mended_when_it_does() {
    let stage = stage(NOON, "").await;
    product(&stage).add_agent(0);
    stage.import(&team()).await;
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", ""]);
    let failed = stage
        .log()
        .await
        .into_iter()
        .filter(|row| row.state == "failed");
    let failed: Vec<String> = failed.filter_map(|row| row.agent).collect();
    assert_eq!(failed, ["bea"]);
    assert_eq!(
        look(&stage, false).await,
        [
            found("ana", Found::Agrees, false),
            found("bea", Found::Unknown, false)
        ]
    );
    product(&stage).add_agent(1);
    assert_eq!(
        look(&stage, false).await,
        [
            found("ana", Found::Agrees, false),
            found("bea", Found::Drifted, true)
        ]
    );
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "online"]);
    assert_eq!(
        look(&stage, false).await,
        [
            found("ana", Found::Agrees, false),
            found("bea", Found::Agrees, false)
        ]
    );
}

#[tokio::test]
async fn what_somebody_set_there_holds_until_the_next_change_or_force() {
    let stage = stage(NOON, "").await;
    product(&stage).add_agent(0);
    product(&stage).add_agent(1);
    stage.import(&team()).await;
    stage.tick().await;
    product(&stage).set_there("17", "busy");
    product(&stage).set_there("18", "busy");
    assert_eq!(
        look(&stage, false).await,
        [
            found("ana", Found::SetThere, false),
            found("bea", Found::SetThere, false)
        ]
    );
    stage.tick().await;
    assert_eq!(shown(&stage), ["busy", "busy"]);
    assert_eq!(
        look(&stage, true).await,
        [
            found("ana", Found::SetThere, true),
            found("bea", Found::SetThere, true)
        ]
    );
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "online"]);
    product(&stage).set_there("17", "busy");
    stage.at("2026-03-30T18:00:00Z").await;
    assert_eq!(shown(&stage), ["offline", "offline"]);
}

#[tokio::test]
async fn the_walk_finds_by_itself_what_drifted() {
    let stage = stage(NOON, "").await;
    product(&stage).add_agent(0);
    stage.import(&team()).await;
    stage.tick().await;
    product(&stage).add_agent(1);
    assert_eq!(shown(&stage), ["online", "offline"]);
    stage.at("2026-03-30T12:30:00Z").await;
    stage.tick().await;
    assert_eq!(
        shown(&stage),
        ["online", "offline"],
        "it came by half an hour ago"
    );
    stage.at("2026-03-30T13:01:00Z").await;
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "online"]);
}

#[tokio::test]
async fn a_receiver_in_anothers_place_is_told_everything() {
    let options = WorldOptions {
        driver: Some("chatwoot".to_owned()),
        ..WorldOptions::default()
    };
    let mut stage = Stage::set_with(NOON, options, &team()).await;
    product(&stage).add_agent(0);
    product(&stage).add_agent(1);
    let with_product = Config::load(
        Some(&stage.world.config_path),
        std::iter::empty(),
        Path::new("/"),
    )
    .unwrap();
    let mut own = with_product.clone();
    own.driver = None;
    own.presence = Some(presence(&stage));
    stage.restart_with(&own);
    stage.tick().await;
    assert_eq!(
        stage.posted(),
        [
            "acme live_chat #1",
            "ana online sync #2",
            "bea online sync #2"
        ]
    );
    assert_eq!(shown(&stage), ["offline", "offline"]);
    stage.restart_with(&with_product);
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "online"]);
    stage.tick().await;
    let told = stage
        .log()
        .await
        .into_iter()
        .filter(|row| row.agent.as_deref() == Some("ana"));
    assert_eq!(told.count(), 3, "and told once");
}

#[tokio::test]
async fn whoever_is_removed_is_taken_off_in_the_product() {
    let stage = stage(NOON, "").await;
    product(&stage).add_agent(0);
    product(&stage).add_agent(1);
    stage.import(&team()).await;
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "online"]);
    let mut tx = stage.store.begin().await.unwrap();
    tx.remove_agents(["ana", "bea"]).await.unwrap();
    tx.commit().await.unwrap();
    // Somebody else has bea's place there before she is told off.
    stage
        .import(
            &team()
                .lines()
                .last()
                .unwrap()
                .replace(r#""id":"bea""#, r#""id":"cleo""#),
        )
        .await;
    stage.tick().await;
    assert_eq!(shown(&stage), ["offline", "online"]);
}

#[tokio::test]
async fn another_account_of_the_same_product_is_told_everything() {
    let mut stage = stage(NOON, "").await;
    product(&stage).add_agent(0);
    product(&stage).add_agent(1);
    stage.import(&team()).await;
    let config = Config::load(
        Some(&stage.world.config_path),
        std::iter::empty(),
        Path::new("/"),
    );
    let right = config.unwrap();
    let mut wrong = right.clone();
    wrong.driver.as_mut().unwrap().account = Some("4".to_owned());
    stage.restart_with(&wrong);
    stage.tick().await;
    assert_eq!(shown(&stage), ["offline", "offline"]);
    stage.restart_with(&right);
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "online"]);
}

#[tokio::test]
async fn whoever_gets_another_id_there_is_told_under_the_new_one() {
    let stage = stage(NOON, "").await;
    product(&stage).add_agent(0);
    product(&stage).add_agent(1);
    let ana = team().lines().next().unwrap().to_owned();
    stage.import(&ana).await;
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "offline"]);
    stage.import(&ana.replace("17", "18")).await;
    stage.tick().await;
    assert_eq!(
        look(&stage, false).await,
        [found("ana", Found::Drifted, true)]
    );
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "online"]);
    product(&stage).set_there("18", "busy");
    assert_eq!(
        look(&stage, false).await,
        [found("ana", Found::SetThere, false)]
    );
}

/// Help Scout's answers prove nothing; somebody's own click right after the start of hours holds all the
/// same.
#[tokio::test]
async fn what_was_sent_is_read_back_at_once_where_answers_prove_nothing() {
    let options = WorldOptions {
        driver: Some("helpscout".to_owned()),
        ..WorldOptions::default()
    };
    let stage = Stage::set_with("2026-03-30T08:00:00Z", options, "").await;
    let id = product(&stage).add_agent(0);
    let ana = team().lines().next().unwrap().to_owned();
    stage
        .import(&ana.replace(
            r#"{"chatwoot":"17"}"#,
            &format!(r#"{{"helpscout":"{id}"}}"#),
        ))
        .await;
    stage.tick().await;
    stage.at("2026-03-30T09:00:00Z").await;
    stage.tick().await;
    let set = product(&stage).shown(&id).unwrap();
    product(&stage).set_there(&id, "away");
    assert_ne!(product(&stage).shown(&id).unwrap(), set);
    assert_eq!(
        look(&stage, false).await,
        [found("ana", Found::SetThere, false)]
    );
}

#[tokio::test]
async fn a_mode_that_waits_for_the_presence_api_is_nothing_for_a_product() {
    let mut stage = stage(NOON, &team()).await;
    product(&stage).add_agent(0);
    product(&stage).add_agent(1);
    let config = Config::load(
        Some(&stage.world.config_path),
        std::iter::empty(),
        Path::new("/"),
    );
    let with_product = config.unwrap();
    let mut own = with_product.clone();
    own.driver = None;
    own.presence = Some(presence(&stage));
    stage.restart_with(&own);
    stage.world.presence.script().always(Fault::status(503));
    stage.tick().await;
    stage.clock.advance(Duration::from_mins(2));
    stage.restart_with(&with_product);
    stage.tick().await;
    assert_eq!(shown(&stage), ["online", "online"]);
    let modes = stage.log().await.into_iter();
    let modes = modes.filter(|row| row.kind == "workspace.mode_changed");
    let states: Vec<String> = modes.map(|row| row.state).collect();
    assert_eq!(states, ["cancelled"]);
}

/// The presence API of the same world.
fn presence(stage: &Stage) -> shiftbell::config::Presence {
    shiftbell::config::Presence {
        url: stage.world.presence.url().parse().unwrap(),
        secret: std::fs::read_to_string(stage.world.folder.join("presence.secret"))
            .unwrap()
            .trim()
            .to_owned()
            .into(),
        batch_size: 100,
        ca: Some(std::fs::read(&stage.world.ca_path).unwrap()),
        pace: shiftbell::config::Pace {
            max_in_flight: 4,
            max_per_second: 1000,
        },
    }
}
