//! `explain`: "why did my phone not ring?", answered at a terminal.

use serde_json::Value;
use shiftbell::{domain::device::DeviceToken, sim::script::Fault};

use crate::{
    shell::Shell,
    shift::{self, ANA_IOS, BEN_IOS},
    support::{Database, on_both},
};

on_both!(
    an_alert_is_told_to_people_and_to_programs,
    who_is_gone_is_told_of_and_who_never_was_is_not,
);

async fn an_alert_is_told_to_people_and_to_programs(db: Database) {
    let (stage, shell, boundary) = shift::due(&db.url).await;
    let asked = format!("explain ana --at {boundary}");
    let said = shell.aside(&format!("{asked} --json")).await.json();
    assert_eq!(said[0]["outcome"], "not_recorded", "{said:#?}");
    let refusal = Fault::answer(413, r#"{"reason":"PayloadTooLarge"}"#);
    let refused = stage.world.apns.script().next_of(ANA_IOS, 1, refusal);
    shell.aside("tick").await.done();
    assert_eq!(refused.struck(), 1);
    let said = shell.aside(&asked).await;
    let (verdict, steps) = said.done().split_once("\n\n").unwrap();
    assert!(
        verdict.starts_with("1 of 2 alerts for the start of hours at"),
        "{said:#?}"
    );
    assert!(
        verdict.ends_with("were accepted; one failed: APNs said PayloadTooLarge."),
        "{said:#?}"
    );
    let lines: Vec<Vec<&str>> = steps.lines().map(|l| l.split('\t').collect()).collect();
    assert_eq!(lines[0], ["at", "local time", "what"]);
    assert!(lines.iter().all(|line| line.len() == 3), "{said:#?}");
    let local = boundary.to_string().replace('T', " ").replace('Z', "");
    assert_eq!(lines[1][..2], [&*boundary.to_string(), &*local]);
    for part in [
        "on duty: weekly slot",
        "HTTP 413, PayloadTooLarge)",
        "FCM accepted it",
    ] {
        assert!(steps.contains(part), "{part}: {said:#?}");
    }
    let told = shell.aside(&format!("{asked} --json")).await.json();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["outcome"], "partly_sent");
    assert_eq!(told[0]["verdict"], verdict);
    assert_eq!(told[0]["occasion"]["at"], boundary.to_string());
    assert_eq!(told[0]["rule"]["by"], "weekly");
    let steps = told[0]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), lines.len() - 1);
    let attempts = steps.iter().filter(|step| step["kind"] == "attempt");
    let answers: Vec<&Value> = attempts
        .map(|step| &step["attempt"]["http_status"])
        .collect();
    assert!(answers.contains(&&Value::from(413)), "{answers:?}");
    // Now is meant where no time is given: the boundary is what came last.
    let now = shell.aside("explain ana --json").await.json();
    assert_eq!(now[0]["occasion"], told[0]["occasion"]);
    for token in [ANA_IOS, "ana-phone"] {
        assert!(!said.out.contains(token), "a token is nobody's business");
    }
}

async fn who_is_gone_is_told_of_and_who_never_was_is_not(db: Database) {
    let (stage, shell, boundary) = shift::due(&db.url).await;
    let gone = DeviceToken::new(BEN_IOS);
    stage.world.apns.unregister(&gone, stage.clock.now());
    shell.aside("tick").await.done();
    db.sql("DELETE FROM agents WHERE id = 'ben'");
    shell.aside("tick").await.done();
    let said = shell.aside(&format!("explain ben --at {boundary}")).await;
    for part in [
        "failed: APNs said Unregistered.",
        "the agent was removed, and its hours with it",
    ] {
        assert!(said.done().contains(part), "{part}: {said:#?}");
    }
    let said = shell.aside("explain nobody").await;
    said.failed(&["there is no agent nobody"]);
}

#[test]
fn a_receiver_that_is_switched_off_is_told_by_the_configuration_without_its_keys() {
    let shell = Shell::new();
    // Who may not read Apple's key may ask all the same.
    shell.write(
        "shiftbell.toml",
        "[apns]\nkey_file = \"not-mine.p8\"\nkey_id = \"K\"\nteam_id = \"T\"\ntopic = \"t\"\n",
    );
    let line = format!(
        r#"{{"id":"a-1","workspace":"w","name":"A","timezone":"UTC","hours":[{{"day":"mon","start":"09:00","end":"17:00"}}],"notify":{{"start":true}},"devices":[{{"platform":"android","token":"fcm-phone"}},{{"platform":"ios","token":"{ANA_IOS}"}}]}}"#
    );
    shell.feed("import -", line).done();
    let said = shell.run("explain a-1 --at 2099-01-05T09:00:00Z");
    for part in [
        "The start of hours at Mon 2099-01-05 09:00 (2099-01-05T09:00:00Z) is still to come; 1 of 2 phones will ring:",
        "is reached over FCM, which is switched off: there is no [fcm] in the configuration",
    ] {
        assert!(said.done().contains(part), "{part}: {said:#?}");
    }
    assert!(!said.out.contains("[apns]"), "{said:#?}");
}
