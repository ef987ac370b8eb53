//! A worker is frozen while its request is at the receiver, longer than the lease; another one
//! takes over, and the first one's answer comes late. On Postgres: on `SQLite` a process that is frozen
//! inside a transaction holds the file's only write lock, and everybody waits for it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use std::time::Duration;

use shiftbell::sim::script::Behaviour;

use super::{
    kit::{Base, Extent, Plan, Report, Theatre, ill_end, until, worker::signal},
    support::postgres::Cluster,
};

pub(crate) async fn inject(_: Extent) -> Report {
    let plan = Plan {
        agents: 60,
        spread_s: 2,
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Postgres(Cluster::shared()), plan).await;
    let mut frozen = theatre.worker();
    let pid = Arc::new(AtomicU32::new(frozen.pid()));
    let stop = || {
        let pid = Arc::clone(&pid);
        Behaviour::run(move || signal(pid.load(Ordering::Relaxed), "STOP"))
    };
    let rules = [
        theatre.world.apns.script().next(1, stop()),
        theatre.world.fcm.script().next(1, stop()),
    ];
    theatre.curtain().await;
    // The first to strike stops the other as well.
    let struck = until("a freeze", Duration::from_secs(20), async || {
        rules.iter().any(|rule| rule.struck() > 0)
    });
    let struck = struck.await;
    let mut other = theatre.worker();
    let mut found: Vec<String> = struck.err().into_iter().collect();
    found.extend(theatre.quiet().await.err());
    frozen.signal("CONT");
    for worker in [&mut frozen, &mut other] {
        found.extend(ill_end(worker.stop().await));
    }
    let struck = rules.iter().map(|rule| rule.struck()).sum();
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    report
}
