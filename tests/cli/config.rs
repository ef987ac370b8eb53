//! Where the configuration comes from, and how the program complains of it.

use crate::shell::Shell;

/// A configuration whose database is called `name`.
fn naming(name: &str) -> String {
    format!("[database]\nurl = \"sqlite://{name}.db\"\n")
}

/// The databases that lie in the folder.
fn databases(shell: &Shell) -> Vec<String> {
    let ends = |name: &String| {
        std::path::Path::new(name)
            .extension()
            .is_some_and(|e| e == "db")
    };
    shell.files().into_iter().filter(ends).collect()
}

#[test]
fn without_any_file_the_defaults_hold() {
    let shell = Shell::new();
    shell.run("migrate").done();
    assert_eq!(databases(&shell), ["shiftbell.db"]);
}

#[test]
fn the_file_in_the_current_folder_is_found() {
    let shell = Shell::new();
    shell.write("shiftbell.toml", naming("here"));
    shell.run("migrate").done();
    assert_eq!(databases(&shell), ["here.db"]);
}

#[test]
fn the_variable_wins_over_the_current_folder_and_the_option_over_both() {
    let shell = Shell::new();
    shell.write("shiftbell.toml", naming("here"));
    shell.write("named.toml", naming("named"));
    shell.write("asked.toml", naming("asked"));
    let shell = shell.with("SHIFTBELL_CONFIG", "named.toml");
    shell.run("migrate").done();
    assert_eq!(databases(&shell), ["named.db"]);
    shell.run("migrate --config asked.toml").done();
    assert_eq!(databases(&shell), ["asked.db", "named.db"]);
    shell.run("--config asked.toml migrate").done();
}

#[test]
fn a_variable_overrides_a_key_of_the_file() {
    let shell = Shell::new();
    shell.write("shiftbell.toml", naming("here"));
    let shell = shell.with("SHIFTBELL__DATABASE__URL", "sqlite://elsewhere.db");
    shell.run("migrate").done();
    assert_eq!(databases(&shell), ["elsewhere.db"]);
}

#[test]
fn a_relative_path_is_taken_from_the_files_own_folder() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("etc")).unwrap();
    shell.write("etc/bell.toml", naming("beside"));
    shell.run("migrate --config etc/bell.toml").done();
    assert!(databases(&shell).is_empty());
    assert!(shell.path("etc/beside.db").exists());
}

#[test]
fn every_command_names_file_line_and_key_of_what_it_does_not_know() {
    let shell = Shell::new();
    shell.write("shiftbell.toml", "\n[database]\nurll = \"sqlite://x.db\"\n");
    shell.write("team.jsonl", "");
    for line in [
        "run",
        "tick",
        "migrate",
        "import team.jsonl",
        "export",
        "preview",
        "deliveries",
        "doctor",
    ] {
        shell.run(line).refused(&[
            "error: ",
            "shiftbell.toml:3: ",
            "database.urll",
            "`database.url`",
        ]);
    }
    assert!(databases(&shell).is_empty(), "nothing was begun");
    let shell = Shell::new().with("SHIFTBELL__DATABASE__URLL", "CANARY");
    let said = shell.run("migrate");
    said.refused(&["$SHIFTBELL__DATABASE__URLL", "`SHIFTBELL__DATABASE__URL`"]);
    assert!(!said.err.contains("CANARY"), "{said:#?}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let shell = Shell::new();
    let line = "migrate --config nowhere.toml";
    shell.run(line).refused(&["nowhere.toml", "cannot read"]);
    let shell = shell.with("SHIFTBELL_CONFIG", "gone.toml");
    shell.run("migrate").refused(&["gone.toml"]);
}

#[test]
fn only_what_a_command_needs_is_opened() {
    let shell = Shell::new();
    let apns = "[apns]\nkey_file = \"gone.p8\"\nkey_id = \"K\"\nteam_id = \"T\"\ntopic = \"t\"\n";
    shell.write("shiftbell.toml", apns);
    for line in ["migrate", "import -", "export", "preview", "deliveries"] {
        shell.run(line).done();
    }
    for line in ["run", "tick", "doctor"] {
        shell
            .run(line)
            .refused(&["shiftbell.toml:2: ", "apns.key_file", "gone.p8"]);
    }
}

#[test]
fn a_database_that_cannot_be_opened_fails_and_is_named() {
    let shell = Shell::new();
    let words = "This is a letter and no database, whatever its name may say of it.";
    shell.write("letter.db", words.repeat(20));
    let shell = shell.with("SHIFTBELL__DATABASE__URL", "sqlite://letter.db");
    for line in ["migrate", "export", "tick", "run", "deliveries"] {
        shell
            .run(line)
            .failed(&["error: ", "letter.db", "not a database"]);
    }
    let shell = Shell::on("postgres://nobody@127.0.0.1:1/nothing");
    shell
        .run("migrate")
        .failed(&["error: ", "127.0.0.1:1/nothing"]);
    let shell = Shell::on("mysql://somewhere/else");
    shell.run("migrate").refused(&["SHIFTBELL__DATABASE__URL"]);
}

#[test]
fn a_secret_in_the_urls_is_refused_and_not_repeated() {
    let shell = Shell::on("postgres://app:CANARY@127.0.0.1/bell");
    let said = shell.run("migrate");
    said.refused(&["SHIFTBELL__DATABASE__URL"]);
    assert!(!said.err.contains("CANARY"), "{said:#?}");
}
