//! Zones whose clocks change in odd ways.

use super::*;

#[test]
fn lord_howe_moves_by_half_an_hour() {
    let team = |week| Team {
        zone: "Australia/Lord_Howe",
        week,
        ..TEAM
    };
    // 2026-10-04 02:00 +10:30 becomes 02:30 +11:00, at 2026-10-03T15:30Z.
    let span = ("2026-10-03T00:00:00Z", "2026-10-04T12:00:00Z");
    team("sun 02:15-04:00").rings(
        span.0,
        span.1,
        &["start 2026-10-03T15:30:00Z", "end 2026-10-03T17:00:00Z"],
    );
    team("sun 02:00-02:30").rings(span.0, span.1, &[]);
    // 2026-04-05 02:00 +11:00 becomes 01:30 +10:30, at 2026-04-04T15:00Z.
    let span = ("2026-04-04T00:00:00Z", "2026-04-05T12:00:00Z");
    team("sun 01:45-03:00").rings(
        span.0,
        span.1,
        &["start 2026-04-04T14:45:00Z", "end 2026-04-04T16:30:00Z"],
    );
    team("sun 01:00-01:30").rings(
        span.0,
        span.1,
        &["start 2026-04-04T14:00:00Z", "end 2026-04-04T14:30:00Z"],
    );
    team("sun 01:00-01:45").rings(
        span.0,
        span.1,
        &["start 2026-04-04T14:00:00Z", "end 2026-04-04T15:15:00Z"],
    );
}

#[test]
fn troll_moves_by_two_hours() {
    let team = |week| Team {
        zone: "Antarctica/Troll",
        week,
        ..TEAM
    };
    // 2026-03-29 01:00 +00 becomes 03:00 +02, at 01:00Z; back at 2026-10-25T01:00Z, 03:00 becomes 01:00.
    team("sun 01:30-02:30, sun 02:45-05:00").rings(
        "2026-03-28T12:00:00Z",
        "2026-03-29T12:00:00Z",
        &["start 2026-03-29T01:00:00Z", "end 2026-03-29T03:00:00Z"],
    );
    team("sun 01:30-02:30").rings(
        "2026-10-24T12:00:00Z",
        "2026-10-25T12:00:00Z",
        &["start 2026-10-24T23:30:00Z", "end 2026-10-25T02:30:00Z"],
    );
}

#[test]
fn cairo_changes_at_midnight() {
    // Friday 2026-04-24 has no 00:00: at 2026-04-23T22:00Z the clock goes to 01:00 (+03:00).
    let team = |week| Team {
        zone: "Africa/Cairo",
        week,
        ..TEAM
    };
    let span = ("2026-04-23T10:00:00Z", "2026-04-24T18:00:00Z");
    team("thu 20:00-24:00").rings(
        span.0,
        span.1,
        &["start 2026-04-23T18:00:00Z", "end 2026-04-23T22:00:00Z"],
    );
    team("fri 00:00-02:00").rings(
        span.0,
        span.1,
        &["start 2026-04-23T22:00:00Z", "end 2026-04-23T23:00:00Z"],
    );
    team("thu 20:00-00:30, fri 01:00-02:00").rings(
        span.0,
        span.1,
        &["start 2026-04-23T18:00:00Z", "end 2026-04-23T23:00:00Z"],
    );
    // Thursday 2026-10-29 reads 23:00 to 24:00 twice, from 20:00Z and from 21:00Z.
    let span = ("2026-10-29T10:00:00Z", "2026-10-30T10:00:00Z");
    team("thu 20:00-24:00").rings(
        span.0,
        span.1,
        &["start 2026-10-29T17:00:00Z", "end 2026-10-29T22:00:00Z"],
    );
    team("thu 20:00-23:00").rings(
        span.0,
        span.1,
        &["start 2026-10-29T17:00:00Z", "end 2026-10-29T20:00:00Z"],
    );
    team("thu 23:30-00:30").rings(
        span.0,
        span.1,
        &["start 2026-10-29T20:30:00Z", "end 2026-10-29T22:30:00Z"],
    );
}

#[test]
fn havana_repeats_the_hour_after_midnight() {
    // Sunday 2025-11-02 reads 00:00 to 01:00 twice, from 04:00Z and from 05:00Z.
    let team = |week| Team {
        zone: "America/Havana",
        week,
        ..TEAM
    };
    let span = ("2025-11-01T12:00:00Z", "2025-11-02T12:00:00Z");
    team("sat 20:00-24:00").rings(
        span.0,
        span.1,
        &["start 2025-11-02T00:00:00Z", "end 2025-11-02T04:00:00Z"],
    );
    team("sun 00:00-03:00").rings(
        span.0,
        span.1,
        &["start 2025-11-02T04:00:00Z", "end 2025-11-02T08:00:00Z"],
    );
    team("sat 20:00-00:30").rings(
        span.0,
        span.1,
        &["start 2025-11-02T00:00:00Z", "end 2025-11-02T05:30:00Z"],
    );
    // Sunday 2026-03-08 has no 00:00 to 01:00.
    team("sun 00:00-02:00").rings(
        "2026-03-07T12:00:00Z",
        "2026-03-08T12:00:00Z",
        &["start 2026-03-08T05:00:00Z", "end 2026-03-08T06:00:00Z"],
    );
}

#[test]
fn dublin_s_summer_is_the_standard_and_chatham_is_45_minutes_off() {
    let dublin = Team {
        zone: "Europe/Dublin",
        week: "sun 01:30-05:00",
        ..TEAM
    };
    dublin.rings(
        "2026-03-28T12:00:00Z",
        "2026-03-29T12:00:00Z",
        &["start 2026-03-29T01:00:00Z", "end 2026-03-29T04:00:00Z"],
    );
    dublin.rings(
        "2026-10-24T12:00:00Z",
        "2026-10-25T12:00:00Z",
        &["start 2026-10-25T00:30:00Z", "end 2026-10-25T05:00:00Z"],
    );
    // 2026-04-05 03:45 +13:45 becomes 02:45 +12:45, at 2026-04-04T14:00Z.
    let chatham = Team {
        zone: "Pacific/Chatham",
        week: "sun 03:00-03:30",
        ..TEAM
    };
    chatham.rings(
        "2026-04-04T00:00:00Z",
        "2026-04-05T00:00:00Z",
        &["start 2026-04-04T13:15:00Z", "end 2026-04-04T14:45:00Z"],
    );
}

#[test]
fn casablanca_turns_back_for_ramadan() {
    // 2025-02-23 03:00 +01 becomes 02:00 +00 at 02:00Z; 2025-04-06 02:00 becomes 03:00 at 02:00Z.
    let team = Team {
        zone: "Africa/Casablanca",
        week: "sun 02:30-05:00",
        ..TEAM
    };
    team.rings(
        "2025-02-22T12:00:00Z",
        "2025-02-23T12:00:00Z",
        &["start 2025-02-23T01:30:00Z", "end 2025-02-23T05:00:00Z"],
    );
    team.rings(
        "2025-04-05T12:00:00Z",
        "2025-04-06T12:00:00Z",
        &["start 2025-04-06T02:00:00Z", "end 2025-04-06T04:00:00Z"],
    );
}

#[test]
fn apia_s_thirtieth_of_december_2011_never_was() {
    // At 2011-12-30T10:00Z the clock went from the 29th, 24:00, to the 31st, 00:00.
    let team = |week| Team {
        zone: "Pacific/Apia",
        week,
        ..TEAM
    };
    let span = ("2011-12-29T12:00:00Z", "2011-12-31T09:00:00Z");
    team("fri 09:00-17:00").rings(span.0, span.1, &[]);
    team("thu 22:00-06:00").rings(
        span.0,
        span.1,
        &["start 2011-12-30T08:00:00Z", "end 2011-12-30T10:00:00Z"],
    );
    team("fri 22:00-06:00").rings(
        span.0,
        span.1,
        &["start 2011-12-30T10:00:00Z", "end 2011-12-30T16:00:00Z"],
    );
    team("* 00:00-24:00").rings(span.0, span.1, &[]);
}

#[test]
fn a_clock_turned_back_over_midnight_lengthens_the_night_before() {
    // St John's, 2010-11-07: 00:01 -02:30 became 23:01 -03:30 of the 6th, at 02:31Z.
    let team = |week| Team {
        zone: "America/St_Johns",
        week,
        ..TEAM
    };
    let span = ("2010-11-06T04:00:00Z", "2010-11-08T00:00:00Z");
    team("fri 23:50-23:45").rings(span.0, span.1, &["end 2010-11-07T03:15:00Z"]);
    team("sun 00:00-01:00").rings(
        span.0,
        span.1,
        &["start 2010-11-07T02:30:00Z", "end 2010-11-07T04:30:00Z"],
    );
}
