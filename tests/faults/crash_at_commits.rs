//! A worker dies at the N-th commit, for every N until it gets through: `SIGKILL` at the entry of the
//! N-th `fsync`, by strace. `tick` does all that `run` does, once.

use super::kit::{Base, Extent, Plan, Report, Theatre, Worker};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 60,
        spread_s: extent.pick(15, 60),
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    theatre.curtain().await;
    let mut struck = 0;
    for n in 1..=extent.pick(12, 60) {
        let inject = format!("inject=fsync:signal=SIGKILL:when={n}");
        let strace = [
            "strace",
            "-f",
            "-q",
            "-o",
            "/dev/null",
            "-e",
            "trace=fsync",
            "-e",
            &inject,
        ];
        let mut worker = Worker::start(&theatre, "tick", &strace, &[]);
        let status = tokio::task::block_in_place(|| worker.wait());
        struck += u64::from(!status.success());
    }
    theatre.judge(struck).await
}
