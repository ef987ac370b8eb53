//! SIGTERM under load: done in time, nothing left leased, nothing unknown that need not be.

use shiftbell::{clock::Stopwatch, lifecycle::GRACE, sim::script::Behaviour};

use super::kit::{Base, Extent, Plan, Report, Theatre, until};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: extent.pick(600, 5_000),
        spread_s: 1,
        lead_s: extent.pick(8, 40),
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    // Answers that take a while, so that there is something under way.
    let slow = std::time::Duration::from_millis(300);
    theatre
        .world
        .apns
        .script()
        .next(400, Behaviour::Delay(slow));
    theatre.world.fcm.script().next(400, Behaviour::Delay(slow));
    let mut worker = theatre.worker();
    let busy = until(
        "work under way",
        std::time::Duration::from_mins(1),
        async || theatre.leased().await > 0,
    );
    let mut found: Vec<String> = busy.await.err().into_iter().collect();
    let watch = Stopwatch::start();
    let status = worker.stop().await;
    let (took, leased) = (watch.elapsed(), theatre.leased().await);
    if !status.success() || took > GRACE || leased > 0 {
        found.push(format!(
            "L: ended with {status} after {took:?}, {leased} left leased"
        ));
    }
    let mut report = theatre.judge(1).await;
    report.found.extend(found);
    report
}
