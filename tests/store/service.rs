//! The service while it runs: what it records it sends without looking for it, and its lanes hear of what
//! comes back to wait, though nobody notifies them.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use shiftbell::{
    domain::pace::Pace,
    sim::script::Fault,
    store::sql::Dialect,
    triggers::Rules,
    workers::{
        Shared,
        direct::ShortWays,
        lane::{Lane, Limits, Until},
        receivers::{Lanes, Receivers},
        scan::Scan,
        zones::ZonesInUse,
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    stage::{Stage, time},
    support::{Database, on_both},
};

on_both!(
    what_comes_back_is_sent_again_at_once,
    what_is_recorded_is_sent_without_a_claim,
    a_lane_waits_for_places_that_were_taken,
);

/// An iPhone that rings at 09:00 in Paris, 07:00 UTC.
const TEAM: &str = r#"{"type":"workspace","id":"acme","name":"Acme"}
{"id":"ana","workspace":"acme","name":"Ana Ruiz","timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"18:00"}],"notify":{"start":true,"end":true},"devices":[{"platform":"ios","token":"aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"}]}
"#;

/// Less than the minute after which a lane looks for itself.
const SOON: Duration = Duration::from_secs(30);

async fn what_comes_back_is_sent_again_at_once(db: Database) {
    let stage = Stage::set("2026-03-30T06:00:00Z", Some(db.url.clone()), TEAM).await;
    let refused = Fault::Reset(h2::Reason::REFUSED_STREAM);
    stage.world.apns.script().next(1, refused);
    stage.clock.set(time("2026-03-30T07:00:00Z"));
    let stop = CancellationToken::new();
    let rung = async {
        let rung = stage.world.apns.record().wait_for(1, SOON).await;
        stop.cancel();
        rung.unwrap();
    };
    tokio::join!(stage.engine.run(&stop), rung);
    let row = stage.row("apns").await;
    assert_eq!((row.state.as_str(), row.attempts), ("sent", 2));
}

/// A database that takes no claim.
fn refuse_claims(db: &Database) {
    let refuse = match db.store.dialect() {
        Dialect::Sqlite => {
            "CREATE TRIGGER no_claims BEFORE UPDATE OF epoch ON outbox
             BEGIN SELECT raise(ABORT, 'no claims'); END"
        }
        Dialect::Postgres => {
            "CREATE TRIGGER no_claims BEFORE UPDATE OF epoch ON outbox
             FOR EACH STATEMENT EXECUTE FUNCTION shiftbell_refuse_final()"
        }
    };
    db.sql(refuse);
}

/// The lanes have looked for work and found none, and look no more: what they send, the scan handed them.
async fn what_is_recorded_is_sent_without_a_claim(db: Database) {
    let stage = Stage::set("2026-03-30T06:00:00Z", Some(db.url.clone()), TEAM).await;
    let config = stage.config();
    let receivers = Receivers::new(config).unwrap();
    let zones = shiftbell::zones::load(None).unwrap();
    let zones = Arc::new(ZonesInUse::new(zones, None));
    let shared = Shared::new(stage.store.clone(), stage.clock.clone(), "service");
    let lanes = Lanes::new(&shared, config, &receivers, &zones);
    let ways = lanes.short_ways();
    let scan = Scan::new(
        shared,
        Rules {
            useful_for: config.delivery.useful_for,
            push: receivers.push(),
        },
        receivers.posting(),
        zones,
        ways.clone(),
        config.delivery.lease,
    );
    let stop = CancellationToken::new();
    let run = lanes.run(Until::Stopped, &stop);
    tokio::pin!(run);
    while !have_looked(&ways, stage.clock.now()) {
        tokio::select! {
            biased;
            _ = &mut run => panic!("nobody stopped them"),
            () = tokio::task::yield_now() => {}
        }
    }
    refuse_claims(&db);
    stage.clock.set(time("2026-03-30T07:00:00Z"));
    scan.pass(&stop).await.unwrap();
    let posted = stage.world.presence.record().wait_for(2, SOON).await;
    let rung = stage.world.apns.record().wait_for(1, SOON).await;
    posted.and(rung).unwrap();
    stop.cancel();
    run.await;
    for channel in ["apns", "presence"] {
        let row = stage.row(channel).await;
        assert_eq!((row.state.as_str(), row.attempts), ("sent", 1), "{channel}");
    }
}

/// Whether each lane has places free: none that a look for work has taken for what it may find.
fn have_looked(ways: &ShortWays, now: Timestamp) -> bool {
    let free = ways
        .push
        .iter()
        .all(|(_, lane)| lane.reserve(1, now).is_some());
    let presence = ways.presence.as_ref();
    free && presence.is_some_and(|lane| lane.reserve(1, now).is_some())
}

/// The run ends when those places are given back, whatever became of them: what was leased for them is
/// then sent, or back in the outbox.
async fn a_lane_waits_for_places_that_were_taken(db: Database) {
    let stage = Stage::set("2026-03-30T06:00:00Z", Some(db.url.clone()), TEAM).await;
    let now = stage.clock.now();
    let receivers = Receivers::new(stage.config()).unwrap();
    let limits = Limits {
        lease: Duration::from_mins(1),
        request_timeout: Duration::from_secs(10),
    };
    let zones = shiftbell::zones::load(None).unwrap();
    let lane = Lane::new(
        Shared::new(stage.store.clone(), stage.clock.clone(), "lane"),
        receivers.fcm.unwrap(),
        limits,
        Pace::new(100_000),
        Arc::new(ZonesInUse::new(zones, None)),
    );
    let direct = lane.direct();
    assert!(direct.reserve(1, now).is_none(), "nobody would send it");
    let stop = CancellationToken::new();
    let run = lane.run(Until::Stopped, &stop);
    tokio::pin!(run);
    let (taken, room) = loop {
        tokio::select! {
            biased;
            _ = &mut run => panic!("nobody stopped it"),
            () = tokio::task::yield_now() => {}
        }
        if let Some(taken) = direct.reserve(70, now) {
            break taken;
        }
    };
    assert_eq!(room, 1, "until the receiver has taken something");
    assert!(direct.is_busy(now));
    assert!(direct.reserve(1, now).is_none(), "it is full");
    drop(taken);
    assert!(!direct.is_busy(now));
    let (taken, _) = direct.reserve(1, now).unwrap();
    stop.cancel();
    let mut looks = 0;
    while looks < 1000 {
        looks += 1;
        tokio::select! {
            biased;
            _ = &mut run => panic!("it has ended with places taken"),
            () = tokio::task::yield_now() => {}
        }
    }
    assert!(direct.reserve(1, now).is_none(), "it is about to end");
    drop(taken);
    run.await;
}
