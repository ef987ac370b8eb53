//! A delivery whose request takes the worker down each time: after the third it has failed as
//! poison, and nobody else with it.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use shiftbell::{domain::device::Platform, sim::script::Behaviour};

use super::kit::{Base, Extent, Plan, Report, Theatre, worker::signal};

pub(crate) async fn inject(_: Extent) -> Report {
    let plan = Plan {
        agents: 40,
        spread_s: 2,
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let poison = theatre.tokens(Platform::Ios)[3];
    let victim = Arc::new(AtomicU32::new(0));
    let pid = Arc::clone(&victim);
    let rule = theatre.world.apns.script().whenever(
        poison,
        Behaviour::run(move || signal(pid.load(Ordering::Relaxed), "KILL")),
    );
    for _ in 0..3 {
        let mut worker = theatre.worker();
        victim.store(worker.pid(), Ordering::Relaxed);
        tokio::task::block_in_place(|| worker.wait());
    }
    let mut report = theatre.judge(rule.struck()).await;
    let failed = theatre.count("failed", "poison").await;
    if (rule.struck(), failed) != (3, 1) {
        let struck = rule.struck();
        report.found.push(format!(
            "{failed} deliveries are poison after {struck} crashes, not 1 after 3"
        ));
    }
    report
}
