//! The disk is full for a while, again and again: a small file system in memory, and a ballast that
//! leaves no page free. The worker that met it goes on by itself once there is room.

use std::time::Duration;

use super::kit::{Base, Disk, Extent, Plan, Report, Theatre, ill_end, until};

pub(crate) async fn inject(extent: Extent) -> Report {
    let disk = Disk::mount();
    let plan = Plan {
        agents: 200,
        spread_s: extent.pick(6, 30),
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::SqliteIn(disk.path()), plan).await;
    let mut worker = theatre.worker();
    theatre.curtain().await;
    let mut found = Vec::new();
    let mut struck = 0;
    for _ in 0..extent.pick(2, 8) {
        disk.fill();
        let full = until("a full disk", Duration::from_secs(20), async || {
            worker.times("disk is full") > struck
        });
        found.extend(full.await.err());
        disk.clear();
        struck = worker.times("disk is full");
        // It serves some before the next time.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    found.extend(theatre.quiet().await.err());
    found.extend(ill_end(worker.stop().await));
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    drop(theatre);
    report
}
