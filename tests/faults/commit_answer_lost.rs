//! The database commits and the worker never hears of it: a proxy closes the connection between
//! COMMIT and its answer.

use std::time::Duration;

use super::{
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
        proxy.set(Mode::LoseCommits);
        tokio::time::sleep(Duration::from_millis(150)).await;
        proxy.set(Mode::Pass);
        tokio::time::sleep(Duration::from_millis(850)).await;
    }
    let stopped = worker.stop().await;
    let mut report = theatre.judge(proxy.struck()).await;
    if !stopped.success() {
        report
            .found
            .push(format!("L: the worker ended with {stopped}"));
    }
    report
}

/// The same database, by way of `proxy`.
pub(crate) fn through(proxy: &Proxy, url: &str) -> String {
    let (user, rest) = url.split_once('@').unwrap();
    let database = rest.split(['/', '?']).nth(1).unwrap();
    format!("{user}@127.0.0.1:{}/{database}", proxy.port)
}
