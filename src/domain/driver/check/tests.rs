//! Every description that comes along is sound, and a mistake in one is named.

use super::*;

#[test]
fn every_driver_is_sound() {
    for (name, text) in BUILT_IN {
        let read = Description::read(text);
        let description = read.unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert!(!description.product.is_empty());
    }
}

const SOUND: &str = r#"
    product = "Our chat"
    external = "ourchat"
    needs = ["token"]
    max_per_minute = 5
    max_in_flight = 2
    headers = { "x-key" = "{token}" }
    words = { online = "on", offline = "off" }
    set = { method = "POST", path = "/agents/{agent}/{status}" }
"#;

#[test]
fn mistakes_are_named() {
    assert!(Description::read(SOUND).is_ok());
    let rows = [
        (
            "path = \"/agents/{agent}/{status}\"",
            "path = \"/{agnet}\"",
            "nobody knows {agnet}",
        ),
        (
            "path = \"/agents/{agent}/{status}\"",
            "path = \"/{token}\"",
            "set.path: {token} cannot stand here",
        ),
        (
            "path = \"/agents/{agent}/{status}\"",
            "path = \"/{account}\"",
            "or is missing in needs",
        ),
        (
            "path = \"/agents/{agent}/{status}\"",
            "path = \"agents\"",
            "must begin with /",
        ),
        (
            "path = \"/agents/{agent}/{status}\"",
            "path = \"/{status.x}\"",
            "not all words have a part",
        ),
        (
            "method = \"POST\"",
            "method = \"FETCH\"",
            "line 9: unknown variant `FETCH`",
        ),
        ("needs = [\"token\"]", "", "needs must name token"),
        ("{token}", "secret", "no header holds {token}"),
        (
            "external = \"ourchat\"",
            "external = \"Our Chat\"",
            "external must be",
        ),
        ("max_in_flight = 2", "max_in_flight = 0", "1 or more"),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nauth = { bearer = \"a\", basic = \"b\" }",
            "one of bearer",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nlease = { renew_every_seconds = 60, ends_after_seconds = 90 }",
            "half",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nlease = { renew_every_seconds = 19, ends_after_seconds = 90 }",
            "must be 20 or more",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nfoo = 1",
            "line 7: unknown field `foo`",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nread = { request = { method = \"GET\", path = \"/\" }, status = \"state\" }",
            "no JSON pointer",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\ncheck = { method = \"GET\", path = \"/{agent}\" }",
            "check.path: {agent} cannot stand here",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nread = { request = { method = \"GET\", path = \"/?from={offset}\" }, items = \"\", key = \"/id\", status = \"/state\" }",
            "{offset} cannot stand here",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nread = { request = { method = \"GET\", path = \"/\" }, items = \"\", key = \"/id\", pages = { total = \"/n\" }, status = \"/state\" }",
            "whose path holds {offset}",
        ),
    ];
    refused(&rows);
}

#[test]
fn what_would_set_the_wrong_agents_or_nobody_is_named() {
    let rows = [
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nlease = { renew_every_seconds = 3_000_000_000, ends_after_seconds = 4_000_000_000 }",
            "half",
        ),
        ("/{agent}/", "/{agent/", "set.path holds a brace"),
        ("/{agent}/", "/{Agent}/", "set.path holds a brace"),
        ("/{agent}/", "/all/", "set nowhere holds {agent}"),
        ("/{status}", "", "set nowhere holds {status}"),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nset_offline = { method = \"DELETE\", path = \"/\" }",
            "set_offline nowhere holds {agent}",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nbulk = { size = 9, request = { method = \"PUT\", path = \"/{status}\" } }",
            "bulk.request must hold {agents}",
        ),
        (
            "max_in_flight = 2",
            "max_in_flight = 2\nanswers = { status = { \"4o4\" = \"agent\" } }",
            "\"4o4\" is no HTTP status code",
        ),
        ("\"x-key\"", "\"x key\"", "\"x key\" is no name of a header"),
        ("{token}", "{token}\\n", "x-key holds a line break"),
        (
            "\"x-key\"",
            "Host = \"a\", \"x-key\"",
            "Host is not for a description to set",
        ),
    ];
    refused(&rows);
}

#[track_caller]
fn refused(rows: &[(&str, &str, &str)]) {
    for (from, to, problem) in rows {
        let text = SOUND.replacen(from, to, 1);
        assert_ne!(text, SOUND);
        let error = Description::read(&text).unwrap_err();
        assert!(error.contains(problem), "{to}: {error}");
    }
}
