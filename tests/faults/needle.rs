//! Nine o'clock: everybody's boundary is the same instant, one worker, one `SQLite` file.

use super::kit::{Base, Extent, Plan, Report, Theatre, Worker, ill_end};

const SENT: &str =
    "SELECT count(*) FROM delivery_log WHERE channel <> 'presence' AND state = 'sent'";

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: extent.pick(1_000, 50_000),
        spread_s: 0,
        lead_s: extent.pick(8, 240),
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    // The times it runs with outside of tests: nothing dies here.
    let times = [
        ("SHIFTBELL__DELIVERY__LEASE", "60s"),
        ("SHIFTBELL__DELIVERY__REQUEST_TIMEOUT", "10s"),
    ];
    let times = times.map(|(key, time)| (key, time.to_owned()));
    let mut worker = Worker::start(&theatre, "run", &[], &times);
    let mut found: Vec<String> = theatre.quiet().await.err().into_iter().collect();
    found.extend(ill_end(worker.stop().await));
    let rang = theatre.number(SENT);
    if rang != plan.agents as u64 {
        found.push(format!("L: {rang} of {} phones rang", plan.agents));
    }
    let mut report = theatre.judge(rang).await;
    report.found.extend(found);
    report
}
