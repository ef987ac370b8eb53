//! Nobody runs for three hours, then for three days, across boundaries: the platform is told the
//! present once, a phone only what is still of use, and the rest is on record as missed.

use std::collections::HashMap;

use jiff::{SignedDuration, civil::Weekday};
use shiftbell::domain::hours::{LocalTime, Slot};

use super::kit::{
    Extent, Rehearsal, Report,
    rehearsal::{MORNING, person},
};

const ZONES: [&str; 5] = [
    "Europe/Paris",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Pacific/Auckland",
    "UTC",
];

pub(crate) async fn inject(extent: Extent) -> Report {
    let team = (0..extent.pick(100, 500)).map(|n| person(n, ZONES[n % ZONES.len()], hours(n)));
    let stage = Rehearsal::set(MORNING, team.collect()).await;
    let ten = SignedDuration::from_mins(10);
    let mut found = Vec::new();
    for hours in extent.pick(vec![3, 72], vec![3, 72, 3, 72, 168]) {
        let now = stage.clock.now();
        stage.walk(now + SignedDuration::from_hours(1), ten).await;
        let before = sequences(&stage);
        let back = stage.clock.now() + SignedDuration::from_hours(hours);
        stage.at(back).await;
        for (agent, sequence) in sequences(&stage) {
            let told = sequence - before.get(&agent).copied().unwrap_or_default();
            if told > 1 {
                found.push(format!(
                    "C: {agent} was told {told} changes after {hours} h"
                ));
            }
        }
    }
    let now = stage.clock.now();
    stage.walk(now + SignedDuration::from_hours(1), ten).await;
    let log = stage.log().await;
    let passed = log.iter().filter(|row| row.state == "expired").count();
    let mut report = stage.judge(passed as u64).await;
    report.found.extend(found);
    report
}

/// Each agent's newest sequence at the platform.
fn sequences(stage: &Rehearsal) -> HashMap<String, i64> {
    let ids = stage.team.iter().map(|agent| agent.id.clone());
    ids.filter_map(|id| Some((id.clone(), stage.world.presence.agent(&id)?.sequence)))
        .collect()
}

/// A morning and an afternoon each day, at minutes of their own.
fn hours(n: usize) -> Vec<Slot> {
    let time = |minutes: usize| LocalTime::from_minutes(minutes as u16).unwrap();
    let first = 60 + n * 37 % (10 * 60);
    let days = Weekday::Monday.cycle_forward().take(7);
    days.flat_map(|day| {
        [first, first + 5 * 60].map(|start| Slot {
            day,
            start: time(start),
            end: time(start + 4 * 60),
        })
    })
    .collect()
}
