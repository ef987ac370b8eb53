//! Why a phone rang, or did not, read back from what the real worker wrote.

use shiftbell::{
    domain::{
        delivery::ChannelKind,
        explain::{Outcome, Setting, StepKind, Story, story},
        zone::Zones,
    },
    sim::script::Fault,
    store::Question,
};

use crate::{
    stage::{Stage, time},
    support::{Database, on_both},
};

on_both!(
    a_day_is_told_to_its_attempts,
    a_worker_that_was_down_is_told_of,
    a_phone_that_was_refused_stays_silent_and_it_says_since_when,
    nothing_is_told_that_did_not_happen,
    an_edit_is_no_shift,
    who_was_removed_is_told_of_from_the_log,
    one_workspace_reads_its_own_log,
    a_lead_is_told_by_its_name,
    a_lead_that_is_no_more_is_told_of_from_the_log,
);

/// Ana (Paris, 09:00-18:00, iPhone), Ben (London, 09:00-17:00, Android) who wants no alerts at the end, and
/// Cem, who has no phone, all on Mondays. On 2026-03-30 Ana is on duty 07:00-16:00 UTC, the others 08:00-16:00.
const TEAM: &str = r#"{"type":"workspace","id":"acme","name":"Acme","holidays":["2026-04-06"]}
{"id":"ana","workspace":"acme","name":"Ana","timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"18:00"}],"notify":{"start":true,"end":true},"devices":[{"platform":"ios","token":"aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"}]}
{"id":"ben","workspace":"acme","name":"Ben","timezone":"Europe/London","hours":[{"day":"mon","start":"09:00","end":"17:00"}],"notify":{"start":true},"devices":[{"platform":"android","token":"ben-phone"}]}
{"id":"cem","workspace":"acme","name":"Cem","timezone":"Europe/London","hours":[{"day":"mon","start":"09:00","end":"17:00"}],"notify":{"start":true,"end":true}}
"#;
const ANA: &str = "aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11";

async fn monday(db: &Database) -> Stage {
    Stage::set("2026-03-30T06:00:00Z", Some(db.url.clone()), TEAM).await
}

impl Stage {
    /// What is told of an agent at an instant, UTC on that Monday or whole; none of an agent nobody knows.
    async fn ask(&self, agent: &str, at: &str, workspace: Option<&str>) -> Option<Story> {
        let whole = at.contains('Z');
        let at = if whole {
            at.to_owned()
        } else {
            format!("2026-03-30T{at}:00Z")
        };
        let zones = Zones::built_in();
        let question = Question {
            agent,
            at: time(&at),
            workspace,
        };
        let mut tx = self.store.snapshot().await.unwrap();
        let facts = self.store.explain(&mut tx, question, &zones).await.unwrap();
        tx.commit().await.unwrap();
        let setting = Setting {
            zones: &zones,
            receivers: &ChannelKind::ALL,
            now: self.clock.now(),
        };
        facts.map(|facts| story(&facts, setting))
    }

    /// The verdict about an agent at an instant has this outcome and all of `words`.
    async fn says(&self, agent: &str, at: &str, outcome: Outcome, words: &[&str]) -> Story {
        let story = self.ask(agent, at, None).await.unwrap();
        assert_eq!(story.outcome, outcome, "{story:#?}");
        for word in words {
            assert!(story.verdict.contains(word), "{word}: {story:#?}");
        }
        story
    }
}

fn texts(story: &Story, kind: StepKind) -> Vec<&str> {
    let steps = story.steps.iter().filter(|step| step.kind == kind);
    steps.map(|step| step.text.as_str()).collect()
}

async fn a_day_is_told_to_its_attempts(db: Database) {
    let stage = monday(&db).await;
    let later = Fault::answer(503, r#"{"reason":"ServiceUnavailable"}"#);
    let refused = stage.world.apns.script().next_of(ANA, 1, later);
    for now in ["07:00:00", "07:00:30", "08:00:00"] {
        stage.at(&format!("2026-03-30T{now}Z")).await;
    }
    assert_eq!(refused.struck(), 1);
    let told = stage
        .says(
            "ana",
            "07:00",
            Outcome::Sent,
            &["APNs accepted the alert at 2026-03-30T07:00:30Z, for the start of hours"],
        )
        .await;
    let kinds: Vec<StepKind> = told.steps.iter().map(|step| step.kind).collect();
    assert_eq!(
        kinds,
        [
            StepKind::Rule,
            StepKind::Boundary,
            StepKind::Status,
            StepKind::Transition,
            StepKind::Delivery,
            StepKind::Attempt,
            StepKind::Attempt,
            StepKind::Delivery,
            StepKind::Attempt,
        ],
        "{told:#?}"
    );
    let attempts = texts(&told, StepKind::Attempt);
    assert!(
        attempts[0].contains("refused it for now")
            && attempts[0].contains("HTTP 503, ServiceUnavailable, again at"),
        "{attempts:?}"
    );
    assert!(
        attempts[1].contains("attempt 2 by story: APNs accepted it"),
        "{attempts:?}"
    );
    assert!(
        attempts[2].contains("the presence API accepted it"),
        "{attempts:?}"
    );
    assert!(
        !format!("{told:?}").contains(ANA),
        "a token is nobody's business"
    );
    // From the log, as it stands there.
    let transition = told.steps[3].transition.as_ref().unwrap();
    let (id, recorded) = (&transition.id, transition.recorded_at.as_millisecond());
    let stored = db.sql(&format!(
        "SELECT sequence, reason, recorded_at FROM transitions WHERE id = '{id}'"
    ));
    assert_eq!(stored, format!("2|hours_start|{recorded}"));
    // Half an hour later the start is still what came last.
    stage
        .says(
            "ana",
            "07:30",
            Outcome::Sent,
            &[
                "Nothing was to ring at Mon 2026-03-30 09:30",
                "What came last: APNs accepted",
            ],
        )
        .await;
    stage
        .says(
            "ana",
            "16:00",
            Outcome::ToCome,
            &["The end of hours", "the phone will ring"],
        )
        .await;
    stage
        .says(
            "cem",
            "08:00",
            Outcome::NoAlert,
            &["no phone is registered"],
        )
        .await;
    stage.at("2026-03-30T16:00:00Z").await;
    stage
        .says(
            "ben",
            "16:00",
            Outcome::NoAlert,
            &["alerts at the end of hours are switched off"],
        )
        .await;
}

async fn a_worker_that_was_down_is_told_of(db: Database) {
    let stage = monday(&db).await;
    stage.clock.set(time("2026-03-30T07:30:00Z"));
    let down = "no worker has looked at this agent since 2026-03-30T06:00:00Z; nor at anybody since 2026-03-30T06:00:00Z: see that a worker runs";
    stage
        .says(
            "ana",
            "07:00",
            Outcome::NotRecorded,
            &["The start of hours", down],
        )
        .await;
    stage.at("2026-03-30T16:10:00Z").await;
    let missed = stage
        .says(
            "ana",
            "07:00",
            Outcome::NotSent,
            &["expired: a newer boundary came before a worker looked"],
        )
        .await;
    assert_eq!(
        texts(&missed, StepKind::Note),
        ["that was 9h 10m after it: no worker looked at this agent in between"]
    );
    let late = stage
        .says("ana", "16:00", Outcome::Sent, &["the end of hours"])
        .await;
    assert_eq!(
        texts(&late, StepKind::Note),
        ["that was 10m after it: no worker looked at this agent in between"]
    );
    // Boundaries that changed no status and called for no alert are found by their id.
    stage
        .says(
            "cem",
            "08:00",
            Outcome::NoAlert,
            &["was recorded and called for no alert"],
        )
        .await;
    stage.at("2026-04-13T12:00:00Z").await;
    stage
        .says(
            "ana",
            "2026-04-13T07:00:00Z",
            Outcome::NotSent,
            &["expired: no worker looked before 2026-04-13T12:00:00Z, too late to be of use"],
        )
        .await;
}

async fn a_phone_that_was_refused_stays_silent_and_it_says_since_when(db: Database) {
    let stage = monday(&db).await;
    let wrong = Fault::answer(400, r#"{"reason":"BadDeviceToken"}"#);
    let _refused = stage.world.apns.script().next_of(ANA, 1, wrong);
    stage.at("2026-03-30T07:00:00Z").await;
    stage
        .says(
            "ana",
            "07:00",
            Outcome::NotSent,
            &["failed: APNs said BadDeviceToken."],
        )
        .await;
    stage.at("2026-03-30T16:00:00Z").await;
    stage
        .says(
            "ana",
            "16:00",
            Outcome::NoAlert,
            &[
                "is quarantined since 2026-03-30T07:00:0",
                "APNs said BadDeviceToken",
            ],
        )
        .await;
}

async fn nothing_is_told_that_did_not_happen(db: Database) {
    let stage = monday(&db).await;
    assert_eq!(stage.ask("nobody", "07:00", None).await, None);
    stage
        .says(
            "ana",
            "2026-03-23T08:00:00Z",
            Outcome::NotRecorded,
            &["no worker knew the agent before 2026-03-30T06:00:00Z"],
        )
        .await;
    stage
        .says(
            "ana",
            "2026-04-06T07:00:00Z",
            Outcome::Nothing,
            &["Mon 2026-04-06 is a holiday of acme"],
        )
        .await;
    db.sql("UPDATE agents SET timezone = 'Europe/Pariss' WHERE id = 'ana'");
    stage.at("2026-03-30T07:00:00Z").await;
    stage
        .says(
            "ana",
            "07:00",
            Outcome::Nothing,
            &["The hours cannot be read: agents.timezone", "Pariss"],
        )
        .await;
    let new = r#"{"id":"dan","workspace":"acme","name":"Dan","timezone":"UTC","hours":[{"day":"mon","start":"07:00","end":"12:00"}]}"#;
    stage.import(new).await;
    stage
        .says(
            "dan",
            "07:00",
            Outcome::NotRecorded,
            &["no worker has looked at this agent yet"],
        )
        .await;
}

async fn an_edit_is_no_shift(db: Database) {
    let stage = monday(&db).await;
    stage.at("2026-03-30T07:00:00Z").await;
    stage.clock.set(time("2026-03-30T10:00:00Z"));
    let edited = TEAM.replace(
        r#""start":"09:00","end":"18:00""#,
        r#""start":"11:00","end":"11:30""#,
    );
    stage.import(&edited).await;
    let waiting = "hours were edited at 2026-03-30T10:00:00Z";
    stage
        .says(
            "ana",
            "09:30",
            Outcome::NotRecorded,
            &["The end of hours", waiting],
        )
        .await;
    stage.tick().await;
    let followed = "which the worker followed at 2026-03-30T10:00:00Z with reason sync; an edit is not a shift";
    stage
        .says("ana", "09:30", Outcome::NotRecorded, &[followed])
        .await;
    let before = stage
        .says("ana", "07:00", Outcome::Sent, &["the start of hours"])
        .await;
    assert!(
        texts(&before, StepKind::Boundary)[0].contains("edited since"),
        "{before:#?}"
    );
}

async fn who_was_removed_is_told_of_from_the_log(db: Database) {
    let stage = monday(&db).await;
    stage.at("2026-03-30T07:00:00Z").await;
    db.sql("DELETE FROM agents WHERE id = 'ana'");
    stage.at("2026-03-30T08:00:00Z").await;
    let told = stage
        .says(
            "ana",
            "07:00",
            Outcome::Sent,
            &["the start of hours at 2026-03-30T07:00:00Z"],
        )
        .await;
    assert_eq!((told.workspace.as_str(), &told.rule), ("acme", &None));
    assert!(
        texts(&told, StepKind::Rule)[0].contains("was removed"),
        "{told:#?}"
    );
    stage
        .says(
            "ana",
            "08:00",
            Outcome::Sent,
            &["Nothing was to ring at 2026-03-30T08:00:00Z. What came last: APNs"],
        )
        .await;
}

async fn one_workspace_reads_its_own_log(db: Database) {
    let stage = monday(&db).await;
    stage.at("2026-03-30T07:00:00Z").await;
    db.sql("INSERT INTO workspaces (id, name) VALUES ('bolt', 'Bolt'); UPDATE agents SET workspace_id = 'bolt' WHERE id = 'ana'");
    stage.at("2026-03-30T08:00:00Z").await;
    let own = stage.ask("ana", "07:00", Some("acme")).await.unwrap();
    assert_eq!(
        (own.outcome, own.workspace.as_str()),
        (Outcome::Sent, "bolt")
    );
    let others = stage.ask("ana", "07:00", Some("bolt")).await.unwrap();
    assert!(
        others
            .steps
            .iter()
            .all(|step| step.delivery.is_none() && step.transition.is_none()),
        "{others:#?}"
    );
}

/// Dora (Paris, 09:00-18:00, Android) wants no alert when hours start, but two before.
const DORA: &str = r#"{"id":"dora","workspace":"acme","name":"Dora","timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"18:00"}],"leads":[{"minutes":15},{"day_before":"20:00"}],"devices":[{"platform":"android","token":"dora-phone"}]}"#;

async fn with_leads(db: &Database) -> Stage {
    Stage::set("2026-03-29T17:00:00Z", Some(db.url.clone()), DORA).await
}

async fn a_lead_is_told_by_its_name(db: Database) {
    let stage = with_leads(&db).await;
    let quarter =
        "lead 15 minutes before the start of hours at Mon 2026-03-30 09:00 (2026-03-30T07:00:00Z)";
    let will = [quarter, "is still to come; the phone will ring"];
    stage.says("dora", "06:45", Outcome::ToCome, &will).await;
    stage.at("2026-03-29T18:20:00Z").await;
    let eve =
        "The alert for the lead at 20:00 the day before the start of hours at Mon 2026-03-30 09:00";
    let late = [eve, "expired: no worker looked before 2026-03-29T18:20:00Z"];
    let told = stage
        .says("dora", "2026-03-29T18:00:00Z", Outcome::NotSent, &late)
        .await;
    let occasion = told.occasion.as_ref().unwrap();
    assert_eq!(
        (occasion.reason, occasion.at),
        ("hours_start_lead", time("2026-03-29T18:00:00Z"))
    );
    stage.at("2026-03-30T06:45:00Z").await;
    let rang = ["FCM accepted the alert at 2026-03-30T06:45:00Z", quarter];
    let told = stage.says("dora", "06:45", Outcome::Sent, &rang).await;
    assert_eq!(
        texts(&told, StepKind::Boundary),
        ["15 minutes before hours start: weekly slot mon 09:00-18:00"]
    );
    assert_eq!(
        texts(&told, StepKind::Transition),
        ["recorded at 2026-03-30T06:45:00Z: hours start soon (hours_start_lead), status unchanged"]
    );
    assert_eq!(texts(&told, StepKind::Delivery).len(), 1, "{told:#?}");
    let last = ["Nothing was to ring at Mon 2026-03-30 08:50", quarter];
    stage.at("2026-03-30T06:55:00Z").await;
    stage.says("dora", "06:50", Outcome::Sent, &last).await;
    stage.at("2026-03-30T07:00:00Z").await;
    let start = ["alerts at the start of hours are switched off"];
    stage.says("dora", "07:00", Outcome::NoAlert, &start).await;
    stage.says("dora", "06:45", Outcome::Sent, &rang).await;
}

async fn a_lead_that_is_no_more_is_told_of_from_the_log(db: Database) {
    let stage = with_leads(&db).await;
    let edit = async |rest: &str| {
        let line = format!(
            r#"{{"id":"dora","workspace":"acme","name":"Dora","timezone":"Europe/Paris",{rest}}}"#
        );
        stage.import(&line).await;
        stage.tick().await;
    };
    let down = stage.world.fcm.script().always(Fault::status(503));
    stage.at("2026-03-29T18:00:00Z").await;
    edit(r#""leads":[{"minutes":15}]"#).await;
    let taken = [
        "lead at Sun 2026-03-29 20:00",
        "that lead was taken away (opted_out)",
    ];
    let evening = "2026-03-29T18:00:00Z";
    stage.says("dora", evening, Outcome::NotSent, &taken).await;
    stage.at("2026-03-30T06:45:00Z").await;
    edit(r#""hours":[{"day":"mon","start":"10:00","end":"18:00"}]"#).await;
    let moved = [
        "before the start of hours at Mon 2026-03-30 09:00",
        "boundary_gone",
    ];
    stage.says("dora", "06:45", Outcome::NotSent, &moved).await;
    stage.world.fcm.script().remove(&down);
    // Chosen when it would have come already.
    stage.at("2026-03-30T07:50:00Z").await;
    edit(r#""leads":[{"minutes":20}]"#).await;
    let after = ["knew of no such lead", "an edit is not a shift"];
    stage
        .says("dora", "07:40", Outcome::NotRecorded, &after)
        .await;
    // Nobody looked until hours had started.
    edit(r#""leads":[{"minutes":5}]"#).await;
    stage.at("2026-03-30T08:01:00Z").await;
    let missed = [
        "5 minutes before",
        "expired: hours had started before a worker looked",
    ];
    let told = stage.says("dora", "07:55", Outcome::NotSent, &missed).await;
    let recorded = texts(&told, StepKind::Transition);
    assert!(recorded[0].ends_with("missed, since hours had started before anybody looked"));
}
