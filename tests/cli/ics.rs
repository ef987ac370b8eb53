//! `import --ics`: a calendar's days and spans in the place of those that were there.

use serde_json::{Value, json};

use crate::{
    shell::Shell,
    support::{Database, on_both},
};

on_both!(
    a_calendar_replaces_the_holidays,
    a_calendar_replaces_the_away_spans,
    a_bad_calendar_changes_nothing,
    the_same_calendar_again_changes_no_plan,
);

const TEAM: &str = r#"{"type":"workspace","id":"acme","name":"Acme","holidays":["2026-05-01","2026-12-25"]}
{"id":"a-1","workspace":"acme","name":"Ana","timezone":"America/New_York","away":[{"from":"2026-01-01T00:00","until":"2026-01-02T00:00"}]}
"#;

fn calendar(events: &[&str]) -> String {
    let events: Vec<_> = events
        .iter()
        .map(|event| format!("BEGIN:VEVENT\n{event}\nEND:VEVENT\n"))
        .collect();
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n",
        events.concat()
    )
}

fn shell(db: &Database) -> Shell {
    let shell = Shell::on(&db.url);
    shell.write("team.jsonl", TEAM);
    shell.run("import team.jsonl").done();
    let holidays = [
        "SUMMARY:Christmas\nDTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261227",
        "SUMMARY:Party\nDTSTART:20261224T180000Z\nDTEND:20261224T200000Z",
        "SUMMARY:Gone\nDTSTART;VALUE=DATE:20261231\nSTATUS:CANCELLED",
    ];
    shell.write("holidays.ics", calendar(&holidays));
    let away = [
        "SUMMARY:Dentist\nDTSTART;TZID=Europe/Paris:20260706T150000\nDURATION:PT1H",
        "SUMMARY:Leave\nDTSTART;VALUE=DATE:20260801\nDTEND;VALUE=DATE:20260815",
    ];
    shell.write("away.ics", calendar(&away));
    shell
}

fn holidays(db: &Database) -> String {
    db.sql("SELECT date FROM holidays ORDER BY date")
        .replace('\n', " ")
}

fn away(db: &Database) -> String {
    db.sql("SELECT from_local, until_local FROM away ORDER BY 1")
        .replace('\n', " ")
}

async fn a_calendar_replaces_the_holidays(db: Database) {
    let shell = shell(&db);
    let kept = shell.run("import --ics holidays.ics --workspace acme --keep --json");
    assert_eq!(
        kept.json(),
        [json!({"workspace": "acme", "before": 2, "now": 3, "left_out": 2})]
    );
    assert_eq!(holidays(&db), "2026-05-01 2026-12-25 2026-12-26");
    let done = shell.run("import --ics holidays.ics --workspace acme");
    assert_eq!(
        done.done(),
        "acme: 2 holidays, 3 before; 2 events left out\n"
    );
    assert_eq!(
        done.err,
        "warning: holidays.ics: line 8: event \"Party\": has times, and a holiday is a whole day: left out\n"
    );
    assert_eq!(holidays(&db), "2026-12-25 2026-12-26");
    let empty = shell.feed("import --ics - --workspace acme --json", calendar(&[]));
    let said: Vec<Value> = empty.json();
    assert_eq!(said[0]["now"], 0);
    assert_eq!(holidays(&db), "");
    assert_eq!(db.sql("SELECT name FROM workspaces"), "Acme");
}

async fn a_calendar_replaces_the_away_spans(db: Database) {
    let shell = shell(&db);
    let done = shell.run("import --ics away.ics --agent a-1");
    assert_eq!(
        done.done(),
        "a-1: 2 away spans, 1 before; 0 events left out\n"
    );
    assert_eq!(
        away(&db),
        "2026-07-06T09:00|2026-07-06T10:00 2026-08-01T00:00|2026-08-15T00:00"
    );
    let exported = shell.run("export").json();
    assert_eq!(exported[1]["away"][0]["from"], "2026-07-06T09:00");
    shell.write("more.ics", calendar(&["DTSTART;VALUE=DATE:20260901"]));
    let kept = shell
        .run("import --ics more.ics --agent a-1 --keep --json")
        .json();
    assert_eq!(
        kept,
        [json!({"agent": "a-1", "before": 2, "now": 3, "left_out": 0})]
    );
}

async fn a_bad_calendar_changes_nothing(db: Database) {
    let shell = shell(&db);
    let bad = [
        "DTSTART;VALUE=DATE:20260801",
        "SUMMARY:Off\nDTSTART;TZID=Nowhere:20260706T150000",
    ];
    shell.write("bad.ics", calendar(&bad));
    for owner in ["--agent a-1", "--workspace acme", "--agent a-1 --keep"] {
        let line = format!("import --ics bad.ics {owner}");
        shell
            .run(&line)
            .failed(&["bad.ics", "line 8: event \"Off\": DTSTART", "Nowhere"]);
    }
    shell
        .run("import --ics away.ics --agent a-2")
        .failed(&["no agent \"a-2\""]);
    shell
        .run("import --ics away.ics --workspace bolt")
        .failed(&["no workspace \"bolt\""]);
    shell
        .run("import --ics gone.ics --workspace acme")
        .failed(&["gone.ics"]);
    assert_eq!(holidays(&db), "2026-05-01 2026-12-25");
    assert_eq!(away(&db), "2026-01-01T00:00|2026-01-02T00:00");
    for line in [
        "import --ics away.ics",
        "import --ics away.ics --agent a-1 --workspace acme",
        "import away.ics --agent a-1",
        "import team.jsonl --keep",
    ] {
        shell.run(line).refused(&["--"]);
    }
}

async fn the_same_calendar_again_changes_no_plan(db: Database) {
    let shell = shell(&db);
    let both = [
        "import --ics holidays.ics --workspace acme",
        "import --ics away.ics --agent a-1",
    ];
    for line in both {
        shell.run(line).done();
    }
    db.sql("UPDATE agent_state SET due_at = 5, stale_at = NULL");
    for line in both {
        shell.run(line).done();
    }
    assert_eq!(db.sql("SELECT due_at, stale_at FROM agent_state"), "5|");
    shell.write("away.ics", calendar(&[]));
    shell.run(both[1]).done();
    assert_ne!(db.sql("SELECT due_at, stale_at FROM agent_state"), "5|");
}
