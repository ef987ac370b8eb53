//! A worker dies when a receiver has accepted and not yet answered: the stand-in kills it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use shiftbell::sim::script::Behaviour;

use super::kit::{Base, Extent, Plan, Report, Theatre, worker::signal};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 60,
        spread_s: extent.pick(6, 30),
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let victim = Arc::new(AtomicU32::new(0));
    let kill = || {
        let victim = Arc::clone(&victim);
        Behaviour::run(move || signal(victim.load(Ordering::Relaxed), "KILL"))
    };
    let times = extent.pick(1, 4);
    let world = &theatre.world;
    let rules = [
        world.apns.script().next(times, kill()),
        world.fcm.script().next(times, kill()),
        world.presence.script().next(times, kill()),
    ];
    while rules.iter().any(|rule| rule.struck() < times) {
        let mut worker = theatre.worker();
        victim.store(worker.pid(), Ordering::Relaxed);
        if theatre.clock.now() > theatre.last + jiff::SignedDuration::from_mins(1) {
            break;
        }
        tokio::task::block_in_place(|| worker.wait());
    }
    theatre
        .judge(rules.iter().map(|rule| rule.struck()).sum())
        .await
}
