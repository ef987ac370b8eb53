//! One receiver is down for an hour; the others get what is theirs the minute it is due.

use jiff::SignedDuration;
use shiftbell::{
    domain::delivery::ChannelKind,
    sim::script::{Behaviour, Fault},
};

use super::kit::{
    Extent, Rehearsal, Report, everywhere,
    rehearsal::{MORNING, minute, team},
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let mut report = Report::default();
    for channel in ChannelKind::ALL {
        let ways = [Fault::Close, Fault::status(503)].map(Behaviour::from);
        for way in ways.into_iter().take(extent.pick(1, 2)) {
            let one = down(channel, way, extent).await;
            report.struck += one.struck;
            let found = one.found.into_iter();
            let name = channel.as_str();
            report
                .found
                .extend(found.map(|line| format!("{line} ({name} down)")));
        }
    }
    report
}

async fn down(channel: ChannelKind, way: Behaviour, extent: Extent) -> Report {
    let stage = Rehearsal::set(MORNING, team(extent.pick(120, 1200), 60)).await;
    stage.walk(minute(-1), SignedDuration::from_mins(59)).await;
    let script = everywhere::script(&stage.world, channel);
    let rule = script.always(way);
    stage.walk(minute(60), SignedDuration::from_mins(1)).await;
    let mut found = Vec::new();
    for row in stage.log().await {
        let late = row.settled_at.is_none_or(|at| at != row.created_at);
        if row.channel != channel.as_str() && late {
            let mut tx = stage.store.snapshot().await.unwrap();
            let attempts = tx.attempts(&row.id).await.unwrap();
            tx.commit().await.unwrap();
            let said: Vec<_> = attempts.iter().map(|a| (&a.outcome, &a.reason)).collect();
            let (channel, due) = (&row.channel, row.created_at);
            found.push(format!(
                "L: {channel} {} of {due} had to wait: {said:?}",
                row.id
            ));
        }
    }
    script.remove(&rule);
    stage.walk(minute(65), SignedDuration::from_secs(20)).await;
    let mut report = stage.judge(rule.struck()).await;
    report.found.extend(found);
    report
}
