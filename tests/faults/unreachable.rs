//! The database cannot be reached: for seconds nothing comes through, then every connection breaks,
//! and in the end all is well again.

use std::time::Duration;

use super::{
    kit::{Base, Extent, Mode, Plan, Proxy, Report, Theatre, Worker, ill_end},
    support::postgres::Cluster,
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 200,
        spread_s: extent.pick(8, 30),
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Postgres(Cluster::shared()), plan).await;
    let socket = Cluster::shared().socket();
    let (proxy, detour) = Proxy::before_postgres(socket, &theatre.url).await;
    let mut worker = Worker::start(&theatre, "run", &[], &[detour]);
    theatre.curtain().await;
    while theatre.clock.now() < theatre.last {
        for mode in [Mode::Hold, Mode::Pass, Mode::Cut, Mode::Pass] {
            proxy.set(mode);
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
    let status = worker.stop().await;
    let mut report = theatre.judge(proxy.struck()).await;
    report.found.extend(ill_end(status));
    report
}
