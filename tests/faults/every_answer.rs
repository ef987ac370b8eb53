//! Every answer of the receivers' tables, in bulk: each phone draws one by the seed, gets it once, and
//! must come to the end that the table promises; so do some agents at the chat platform.
//!
//! `SHIFTBELL_SEED` replays a draw.

use std::collections::HashMap;

use jiff::SignedDuration;
use serde_json::json;
use shiftbell::sim::script::Fault;

use super::kit::{
    Extent, Rehearsal, Report,
    rehearsal::{MORNING, minute, team},
};

/// An answer, and the state in which the delivery ends after it.
type Row = (Fault, &'static str);

pub(crate) async fn inject(extent: Extent) -> Report {
    let wanted = std::env::var("SHIFTBELL_SEED").ok();
    let seeds: Vec<u64> = match wanted.and_then(|text| text.parse().ok()) {
        Some(seed) => vec![seed],
        None => (0..extent.pick(1, 5))
            .map(|_| rand::random::<u32>().into())
            .collect(),
    };
    let mut report = Report::default();
    for seed in seeds {
        let one = draw(seed, extent).await;
        report.struck += one.struck;
        let found = one.found.into_iter();
        report
            .found
            .extend(found.map(|line| format!("{line} (SHIFTBELL_SEED={seed})")));
    }
    report
}

async fn draw(seed: u64, extent: Extent) -> Report {
    let stage = Rehearsal::set(MORNING, team(extent.pick(300, 1000), 3)).await;
    stage.walk(minute(-1), SignedDuration::from_mins(59)).await;
    let world = &stage.world;
    let tables = [apple(), google()];
    let platform = platform();
    let mut dice = Dice(seed);
    let (mut rules, mut ends) = (Vec::new(), HashMap::new());
    for (n, agent) in stage.team.iter().enumerate() {
        let phone = agent.devices[0].token.expose();
        let script = [world.apns.script(), world.fcm.script()][n % 2];
        let (fault, end) = dice.pick(&tables[n % 2]);
        rules.push(script.next_of(phone, 1, fault));
        ends.insert(agent.id.as_str(), end);
        // A batch holds many agents: spoil some of them, not all.
        if n % 10 == 0 {
            let status = dice.pick(&platform);
            let fault = Fault::status(status).with_header("retry-after", "2");
            rules.push(world.presence.script().next_of(&agent.id, 1, fault));
        }
    }
    // After an answer that opens a breaker, requests go one at a time for a while.
    stage.walk(minute(15), SignedDuration::from_secs(2)).await;
    let struck = rules.iter().map(|rule| rule.struck()).sum();
    let mut report = stage.judge(struck).await;
    for row in stage.log().await {
        let agent = row.agent.as_deref().unwrap_or_default();
        if row.channel != "presence" && Some(row.state.as_str()) != ends.get(agent).copied() {
            let (id, wanted) = (&row.id, ends.get(agent));
            report.found.push(format!(
                "L: {} {id} is {} ({:?}), not {wanted:?}",
                row.channel, row.state, row.reason
            ));
        }
    }
    report
}

/// Apple's answers.
fn apple() -> Vec<Row> {
    let rows = [
        (400, "BadDeviceToken", "failed"),
        (400, "DeviceTokenNotForTopic", "failed"),
        (400, "TopicDisallowed", "sent"),
        (400, "BadTopic", "sent"),
        (400, "MissingTopic", "sent"),
        (400, "BadCollapseId", "failed"),
        (400, "BadExpirationDate", "failed"),
        (400, "BadMessageId", "failed"),
        (400, "BadPriority", "failed"),
        (400, "InvalidPushType", "failed"),
        (400, "PayloadEmpty", "failed"),
        (400, "DuplicateHeaders", "failed"),
        (400, "MissingDeviceToken", "failed"),
        (400, "IdleTimeout", "sent"),
        (403, "ExpiredProviderToken", "sent"),
        (403, "InvalidProviderToken", "sent"),
        (403, "MissingProviderToken", "sent"),
        (403, "BadEnvironmentKeyIdInToken", "sent"),
        (403, "BadCertificate", "sent"),
        (403, "UnrelatedKeyIdInToken", "sent"),
        (404, "BadPath", "failed"),
        (405, "MethodNotAllowed", "failed"),
        (410, "Unregistered", "failed"),
        (410, "ExpiredToken", "failed"),
        (413, "PayloadTooLarge", "failed"),
        (429, "TooManyRequests", "sent"),
        (429, "TooManyProviderTokenUpdates", "sent"),
        (500, "InternalServerError", "sent"),
        (503, "ServiceUnavailable", "sent"),
        (503, "Shutdown", "sent"),
        (400, "NotInTheList", "failed"),
        (503, "NotInTheList", "sent"),
    ];
    rows.map(|(status, reason, end)| {
        let answer = Fault::answer(status, json!({ "reason": reason }).to_string());
        // Two of them hold the whole service, for a minute if they do not say how long.
        (answer.with_header("retry-after", "2"), end)
    })
    .to_vec()
}

/// Google's answers; the last word is that of the `FcmError`, where there is one.
fn google() -> Vec<Row> {
    let rows = [
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "failed"),
        (400, "INVALID_ARGUMENT", "", "failed"),
        (401, "UNAUTHENTICATED", "", "sent"),
        (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR", "sent"),
        (403, "PERMISSION_DENIED", "", "sent"),
        (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH", "failed"),
        (404, "NOT_FOUND", "UNREGISTERED", "failed"),
        (404, "NOT_FOUND", "", "sent"),
        (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "sent"),
        (500, "INTERNAL", "INTERNAL", "sent"),
        (502, "", "", "sent"),
        (503, "UNAVAILABLE", "UNAVAILABLE", "sent"),
        (504, "", "", "sent"),
    ];
    rows.map(|(status, word, code, end)| {
        let mut error = json!({"code": status, "status": word, "message": "no"});
        if !code.is_empty() {
            let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
            error["details"] = json!([{"@type": kind, "errorCode": code}]);
        }
        let answer = Fault::answer(status, json!({ "error": error }).to_string());
        (answer.with_header("retry-after", "2"), end)
    })
    .to_vec()
}

/// The chat platform's statuses, each given once: so nothing is refused for good.
fn platform() -> Vec<u16> {
    vec![
        301, 307, 401, 403, 404, 405, 408, 415, 429, 500, 502, 503, 504,
    ]
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        from[((z ^ (z >> 31)) % from.len() as u64) as usize].clone()
    }
}
