//! `preview`: the boundaries to come, from a file or from the database.

use crate::{
    shell::Shell,
    support::{Database, on_both},
};

on_both!(the_database_is_previewed_like_the_file);

/// Two in Paris, in an order that is not the ids', and one in Vancouver.
const TEAM: &str = r#"{"type":"workspace","id":"acme","name":"Acme","holidays":["2026-04-06"]}
{"id":"b-1","workspace":"acme","name":"Ben","timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"17:00"}]}
{"id":"a-1","workspace":"acme","name":"Ana","timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"12:00"},{"day":"mon","start":"12:00","end":"17:00"}]}
{"id":"v-1","workspace":"pacific","name":"Vic","timezone":"America/Vancouver","hours":[{"day":"tue","start":"09:00","end":"17:00"}]}
"#;

const MONDAY: &str = "--from 2026-03-30T00:00:00Z --until 2026-03-31T00:00:00Z";

fn shell() -> Shell {
    let shell = Shell::new();
    shell.write("team.jsonl", TEAM);
    shell
}

#[test]
fn a_file_needs_neither_database_nor_configuration() {
    let shell = shell();
    let said = shell.run(&format!("preview --file team.jsonl {MONDAY} --json"));
    // The letter of the contract, and lunch that is zero minutes long rings no bell.
    let wanted = r#"{"agent":"a-1","kind":"start","at":"2026-03-30T07:00:00Z"}
{"agent":"b-1","kind":"start","at":"2026-03-30T07:00:00Z"}
{"agent":"a-1","kind":"end","at":"2026-03-30T15:00:00Z"}
{"agent":"b-1","kind":"end","at":"2026-03-30T15:00:00Z"}
"#;
    assert_eq!(said.done(), wanted);
    let said = shell.run(&format!("preview --all --file team.jsonl {MONDAY} --json"));
    assert_eq!(said.done(), wanted, "all is what is meant anyway");
    let said = shell.feed(&format!("preview --file - {MONDAY} --json"), TEAM);
    assert_eq!(said.done(), wanted);
    assert_eq!(said.err, "");
    assert_eq!(shell.files(), ["team.jsonl"], "it makes no database");
}

#[test]
fn a_file_is_previewed_whatever_else_is_configured_wrongly() {
    let shell = shell();
    let toml = "[database]\nurl = \"sqlite://nowhere/at/all.db\"\n[presence]\nurl = \"https://chat.example.com/\"\nsecret_file = \"gone\"\n";
    shell.write("shiftbell.toml", toml);
    let said = shell.run(&format!("preview --file team.jsonl {MONDAY} --json"));
    assert_eq!(said.done().lines().count(), 4);
}

#[test]
fn from_is_within_and_until_is_not() {
    let shell = shell();
    let count = |from: &str, until: &str| {
        let line = format!("preview --file team.jsonl --agent a-1 --from {from} --until {until}");
        shell.run(&format!("{line} --json")).json().len()
    };
    assert_eq!(count("2026-03-30T07:00:00Z", "2026-03-30T15:00:00Z"), 1);
    assert_eq!(count("2026-03-30T07:00:00.001Z", "2026-03-30T15:00:00Z"), 0);
    assert_eq!(count("2026-03-30T07:00:00Z", "2026-03-30T15:00:00.001Z"), 2);
    assert_eq!(count("2026-03-30T15:00:00Z", "2026-03-30T15:00:00Z"), 0);
    assert_eq!(
        count("2026-03-30T09:00:00+02:00", "2026-03-30T17:00:01+02:00"),
        2
    );
}

#[test]
fn agents_are_named_one_by_one() {
    let shell = shell();
    let line = format!("preview --file team.jsonl {MONDAY} --json");
    let said = shell.run(&format!("{line} --agent b-1"));
    assert!(said.json().iter().all(|line| line["agent"] == "b-1"));
    assert_eq!(
        shell
            .run(&format!("{line} --agent b-1 --agent a-1"))
            .json()
            .len(),
        4
    );
    let said = shell.run(&format!("{line} --agent b-1 --agent b-2"));
    said.failed(&["--agent b-2", "no such agent"]);
}

#[test]
fn a_holiday_has_no_boundaries() {
    let week = "--from 2026-04-06T00:00:00Z --until 2026-04-07T00:00:00Z";
    let said = shell().run(&format!("preview --file team.jsonl {week} --json"));
    assert_eq!(said.done(), "");
}

#[test]
fn vancouver_is_seven_hours_behind_in_december_2026() {
    let day = "--from 2026-12-01T00:00:00Z --until 2026-12-03T00:00:00Z";
    let said = shell().run(&format!(
        "preview --file team.jsonl --agent v-1 {day} --json"
    ));
    let wanted = r#"{"agent":"v-1","kind":"start","at":"2026-12-01T16:00:00Z"}
{"agent":"v-1","kind":"end","at":"2026-12-02T00:00:00Z"}
"#;
    assert_eq!(said.done(), wanted);
}

#[test]
fn people_see_their_own_time_and_a_pipe_gets_tabs() {
    let said = shell().run(&format!("preview --file team.jsonl --agent a-1 {MONDAY}"));
    let wanted = "at\tagent\tkind\tlocal time\n\
        2026-03-30T07:00:00Z\ta-1\tstart\tMon 2026-03-30 09:00\n\
        2026-03-30T15:00:00Z\ta-1\tend\tMon 2026-03-30 17:00\n";
    assert_eq!(said.done(), wanted);
}

#[test]
fn a_bad_file_is_named_with_line_and_field() {
    let shell = Shell::new();
    let line = r#"{"id":"a","workspace":"w","name":"A","timezone":"Berlin"}"#;
    shell.write("bad.jsonl", format!("{TEAM}{line}\n"));
    let said = shell.run("preview --file bad.jsonl --json");
    said.failed(&["line 5: ", "timezone", "Berlin", "Europe/Berlin"]);
    assert!(said.err.contains("bad.jsonl"), "{said:#?}");
    shell
        .run("preview --file nowhere.jsonl")
        .failed(&["nowhere.jsonl"]);
}

async fn the_database_is_previewed_like_the_file(db: Database) {
    let shell = Shell::on(&db.url);
    shell.write("team.jsonl", TEAM);
    shell.run("import team.jsonl").done();
    let span = "--from 2026-03-29T00:00:00Z --until 2026-04-15T00:00:00Z --json";
    for who in ["", "--all", "--agent a-1", "--agent v-1 --agent b-1"] {
        let from_file = shell.run(&format!("preview --file team.jsonl {who} {span}"));
        let stored = shell.run(&format!("preview {who} {span}"));
        assert!(!stored.done().is_empty(), "{who}");
        assert_eq!(stored.out, from_file.done(), "{who}");
    }
    let said = shell.run(&format!("preview --agent nobody {span}"));
    said.failed(&["--agent nobody", "no such agent"]);
    // Without a span: a week from now on, which has each weekly boundary once.
    assert_eq!(shell.run("preview --agent v-1 --json").json().len(), 2);
}
