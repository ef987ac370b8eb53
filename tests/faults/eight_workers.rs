//! Eight workers on one Postgres, and all boundaries at one instant.

use super::{
    kit::{Base, Extent, Plan, Report, Theatre, ill_end},
    support::postgres::Cluster,
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: extent.pick(1_000, 10_000),
        spread_s: 0,
        lead_s: extent.pick(10, 60),
    };
    let theatre = Theatre::set(Base::Postgres(Cluster::shared()), plan).await;
    let mut workers: Vec<_> = (0..8).map(|_| theatre.worker()).collect();
    let quiet = theatre.quiet().await;
    let mut found: Vec<String> = quiet.err().into_iter().collect();
    let mut at_work = 0;
    for worker in &mut workers {
        at_work += u64::from(worker.printed().contains("\"attempt\""));
        found.extend(ill_end(worker.stop().await));
    }
    let mut report = theatre.judge(at_work).await;
    if at_work < 2 {
        found.push(format!("only {at_work} workers had work"));
    }
    report.found.extend(found);
    report
}
