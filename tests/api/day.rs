//! A day of a team of eight, told over the API, with an hour of every case; in the end the platform, the
//! phones and the log have heard exactly what a person would write down.

use serde_json::json;
use shiftbell::{domain::access::Scope, sim::script::Fault};

use crate::{
    office::{Office, instant},
    support::{Database, on_both},
};

on_both!(
    a_day_of_a_team_of_eight,
    a_reply_that_is_told_too_late_takes_it_back,
);

/// Monday, 2026-03-30, in UTC (Paris and Berlin are two hours ahead, London one, New York four behind).
const TEAM: [(&str, &str); 8] = [
    // 07:00-10:30 and 12:00-16:00; a visitor may wait ten minutes.
    (
        "ana",
        r#"{"timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"12:30"},{"day":"mon","start":"14:00","end":"18:00"}],
        "notify":{"start":true,"end":true},"auto_offline_after_minutes":10}"#,
    ),
    // 08:00-16:00
    (
        "ben",
        r#"{"timezone":"Europe/London","hours":[{"day":"mon","start":"09:00","end":"17:00"}],"notify":{"start":true,"end":true}}"#,
    ),
    // 07:00-15:00; helps out while invisible.
    (
        "cleo",
        r#"{"timezone":"Europe/Berlin","hours":[{"day":"mon","start":"09:00","end":"17:00"}],
        "notify":{"start":true,"end":false},"receive_when_invisible":true}"#,
    ),
    // 12:00-16:00; wants no alerts.
    (
        "dan",
        r#"{"timezone":"America/New_York","hours":[{"day":"mon","start":"08:00","end":"12:00"}]}"#,
    ),
    // Has this Monday off.
    (
        "eve",
        r#"{"timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"13:00"}],
        "overrides":[{"date":"2026-03-30","slots":[]}],"notify":{"start":true,"end":true}}"#,
    ),
    // 06:00-07:00, the early bird.
    (
        "finn",
        r#"{"timezone":"UTC","hours":[{"day":"mon","start":"06:00","end":"07:00"}],"notify":{"start":true,"end":true}}"#,
    ),
    // 07:00-16:00, and away until ten.
    (
        "gus",
        r#"{"timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"18:00"}],
        "away":[{"from":"2026-03-20T00:00","until":"2026-03-30T12:00"}],"notify":{"start":true,"end":true}}"#,
    ),
    // 09:00-15:00
    (
        "hana",
        r#"{"timezone":"Asia/Tokyo","hours":[{"day":"mon","start":"18:00","end":"24:00"}],"notify":{"start":true,"end":true}}"#,
    ),
];

async fn hired(office: &Office) {
    let platform = office.desk.platform().await;
    let acme = json!({"name": "Acme", "ask_invisible_after_seconds": 120});
    platform.put("/v1/workspaces/acme", acme).await.ok(201);
    for (agent, text) in TEAM {
        let mut body: serde_json::Value = serde_json::from_str(text).unwrap();
        body["workspace"] = "acme".into();
        body["name"] = agent.into();
        platform
            .put(&format!("/v1/agents/{agent}"), body)
            .await
            .ok(201);
        // Hana gets her phone later.
        let (platforms, token) = match agent {
            "ana" | "cleo" => ("ios", format!("{:064x}", agent.len())),
            _ => ("android", format!("{agent}-phone")),
        };
        if agent != "hana" {
            let phone = format!("/v1/agents/{agent}/devices/{platforms}/{token}");
            platform.put(&phone, json!({})).await.ok(201);
        }
    }
}

async fn a_day_of_a_team_of_eight(db: Database) {
    let office = Office::open(db, "05:50").await;
    hired(&office).await;
    office.work().await;
    morning(&office).await;
    afternoon(&office).await;
    assert_eq!(office.posted(), POSTED.trim());
    assert_eq!(office.rung(), RUNG.trim());
    let log = office
        .desk
        .db
        .sql("SELECT state, count(*) FROM delivery_log GROUP BY state ORDER BY state");
    let events = POSTED.trim().lines().count() + RUNG.trim().lines().count();
    assert_eq!(log, format!("cancelled|1\nsent|{events}"));
    told(&office).await;
    let why = office
        .desk
        .db
        .sql("SELECT agent_id, kind, reason FROM deliveries WHERE state = 'cancelled'");
    assert_eq!(why, "cleo|overflow|status_changed");
    let asked = office.desk.db.sql("SELECT agent_id, reason, cause FROM transitions WHERE cause IS NOT NULL ORDER BY effective_at");
    let asked: Vec<&str> = asked.lines().collect();
    let expected = [
        "cleo|overflow|c-1",
        "cleo|overflow|c-1",
        "ana|no_reply|c-1",
        "cleo|overflow|c-2",
        "cleo|overflow|c-3",
    ];
    assert_eq!(
        asked, expected,
        "who was asked or sent off, why, on account of which conversation"
    );
}

async fn a_reply_that_is_told_too_late_takes_it_back(db: Database) {
    let office = Office::open(db, "05:50").await;
    hired(&office).await;
    let platform = office.desk.platform().await;
    office.at("07:00").await;
    office.at("08:00").await;
    let assigned = [
        "08:00 visitor.message c-1",
        "08:00 conversation.assigned c-1 ana",
    ];
    office.report(&platform, &assigned).await;
    office.work().await;
    office.at("08:10").await;
    let sent_off = "08:10 ana offline (no_reply)";
    assert!(office.posted().contains(sent_off), "{}", office.posted());
    office.at("08:11").await;
    let older = ["07:59 agent.reply c-1 ana", "08:12 agent.reply c-1 ben"];
    office.report(&platform, &older).await;
    office.work().await;
    assert!(office.posted().ends_with(sent_off), "neither was in time");
    office.at("08:13").await;
    office
        .report(&platform, &["08:09 agent.reply c-1 ana"])
        .await;
    office.work().await;
    let back = "08:13 ana online, accepts (sync)";
    assert!(office.posted().ends_with(back), "{}", office.posted());
}

/// What ops are told who ask why a phone rang, or did not.
async fn told(office: &Office) {
    let ops = office.desk.token(Scope::OpsRead, Some("acme"), None).await;
    let ops = office.desk.holder(ops);
    for (agent, time, outcome, words) in [
        ("ana", "08:30", "sent", "a visitor left without a reply"),
        (
            "cleo",
            "08:22",
            "sent",
            "a conversation that waits too long",
        ),
        ("cleo", "13:32", "not_sent", "over before it could be sent"),
        (
            "ana",
            "16:00",
            "no_alert",
            "alerts at the end of hours are switched off",
        ),
        (
            "hana",
            "09:00",
            "no_alert",
            "was registered last at 2026-03-30T09:10:00Z",
        ),
        ("eve", "07:00", "nothing", "the override for Mon 2026-03-30"),
        ("gus", "07:00", "nothing", "away from"),
    ] {
        let path = format!("/v1/agents/{agent}/explain?at={}", instant(time));
        let story = ops.get(&path).await.ok(200);
        let verdict = story["verdict"].as_str().unwrap();
        assert_eq!(story["outcome"], outcome, "{agent} {time}: {story:#}");
        assert!(verdict.contains(words), "{agent} {time}: {verdict}");
    }
    let why = ops
        .get(&format!("/v1/agents/ana/explain?at={}", instant("08:35")))
        .await
        .ok(200);
    assert_eq!(
        (&why["rule"]["by"], &why["rule"]["status"]),
        (&json!("no_reply"), &json!("offline"))
    );
    assert!(
        why["steps"][0]["text"]
            .as_str()
            .unwrap()
            .contains("conversation c-1"),
        "{why:#}"
    );
}

/// Hand-over, status by hand, no reply, overflow.
async fn morning(office: &Office) {
    let platform = office.desk.platform().await;
    let own = |agent: &'static str| office.desk.token(Scope::Agent, None, Some(agent));
    let ana = office.desk.holder(own("ana").await);
    let cleo = office.desk.holder(own("cleo").await);
    office.at("06:00").await;
    office.at("07:00").await;

    office.desk.clock.set(instant("07:30").parse().unwrap());
    cleo.put("/v1/agents/cleo/status", json!({"status": "invisible"}))
        .await
        .ok(200);
    office.work().await;
    office.at("08:00").await;

    // A visitor waits, is given to Ana, and gets no answer for two minutes: Cleo is asked.
    office.at("08:11").await;
    office
        .report(
            &platform,
            &[
                "08:10 conversation.waiting c-1",
                "08:11 conversation.assigned c-1 ana",
            ],
        )
        .await;
    office.work().await;
    office.at("08:12").await;
    office.at("08:15").await;
    office
        .report(&platform, &["08:15 agent.reply c-1 ana"])
        .await;
    office.work().await;

    // The visitor writes again; the platform tells it late, and the rest twice and in disorder.
    office.at("08:21").await;
    let heard = office.report(
        &platform,
        &[
            "08:15 agent.reply c-1 ana",
            "08:20 visitor.message c-1",
            "08:10 conversation.waiting c-1",
        ],
    );
    assert_eq!(heard.await, json!({"received": 3, "new": 1}));
    office.work().await;
    for time in ["08:22", "08:29", "08:30"] {
        office.at(time).await;
    }
    let status = ana.get("/v1/agents/ana/status").await.ok(200);
    assert_eq!(
        (&status["status"], &status["reason"]),
        (&json!("offline"), &json!("no_reply"))
    );
    office.at("08:31").await;
    office
        .report(&platform, &["08:31 agent.reply c-1 ben"])
        .await;
    office.work().await;

    office.at("08:40").await;
    ana.put("/v1/agents/ana/status", json!({"status": "online"}))
        .await
        .ok(200);
    office.work().await;
    office.at("09:00").await;
    office.at("09:10").await;
    platform
        .put("/v1/agents/hana/devices/android/hana-phone", json!({}))
        .await
        .ok(201);
    office.work().await;
}

/// Edits, spans with an end, lunch, nobody there.
async fn afternoon(office: &Office) {
    let platform = office.desk.platform().await;
    // Ben is to leave earlier today: no more than an edit.
    office.at("09:20").await;
    let hours = json!({"hours": [{"day": "mon", "start": "09:00", "end": "11:30"}]});
    platform.patch("/v1/agents/ben", hours).await.ok(200);
    office.work().await;
    office.at("10:00").await;

    // Five of Ana's ten minutes pass before lunch, and lunch does not count.
    office.at("10:25").await;
    let written = [
        "10:25 visitor.message c-2",
        "10:25 conversation.assigned c-2 ana",
    ];
    office.report(&platform, &written).await;
    office.work().await;
    office.at("10:27").await;
    office.at("10:30").await;

    // Out of hours, for a quarter of an hour.
    office.at("10:35").await;
    let online = json!({"status": "online", "until": instant("10:50")});
    platform.put("/v1/agents/ben/status", online).await.ok(200);
    office.work().await;
    office.at("10:50").await;

    office.at("12:00").await;
    office.at("12:01").await;
    office
        .report(&platform, &["12:01 agent.reply c-2 gus"])
        .await;
    office.work().await;
    office.at("12:10").await;
    let quiet = json!({"notify": {"start": false, "end": false}});
    platform.patch("/v1/agents/ana", quiet).await.ok(200);
    office.work().await;

    office.at("13:00").await;
    let offline = json!({"status": "offline", "until": instant("14:00")});
    platform.put("/v1/agents/gus/status", offline).await.ok(200);
    office.work().await;

    // Apple is out of order when Cleo is asked, and the visitor has an answer before her phone rings.
    office.at("13:30").await;
    office
        .report(&platform, &["13:30 conversation.waiting c-3"])
        .await;
    office.work().await;
    let out_of_order = office.world.apns.script().always(Fault::status(503));
    office.at("13:32").await;
    office.world.apns.script().remove(&out_of_order);
    office.desk.clock.set(instant("13:33").parse().unwrap());
    office
        .report(&platform, &["13:33 agent.reply c-3 dan"])
        .await;
    office.work().await;

    office.at("14:00").await;
    office.at("15:00").await;
    office.at("16:00").await;
    office.at("18:00").await;
}

/// What the platform was told: from when on, who or what, how, why.
const POSTED: &str = "
05:50 ana offline (sync)
05:50 ben offline (sync)
05:50 cleo offline (sync)
05:50 dan offline (sync)
05:50 eve offline (sync)
05:50 finn offline (sync)
05:50 gus offline (sync)
05:50 hana offline (sync)
05:50 messaging
06:00 finn online, accepts (hours_start)
06:00 live_chat
07:00 ana online, accepts (hours_start)
07:00 cleo online, accepts (hours_start)
07:00 finn offline (hours_end)
07:30 cleo invisible (manual)
08:00 ben online, accepts (hours_start)
08:12 cleo invisible, accepts (overflow)
08:15 cleo invisible (overflow)
08:22 cleo invisible, accepts (overflow)
08:30 ana offline (no_reply)
08:31 cleo invisible (overflow)
08:40 ana online, accepts (manual)
09:00 hana online, accepts (hours_start)
10:00 gus online, accepts (hours_start)
10:27 cleo invisible, accepts (overflow)
10:30 ana offline (hours_end)
10:30 ben offline (hours_end)
10:35 ben online, accepts (manual)
10:50 ben offline (sync)
12:00 ana online, accepts (hours_start)
12:00 dan online, accepts (hours_start)
12:01 cleo invisible (overflow)
13:00 gus offline (manual)
13:32 cleo invisible, accepts (overflow)
13:33 cleo invisible (overflow)
14:00 gus online, accepts (sync)
15:00 cleo offline (hours_end)
15:00 hana offline (hours_end)
16:00 ana offline (hours_end)
16:00 dan offline (hours_end)
16:00 gus offline (hours_end)
16:00 messaging";

/// Whose phone rang: for when, who, for what.
const RUNG: &str = "
06:00 finn hours_start
07:00 ana hours_start
07:00 cleo hours_start
07:00 finn hours_end
08:00 ben hours_start
08:12 cleo overflow
08:22 cleo overflow
08:30 ana no_reply
10:00 gus hours_start
10:27 cleo overflow
10:30 ana hours_end
10:30 ben hours_end
12:00 ana hours_start
15:00 hana hours_end
16:00 gus hours_end";
