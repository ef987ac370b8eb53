//! Each receiver hangs, drips a byte a second, and sends 100 MB. In this process, since FCM asks
//! for ten seconds between two tries; the time limits that end the stalls are real ones.

use jiff::SignedDuration;
use shiftbell::sim::script::{Behaviour, Fault};

use super::kit::{
    Extent, Rehearsal, Report, everywhere,
    rehearsal::{MORNING, minute, team},
};

const LARGE: u64 = 100_000_000;

pub(crate) async fn inject(extent: Extent) -> Report {
    let keys = [("SHIFTBELL__DELIVERY__REQUEST_TIMEOUT", "1s")];
    let team = team(extent.pick(90, 600), 10);
    let stage = Rehearsal::with(MORNING.parse().unwrap(), team, &keys).await;
    stage.walk(minute(-1), SignedDuration::from_mins(59)).await;
    // Who answers 200 has accepted; what is lost is the end of the answer.
    let stalls = [
        Behaviour::Instead(Fault::Hang),
        Behaviour::Accepted(Fault::Hang),
        Behaviour::Accepted(Fault::Drip),
        Behaviour::Accepted(Fault::Flood(LARGE)),
    ];
    let rules = everywhere::next(&stage.world, extent.pick(1, 4), &stalls);
    stage.walk(minute(20), SignedDuration::from_secs(20)).await;
    let (struck, idle) = everywhere::struck(&rules);
    let mut report = stage.judge(struck).await;
    report.found.extend(idle);
    report.found.extend(stage.unsent().await);
    report
}
