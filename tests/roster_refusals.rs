//! Every bad input an import file may hold: refused with its line, its field and what to do, or
//! accepted with a warning.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

use std::io::Cursor;

use jiff::Timestamp;
use shiftbell::domain::{
    agent::{Field, Named},
    device::Environment,
    roster::{self, LISTED, Roster, RosterError},
    zone::Zones,
};

const OTHER: &str = r#""workspace":"acme","name":"Ana","timezone":"Europe/Paris""#;

fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn read(file: impl AsRef<[u8]>) -> Result<Roster, RosterError> {
    roster::read(Cursor::new(file.as_ref()), &Zones::built_in(), now())
}

fn agent(id: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!("{{\"id\":\"{id}\",{OTHER}{comma}{more}}}\n")
}

#[track_caller]
fn refuses(file: impl AsRef<[u8]>, notices: &[&str]) {
    let error = read(file).expect_err("the file is bad");
    assert_eq!(error.to_string(), notices.join("\n"));
}

#[track_caller]
fn warns(file: impl AsRef<[u8]>, notices: &[&str]) {
    let roster = read(file).expect("the file is good");
    assert_eq!(roster.warnings.to_string(), notices.join("\n"));
}

#[test]
fn the_contract_s_example_is_read_whole() {
    let line = r#"{"id":"a-1","workspace":"acme","name":"Ana Ruiz","photo_url":"https://x.example/ana.png","timezone":"Europe/Paris","locale":"fr","hours":[{"day":"mon","start":"09:00","end":"12:30"},{"day":"mon","start":"14:00","end":"18:00"},{"day":"fri","start":"22:00","end":"06:00"}],"overrides":[{"date":"2026-12-25","slots":[]},{"date":"2026-12-31","slots":[{"start":"09:00","end":"12:00"}]}],"away":[{"from":"2026-12-24T12:00","until":"2027-01-02T00:00"}],"notify":{"start":true,"end":true},"devices":[{"platform":"ios","token":"00fc13adff785122","environment":"production"},{"platform":"android","token":"dGVzdA:APA91b"}],"auto_offline_after_minutes":10,"receive_when_invisible":false,"external":{"chatwoot":"17"}}"#;
    let team = r#"{"type":"workspace","id":"acme","name":"Acme","holidays":["2026-12-25"]}"#;
    let roster = read(format!("{line}\n\n  \r\n{team}\r\n")).unwrap();
    assert!(roster.warnings.is_empty());
    assert_eq!(roster.agents[0].named, Named::all_but(Field::Leads));
    assert_eq!(
        roster.agents[0].devices[1].environment,
        Environment::Production
    );
    // Written out again it is the same line, but for what was left to a default.
    let out = serde_json::to_string(&roster.agents[0]).unwrap();
    let said = line.replace(
        r#""dGVzdA:APA91b""#,
        r#""dGVzdA:APA91b","environment":"production""#,
    );
    assert_eq!(out, said);
    assert_eq!(serde_json::to_string(&roster.workspaces[0]).unwrap(), team);
}

#[test]
fn leads_are_read_as_they_are_written() {
    let leads = r#""leads":[{"minutes":15},{"day_before":"20:00"},{"minutes":10080}]"#;
    let roster = read(agent("a", leads)).unwrap();
    assert!(roster.agents[0].named.contains(Field::Leads));
    let out = serde_json::to_string(&roster.agents[0]).unwrap();
    assert!(out.contains(leads), "{out}");
    assert_eq!(read(out).unwrap().agents[0].leads, roster.agents[0].leads);
    for none in ["null", "[]"] {
        let roster = read(agent("a", &format!(r#""leads":{none}"#))).unwrap();
        assert!(roster.agents[0].leads.is_empty());
        assert!(roster.agents[0].named.contains(Field::Leads));
    }
    let wrong = r#""leads":[{"minutes":0},{"day_before":"24:00"},{},{"minutes":5,"day_before":"20:00"},{"hours":1}]"#;
    refuses(
        agent("a", wrong),
        &[
            "line 1: leads[0].minutes: must be a whole number of minutes from 1 to 10080",
            "line 1: leads[1].day_before: \"24:00\" is not a time of day: write HH:MM, 00:00 to 23:59",
            "line 1: leads[2]: needs minutes, or day_before",
            "line 1: leads[3]: has minutes and day_before: write two leads",
            "line 1: leads[4].hours: is no known field: there are minutes, day_before",
            "line 1: leads[4]: needs minutes, or day_before",
        ],
    );
    refuses(
        agent(
            "a",
            r#""leads":[{"minutes":"5"},{"day_before":20},{"minutes":1.5},15]"#,
        ),
        &[
            "line 1: leads[0].minutes: must be a whole number of minutes from 1 to 10080, not a text",
            "line 1: leads[1].day_before: must be a time of day \"HH:MM\", not a number",
            "line 1: leads[2].minutes: must be a whole number of minutes from 1 to 10080",
            "line 1: leads[3]: must be an object {…}, not a number",
        ],
    );
    refuses(
        agent(
            "a",
            r#""leads":[{"minutes":5},{"day_before":"20:00"},{"minutes":5}]"#,
        ),
        &["line 1: leads[2]: stands there before: it would ring once"],
    );
    let six: Vec<String> = (1..=6).map(|n| format!(r#"{{"minutes":{n}}}"#)).collect();
    refuses(
        agent("a", &format!(r#""leads":[{}]"#, six.join(","))),
        &["line 1: leads: has more than 5: choose the best"],
    );
}

#[test]
fn a_line_remembers_what_it_named() {
    let roster = read(agent("a", r#""hours":[],"photo_url":null"#)).unwrap();
    let named = roster.agents[0].named;
    assert!(named.contains(Field::Hours) && named.contains(Field::PhotoUrl));
    assert!(!named.contains(Field::Devices) && !named.contains(Field::Notify));
    assert!(!roster.agents[0].notify.start && !roster.agents[0].notify.end);
    let again = serde_json::to_string(&roster.agents[0]).unwrap();
    assert_eq!(read(again).unwrap().agents[0].hours, []);
}

#[test]
fn unknown_zones_come_with_the_nearest() {
    for (zone, nearest) in [
        ("Berlin", "Europe/Berlin"),
        ("EST5EDT ", "EST5EDT"),
        ("europe/paris", "Europe/Paris"),
        ("America/New York", "America/New_York"),
        ("Europe/Pari", "Europe/Paris"),
        ("Asia/Tokio", "Asia/Tokyo"),
    ] {
        let file = agent("a", "").replace("Europe/Paris", zone);
        refuses(
            &file,
            &[&format!(
                "line 1: timezone: \"{zone}\" is not known: did you mean \"{nearest}\"?"
            )],
        );
    }
    refuses(
        agent("a", "").replace("Europe/Paris", "GMT+25:61:xx"),
        &[
            "line 1: timezone: \"GMT+25:61:xx\" is not known: write an IANA name such as \"Europe/Paris\"",
        ],
    );
}

#[test]
fn bad_times_and_dates_are_all_named() {
    const TIME: &str = "is not a time of day: write HH:MM, 00:00 to 23:59 (an end may be 24:00)";
    refuses(
        agent(
            "a",
            r#""hours":[{"day":"mon","start":"25:00","end":"9:00"},{"day":"tue","start":"24:00","end":"06:00"}]"#,
        ),
        &[
            &format!("line 1: hours[0].start: \"25:00\" {TIME}"),
            &format!("line 1: hours[0].end: \"9:00\" {TIME}"),
            &format!("line 1: hours[1].start: \"24:00\" {TIME}"),
        ],
    );
    refuses(
        agent(
            "a",
            r#""hours":[{"day":"monday","start":"09:00","end":"09:00"}]"#,
        ),
        &[
            "line 1: hours[0].day: \"monday\" is not a weekday: write mon, tue, wed, thu, fri, sat or sun",
            "line 1: hours[0].end: 09:00 is also the start: for the whole day write 00:00 to 24:00",
        ],
    );
    refuses(
        agent(
            "a",
            r#""overrides":[{"date":"2026-02-29","slots":[]},{"date":"2026-03-01"},{"slots":[]}]"#,
        ),
        &[
            "line 1: overrides[0].date: \"2026-02-29\" is not a date of the calendar, YYYY-MM-DD",
            "line 1: overrides[1].slots: is missing: write [] for a day off",
            "line 1: overrides[2].date: is missing",
        ],
    );
    refuses(
        agent(
            "a",
            r#""overrides":[{"date":"2026-05-01","slots":[]},{"date":"2026-05-01","slots":[]}]"#,
        ),
        &[
            "line 1: overrides[1].date: 2026-05-01 has an override before: put all its slots into one",
        ],
    );
    refuses(
        agent(
            "a",
            r#""away":[{"from":"2026-12-24T12:00","until":"2026-12-24T12:00"},{"from":"2026-12-24","until":"2026-12-25T12:00Z"}]"#,
        ),
        &[
            "line 1: away[0].until: must be later than from",
            "line 1: away[1].from: \"2026-12-24\" is not a local date and time, YYYY-MM-DDTHH:MM",
            "line 1: away[1].until: \"2026-12-25T12:00Z\" is not a local date and time, YYYY-MM-DDTHH:MM",
        ],
    );
    refuses(
        r#"{"type":"workspace","id":"w","name":"W","holidays":["2026-13-01",7]}"#,
        &[
            "line 1: holidays[0]: \"2026-13-01\" is not a date of the calendar, YYYY-MM-DD",
            "line 1: holidays[1]: must be a date \"YYYY-MM-DD\", not a number",
        ],
    );
}

#[test]
fn overlapping_slots_are_joined_with_a_warning() {
    warns(
        agent(
            "a",
            r#""hours":[{"day":"mon","start":"12:00","end":"18:00"},{"day":"mon","start":"09:00","end":"13:00"},{"day":"sun","start":"22:00","end":"10:00"},{"day":"tue","start":"18:00","end":"20:00"},{"day":"tue","start":"20:00","end":"21:00"}],"overrides":[{"date":"2026-06-01","slots":[{"start":"09:00","end":"12:00"},{"start":"10:00","end":"11:00"}]}]"#,
        ),
        &[
            "line 1: hours[1]: overlaps hours[2]: the two count as one",
            "line 1: hours[0]: overlaps hours[1]: the two count as one",
            "line 1: overrides[0].slots[1]: overlaps overrides[0].slots[0]: the two count as one",
        ],
    );
}

#[test]
fn a_slot_that_touches_a_skipped_hour_is_warned_of_with_the_date() {
    const ON: &str = "on 2026-03-29 the clock skips from 02:00 to 03:00";
    warns(
        agent(
            "a",
            r#""hours":[{"day":"sun","start":"02:15","end":"02:45"},{"day":"sun","start":"02:50","end":"06:00"},{"day":"sat","start":"23:00","end":"02:10"},{"day":"sun","start":"03:00","end":"04:00"},{"day":"mon","start":"02:00","end":"03:00"}]"#,
        ),
        &[
            "line 1: hours[3]: overlaps hours[1]: the two count as one",
            &format!("line 1: hours[2]: {ON}: it ends when the clock skips"),
            &format!("line 1: hours[0]: {ON}: it does not happen that day"),
            &format!("line 1: hours[1]: {ON}: it starts when the clock has skipped"),
        ],
    );
    // An override on the date counts instead of the week.
    warns(
        agent(
            "a",
            r#""hours":[{"day":"sun","start":"02:15","end":"02:45"}],"overrides":[{"date":"2026-03-29","slots":[]}]"#,
        ),
        &[],
    );
}

#[test]
fn an_id_or_a_token_may_stand_once() {
    let file = [agent("a", ""), agent("b", ""), agent("a", "")].concat();
    refuses(
        file,
        &["line 3: id: the agent \"a\" stands on line 1 and again on line 3: keep one"],
    );
    let team = "{\"type\":\"workspace\",\"id\":\"a\",\"name\":\"A\"}\n";
    refuses(
        [team, team].concat(),
        &["line 2: id: the workspace \"a\" stands on line 1 and again on line 2: keep one"],
    );
    // An agent and a workspace may share an id.
    warns([team, &agent("a", "")].concat(), &[]);
    let phone = r#""devices":[{"platform":"ios","token":"00fc13adff785122"}]"#;
    refuses(
        [agent("a", phone), agent("b", phone)].concat(),
        &[
            "line 2: devices[0].token: is also the token of the agent on line 1: one phone belongs to one agent",
        ],
    );
    let twice = phone.replace("}]", r#"},{"platform":"ios","token":"00fc13adff785122"}]"#);
    let roster = read(agent("a", &twice)).unwrap();
    assert_eq!(roster.agents[0].devices.len(), 1);
    assert_eq!(roster.warnings.listed[0].field, "devices[1].token");
}

#[test]
fn unknown_fields_and_wrong_types_are_named() {
    refuses(
        agent(
            "a",
            r#""time_zone":"x","hours":[{"day":"mon","begin":"09:00","start":"09:00","end":"10:00"}]"#,
        ),
        &[
            "line 1: time_zone: is no known field: did you mean \"timezone\"?",
            "line 1: hours[0].begin: is no known field: there are day, start, end",
        ],
    );
    refuses(
        r#"{"id":7,"workspace":null,"timezone":"UTC","hours":{},"notify":true,"auto_offline_after_minutes":0,"receive_when_invisible":"no"}"#,
        &[
            "line 1: id: must be a text \"…\", not a number",
            "line 1: workspace: must be a text \"…\", not null",
            "line 1: name: is missing",
            "line 1: auto_offline_after_minutes: must be a whole number from 1 to 1440",
            "line 1: receive_when_invisible: must be true or false, not a text",
            "line 1: hours: must be a list […], not an object",
            "line 1: notify: must be an object {…}, not true or false",
        ],
    );
    refuses(
        "[1]\n\"x\"\n",
        &[
            "line 1: must be an object {…}, not a list",
            "line 2: must be an object {…}, not a text",
        ],
    );
    refuses(
        r#"{"type":"team","id":"x"}"#,
        &["line 1: type: \"team\" is neither \"agent\" nor \"workspace\""],
    );
    refuses(
        agent("a", r#""id":"b""#),
        &["line 1: cannot be read as JSON: the field \"id\" stands twice (column 77)"],
    );
}

#[test]
fn devices_are_checked_and_never_quoted() {
    let error = read(agent("a", r#""devices":[{"platform":"ios","token":"canary-7"},{"platform":"ios","token":"abc"},{"platform":"android","token":"ca nary"},{"platform":"windows","token":"canary"},{"platform":"ios","token":"abcdefab","environment":"test"}]"#)).unwrap_err().to_string();
    assert!(
        !error.contains("canary") && !error.contains("ca nary"),
        "{error}"
    );
    let fields: Vec<&str> = error
        .lines()
        .map(|line| line.split(": ").nth(1).unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "devices[0].token",
            "devices[1].token",
            "devices[2].token",
            "devices[3].platform",
            "devices[4].environment"
        ]
    );
    let sandbox = r#""devices":[{"platform":"android","token":"x","environment":"sandbox"},{"platform":"ios","token":"ABCDEFab","environment":"sandbox"}]"#;
    let devices = &read(agent("a", sandbox)).unwrap().agents[0].devices;
    assert_eq!(devices[0].environment, Environment::Production);
    assert_eq!(devices[1].environment, Environment::Sandbox);
    assert!(!format!("{devices:?}").contains("ABCDEF"));
}

#[test]
fn encodings_other_than_utf8_are_refused() {
    let line = agent("a", "");
    refuses(
        format!("\u{FEFF}{line}"),
        &["line 1: begins with a byte-order mark: save the file as UTF-8 without it"],
    );
    refuses(
        format!("{line}\u{FEFF}{}", agent("b", "")),
        &["line 2: cannot be read as JSON: expected value (column 1)"],
    );
    let utf16 = |mark: &[u8], little: bool| {
        let units = line.encode_utf16();
        let bytes = units.flat_map(|unit| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        });
        [mark, &bytes.collect::<Vec<u8>>()].concat()
    };
    for file in [
        utf16(b"\xFF\xFE", true),
        utf16(b"\xFE\xFF", false),
        utf16(b"", true),
        utf16(b"", false),
    ] {
        refuses(file, &["line 1: the file is UTF-16: save it as UTF-8"]);
    }
    refuses(
        b"{\"id\":\"\xE9\"}\n{\"id\":\"a\0\"}\n",
        &[
            "line 1: is not UTF-8: save the file as UTF-8",
            "line 2: holds a NUL byte: remove it",
        ],
    );
    refuses(
        agent("a\\u0000", ""),
        &["line 1: id: \"a\\u{0}\" holds control characters or invisible marks: remove them"],
    );
}

#[test]
fn monsters_are_refused_line_by_line() {
    let long = "x".repeat(10 << 20);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let file = format!("{long}\n{deep}\n{}", agent("a", r#""hours":7"#));
    refuses(
        file,
        &[
            "line 1: is longer than 1 MiB: write one agent a line",
            "line 2: cannot be read as JSON: it is nested too deeply (column 128)",
            "line 3: hours: must be a list […], not a number",
        ],
    );
    refuses(
        long,
        &["line 1: is longer than 1 MiB: write one agent a line"],
    );
    refuses(
        "{\"id\":\n",
        &["line 1: cannot be read as JSON: EOF while parsing a value (column 6)"],
    );
}

#[test]
fn odd_names_are_accepted_and_odd_ids_are_not() {
    let name =
        |name: &str| agent("a", "").replace("\"Ana\"", &serde_json::to_string(name).unwrap());
    for odd in ["Ana\r\nRuiz", "\u{202E}anA", &"ñ".repeat(5_000), "🦀"] {
        assert_eq!(read(name(odd)).unwrap().agents[0].name, odd);
    }
    refuses(name("  "), &["line 1: name: is empty"]);
    refuses(
        name(&"n".repeat(70_000)),
        &["line 1: name: is longer than 64 KiB"],
    );
    refuses(agent("", ""), &["line 1: id: is empty"]);
    refuses(
        agent(&"i".repeat(257), ""),
        &["line 1: id: is longer than 256 bytes"],
    );
    refuses(
        agent(" a", ""),
        &["line 1: id: \" a\" begins or ends with a blank: remove it"],
    );
    refuses(
        agent("a\\u202e", ""),
        &["line 1: id: \"a\\u{202e}\" holds control characters or invisible marks: remove them"],
    );
}

#[test]
fn locales_are_tags_of_any_language() {
    for good in ["fr", "pt-BR", "zh-Hant-TW", "tlh", "de_AT"] {
        assert_eq!(
            read(agent("a", &format!(r#""locale":"{good}""#)))
                .unwrap()
                .agents[0]
                .locale
                .as_deref(),
            Some(good)
        );
    }
    for bad in ["", "f", "french language", "fr-", "12"] {
        refuses(
            agent("a", &format!(r#""locale":"{bad}""#)),
            &[&format!(
                "line 1: locale: \"{bad}\" is not a language tag such as \"fr\" or \"pt-BR\""
            )],
        );
    }
}

#[test]
fn all_lines_are_checked_and_the_rest_counted() {
    let bad = r#"{"id":""}"#.to_owned() + "\n";
    let error = read(bad.repeat(30)).unwrap_err();
    let RosterError::Refused(notices) = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (notices.listed.len(), notices.more),
        (LISTED, 30 * 4 - LISTED)
    );
    assert!(error.to_string().ends_with("\nand 100 more"));
}

#[test]
fn entries_are_handed_out_until_the_first_fault() {
    let file = [
        agent("a", ""),
        agent("b", ""),
        agent("c", r#""x":1"#),
        agent("d", ""),
    ]
    .concat();
    let mut lines = Vec::new();
    let result = roster::read_each(Cursor::new(file), &Zones::built_in(), now(), |line, _| {
        lines.push(line);
    });
    assert!(result.is_err());
    assert_eq!(lines, [1, 2]);
}

#[test]
fn an_ios_token_in_another_case_is_the_same_phone() {
    let device = |token: &str| format!(r#""devices":[{{"platform":"ios","token":"{token}"}}]"#);
    let file = agent("a", &device(&"ab".repeat(32))) + &agent("b", &device(&"AB".repeat(32)));
    refuses(
        file,
        &[
            "line 2: devices[0].token: is also the token of the agent on line 1: one phone belongs to one agent",
        ],
    );
}

#[test]
fn an_id_in_another_product_belongs_to_one_agent() {
    let ids = |ids: &str| format!(r#""external":{ids}"#);
    let two = agent("a", &ids(r#"{"chatwoot":"17","zendesk":"17"}"#))
        + &agent("b", &ids(r#"{"zendesk":"18","chatwoot":"17"}"#));
    refuses(
        two,
        &[
            "line 2: external.chatwoot: \"17\" is also the id of the agent on line 1: it belongs to one agent",
        ],
    );
    let read = read(agent("a", &ids(r#"{"chatwoot":"17","front":null}"#))).unwrap();
    assert_eq!(
        serde_json::to_value(&read.agents[0].external).unwrap(),
        serde_json::json!({"chatwoot": "17"})
    );
}

#[test]
fn an_id_is_no_folder() {
    refuses(agent(".", ""), &["line 1: id: \".\" is no id"]);
    refuses(agent("..", ""), &["line 1: id: \"..\" is no id"]);
}

#[test]
fn bad_ids_in_other_products_are_all_named() {
    const NAME: &str = "is no name of a product: write 1 to 40 of a-z, 0-9, _ and -";
    let long = "x".repeat(201);
    let ids = format!(
        r#""external":{{"Chat":"1","":"1","a":"","b":17,"c":"{long}","d":" 1","e":"1\u0000\n","f":"..","\u202e":"1"}}"#
    );
    refuses(
        agent("a", &ids),
        &[
            &format!("line 1: external.Chat: {NAME}"),
            &format!("line 1: external.: {NAME}"),
            "line 1: external.a: is empty",
            "line 1: external.b: must be a text \"…\", not a number",
            "line 1: external.c: is longer than 200 characters",
            "line 1: external.d: \" 1\" begins or ends with a blank: remove it",
            "line 1: external.e: \"1\\u{0}\\u{a}\" holds control characters or invisible marks: remove them",
            "line 1: external.f: \"..\" is no id",
            &format!("line 1: external.\\u{{202e}}: {NAME}"),
        ],
    );
    let many: Vec<_> = (0..21).map(|n| format!(r#""p{n}":"1""#)).collect();
    let many = format!(r#""external":{{{}}}"#, many.join(","));
    refuses(
        agent("a", &many),
        &["line 1: external: names more than 20 products"],
    );
    refuses(
        agent("a", r#""external":["17"]"#),
        &["line 1: external: must be an object {…}, not a list"],
    );
}
