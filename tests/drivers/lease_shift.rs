//! The worker keeps leases: whoever is on duty stays online for as long as the worker runs, and no longer.

use std::time::Duration;

use shiftbell::{domain::driver::built_in, sim::WorldOptions};

use super::stage::Stage;

/// One agent from nine to ten, who is the product's first.
fn team(product: &str, id: &str) -> String {
    format!(
        r#"{{"id":"ana","workspace":"acme","name":"Ana","timezone":"UTC","hours":[{{"day":"mon","start":"09:00","end":"10:00"}}],"external":{{"{product}":"{id}"}}}}"#
    )
}

async fn a_shift_with(driver: &str) {
    let lease = built_in(driver).unwrap().lease.unwrap();
    let options = WorldOptions {
        driver: Some(driver.to_owned()),
        ..WorldOptions::default()
    };
    let stage = Stage::set_with("2026-03-30T08:58:00Z", options, "").await;
    let product = stage.world.product.as_ref().unwrap();
    let id = product.add_agent(0);
    stage.import(&team(driver, &id)).await;
    stage.at("2026-03-30T08:58:30Z").await;
    let shown = || product.shown(&id).unwrap();
    let offline = shown();
    stage.at("2026-03-30T09:00:00Z").await;
    let online = shown();
    assert_ne!(online, offline, "{driver}");

    let upkeep = stage.engine.upkeep().unwrap();
    let every = lease.renew_every_seconds.into();
    let rounds = 3500 / every;
    for round in 0..rounds {
        upkeep.renew().await.unwrap();
        stage.clock.advance(Duration::from_secs(every));
        assert_eq!(shown(), online, "{driver}, round {round}");
    }
    let all = product.record().all();
    let refused = all.iter().filter(|request| request.answered == Some(429));
    assert_eq!(refused.count(), 0, "{driver}");

    // The worker stops: the product lets go by itself.
    stage
        .clock
        .advance(Duration::from_secs(lease.ends_after_seconds.into()));
    assert_eq!(shown(), offline, "{driver}");
}

/// Whoever goes off duty is not renewed, and offline by the end of the lease at the latest.
async fn the_end_of_hours_with(driver: &str) {
    let lease = built_in(driver).unwrap().lease.unwrap();
    let options = WorldOptions {
        driver: Some(driver.to_owned()),
        ..WorldOptions::default()
    };
    let stage = Stage::set_with("2026-03-30T09:58:00Z", options, "").await;
    let product = stage.world.product.as_ref().unwrap();
    let id = product.add_agent(0);
    let offline = product.shown(&id).unwrap();
    stage.import(&team(driver, &id)).await;
    stage.at("2026-03-30T09:58:10Z").await;
    assert_ne!(product.shown(&id).unwrap(), offline, "{driver}");
    let upkeep = stage.engine.upkeep().unwrap();
    upkeep.renew().await.unwrap();
    stage.at("2026-03-30T10:00:00Z").await;
    for _ in 0..lease.ends_after_seconds / 10 {
        upkeep.renew().await.unwrap();
        stage.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(product.shown(&id).unwrap(), offline, "{driver}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_on_duty_stays_online_while_the_worker_runs() {
    tokio::join!(a_shift_with("brevo"), a_shift_with("graph"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_off_duty_is_let_go() {
    tokio::join!(
        the_end_of_hours_with("brevo"),
        the_end_of_hours_with("graph")
    );
}
