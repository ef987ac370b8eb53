//! A worker is frozen while its request is at the receiver, longer than the lease; another one
//! takes over, and the first one's answer comes late.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use shiftbell::sim::script::Behaviour;

use super::kit::{Base, Extent, Plan, Report, Theatre, worker::signal};

pub(crate) async fn inject(_: Extent) -> Report {
    let plan = Plan {
        agents: 60,
        spread_s: 2,
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
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
    let within = std::time::Duration::from_secs(20);
    let struck = rules[0].wait_struck(1, within).await;
    let mut other = theatre.worker();
    let mut found: Vec<String> = struck.err().map(|e| e.to_string()).into_iter().collect();
    found.extend(theatre.quiet().await.err());
    frozen.signal("CONT");
    found.extend(
        [frozen.stop(), other.stop()]
            .iter()
            .filter(|s| !s.success())
            .map(|s| format!("L: {s}")),
    );
    let struck = rules.iter().map(|rule| rule.struck()).sum();
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    report
}
