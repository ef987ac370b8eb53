//! The nights when clocks are changed, minute by minute: Cairo skips midnight itself, Lord Howe half
//! an hour, Troll two hours; Casablanca changes for Ramadan, Havana at midnight and one.
//!
//! At each minute the platform must have been told what holds then, and each alert must come in
//! the minute of its boundary.

use jiff::{SignedDuration, Timestamp, civil::Weekday, tz::TimeZone};
use shiftbell::domain::{
    agent::Agent,
    hours::{LocalTime, Slot},
};

use super::kit::{Extent, Rehearsal, Report, rehearsal::person};

const PLACES: [&str; 5] = [
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "America/Havana",
];

pub(crate) async fn inject(extent: Extent) -> Report {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let zones = shiftbell::zones::load(None).unwrap();
    let mut report = Report::default();
    for place in PLACES {
        let zone = zones.get(place).unwrap();
        let changes: Vec<Timestamp> = zone
            .following(start)
            .take(2)
            .map(|t| t.timestamp())
            .collect();
        for at in changes {
            let night = night(place, &zone, at, extent).await;
            report.struck += night.struck;
            let found = night.found.into_iter();
            report
                .found
                .extend(found.map(|line| format!("{line} ({place}, {at})")));
        }
    }
    if report.struck != 10 {
        report
            .found
            .push(format!("{} clock changes, not 10", report.struck));
    }
    report
}

async fn night(place: &str, zone: &TimeZone, at: Timestamp, extent: Extent) -> Report {
    let around = SignedDuration::from_hours(extent.pick(3, 12));
    let stage = Rehearsal::with(at - around, people(place, zone, at), &[]).await;
    let hours: Vec<_> = {
        let zones = shiftbell::zones::load(None).unwrap();
        let of = |agent: &Agent| agent.operating_hours(&zones, &[]).unwrap();
        stage.team.iter().map(of).collect()
    };
    let mut found = Vec::new();
    while stage.clock.now() < at + around {
        let now = stage.clock.now() + SignedDuration::from_mins(1);
        stage.at(now).await;
        for (agent, hours) in stage.team.iter().zip(&hours) {
            let wanted = if hours.on_duty_at(now) {
                "online"
            } else {
                "offline"
            };
            let told = stage
                .world
                .presence
                .status(&agent.id)
                .map(shiftbell::domain::presence::Status::as_str);
            if told != Some(wanted) {
                found.push(format!(
                    "C: {} is {wanted} at {now}, told {told:?}",
                    agent.id
                ));
            }
        }
    }
    let late =
        |row: &shiftbell::store::DeliveryRow| row.boundary.is_some_and(|b| b != row.created_at);
    let log = stage.log().await;
    found.extend(log.iter().filter(|row| late(row)).map(|row| {
        format!(
            "L: {:?} of {:?} came at {}",
            row.agent, row.boundary, row.created_at
        )
    }));
    if stage.rung() == 0 {
        found.push("nobody's hours touched that night".to_owned());
    }
    let shifted = zone.to_offset(at) != zone.to_offset(at - SignedDuration::from_secs(1));
    let mut report = stage.judge(u64::from(shifted)).await;
    report.found.extend(found);
    report
}

/// People whose slots start and end all around that hour, every day of the week, and some who are
/// on duty right through it.
fn people(place: &str, zone: &TimeZone, at: Timestamp) -> Vec<Agent> {
    let walls = [at - SignedDuration::from_secs(1), at].map(|t| {
        let wall = zone.to_datetime(t + SignedDuration::from_secs(i64::from(t < at)));
        i64::from(wall.hour()) * 60 + i64::from(wall.minute())
    });
    let before = zone.to_datetime(at - SignedDuration::from_mins(1));
    let before = i64::from(before.hour()) * 60 + i64::from(before.minute()) + 1;
    let mut slots = Vec::new();
    for quarter in -10..=10 {
        slots.push((before + 15 * quarter, 35));
    }
    // From one edge of the change to beyond the other, and exactly between the two.
    let after = walls[1];
    slots.extend([
        (before, 60),
        (after, 60),
        (before - 60, 60),
        (after - 60, 60),
    ]);
    if before.rem_euclid(1440) != after.rem_euclid(1440) {
        slots.push((before, after - before));
        slots.push((after, before - after));
    }
    slots.push((before - 120, 8 * 60));
    let day = |(start, length): (i64, i64)| {
        let start = start.rem_euclid(1440) as u16;
        let end = (i64::from(start) + length).rem_euclid(1440) as u16;
        let time = |minutes| LocalTime::from_minutes(minutes).unwrap();
        let days = Weekday::Monday.cycle_forward().take(7);
        days.map(|day| Slot {
            day,
            start: time(start),
            end: time(end),
        })
        .collect()
    };
    let numbered = slots.into_iter().enumerate();
    numbered
        .map(|(n, slot)| person(n, place, day(slot)))
        .collect()
}
