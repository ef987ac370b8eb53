//! Answers that are no answers: a web page with 200 and with 503, an empty 500, text that is not
//! UTF-8, JSON of the wrong shape, and our own phone's token given back.

use jiff::SignedDuration;
use shiftbell::sim::script::{Behaviour, Fault};

use super::kit::{
    Extent, Rehearsal, Report, everywhere,
    rehearsal::{MORNING, minute, team},
    theatre::phone,
};

pub(crate) async fn inject(extent: Extent) -> Report {
    let stage = Rehearsal::set(MORNING, team(extent.pick(300, 3000), 10)).await;
    stage.walk(minute(-1), SignedDuration::from_mins(59)).await;
    let echoes = [
        (0, stage.world.apns.script()),
        (1, stage.world.fcm.script()),
    ];
    let echoes = echoes.map(|(n, script)| {
        let token = phone(n).token.expose().to_owned();
        script.next_of(&token, 1, Fault::answer(500, format!("no phone {token}")))
    });
    let shape = r#"{"reason":[{"reason":{}}],"error":7,"name":[]}"#;
    // Who answers 200 has accepted, whatever else the answer says.
    let answers = [
        Behaviour::Accepted(Fault::html(200)),
        Behaviour::Accepted(Fault::not_utf8(200)),
        Behaviour::Accepted(Fault::answer(200, "null")),
        Behaviour::Instead(Fault::html(503)),
        Behaviour::Instead(Fault::status(500)),
        Behaviour::Instead(Fault::not_utf8(500)),
        Behaviour::Instead(Fault::answer(502, "[".repeat(60_000))),
        Behaviour::Instead(Fault::answer(503, shape)),
    ];
    let mut rules = everywhere::next(&stage.world, extent.pick(2, 8), &answers);
    rules.extend(echoes);
    let end = minute(extent.pick(20, 40));
    stage.walk(end, SignedDuration::from_secs(20)).await;
    let (struck, idle) = everywhere::struck(&rules);
    let mut report = stage.judge(struck).await;
    report.found.extend(idle);
    report.found.extend(stage.unsent().await);
    report
}
