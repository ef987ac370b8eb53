//! 429 in bulk, with every kind of `Retry-After`: seconds, none, a date, a negative number, a number
//! that is out of all measure. Nobody is asked again before the time it gave, and nobody waits for ever.

use jiff::SignedDuration;
use shiftbell::sim::script::{Behaviour, Fault};

use super::kit::{
    Extent, Rehearsal, Report, everywhere,
    rehearsal::{MORNING, minute, team},
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let stage = Rehearsal::set(MORNING, team(extent.pick(200, 2000), 5)).await;
    stage.walk(minute(-1), SignedDuration::from_mins(59)).await;
    let apns = stage.world.apns.script();
    let forever = apns.whenever(
        stage.team[0].devices[0].token.expose(),
        refusal(Some("1000000000000")),
    );
    let waits = [
        Some("30"),
        None,
        Some("0"),
        Some("Mon, 30 Mar 2026 08:01:00 GMT"),
        Some("-1"),
        Some("soon"),
    ];
    let behaviours = waits.map(|wait| Behaviour::from(refusal(wait)));
    let rules = everywhere::next(&stage.world, extent.pick(2, 4), &behaviours);
    let end = minute(extent.pick(25, 60));
    stage.walk(end, SignedDuration::from_secs(5)).await;
    let (struck, idle) = everywhere::struck(&rules);
    let mut report = stage.judge(struck + forever.struck()).await;
    report.found.extend(idle);
    report.found.extend(hasty(&stage).await);
    let unsent = stage.unsent().await;
    if (unsent.len(), forever.struck()) != (1, 1) {
        let asked = forever.struck();
        report.found.push(format!(
            "told to wait for ever, it was asked {asked} times; {unsent:?}"
        ));
    }
    report
}

/// A receiver's "not so fast".
fn refusal(wait: Option<&str>) -> Fault {
    let fault = Fault::answer(429, r#"{"reason":"TooManyRequests"}"#);
    match wait {
        Some(wait) => fault.with_header("retry-after", wait),
        None => fault,
    }
}

/// Attempts that began before the time was up that the one before them was told to wait.
async fn hasty(stage: &Rehearsal) -> Vec<String> {
    let mut found = Vec::new();
    let log = stage.log().await;
    let mut tx = stage.store.snapshot().await.unwrap();
    for row in log {
        let attempts = tx.attempts(&row.id).await.unwrap();
        for pair in attempts.windows(2) {
            if let Some(at) = pair[0].retry_at
                && pair[1].started_at < at
            {
                let started = pair[1].started_at;
                found.push(format!("P: {} waits until {at}, sent {started}", row.id));
            }
        }
    }
    tx.commit().await.unwrap();
    found
}
