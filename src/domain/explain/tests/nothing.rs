//! Nothing was to ring, and why: the rule that decided, and what took a boundary away or moved it.

use super::*;

#[test]
fn each_rule_that_decides_is_named() {
    let monday = "2026-03-30";
    let by_hand = crate::domain::plan::ByHand {
        status: Status::Invisible,
        set_at: at("08:00"),
        until: None,
    };
    let cases: [(&str, Edit<Schedule>, &str, &str); 9] = [
        (
            "10:00",
            &|_| {},
            "weekly",
            "on duty: weekly slot mon 09:00-18:00",
        ),
        ("17:00", &|_| {}, "none", "off duty: mon has 09:00-18:00"),
        (
            "2026-03-31T10:00",
            &|_| {},
            "none",
            "off duty: tue has no slots",
        ),
        (
            "10:00",
            &|s| s.overrides = vec![own(monday, &["11:00-13:00"])],
            "override",
            "on duty: slot 11:00-13:00 of the override for Mon 2026-03-30",
        ),
        (
            "14:00",
            &|s| s.overrides = vec![own(monday, &["11:00-13:00"])],
            "override",
            "off duty: the override for Mon 2026-03-30 has only 11:00-13:00",
        ),
        (
            "10:00",
            &|s| s.holidays = vec![monday.parse().unwrap()],
            "holiday",
            "off duty: Mon 2026-03-30 is a holiday of acme",
        ),
        (
            "10:00",
            &|s| s.away = vec![away("2026-03-30T11:00", "2026-03-30T15:00")],
            "away",
            "off duty: away from 2026-03-30T11:00 until 2026-03-30T15:00",
        ),
        (
            "10:00",
            &|s| s.by_hand = Some(by_hand),
            "by_hand",
            "invisible by hand, set at 2026-03-30T08:00:00Z, until 2026-03-30T16:00:00Z",
        ),
        (
            "2026-03-31T02:00",
            &|s| s.slots = vec![slot(Weekday::Monday, "22:00-06:00")],
            "weekly",
            "on duty: weekly slot mon 22:00-06:00, which belongs to Mon 2026-03-30, the date on which it starts",
        ),
    ];
    for (asked, edit, by, text) in cases {
        let story = told_at(&planned(asked, edit), "2026-04-01T00:00");
        let rule = story.rule.as_ref().unwrap();
        assert_eq!((rule.by, steps(&story, StepKind::Rule)), (by, vec![text]));
    }
}

#[test]
fn what_took_the_boundary_away_is_named() {
    let monday = "2026-03-30";
    let cases: [(&str, Edit<Schedule>, &str); 6] = [
        (
            "07:00",
            &|s| s.overrides = vec![own(monday, &[])],
            "the override for Mon 2026-03-30 replaces the weekly slots and has no slots",
        ),
        (
            "16:00",
            &|s| s.overrides = vec![own(monday, &["09:00-12:00"])],
            "replaces the weekly slots and has only 09:00-12:00",
        ),
        (
            "07:00",
            &|s| s.holidays = vec![monday.parse().unwrap()],
            "Mon 2026-03-30 is a holiday of acme",
        ),
        (
            "07:00",
            &|s| s.away = vec![away("2026-03-29T00:00", "2026-03-30T12:00")],
            "the agent is away from 2026-03-29T00:00 until 2026-03-30T12:00",
        ),
        (
            "07:00:30",
            &|s| s.overrides = vec![own("2026-03-30", &["08:00-09:00", "09:00-12:00"])],
            "two slots touch there",
        ),
        (
            "2026-03-31T00:00",
            &|s| {
                // The slot that would end belongs to the day before.
                s.timezone = "UTC".into();
                s.slots = vec![slot(Weekday::Monday, "22:00-00:00")];
                s.overrides = vec![own(monday, &["22:00-23:00"])];
            },
            "the override for Mon 2026-03-30 replaces",
        ),
    ];
    for (asked, edit, why) in cases {
        let story = told_at(&planned(asked, edit), "2026-04-01T00:00");
        says(&story, Outcome::Nothing, &["Nothing was to ring at", why]);
        assert_eq!(story.occasion, None);
    }
    let story = told_at(&planned("2026-12-25T09:00", |s| s.slots.clear()), "12:00");
    says(
        &story,
        Outcome::Nothing,
        &["Nothing is to ring", "neither start nor end then"],
    );
}

/// Sunday 2026-03-29: the clock in Paris goes from 02:00 to 03:00 at 01:00 UTC.
#[test]
fn a_skipped_hour_moves_a_boundary_or_swallows_it() {
    let early =
        |times: &'static str| move |s: &mut Schedule| s.slots = vec![slot(Weekday::Sunday, times)];
    // 02:30 on the clock of the winter, and on that of the summer.
    for asked in ["2026-03-29T01:30", "2026-03-29T00:30"] {
        let story = told(&planned(asked, early("02:30-12:00")));
        let moved = "the clock in Europe/Paris skipped 02:30 that day, so the start came at 03:00 (2026-03-29T01:00:00Z)";
        says(&story, Outcome::NotRecorded, &[moved]);
        assert_eq!(story.occasion.as_ref().unwrap().at, at("2026-03-29T01:00"));
        assert_eq!(
            steps(&story, StepKind::ClockChange),
            [
                "the clock in Europe/Paris went from 02:00 to 03:00; the start written 02:30 is that instant"
            ]
        );
    }
    let story = told(&planned("2026-03-29T01:15", early("02:15-02:45")));
    says(
        &story,
        Outcome::Nothing,
        &["skipped 02:15 that day, so there was no start"],
    );
    assert!(
        steps(&story, StepKind::ClockChange)[0].contains("the end written 02:45 did not happen")
    );
    // Far from it nobody is bothered with it.
    assert!(steps(&told(&facts("10:00")), StepKind::ClockChange).is_empty());
}

/// Sunday 2026-10-25: it goes from 03:00 back to 02:00 at 01:00 UTC.
#[test]
fn an_hour_that_happens_twice_starts_the_first_time_and_ends_the_last() {
    for (times, asked, came) in [
        (
            "02:30-12:00",
            "2026-10-25T01:30",
            "the start came at 02:30 (2026-10-25T00:30:00Z)",
        ),
        (
            "00:30-02:30",
            "2026-10-25T00:30",
            "the end came at 02:30 (2026-10-25T01:30:00Z)",
        ),
    ] {
        let edit = |s: &mut Schedule| s.slots = vec![slot(Weekday::Sunday, times)];
        let story = told_at(&planned(asked, edit), "2026-10-26T00:00");
        says(
            &story,
            Outcome::NotRecorded,
            &["showed twice 02:30 that day", came],
        );
    }
}

#[test]
fn between_boundaries_the_last_one_is_meant() {
    let story = told(&facts("07:20"));
    let opening = "Nothing was to ring at Mon 2026-03-30 09:20 (2026-03-30T07:20:00Z). What came last: the start of hours at Mon 2026-03-30 09:00 (2026-03-30T07:00:00Z)";
    says(&story, Outcome::NoAlert, &[opening]);
    assert_eq!(story.occasion.unwrap().reason, "hours_start");
}

#[test]
fn without_hours_the_log_speaks() {
    let removed = Facts {
        schedule: Ok(None),
        phones: vec![],
        deliveries: vec![alert("cancelled", Some("agent_removed"))],
        ..facts("07:00")
    };
    let story = told(&removed);
    says(
        &story,
        Outcome::NotSent,
        &["was cancelled: the agent was removed"],
    );
    assert_eq!(
        (&story.timezone, &story.local, &story.rule),
        (&None, &None, &None)
    );
    let nothing = Facts {
        transitions: vec![],
        deliveries: vec![],
        ..removed
    };
    says(
        &told(&nothing),
        Outcome::Nothing,
        &["was removed, and the log has nothing"],
    );
    let broken = Facts {
        schedule: Err("operating_hours.day of row ana: `x` cannot be read".into()),
        ..nothing
    };
    says(
        &told(&broken),
        Outcome::Nothing,
        &["hours cannot be read: operating_hours.day"],
    );
    let elsewhere = planned("07:00", |s| s.timezone = "Europe/Pariss".into());
    says(
        &told(&elsewhere),
        Outcome::Nothing,
        &["agents.timezone", "Pariss"],
    );
}
