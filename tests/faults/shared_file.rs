//! Two services and a tick each second on one `SQLite` file, and a reader that holds its log.

use std::time::Duration;

use super::kit::{Base, Extent, Plan, Report, Theatre, Worker, ill_end};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 300,
        spread_s: extent.pick(8, 60),
        lead_s: 8,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let mut services = [theatre.worker(), theatre.worker()];
    theatre.curtain().await;
    // An open read: what it sees must stay in the log for as long as it lasts.
    let mut reader = theatre.store.snapshot().await.unwrap();
    reader.open_counts().await.unwrap();
    let mut ticks = 0;
    let mut found = Vec::new();
    while theatre.clock.now() < theatre.last {
        let mut tick = Worker::start(&theatre, "tick", &[], &[]);
        found.extend(ill_end(tokio::task::block_in_place(|| tick.wait())));
        ticks += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    reader.commit().await.unwrap();
    for service in &mut services {
        found.extend(ill_end(service.stop().await));
    }
    let mut report = theatre.judge(ticks).await;
    report.found.extend(found);
    report
}
