//! `demo --exit`: everything at once, with nothing set up.

use crate::shell::Shell;

#[test]
fn it_shows_what_rang_and_the_log_and_ends_by_itself() {
    let shell = Shell::new();
    let said = shell.run("demo --exit");
    let (live, log) = said
        .done()
        .split_once("The delivery log:\n")
        .expect(&said.out);
    for agent in ["ana", "lea", "jonas", "priya", "tui", "bruno"] {
        let rang = |line: &&str| line.contains(&format!("  {agent} ")) && line.ends_with("[rang]");
        assert_eq!(live.lines().filter(rang).count(), 1, "{agent}: {said:#?}");
    }
    assert!(live.contains("[410 Unregistered]"), "{said:#?}");
    assert!(live.contains("live_chat"), "{said:#?}");
    assert!(log.starts_with("recorded\tchannel\tagent\t"), "{log}");
    let summary = log.lines().last().unwrap();
    assert!(
        summary.starts_with("6 phones rang, 1 refused, "),
        "{summary}"
    );
    assert!(summary.ends_with(" 0 deliveries open."), "{summary}");
    assert!(shell.files().is_empty(), "it leaves nothing behind");
}

#[test]
fn it_prints_nothing_but_objects_if_asked_to() {
    let lines = Shell::new().run("demo --exit --json").json();
    let rang = lines.iter().filter(|line| line["answer"] == "rang").count();
    assert_eq!(rang, 6, "{lines:#?}");
    let log: Vec<_> = lines
        .iter()
        .filter(|line| line["state"].is_string())
        .collect();
    assert!(log.len() > 7, "{lines:#?}");
    assert!(
        log.iter()
            .all(|row| row["state"] == "sent" || row["state"] == "failed")
    );
}
