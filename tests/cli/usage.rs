//! What is asked wrongly is refused with exit code 2, and help shows how to ask.

use crate::shell::Shell;

const COMMANDS: [&str; 15] = [
    "demo",
    "run",
    "tick",
    "migrate",
    "import",
    "export",
    "preview",
    "deliveries",
    "explain",
    "presence",
    "token",
    "audit",
    "doctor",
    "probe",
    "completions",
];

#[test]
fn what_nobody_knows_is_refused_and_named() {
    let shell = Shell::new();
    for (line, words) in [
        ("imprt team.jsonl", &["imprt"][..]),
        ("migrate --frob", &["--frob"]),
        ("import", &["<FILE>"]),
        ("import a.jsonl b.jsonl", &["b.jsonl"]),
        ("preview --from yesterday", &["yesterday", "--from"]),
        ("preview --all --agent a-1", &["--all", "--agent"]),
        ("deliveries --state lost", &["lost", "--state"]),
        ("deliveries --channel smoke", &["smoke", "--channel"]),
        ("deliveries --limit many", &["many", "--limit"]),
        ("deliveries show", &["<ID>"]),
        ("deliveries retry", &["<IDS>"]),
        ("explain", &["<AGENT>"]),
        ("explain a-1 --at nine", &["nine", "--at"]),
        ("probe pulse", &["pulse"]),
        ("completions tcsh", &["tcsh"]),
        ("tick --metrics-file", &["--metrics-file"]),
        ("migrate --log [", &["log filter"]),
    ] {
        shell.run(line).refused(words);
    }
    assert!(shell.files().is_empty(), "nothing was begun");
}

#[test]
fn no_command_at_all_shows_what_there_is() {
    let said = Shell::new().run("");
    said.refused(&["Usage"]);
    for command in COMMANDS {
        assert!(said.err.contains(&format!("\n  {command} ")), "{said:#?}");
    }
}

#[test]
fn help_names_every_command_and_nothing_else() {
    let said = Shell::new().run("--help");
    let listed: Vec<&str> = said
        .done()
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that goes on in the next line is indented further.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert_eq!(listed, COMMANDS);
}

#[test]
fn every_commands_help_has_an_example() {
    let shell = Shell::new();
    let deeper = [
        "deliveries list",
        "deliveries show",
        "deliveries retry",
        "presence sync",
    ];
    for command in COMMANDS.iter().chain(&deeper) {
        let said = shell.run(&format!("{command} --help"));
        let (_, examples) = said.done().split_once("\nExample").expect(&said.out);
        assert!(
            examples.contains(&format!("shiftbell {command}")),
            "{said:#?}"
        );
    }
}

#[test]
fn version_is_the_packages() {
    let said = Shell::new().run("--version");
    assert_eq!(
        said.done(),
        concat!("shiftbell ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn completions_know_every_command() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish"] {
        let said = shell.run(&format!("completions {name}"));
        for command in COMMANDS {
            assert!(said.done().contains(command), "{name}: {command}");
        }
    }
    assert!(shell.files().is_empty(), "it needs no database");
}

#[test]
fn whoever_stops_reading_gets_no_error() {
    let shell = Shell::new();
    let program = env!("CARGO_BIN_EXE_shiftbell");
    // The reader is gone before the first line is written.
    let script = format!("{program} completions bash; echo $? >&2");
    let output = shell
        .command("bash")
        .args(["-c", &format!("({script}) | true")])
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(err.trim(), "0", "{err}");
}
