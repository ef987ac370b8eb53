//! Killed again and again at random moments while boundaries fall, and every now and then a
//! receiver's acceptance is lost as well.

use std::time::Duration;

use shiftbell::sim::script::{Behaviour, Fault};

use super::kit::{Base, Extent, Plan, Report, Theatre};

pub(crate) async fn inject(extent: Extent) -> Report {
    let kills = extent.pick(12, 100);
    let plan = Plan {
        agents: 400,
        spread_s: extent.pick(12, 100),
        lead_s: 8,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let lost = theatre
        .world
        .apns
        .script()
        .next(5, Behaviour::Accepted(Fault::Close));
    theatre.curtain().await;
    for _ in 0..kills {
        let mut worker = theatre.worker();
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..2000))).await;
        worker.kill();
    }
    let mut report = theatre.judge(kills).await;
    if lost.struck() == 0 {
        report
            .found
            .push("the lost answers never struck".to_owned());
    }
    report
}
