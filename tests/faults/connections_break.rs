//! GOAWAY in the middle of a batch, refused and reset streams, connections that close: what was not
//! processed goes again at once, what may have been goes again under the same ids.

use jiff::SignedDuration;
use shiftbell::sim::script::{Behaviour, Fault, Reason};

use super::kit::{
    Extent, Rehearsal, Report, everywhere,
    rehearsal::{MORNING, minute, team},
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let mut report = Report::default();
    for _ in 0..extent.pick(1, 4) {
        let one = round(extent.pick(300, 1500)).await;
        report.struck += one.struck;
        report.found.extend(one.found);
    }
    report
}

/// Not so many breaks in a row that alerts would outlive their use: that is another fault.
async fn round(agents: usize) -> Report {
    let stage = Rehearsal::set(MORNING, team(agents, 10)).await;
    stage.walk(minute(-1), SignedDuration::from_mins(59)).await;
    let breaks = [
        Behaviour::Instead(Fault::GoAway(Reason::NO_ERROR)),
        Behaviour::LastOfConnection,
        Behaviour::Instead(Fault::Reset(Reason::REFUSED_STREAM)),
        Behaviour::Instead(Fault::Reset(Reason::INTERNAL_ERROR)),
        Behaviour::Accepted(Fault::Reset(Reason::INTERNAL_ERROR)),
        Behaviour::Instead(Fault::GoAway(Reason::INTERNAL_ERROR)),
        Behaviour::Accepted(Fault::GoAway(Reason::ENHANCE_YOUR_CALM)),
        Behaviour::Instead(Fault::Close),
        Behaviour::Accepted(Fault::Close),
    ];
    let rules = everywhere::next(&stage.world, 2, &breaks);
    stage.walk(minute(20), SignedDuration::from_secs(20)).await;
    let (struck, idle) = everywhere::struck(&rules);
    let mut report = stage.judge(struck).await;
    report.found.extend(idle);
    report.found.extend(stage.unsent().await);
    report
}
