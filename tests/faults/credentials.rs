//! A receiver refuses our credentials for ten minutes, then takes them again: its breaker opens, no
//! delivery loses a try, and all that is still of use is delivered.

use jiff::SignedDuration;
use shiftbell::{domain::delivery::ChannelKind, sim::script::Fault};

use super::kit::{
    Extent, Rehearsal, Report, everywhere,
    rehearsal::{MORNING, minute, team},
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let mut report = Report::default();
    for channel in ChannelKind::ALL {
        for (status, body) in refusals(channel) {
            let refusal = Fault::answer(status, body.clone());
            let one = refused(channel, refusal, extent).await;
            report.struck += one.struck;
            let found = one.found.into_iter();
            let name = format!("{} {status} {body}", channel.as_str());
            report
                .found
                .extend(found.map(|line| format!("{line} ({name})")));
        }
    }
    report
}

/// What each of them says of credentials that it does not take.
fn refusals(channel: ChannelKind) -> Vec<(u16, String)> {
    let apple = |word: &str| (403, format!(r#"{{"reason":"{word}"}}"#));
    let google = |status, word: &str| {
        let body = format!(r#"{{"error":{{"code":{status},"status":"{word}"}}}}"#);
        (status, body)
    };
    match channel {
        ChannelKind::Apns => vec![
            apple("InvalidProviderToken"),
            apple("ExpiredProviderToken"),
            apple("BadCertificateEnvironment"),
        ],
        ChannelKind::Fcm => vec![
            google(401, "UNAUTHENTICATED"),
            google(403, "PERMISSION_DENIED"),
        ],
        ChannelKind::Presence => vec![(401, String::new()), (403, String::new())],
    }
}

async fn refused(channel: ChannelKind, refusal: Fault, extent: Extent) -> Report {
    let stage = Rehearsal::set(MORNING, team(extent.pick(60, 600), 10)).await;
    stage.walk(minute(-1), SignedDuration::from_mins(59)).await;
    let script = everywhere::script(&stage.world, channel);
    let rule = script.always(refusal);
    stage.walk(minute(10), SignedDuration::from_secs(15)).await;
    let lanes = stage.engine.lanes();
    let mut found: Vec<String> = lanes
        .iter()
        .filter(|lane| lane.open.is_some() != (lane.kind == channel))
        .map(|lane| format!("the breaker of {} is {:?}", lane.kind.as_str(), lane.open))
        .collect();
    script.remove(&rule);
    stage.walk(minute(14), SignedDuration::from_secs(15)).await;
    for row in stage.log().await {
        if row.channel == channel.as_str() && row.state == "sent" && row.tries != 1 {
            found.push(format!("{} cost {} tries", row.id, row.tries));
        }
    }
    found.extend(stage.unsent().await);
    // Probes, and a second look at each with new credentials.
    let struck = rule.struck();
    if struck > 100 {
        found.push(format!("{struck} requests in spite of the breaker"));
    }
    let mut report = stage.judge(struck).await;
    report.found.extend(found);
    report
}
