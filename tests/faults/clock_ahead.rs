//! The clock steps an hour ahead and back: what was recorded ahead of its time and never sent rings
//! when its time comes. First on a clock of our own, then with a real `tick` under libfaketime.

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
    // The receivers share the clock that steps, and would see a new token with each step.
    stage.world.apns.limit_token_updates(false);
    stage.walk(minute(0), SignedDuration::from_mins(30)).await;
    let one = SignedDuration::from_mins(1);
    let steps = extent.pick(2, 6);
    for step in 0..steps {
        let back = minute(10 * (step + 1));
        stage.walk(back, one).await;
        stage.at(back + SignedDuration::from_hours(1)).await;
        stage.at(back + SignedDuration::from_mins(61)).await;
        stage.at(back + one).await;
    }
    stage.walk(minute(130), one).await;
    let mut report = stage.judge(steps.cast_unsigned()).await;
    let unsent = stage.unsent().await;
    report.found.extend(unsent);
    report
}

async fn by_process() -> Report {
    let plan = Plan {
        agents: 40,
        spread_s: 2,
        lead_s: 8,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let mut ahead = Worker::start(&theatre, "tick", &[], &fake_time::off_by(3600));
    let status = tokio::task::block_in_place(|| ahead.wait());
    let off = fake_time::was_off(&ahead.printed(), theatre.clock.now(), 3600);
    let early = theatre.clock.now() < theatre.first;
    let mut report = theatre.judge(u64::from(off && early)).await;
    if report.struck == 0 || !status.success() {
        report
            .found
            .push(format!("the tick an hour ahead: {status}"));
    }
    let expired = theatre.count("expired", "too_late").await;
    if expired > 0 {
        report.found.push(format!("L: {expired} alerts never rang"));
    }
    report
}
