//! Calendars as people export them: which days and spans they give, and what is refused.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best that it fails by failing"
)]

use jiff::{Timestamp, civil::Date};
use shiftbell::domain::{
    agent::Agent,
    calendar::{self, CalendarError, Found, LARGEST, Reading},
    hours::{Away, Slot, day_from_word, local_minute, local_minute_from},
    zone::Zones,
};

fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn file(events: &[&str]) -> String {
    let events: Vec<_> = events
        .iter()
        .map(|event| {
            format!(
                "BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n",
                event.replace('\n', "\r\n")
            )
        })
        .collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{}END:VCALENDAR\r\n",
        events.concat()
    )
}

fn reading(zones: &Zones, transparent: bool) -> Reading<'_> {
    Reading {
        zones,
        now: now(),
        transparent,
    }
}

fn read_holidays(file: impl AsRef<[u8]>) -> Result<Found<Date>, CalendarError> {
    let zones = Zones::built_in();
    calendar::holidays(file.as_ref(), reading(&zones, false))
}

fn read_away(file: impl AsRef<[u8]>, zone: &str) -> Result<Found<Away>, CalendarError> {
    let zones = Zones::built_in();
    let zone = zones.get(zone).unwrap();
    calendar::away(file.as_ref(), &zone, reading(&zones, false))
}

#[track_caller]
fn holidays(events: &[&str]) -> Vec<String> {
    let found = read_holidays(file(events)).unwrap();
    found.items.iter().map(Date::to_string).collect()
}

#[track_caller]
fn away(zone: &str, events: &[&str]) -> Vec<String> {
    let found = read_away(file(events), zone).unwrap();
    let shown = |away: &Away| format!("{} {}", local_minute(away.from), local_minute(away.until));
    found.items.iter().map(shown).collect()
}

#[track_caller]
fn refuses(file: impl AsRef<[u8]>, reason: &str) {
    let error = read_away(file, "Europe/Paris").expect_err("the file is bad");
    assert_eq!(error.to_string(), reason);
}

#[test]
fn all_day_events_are_the_days_from_their_start_to_before_their_end() {
    assert_eq!(
        holidays(&[
            "SUMMARY:Christmas\nDTSTART;VALUE=DATE:20261225\nDTEND;VALUE=DATE:20261227",
            "SUMMARY:Again\nDTSTART;VALUE=DATE:20261226",
            "SUMMARY:Bridge\nDTSTART;VALUE=DATE:20270104\nDURATION:P2D",
            "SUMMARY:Last day as the end\nDTSTART;VALUE=DATE:20270201\nDTEND;VALUE=DATE:20270201",
        ]),
        [
            "2026-12-25",
            "2026-12-26",
            "2027-01-04",
            "2027-01-05",
            "2027-02-01"
        ]
    );
    assert_eq!(
        away(
            "Europe/Paris",
            &["DTSTART;VALUE=DATE:20260701\nDTEND;VALUE=DATE:20260714"]
        ),
        ["2026-07-01T00:00 2026-07-14T00:00"]
    );
}

#[test]
fn times_are_told_in_the_zone_of_the_agent() {
    let spans = away(
        "America/New_York",
        &[
            "DTSTART:20260706T120000Z\nDTEND:20260706T133030Z",
            "DTSTART;TZID=Europe/Paris:20260707T090000\nDTEND;TZID=Europe/London:20260707T090000",
            "DTSTART;TZID=\"Europe/Paris\":20260708T090000\nDURATION:P1DT2H",
            "DTSTART:20260710T090015\nDTEND:20260710T100015",
            "DTSTART;TZID=/example.org/20260101/America/New_York:20260711T090000\nDURATION:PT90M",
        ],
    );
    assert_eq!(
        spans,
        [
            "2026-07-06T08:00 2026-07-06T09:31",
            "2026-07-07T03:00 2026-07-07T04:00",
            "2026-07-08T03:00 2026-07-09T05:00",
            "2026-07-10T09:00 2026-07-10T10:01",
            "2026-07-11T09:00 2026-07-11T10:30",
        ]
    );
}

#[test]
fn the_data_in_use_say_when_a_zone_s_time_is() {
    // Vancouver stays on summer time from 2026 on, which older data do not know.
    let spans = away(
        "UTC",
        &["DTSTART;TZID=America/Vancouver:20261201T090000\nDURATION:PT1H"],
    );
    assert_eq!(spans, ["2026-12-01T16:00 2026-12-01T17:00"]);
}

#[test]
fn cancelled_and_free_events_are_left_out() {
    let events = file(&[
        "SUMMARY:On\nDTSTART;VALUE=DATE:20261225",
        "SUMMARY:Off\nDTSTART;VALUE=DATE:20261226\nSTATUS:CANCELLED",
        "SUMMARY:Free\nDTSTART;VALUE=DATE:20261227\nTRANSP:TRANSPARENT",
        // What does not count need not be understood.
        "SUMMARY:Off\nDTSTART;TZID=Nowhere:20261226T090000\nSTATUS:CANCELLED",
    ]);
    let found = read_holidays(&events).unwrap();
    assert_eq!((found.items.len(), found.left_out), (1, 3));
    let zones = Zones::built_in();
    let found = calendar::holidays(events.as_bytes(), reading(&zones, true)).unwrap();
    assert_eq!((found.items.len(), found.left_out), (2, 2));
}

#[test]
fn a_holiday_with_times_is_left_out_and_said() {
    let found = read_holidays(file(&[
        "SUMMARY:Office closes early\nDTSTART:20261224T120000Z\nDTEND:20261224T170000Z",
        "SUMMARY:Christmas\nDTSTART;VALUE=DATE:20261225",
    ]))
    .unwrap();
    assert_eq!((found.items.len(), found.left_out), (1, 1));
    assert_eq!(
        found.warnings.to_string(),
        "line 4: event \"Office closes early\": has times, and a holiday is a whole day: left out"
    );
    let found = read_away(file(&["UID:1\nDTSTART:20261224T120000Z"]), "UTC").unwrap();
    assert_eq!(
        found.warnings.to_string(),
        "line 4: event \"1\": is over as it begins: left out"
    );
}

#[test]
fn yearly_holidays_come_from_a_year_ago_to_two_years_ahead() {
    assert_eq!(
        holidays(&["DTSTART;VALUE=DATE:19701225\nRRULE:FREQ=YEARLY"]),
        ["2025-12-25", "2026-12-25", "2027-12-25"]
    );
    // The fourth Thursday of November, the last Monday of May, the first working day of a year.
    assert_eq!(
        holidays(&["DTSTART;VALUE=DATE:20201126\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"]),
        ["2025-11-27", "2026-11-26", "2027-11-25"]
    );
    assert_eq!(
        holidays(&["DTSTART;VALUE=DATE:20200525\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO"]),
        ["2025-05-26", "2026-05-25", "2027-05-31"]
    );
    assert_eq!(
        holidays(&[
            "DTSTART;VALUE=DATE:20200101\nRRULE:FREQ=YEARLY;BYMONTH=1;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1"
        ]),
        ["2026-01-01", "2027-01-01", "2028-01-03"]
    );
    assert_eq!(
        holidays(&["DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY"]),
        ["2028-02-29"]
    );
    // What does not recur is taken as it is, however far away.
    assert_eq!(
        holidays(&["DTSTART;VALUE=DATE:20350101", "DTSTART;VALUE=DATE:20100101"]),
        ["2010-01-01", "2035-01-01"]
    );
}

#[test]
fn a_rule_ends_with_its_count_or_its_last_day() {
    let start = "DTSTART;VALUE=DATE:20260302\nRRULE:";
    let of = |rule: &str| holidays(&[&format!("{start}{rule}")]);
    assert_eq!(
        of("FREQ=DAILY;COUNT=3"),
        ["2026-03-02", "2026-03-03", "2026-03-04"]
    );
    assert_eq!(
        of("FREQ=DAILY;INTERVAL=10;UNTIL=20260322"),
        ["2026-03-02", "2026-03-12", "2026-03-22"]
    );
    assert_eq!(
        of("FREQ=WEEKLY;BYDAY=MO,FR;COUNT=3"),
        ["2026-03-02", "2026-03-06", "2026-03-09"]
    );
    assert_eq!(
        of("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3"),
        ["2026-03-02", "2026-03-31", "2026-04-30"]
    );
    assert_eq!(
        of("FREQ=MONTHLY;BYDAY=1MO;COUNT=3"),
        ["2026-03-02", "2026-04-06", "2026-05-04"]
    );
    assert_eq!(
        of("FREQ=MONTHLY;INTERVAL=5;COUNT=3"),
        ["2026-03-02", "2026-08-02", "2027-01-02"]
    );
    assert_eq!(of("FREQ=YEARLY;UNTIL=20260302T000000Z"), ["2026-03-02"]);
    // RFC 5545: where the week begins decides, every other week.
    let weeks = |first: &str| {
        let rule = "RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=";
        holidays(&[&format!("DTSTART;VALUE=DATE:20250805\n{rule}{first}")])
    };
    assert_eq!(
        weeks("MO"),
        ["2025-08-05", "2025-08-10", "2025-08-19", "2025-08-24"]
    );
    assert_eq!(
        weeks("SU"),
        ["2025-08-05", "2025-08-17", "2025-08-19", "2025-08-31"]
    );
    // A series that was over before the window, counted from its very start.
    assert_eq!(
        holidays(&["DTSTART;VALUE=DATE:20200101\nRRULE:FREQ=MONTHLY;COUNT=64"]),
        ["2025-03-01", "2025-04-01"]
    );
    // The end of a series with times is an instant.
    let morning =
        "DTSTART;TZID=Europe/Paris:20260302T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=";
    let until = |end: &str| away("Europe/Paris", &[&format!("{morning}{end}")]).len();
    assert_eq!(until("20260304T080000Z"), 3);
    assert_eq!(until("20260304T075959Z"), 2);
}

#[test]
fn a_series_keeps_its_time_when_the_clocks_change() {
    assert_eq!(
        away(
            "America/New_York",
            &[
                "DTSTART;TZID=Europe/Paris:20260327T090000\nDTEND;TZID=Europe/Paris:20260327T100000\nRRULE:FREQ=DAILY;COUNT=3"
            ]
        ),
        [
            "2026-03-27T04:00 2026-03-27T05:00",
            "2026-03-28T04:00 2026-03-28T05:00",
            "2026-03-29T03:00 2026-03-29T04:00",
        ]
    );
}

#[test]
fn single_days_of_a_series_are_added_taken_out_and_moved() {
    let weekly = "UID:1\nDTSTART;TZID=Europe/Paris:20260302T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4\n\
                  EXDATE;TZID=Europe/Paris:20260309T090000\nRDATE;TZID=Europe/Paris:20260401T090000";
    let moved = "UID:1\nRECURRENCE-ID:20260316T080000Z\nDTSTART;TZID=Europe/Paris:20260317T140000\nDURATION:PT1H";
    let cancelled = "UID:1\nRECURRENCE-ID;TZID=Europe/Paris:20260323T090000\nDTSTART;TZID=Europe/Paris:20260323T090000\nSTATUS:CANCELLED";
    assert_eq!(
        away("Europe/Paris", &[weekly, moved, cancelled]),
        [
            "2026-03-02T09:00 2026-03-02T10:00",
            "2026-03-17T14:00 2026-03-17T15:00",
            "2026-04-01T09:00 2026-04-01T10:00",
        ]
    );
    assert_eq!(
        holidays(&[
            "DTSTART;VALUE=DATE:20251225\nRRULE:FREQ=YEARLY\nEXDATE;VALUE=DATE:20261225\nRDATE;VALUE=DATE:20261228,20261229"
        ]),
        ["2025-12-25", "2026-12-28", "2026-12-29", "2027-12-25"]
    );
}

#[test]
fn outlook_calls_zones_as_windows_does() {
    let of = |parameter: &str| {
        let event = format!(
            "DTSTART;{parameter}:20260701T090000\nDTEND;{parameter}:20260701T100000\nTRANSP:OPAQUE"
        );
        let found = read_away(file(&[&event]), "Europe/Paris").unwrap();
        let spans = found.items.iter();
        spans.map(|span| span.from.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of("TZID=W. Europe Standard Time"), ["2026-07-01T09:00:00"]);
    assert_eq!(
        of("TZID=\"Eastern Standard Time\""),
        ["2026-07-01T15:00:00"]
    );
}

#[test]
fn a_line_may_be_folded_within_a_character() {
    let mut bytes = file(&["SUMMARY:No\u{eb}l\nDTSTART;VALUE=DATE:20261225"]).into_bytes();
    let at = bytes.iter().position(|byte| *byte == 0xC3).unwrap();
    let within = at + 1;
    bytes.splice(within..within, *b"\r\n ");
    let found = read_holidays(&bytes).unwrap();
    assert_eq!(found.items, ["2026-12-25".parse().unwrap()]);
    bytes[at] = b'x';
    refuses(bytes, "line 5: is not UTF-8: save the file as UTF-8");
}

#[test]
fn what_is_not_understood_names_the_event() {
    let of = |event: &str, reason: &str| {
        refuses(file(&[&format!("SUMMARY:Off\n{event}")]), reason);
    };
    of("UID:1", "line 4: event \"Off\": has no DTSTART");
    of(
        "DTSTART;TZID=Customized Time Zone:20260302T090000",
        "line 6: event \"Off\": DTSTART: the time zone \"Customized Time Zone\" is not known: write an IANA name such as \"Europe/Paris\"",
    );
    of(
        "DTSTART;TZID=Europe/Pari:20260302T090000",
        "line 6: event \"Off\": DTSTART: the time zone \"Europe/Pari\" is not known: did you mean \"Europe/Paris\"?",
    );
    of(
        "DTSTART:2026-03-02",
        "line 6: event \"Off\": DTSTART: \"2026-03-02\" is no date or time, YYYYMMDD or YYYYMMDDTHHMMSS",
    );
    of(
        "DTSTART;VALUE=DATE:20260230",
        "line 6: event \"Off\": DTSTART: \"20260230\" is no date, YYYYMMDD",
    );
    of(
        "DTSTART;VALUE=PERIOD:20260230",
        "line 6: event \"Off\": DTSTART: values of type PERIOD are not read",
    );
    of(
        "DTSTART:20260302\nDTEND:20260301",
        "line 7: event \"Off\": DTEND: is before DTSTART",
    );
    of(
        "DTSTART:20260302T100000Z\nDTEND;TZID=Europe/Paris:20260302T105959",
        "line 7: event \"Off\": DTEND: is before DTSTART",
    );
    of(
        "DTSTART:20260302\nDTEND:20260303T000000",
        "line 7: event \"Off\": DTEND: is of another kind than DTSTART",
    );
    of(
        "DTSTART:20260302\nDURATION:PT1H",
        "line 7: event \"Off\": DURATION: \"PT1H\" is no number of whole days, such as P1D",
    );
    of(
        "DTSTART:20260302T090000\nDURATION:-PT1H",
        "line 7: event \"Off\": DURATION: \"-PT1H\" is no duration such as PT1H30M",
    );
    for (rule, reason) in [
        ("FREQ=HOURLY", "FREQ=HOURLY is not read"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=DAILY;BYHOUR=9", "BYHOUR is not read"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0 cannot be read"),
        ("FREQ=DAILY;COUNT=1,2", "COUNT=1,2 cannot be read"),
        ("FREQ=YEARLY;BYMONTH=13", "BYMONTH=13 cannot be read"),
        ("FREQ=YEARLY;BYDAY=4XX", "BYDAY=4XX cannot be read"),
        (
            "FREQ=WEEKLY;BYDAY=1MO",
            "BYDAY with a number needs FREQ=MONTHLY or YEARLY",
        ),
        ("FREQ=YEARLY;UNTIL=soon", "UNTIL=SOON cannot be read"),
    ] {
        of(
            &format!("DTSTART:20260302\nRRULE:{rule}"),
            &format!("line 7: event \"Off\": RRULE: {reason}"),
        );
    }
    of(
        "DTSTART:20260302\nEXRULE:FREQ=DAILY",
        "line 7: event \"Off\": EXRULE is not read: write EXDATE",
    );
    of(
        "DTSTART:20260302\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260302",
        "line 7: event \"Off\": RECURRENCE-ID: RANGE is not read: export single changes",
    );
    let long = format!("SUMMARY:{}\\n\u{202E}", "x".repeat(59));
    refuses(
        file(&[&long]),
        &format!(
            "line 4: event \"{}\\u{{a}}…\": has no DTSTART",
            "x".repeat(59)
        ),
    );
}

#[test]
fn all_events_are_checked() {
    let error = read_holidays(file(&["DTSTART:1", "DTSTART:20260302", "UID:3"])).unwrap_err();
    assert_eq!(error.to_string().lines().count(), 2, "{error}");
}

#[test]
fn files_that_are_no_calendar_are_refused() {
    const NONE: &str = "line 1: is no iCalendar file: it must begin with BEGIN:VCALENDAR";
    refuses("", NONE);
    refuses("<html></html>", NONE);
    refuses("BEGIN:VEVENT\nEND:VEVENT", NONE);
    let whole = file(&["SUMMARY:A\nDTSTART:20260302"]);
    refuses(
        format!("\u{FEFF}{whole}"),
        "line 1: begins with a byte-order mark: save the file as UTF-8 without it",
    );
    refuses(
        b"\xFF\xFEB\0",
        "line 1: the file is UTF-16: save it as UTF-8",
    );
    refuses(
        whole.replace(":A", ":\0"),
        "line 5: holds a NUL byte: remove it",
    );
    let latin: Vec<u8> = whole
        .bytes()
        .map(|b| if b == b'2' { 0xE9 } else { b })
        .collect();
    refuses(latin, "line 2: is not UTF-8: save the file as UTF-8");
    refuses(
        vec![b' '; LARGEST + 1],
        "line 1: the file is larger than 10 MiB: export a shorter part of the calendar",
    );
    let cut = whole.split("END:VEVENT").next().unwrap();
    refuses(
        cut,
        "line 4: the file ends within this VEVENT: it was cut short",
    );
    refuses(
        whole.replace("END:VEVENT", "END:VTODO"),
        "line 7: ends VTODO within the VEVENT of line 4",
    );
    refuses(
        format!("{whole}END:VCALENDAR"),
        "line 9: ends VCALENDAR, which nothing began",
    );
    assert!(read_holidays(file(&[])).unwrap().items.is_empty());
}

#[test]
fn lines_are_unfolded_and_broken_folding_is_refused() {
    assert_eq!(
        holidays(&["SUMMARY:A\n  day\n off\nDTSTART;VALUE=DA\n TE:2026\n\t1225"]),
        ["2026-12-25"]
    );
    refuses(
        file(&["DTSTART:20260302\nRRULE:FREQ=YEARLY\n;COUNT=3"]),
        "line 7: is no property of an event: a line that goes on must begin with a blank",
    );
    // Line numbers are those of the file, folded lines counted.
    refuses(
        file(&["SUMMARY:A\n b\n c\nDTSTART:1"]),
        "line 8: event \"Abc\": DTSTART: \"1\" is no date or time, YYYYMMDD or YYYYMMDDTHHMMSS",
    );
    // Alarms and zones have properties of the same names, which are not the event's.
    let more = "DTSTART:20260302\nBEGIN:VALARM\nDURATION:PT1H\nTRIGGER:-PT5M\nEND:VALARM";
    assert_eq!(holidays(&[more]), ["2026-03-02"]);
    let two = file(&["DTSTART:20260302"]) + &file(&["DTSTART:20260303"]);
    assert_eq!(read_holidays(two.to_lowercase()).unwrap().items.len(), 2);
}

#[test]
fn monsters_are_refused() {
    let many: Vec<_> = (0..6000)
        .map(|n| {
            format!(
                "DTSTART:20260302T{:02}{:02}00Z\nDURATION:PT{}M",
                n % 24,
                n / 24 % 60,
                n / 1440 + 1
            )
        })
        .collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let error = read_away(file(&many), "UTC").unwrap_err().to_string();
    assert!(error.contains("more than 5000 spans"), "{error}");
    let error = read_holidays(file(&[
        "SUMMARY:Ever\nDTSTART;VALUE=DATE:00010101\nDTEND;VALUE=DATE:99991231",
    ]))
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 4: event \"Ever\": with it the file gives more than 5000 days: take a shorter part of the calendar"
    );
    let tired = ["DTSTART;VALUE=DATE:00010101\nRRULE:FREQ=DAILY;COUNT=1000000"; 20];
    let error = read_holidays(file(&tired)).unwrap_err().to_string();
    assert!(
        error.ends_with("too many repetitions to work out: set UNTIL"),
        "{error}"
    );
    // However deep it nests.
    let deep = format!("BEGIN:VCALENDAR\n{}", "BEGIN:X\n".repeat(500_000));
    refuses(
        deep,
        "line 500001: the file ends within this X: it was cut short",
    );
    let long = format!("SUMMARY:{}\nDTSTART:20260302", "x;\\n\"=,".repeat(1 << 17));
    assert_eq!(holidays(&[&long]), ["2026-03-02"]);
}

fn fed(agent: &Agent) -> (String, Vec<String>) {
    let zones = Zones::built_in();
    let hours = agent.operating_hours(&zones, &[]).unwrap();
    let text = calendar::feed(agent, &hours, "2026-03-30T06:12:34Z".parse().unwrap());
    // What is written is read.
    let found = read_away(&text, "UTC").unwrap();
    let shown = |away: &Away| format!("{} {}", local_minute(away.from), local_minute(away.until));
    (text, found.items.iter().map(shown).collect())
}

fn on(day: &str, start: &str, end: &str) -> Slot {
    Slot {
        day: day_from_word(day).unwrap(),
        start: start.parse().unwrap(),
        end: end.parse().unwrap(),
    }
}

#[test]
fn a_feed_tells_shifts_from_a_week_ago_to_eight_weeks_ahead() {
    let mut agent = Agent::new("a-1", "acme", "Ana", "Europe/Paris");
    // Two slots that touch are one shift; summer time begins on the 29th.
    agent.hours = vec![on("mon", "09:00", "12:00"), on("mon", "12:00", "17:00")];
    let (text, shifts) = fed(&agent);
    assert_eq!(shifts.len(), 9);
    assert_eq!(shifts[0], "2026-03-23T08:00 2026-03-23T16:00");
    assert_eq!(shifts[1], "2026-03-30T07:00 2026-03-30T15:00");
    assert_eq!(shifts[8], "2026-05-18T07:00 2026-05-18T15:00");
    assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
    // A shift under way at either end is told whole.
    agent.timezone = "UTC".into();
    agent.hours = vec![on("sun", "22:00", "06:00")];
    let (_, shifts) = fed(&agent);
    assert_eq!(shifts[0], "2026-03-22T22:00 2026-03-23T06:00");
    assert_eq!(shifts[9], "2026-05-24T22:00 2026-05-25T06:00");
    // Round the clock nothing starts; and an end that never comes is the end of what is told.
    agent.hours = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .map(|day| on(day, "00:00", "24:00"))
        .into();
    assert!(fed(&agent).1.is_empty());
    agent.away = vec![Away {
        from: local_minute_from("2026-03-24T10:00").unwrap(),
        until: local_minute_from("2026-03-25T10:00").unwrap(),
    }];
    assert_eq!(fed(&agent).1, ["2026-03-25T10:00 2026-05-25T00:00"]);
}

#[test]
fn a_feed_is_the_same_all_day_and_an_id_as_long_as_its_shift_starts_then() {
    let zones = Zones::built_in();
    let mut agent = Agent::new("a-1", "acme", "Zoë ".repeat(100), "Europe/Paris");
    agent.hours = vec![on("mon", "09:00", "17:00")];
    let feed = |agent: &Agent, now: &str| {
        let hours = agent.operating_hours(&zones, &[]).unwrap();
        calendar::feed(agent, &hours, now.parse().unwrap())
    };
    let first = feed(&agent, "2026-03-30T00:00:00Z");
    assert_eq!(first, feed(&agent, "2026-03-30T23:59:59Z"));
    let ids = |text: &str| -> Vec<String> {
        let ids = text.lines().filter(|line| line.starts_with("UID:"));
        ids.map(str::to_owned).collect()
    };
    let later = feed(&agent, "2026-04-06T00:00:00Z");
    assert_eq!(ids(&first)[1..], ids(&later)[..8]);
    agent.hours = vec![on("mon", "09:00", "18:00")];
    assert_eq!(ids(&first), ids(&feed(&agent, "2026-03-30T00:00:00Z")));
    agent.id = "a-2".into();
    assert_ne!(
        ids(&first)[0],
        ids(&feed(&agent, "2026-03-30T00:00:00Z"))[0]
    );
}
