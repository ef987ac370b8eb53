//! The disk does not keep what it was given: every `fsync` fails with EIO for a while, again and
//! again, by strace. The worker that met it goes on by itself, without a restart.

use std::time::Duration;

use super::kit::{Base, Extent, Plan, Report, Strace, Theatre, ill_end, until};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 200,
        spread_s: extent.pick(8, 60),
        lead_s: 8,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let mut worker = theatre.worker();
    theatre.curtain().await;
    let mut found = Vec::new();
    let mut struck = 0;
    for _ in 0..extent.pick(3, 20) {
        let said = worker.times("disk I/O error");
        let strace = Strace::fail(&theatre, &worker, "fsync", "EIO");
        let failed = until("fsync to fail", Duration::from_secs(10), async || {
            strace.struck() > 0 && worker.times("disk I/O error") > said
        });
        found.extend(failed.await.err());
        struck += strace.struck();
        drop(strace);
        // It serves some before the next time.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    found.extend(theatre.quiet().await.err());
    found.extend(ill_end(worker.stop().await));
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    report
}
