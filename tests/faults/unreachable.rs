//! The database cannot be reached: for seconds nothing comes through, then every connection breaks,
//! and in the end all is well again.

use std::time::Duration;

use super::{
    commit_answer_lost::through,
    kit::{Base, Extent, Mode, Plan, Proxy, Report, Theatre, Worker, proxy::Target},
    support::postgres::Cluster,
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 200,
        spread_s: extent.pick(8, 30),
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Postgres(Cluster::shared()), plan).await;
    let proxy = Proxy::before(Target::Unix(Cluster::shared().socket())).await;
    let detour = [("SHIFTBELL__DATABASE__URL", through(&proxy, &theatre.url))];
    let mut worker = Worker::start(&theatre, "run", &[], &detour);
    theatre.curtain().await;
    while theatre.clock.now() < theatre.last {
        for mode in [Mode::Hold, Mode::Pass, Mode::Cut, Mode::Pass] {
            proxy.set(mode);
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
    let status = worker.stop().await;
    let mut report = theatre.judge(proxy.struck()).await;
    if !status.success() {
        report
            .found
            .push(format!("L: the worker ended with {status}"));
    }
    report
}
