//! Online as a lease: everybody on duty is renewed in time, by one worker of several, and let go at the end.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use shiftbell::{
    config::Config,
    domain::driver::Lease,
    sim::{
        WorldOptions,
        product::{Product, ReceivedRequest},
        script::{Behaviour, Fault, Gate},
    },
};

use tokio_util::sync::CancellationToken;

use super::{
    desk::LONG,
    stage::{Stage, time},
    support::{Database, on_both},
};

on_both!(
    agents_are_held_online_for_their_shift_and_no_longer,
    two_workers_renew_once,
    ten_thousand_agents_are_renewed_within_the_minute,
);

/// So many agents, on duty from nine to six, known in the product.
async fn stage(driver: &str, database: &Database, agents: usize) -> (Stage, Vec<String>) {
    let options = WorldOptions {
        driver: Some(driver.to_owned()),
        database_url: Some(database.url.clone()),
        ..WorldOptions::default()
    };
    let mut stage = Stage::set_with("2026-03-30T08:00:00Z", options, "").await;
    stage.restart_with(&config(&stage));
    let ids: Vec<String> = (0..agents).map(|n| product(&stage).add_agent(n)).collect();
    let mut team = String::new();
    for (n, id) in ids.iter().enumerate() {
        writeln!(
            team,
            r#"{{"id":"a-{n:05}","workspace":"acme","name":"A","timezone":"UTC","hours":[{{"day":"mon","start":"09:00","end":"18:00"}}],"external":{{"{driver}":"{id}"}}}}"#
        )
        .unwrap();
    }
    stage.import(&team).await;
    stage.tick().await;
    (stage, ids)
}

/// A lease of a minute, and a product that takes as much as comes.
fn config(stage: &Stage) -> Config {
    let none = std::iter::empty();
    let mut config = Config::load(Some(&stage.world.config_path), none, Path::new("/")).unwrap();
    let section = config.driver.as_mut().unwrap();
    section.description.lease = Some(Lease {
        renew_every_seconds: 60,
        ends_after_seconds: 120,
    });
    section.max_in_flight = 50;
    section.max_per_minute = 6_000_000;
    config
}

fn product(stage: &Stage) -> &Product {
    stage.world.product.as_ref().unwrap()
}

/// Renews what is due now, in as many rounds as that takes.
async fn renew(stage: &Stage) {
    let upkeep = stage.engine.upkeep().unwrap();
    while upkeep
        .renew()
        .await
        .unwrap()
        .is_some_and(|next| next <= stage.clock.now())
    {}
}

/// How often each agent was asked to be online since the `n`-th request.
fn pings(stage: &Stage, since: usize) -> BTreeMap<String, usize> {
    let mut pings = BTreeMap::new();
    for request in &product(stage).record().all()[since..] {
        if request.target.ends_with("/setPresence") {
            let id = request.target.split('/').nth(3).unwrap().to_owned();
            *pings.entry(id).or_default() += 1;
        }
    }
    pings
}

fn at(start: &str, seconds: i64) -> Timestamp {
    time(start) + SignedDuration::from_secs(seconds)
}

async fn agents_are_held_online_for_their_shift_and_no_longer(db: Database) {
    let (stage, ids) = stage("graph", &db, 3).await;
    stage.at("2026-03-30T09:00:00Z").await;
    let shown = |id: &String| product(&stage).shown(id).unwrap();
    for second in (5..=1800).step_by(5) {
        stage.clock.set(at("2026-03-30T09:00:00Z", second));
        renew(&stage).await;
        for id in &ids {
            assert_eq!(shown(id), "Available/Available", "after {second} s");
        }
    }
    let asked = product(&stage).record().all().len();
    stage.at("2026-03-30T18:00:00Z").await;
    renew(&stage).await;
    for id in &ids {
        assert_eq!(shown(id), "Offline/Offline");
    }
    stage.clock.set(time("2026-03-30T18:02:00Z"));
    renew(&stage).await;
    assert!(
        pings(&stage, asked).is_empty(),
        "nobody is renewed who is off duty"
    );
}

async fn two_workers_renew_once(db: Database) {
    let (stage, ids) = stage("graph", &db, 60).await;
    stage.at("2026-03-30T09:00:00Z").await;
    let colleague = stage.colleague(&config(&stage));
    let (one, other) = (stage.engine.upkeep().unwrap(), colleague.upkeep().unwrap());
    for upkeep in [one, other] {
        upkeep.renew().await.unwrap();
    }
    for minute in 1..=3 {
        let asked = product(&stage).record().all().len();
        stage.clock.set(at("2026-03-30T09:00:00Z", 60 * minute));
        let (a, b) = tokio::join!(one.renew(), other.renew());
        a.unwrap();
        b.unwrap();
        renew(&stage).await;
        let pings = pings(&stage, asked);
        assert_eq!(pings.len(), ids.len(), "minute {minute}");
        assert!(
            pings.values().all(|n| *n == 1),
            "minute {minute}: {pings:?}"
        );
    }
}

async fn ten_thousand_agents_are_renewed_within_the_minute(db: Database) {
    let (stage, ids) = stage("graph", &db, 10_000).await;
    stage.at("2026-03-30T09:00:00Z").await;
    let on_duty = || {
        let online = |id: &&String| product(&stage).shown(id).unwrap().starts_with("Available");
        ids.iter().filter(online).count()
    };
    assert_eq!(on_duty(), ids.len());
    stage.engine.upkeep().unwrap().renew().await.unwrap();
    let asked = product(&stage).record().all().len();
    stage.clock.set(time("2026-03-30T09:01:00Z"));
    renew(&stage).await;
    let pings = pings(&stage, asked);
    assert_eq!(pings.len(), ids.len());
    assert!(pings.values().all(|n| *n == 1));
    assert_eq!(on_duty(), ids.len());
}

#[tokio::test]
async fn a_renewal_that_fails_is_tried_again_within_the_lease() {
    let db = Database::sqlite().await;
    let (stage, ids) = stage("graph", &db, 1).await;
    stage.at("2026-03-30T09:00:00Z").await;
    renew(&stage).await;
    stage.clock.set(time("2026-03-30T09:01:00Z"));
    let rule = product(&stage).script().next(1, Fault::status(503));
    renew(&stage).await;
    assert_eq!(rule.struck(), 1);
    stage.clock.set(time("2026-03-30T09:01:05Z"));
    let asked = product(&stage).record().all().len();
    renew(&stage).await;
    assert_eq!(pings(&stage, asked)[&ids[0]], 1);
}

#[tokio::test]
async fn who_goes_off_while_a_renewal_is_on_its_way_is_let_go_once_more() {
    let db = Database::sqlite().await;
    let (stage, ids) = stage("graph", &db, 1).await;
    stage.at("2026-03-30T17:59:30Z").await;
    renew(&stage).await;
    stage.clock.set(time("2026-03-30T18:00:30Z"));
    let gate = Gate::closed();
    let rule = product(&stage)
        .script()
        .next(1, Behaviour::Hold(gate.clone()));
    let renewal = renew(&stage);
    let meanwhile = async {
        rule.wait_struck(1, LONG).await.unwrap();
        stage.tick().await;
        assert_eq!(product(&stage).shown(&ids[0]).unwrap(), "Offline/Offline");
        // The renewal arrives late.
        product(&stage).set_there(&ids[0], "Offline");
        gate.open();
    };
    tokio::join!(renewal, meanwhile);
    let all = product(&stage).record().all();
    assert!(
        all.last().unwrap().target.ends_with("/clearPresence"),
        "{:?}",
        all.last()
    );
    let cleared = all
        .iter()
        .filter(|request| request.target.ends_with("/clearPresence"));
    assert!(cleared.count() >= 2);
}

#[tokio::test]
async fn a_renewal_that_hangs_holds_up_nobody() {
    let db = Database::sqlite().await;
    let (stage, ids) = stage("graph", &db, 3).await;
    stage.at("2026-03-30T09:00:00Z").await;
    renew(&stage).await;
    let gate = Gate::closed();
    let rule = product(&stage)
        .script()
        .next_of(&ids[0], 1, Behaviour::Hold(gate.clone()));
    let before = product(&stage).record().all().len();
    stage.clock.set(time("2026-03-30T09:01:00Z"));
    let stop = CancellationToken::new();
    let upkeep = stage.engine.upkeep().unwrap().run(&stop);
    let meanwhile = async {
        rule.wait_struck(1, LONG).await.unwrap();
        let renewed = async |since: usize| {
            let record = product(&stage).record();
            let all = |received: &[Arc<ReceivedRequest>]| {
                let new = received
                    .iter()
                    .skip(since)
                    .map(|request| request.target.as_str());
                let new: Vec<&str> = new.collect();
                let asked_for = |id: &String| new.iter().any(|target| target.contains(id));
                ids[1..].iter().all(asked_for)
            };
            record.wait_until(LONG, all).await.unwrap();
        };
        renewed(before).await;
        let asked = product(&stage).record().all().len();
        stage.clock.set(time("2026-03-30T09:02:00Z"));
        renewed(asked).await;
        gate.open();
        stop.cancel();
    };
    tokio::join!(upkeep, meanwhile);
}

#[tokio::test]
async fn whoever_the_product_does_not_know_is_asked_for_no_more_often_than_the_others() {
    let db = Database::sqlite().await;
    let (stage, ids) = stage("graph", &db, 1).await;
    stage.import(r#"{"id":"b","workspace":"acme","name":"B","timezone":"UTC","hours":[{"day":"mon","start":"09:00","end":"18:00"}]}"#).await;
    stage.at("2026-03-30T09:00:00Z").await;
    renew(&stage).await;
    let asked = product(&stage).record().all().len();
    for second in (60..120).step_by(5) {
        stage.clock.set(at("2026-03-30T09:00:00Z", second));
        renew(&stage).await;
    }
    let pings = pings(&stage, asked);
    assert_eq!((pings[&ids[0]], pings["b"]), (1, 1));
}

#[tokio::test]
async fn while_credentials_are_refused_one_renewal_at_a_time_is_tried() {
    let db = Database::sqlite().await;
    let (stage, ids) = stage("graph", &db, 6).await;
    stage.at("2026-03-30T09:00:00Z").await;
    renew(&stage).await;
    let rule = product(&stage).script().always(Fault::status(403));
    let asked = || product(&stage).record().all().len();
    stage.clock.set(time("2026-03-30T09:01:00Z"));
    renew(&stage).await;
    for (second, at_most) in [(5, 1), (10, 1), (15, 1)] {
        let before = asked();
        stage.clock.set(at("2026-03-30T09:01:00Z", second));
        renew(&stage).await;
        assert!(asked() - before <= at_most, "after {second} s");
    }
    product(&stage).script().remove(&rule);
    for second in (20..60).step_by(5) {
        stage.clock.set(at("2026-03-30T09:01:00Z", second));
        renew(&stage).await;
    }
    let pings = pings(&stage, 0);
    assert!(ids.iter().all(|id| pings[id] >= 2), "{pings:?}");
    assert!(stage.engine.lanes().iter().all(|lane| lane.open.is_none()));
}
