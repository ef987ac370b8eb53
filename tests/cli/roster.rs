//! `migrate`, `import` and `export`.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
};

use serde_json::{Value, json};

use crate::{
    shell::{Shell, objects},
    support::{Database, on_both, outside, postgres::Cluster},
};

on_both!(
    what_was_imported_is_exported,
    a_bad_file_changes_nothing_and_each_fault_is_named,
    a_line_replaces_what_it_names_and_keeps_the_rest,
);

/// Everything that a line can hold, as `export` writes it.
const TEAM: &str = r#"{"type":"workspace","id":"acme","name":"Acme","holidays":["2026-12-25"]}
{"id":"a-1","workspace":"acme","name":"Ana \"Zoë\" Ruiz","photo_url":"https://example.com/ana.png","timezone":"Europe/Paris","locale":"fr","hours":[{"day":"mon","start":"09:00","end":"12:30"},{"day":"mon","start":"14:00","end":"18:00"},{"day":"fri","start":"22:00","end":"06:00"},{"day":"sun","start":"00:00","end":"24:00"}],"overrides":[{"date":"2026-12-25","slots":[]},{"date":"2026-12-31","slots":[{"start":"09:00","end":"12:00"}]}],"away":[{"from":"2026-12-24T12:00","until":"2027-01-02T00:00"}],"notify":{"start":true,"end":false},"leads":[{"minutes":15},{"day_before":"20:00"}],"devices":[{"platform":"android","token":"ana-phone"},{"platform":"ios","token":"aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11","environment":"sandbox"}],"auto_offline_after_minutes":10,"receive_when_invisible":true}
{"id":"a-2","workspace":"acme","name":"Ben","timezone":"America/Vancouver"}
"#;

#[test]
fn migrate_makes_the_schema_once_and_says_its_version() {
    let postgres = Cluster::shared().empty_database();
    for url in ["sqlite://new.db", &postgres] {
        let shell = Shell::on(url);
        let first = shell.run("migrate --json").json();
        assert!(first[0]["schema_version"].as_i64() >= Some(1), "{first:?}");
        assert_eq!(shell.run("migrate --json").json(), first, "twice is once");
        let people = shell.run("migrate");
        assert!(people.done().contains("schema version"), "{people:?}");
    }
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_left_alone() {
    let db = Database::sqlite().await;
    db.sql("UPDATE meta SET value = value");
    db.sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, x'00', 0)");
    let shell = Shell::on(&db.url);
    for line in ["migrate", "export", "tick", "run"] {
        shell.run(line).failed(&["schema version 9999", "newer"]);
    }
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let shell = Shell::on("sqlite://team.db");
    shell.write("team.jsonl", TEAM);
    shell.run("import team.jsonl").done();
    let url = format!("sqlite://{}", shell.path("team.db").display());
    let page = "SELECT rootpage FROM sqlite_schema WHERE name = 'agents'";
    let page: u64 = outside(&url, page).unwrap().parse().unwrap();
    let mut file = fs::File::options()
        .write(true)
        .open(shell.path("team.db"))
        .unwrap();
    file.seek(SeekFrom::Start((page - 1) * 4096)).unwrap();
    file.write_all(&[0xee; 4096]).unwrap();
    let preview = "preview --all --from 2026-03-30T00:00:00Z --until 2026-03-31T00:00:00Z";
    shell.run(preview).failed(&["team.db", "malformed"]);
}

/// Objects by id, with what an import leaves open filled in as defaults are.
fn people(text: &str) -> Vec<Value> {
    let mut people = objects(text);
    for person in &mut people {
        if person["type"] == "workspace" {
            continue;
        }
        let fields = person.as_object_mut().unwrap();
        for (name, default) in [
            ("hours", json!([])),
            ("overrides", json!([])),
            ("away", json!([])),
            ("devices", json!([])),
            ("notify", json!({"start": false, "end": false})),
            ("receive_when_invisible", json!(false)),
        ] {
            fields.entry(name).or_insert(default);
        }
        for device in fields["devices"].as_array_mut().unwrap() {
            let device = device.as_object_mut().unwrap();
            device.entry("environment").or_insert(json!("production"));
        }
        fields.retain(|_, value| !value.is_null());
    }
    people
}

async fn what_was_imported_is_exported(db: Database) {
    let shell = Shell::on(&db.url);
    shell.write("team.jsonl", TEAM);
    let said = shell.run("import team.jsonl --json");
    assert_eq!(
        said.json(),
        [json!({"agents": 2, "workspaces": 1, "warnings": 0})]
    );
    let exported = shell.run("export").done().to_owned();
    assert_eq!(people(&exported), people(TEAM));
    // Into a database of its own, by way of standard input, and out again.
    let other = match db.url.strip_prefix("sqlite:") {
        Some(_) => Database::sqlite().await,
        None => Database::postgres().await,
    };
    let copy = Shell::on(&other.url);
    let said = copy.feed("import -", exported.clone());
    assert_eq!(
        said.done(),
        "2 agents and 1 workspaces imported, 0 warnings\n"
    );
    assert_eq!(copy.run("export").done(), exported);
}

async fn a_bad_file_changes_nothing_and_each_fault_is_named(db: Database) {
    let shell = Shell::on(&db.url);
    shell.feed("import -", TEAM).done();
    let before = shell.run("export").done().to_owned();
    let line = |rest: &str| {
        format!(r#"{{"id":"a-1","workspace":"acme","name":"Changed","timezone":"UTC"{rest}}}"#)
    };
    let slot = |start: &str, end: &str| {
        format!(r#","hours":[{{"day":"mon","start":"{start}","end":"{end}"}}]"#)
    };
    for (second, words) in [
        (line(r#","nmae":"x""#), &["nmae", "\"name\""][..]),
        (line(&slot("25:00", "26:00")), &["hours[0].start", "25:00"]),
        (line(&slot("09:00", "09:00")), &["hours[0]", "00:00"]),
        (
            line("").replace("UTC", "Berlin"),
            &["timezone", "Europe/Berlin"],
        ),
        (line("").replace("a-1", "new"), &["id", "line 1"]),
        (line(r#","notify":true"#), &["notify"]),
        (r#"{"id":"a-3"}"#.into(), &["workspace"]),
        ("not json".into(), &[]),
        ("[]".into(), &[]),
    ] {
        let good = line("").replace("a-1", "new");
        shell.write("bad.jsonl", format!("{good}\n{second}\n"));
        let mut words = words.to_vec();
        words.push("line 2: ");
        let said = shell.run("import bad.jsonl");
        said.failed(&words);
        assert!(said.err.contains("bad.jsonl"), "{said:#?}");
        assert_eq!(shell.run("export").done(), before, "{second}");
    }
    shell.run("import nowhere.jsonl").failed(&["nowhere.jsonl"]);
    shell.feed("import -", "{").failed(&["standard input"]);
    shell.feed("import -", "\n{").failed(&["line 2"]);
}

async fn a_line_replaces_what_it_names_and_keeps_the_rest(db: Database) {
    let shell = Shell::on(&db.url);
    shell.feed("import -", TEAM).done();
    let line = r#"{"id":"a-1","workspace":"acme","name":"Ana","timezone":"Europe/Madrid","hours":[{"day":"tue","start":"10:00","end":"11:00"}],"photo_url":null}"#;
    shell.feed("import -", line).done();
    let mut wanted = people(TEAM);
    let ana = wanted[1].as_object_mut().unwrap();
    ana["name"] = json!("Ana");
    ana["timezone"] = json!("Europe/Madrid");
    ana["hours"] = json!([{"day": "tue", "start": "10:00", "end": "11:00"}]);
    ana.remove("photo_url");
    assert_eq!(people(shell.run("export").done()), wanted);
    // An agent whose workspace was never named gets one.
    let line = r#"{"id":"b-1","workspace":"new","name":"Eva","timezone":"UTC"}"#;
    shell.feed("import -", line).done();
    assert_eq!(shell.run("export").json().len(), 5);
}

#[test]
fn warnings_go_to_standard_error_and_stop_nothing() {
    let shell = Shell::new();
    let line = r#"{"id":"a-1","workspace":"w","name":"A","timezone":"UTC","hours":[{"day":"mon","start":"09:00","end":"12:00"},{"day":"mon","start":"11:00","end":"13:00"}]}"#;
    shell.write("team.jsonl", line);
    let said = shell.run("import team.jsonl --json");
    assert_eq!(said.json()[0]["warnings"], 1);
    let warned = said.err.starts_with("warning: team.jsonl: line 1: hours");
    assert!(warned, "{said:#?}");
}

#[test]
fn what_a_name_holds_does_not_reach_the_terminal_raw() {
    let shell = Shell::new();
    let line =
        "{\"id\":\"a\\u001b[31m\",\"workspace\":\"w\",\"name\":\"A\",\"timezone\":\"U\\u202eTC\"}";
    let said = shell.feed("import -", line);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let raw = said.err.contains('\u{1b}') || said.err.contains('\u{202e}');
    assert!(!raw, "{said:#?}");
}

#[test]
fn no_migration_means_none() {
    let shell = Shell::new().with("SHIFTBELL__DATABASE__MIGRATE", "false");
    for line in ["export", "run", "tick", "import -"] {
        shell.run(line).failed(&["shiftbell migrate"]);
    }
    let shell = Shell::new();
    shell
        .run("tick --no-migrate")
        .failed(&["shiftbell migrate"]);
    let url = Cluster::shared().empty_database();
    let shell = Shell::on(&url).with("SHIFTBELL__DATABASE__MIGRATE", "false");
    for _ in 0..2 {
        shell.run("export").failed(&["shiftbell migrate"]);
    }
}
