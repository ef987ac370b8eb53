//! GOAWAY in the middle of a batch, refused and reset streams, connections that close: what was not
//! processed goes again at once, what may have been goes again under the same ids.

use jiff::SignedDuration;
use shiftbell::sim::script::{Behaviour, Fault, Reason};

use super::kit::{
    Extent, Rehearsal, Report, everywhere,
    rehearsal::{MORNING, minute, team},
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let stage = Rehearsal::set(MORNING, team(extent.pick(300, 3000), 10)).await;
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
    let rules = everywhere::next(&stage.world, extent.pick(2, 8), &breaks);
    let end = minute(extent.pick(20, 40));
    stage.walk(end, SignedDuration::from_secs(20)).await;
    let (struck, idle) = everywhere::struck(&rules);
    let mut report = stage.judge(struck).await;
    report.found.extend(idle);
    report.found.extend(stage.unsent().await);
    report
}
