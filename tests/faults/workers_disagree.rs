//! Two workers on one Postgres whose clocks are ten minutes ahead and ten minutes behind: the
//! database's clock is the time of both.

use super::{
    kit::{Base, Extent, Plan, Report, Theatre, Worker, fake_time},
    support::postgres::Cluster,
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: extent.pick(300, 2000),
        spread_s: extent.pick(8, 60),
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Postgres(Cluster::shared()), plan).await;
    let mut found = Vec::new();
    let mut workers = [600, -600].map(|off| {
        let worker = Worker::start(&theatre, "run", &[], &fake_time::off_by(off));
        (off, worker)
    });
    found.extend(theatre.quiet().await.err());
    let mut struck = 0;
    for (off, worker) in &mut workers {
        let status = worker.stop().await;
        let printed = worker.printed();
        if !status.success() {
            found.push(format!("L: the worker off by {off} s ended with {status}"));
        }
        if !fake_time::was_off(&printed, theatre.clock.now(), *off) {
            found.push(format!("the worker off by {off} s was on time"));
        }
        let attempts = printed.matches(r#""event":"attempt""#).count() as u64;
        if attempts == 0 {
            found.push(format!("the worker off by {off} s sent nothing"));
        }
        struck += attempts;
    }
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    report
}
