//! Postgres dies without a word, under load, and comes back.

use std::time::Duration;

use super::{
    kit::{Base, Extent, Plan, Report, Theatre},
    support::postgres::Cluster,
};

pub(crate) async fn inject(extent: Extent) -> Report {
    interrupted(extent.pick(2, 6), "immediate").await
}

/// Stops the server `times` times in this `pg_ctl` mode while boundaries fall.
pub(crate) async fn interrupted(times: u64, mode: &str) -> Report {
    // A server of its own, and one that keeps what it promised.
    let cluster = tokio::task::block_in_place(|| Cluster::start(&[]));
    let plan = Plan {
        agents: 400,
        spread_s: 2 * times.cast_signed() + 2,
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Postgres(&cluster), plan).await;
    let mut worker = theatre.worker();
    theatre.curtain().await;
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(rand::random_range(300..1500))).await;
        tokio::task::block_in_place(|| cluster.ctl(&["restart", "-m", mode]));
    }
    let survived = worker.runs();
    let mut report = theatre.judge(times).await;
    if !survived || !worker.stop().await.success() {
        report
            .found
            .push("L: the worker did not outlive the database's absence".to_owned());
    }
    report
}
