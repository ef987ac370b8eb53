//! Newer time-zone data are put into the configured directory while the engine runs: agents follow
//! with reason `sync`, nobody is rung for the edit, and the next boundaries are those of the new data.

use std::path::Path;

use jiff::{SignedDuration, Timestamp, civil::Weekday};
use shiftbell::domain::{hours::Slot, presence::Status};

use super::kit::{Extent, Rehearsal, Report, rehearsal::person, seconds};

pub(crate) async fn inject(extent: Extent) -> Report {
    let folder = tempfile::tempdir().unwrap();
    compile(folder.path(), 'a', 1);
    let directory = folder.path().display().to_string();
    let keys = [("SHIFTBELL__TIMEZONE__DIRECTORY", directory.as_str())];
    let team = (0..extent.pick(40, 400)).map(|n| person(n, "Fault/Here", vec![hours(n)]));
    // 08:30 there.
    let now: Timestamp = "2026-03-30T07:30:00Z".parse().unwrap();
    let mut stage = Rehearsal::with(now, team.collect(), &keys).await;
    let mut found = Vec::new();
    // It is half past nine; then again half past eight; and so on, and half past nine at last.
    let versions: Vec<char> = ('b'..='z').take(extent.pick(3, 11)).collect();
    for (n, version) in versions.iter().enumerate() {
        let after_nine = n % 2 == 0;
        compile(folder.path(), *version, if after_nine { 2 } else { 1 });
        let rung = stage.rung();
        stage
            .at(stage.clock.now() + SignedDuration::from_mins(1))
            .await;
        if stage.rung() != rung {
            found.push(format!("P: version {version} rang somebody"));
        }
        for (n, agent) in stage.team.iter().enumerate() {
            let wanted = if is_early(n) == after_nine {
                "offline"
            } else {
                "online"
            };
            let told = stage.world.presence.status(&agent.id).map(Status::as_str);
            if told != Some(wanted) {
                found.push(format!("C: {} is {wanted}, told {told:?}", agent.id));
            }
        }
    }
    found.extend(reasons(&stage));
    // From here on, all boundaries are those of the newest data.
    stage.from = stage.clock.now();
    let evening = "2026-03-30T17:00:00Z".parse().unwrap();
    stage.walk(evening, SignedDuration::from_mins(10)).await;
    if stage.rung() == 0 {
        found.push("L: nobody was rung by the new data".to_owned());
    }
    let mut report = stage.judge(versions.len() as u64).await;
    report.found.extend(found);
    report
}

/// Half of the team is on duty until nine, half from nine on.
fn is_early(n: usize) -> bool {
    n % 4 < 2
}

fn hours(n: usize) -> Slot {
    let (start, end) = if is_early(n) {
        ("00:00", "09:00")
    } else {
        ("09:00", "17:00")
    };
    Slot {
        day: Weekday::Monday,
        start: start.parse().unwrap(),
        end: end.parse().unwrap(),
    }
}

/// Every change of an agent so far was for the data's sake.
fn reasons(stage: &Rehearsal) -> Vec<String> {
    let mut found = Vec::new();
    for batch in stage.world.presence.record().accepted() {
        let body: serde_json::Value = serde_json::from_slice(&batch.body).unwrap();
        let events = body["events"].as_array().unwrap();
        found.extend(
            events
                .iter()
                .filter(|event| event["agent"].is_string() && event["reason"] != "sync")
                .map(|event| format!("C: an edit was posted as {event}")),
        );
    }
    found
}

/// `Fault/Here` is so many hours ahead of UTC in this version of the data.
fn compile(folder: &Path, version: char, hours: i64) {
    let rules = format!("Zone Fault/Here {hours}:00 - FHT\n");
    seconds::compile(folder, &rules, &format!("2097{version}"));
}
