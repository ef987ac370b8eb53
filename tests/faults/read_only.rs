//! The file cannot be written: its file system is mounted read-only, which `tick` and `run` say at
//! once; then it becomes so under a running worker, by strace, which goes on once it is writable.

use std::time::Duration;

use super::kit::{Base, Disk, Extent, Plan, Report, Strace, Theatre, Worker, ill_end, until};

const ADVICE: &str = "shiftbell.db: cannot be opened for writing";

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 100,
        spread_s: extent.pick(6, 60),
        lead_s: 8,
    };
    let disk = Disk::mount();
    let mut theatre = Theatre::set(Base::SqliteIn(disk.path()), plan).await;
    theatre.leave().await;
    let read_only = until(
        "the files to be closed",
        Duration::from_secs(5),
        async || disk.remount("ro"),
    );
    let mut found: Vec<String> = read_only.await.err().into_iter().collect();
    let mut struck = 0;
    for command in ["tick", "run"] {
        let mut worker = Worker::start(&theatre, command, &[], &[]);
        let status = tokio::task::block_in_place(|| worker.wait());
        struck += worker.times(ADVICE);
        if status.code() != Some(1) || worker.times(ADVICE) == 0 {
            let printed = worker.printed();
            found.push(format!("{command} ended with {status}: {printed}"));
        }
    }
    if !disk.remount("rw") {
        found.push("the disk did not become writable again".to_owned());
    }
    theatre.enter().await;
    let mut worker = theatre.worker();
    theatre.curtain().await;
    let strace = Strace::fail(&theatre, &worker, "pwrite64", "EROFS");
    let refused = until(
        "writes to be refused",
        Duration::from_secs(10),
        async || strace.struck() > 0 && worker.times("shiftbell.db: the disk fails") > 0,
    );
    found.extend(refused.await.err());
    struck += strace.struck();
    drop(strace);
    found.extend(theatre.quiet().await.err());
    found.extend(ill_end(worker.stop().await));
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    drop(theatre);
    report
}
