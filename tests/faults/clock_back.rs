//! The clock steps an hour back: nothing rings twice, and the platform is told what is true by the
//! clock there is. First on a clock of our own, then with a real `tick` under libfaketime.

use jiff::SignedDuration;

use super::kit::{
    Base, Extent, Plan, Rehearsal, Report, Theatre, Worker, fake_time,
    rehearsal::{MORNING, minute, team},
};

pub(crate) async fn inject(extent: Extent) -> Report {
    by_hand(extent).await.and(by_process().await)
}

async fn by_hand(extent: Extent) -> Report {
    let stage = Rehearsal::set(MORNING, team(120, 120)).await;
    let one = SignedDuration::from_mins(1);
    stage.walk(minute(0), SignedDuration::from_mins(30)).await;
    let times = extent.pick(2, 5);
    for step in 0..times {
        stage.walk(minute(70 + 10 * step), one).await;
        stage.at(minute(10 + 10 * step)).await;
    }
    stage.walk(minute(130), one).await;
    let mut report = stage.judge(times.cast_unsigned()).await;
    let rung = stage.rung();
    if rung != 120 {
        report.found.push(format!("P: {rung} alerts rang, not 120"));
    }
    report
}

async fn by_process() -> Report {
    let plan = Plan {
        agents: 40,
        spread_s: 1,
        lead_s: 4,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let mut worker = theatre.worker();
    let quiet = theatre.quiet().await;
    let stopped = worker.stop().await;
    let mut back = Worker::start(&theatre, "tick", &[], &fake_time::off_by(-3600));
    let status = tokio::task::block_in_place(|| back.wait());
    let off = fake_time::was_off(&back.printed(), theatre.clock.now(), -3600);
    let mut report = theatre.judge(u64::from(off)).await;
    report.found.extend(quiet.err());
    if !off || !stopped.success() || !status.success() {
        let message = format!("the worker: {stopped}; the tick an hour back: {status}");
        report.found.push(message);
    }
    report
}
