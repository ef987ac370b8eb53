//! Each rule from hours to boundaries.

use super::*;

#[test]
fn the_readme_s_own_example_starts_at_nine_in_paris() {
    let ana = Team {
        zone: "Europe/Paris",
        week: "mon 09:00-12:30, mon 14:00-18:00, fri 22:00-06:00",
        ..TEAM
    };
    ana.rings(
        "2026-03-30T00:00:00Z",
        "2026-04-06T00:00:00Z",
        &[
            "start 2026-03-30T07:00:00Z",
            "end 2026-03-30T10:30:00Z",
            "start 2026-03-30T12:00:00Z",
            "end 2026-03-30T16:00:00Z",
            "start 2026-04-03T20:00:00Z",
            "end 2026-04-04T04:00:00Z",
        ],
    );
}

#[test]
fn spans_are_half_open_and_next_is_strictly_after() {
    let hours = Team {
        week: "mon 09:00-17:00",
        ..TEAM
    }
    .hours();
    let start = instant("2026-03-30T09:00:00Z");
    assert!(hours.on_duty_at(start));
    assert!(!hours.on_duty_at(instant("2026-03-30T17:00:00Z")));
    assert_eq!(
        hours.next_boundary(start).unwrap().at,
        instant("2026-03-30T17:00:00Z")
    );
    assert_eq!(hours.boundaries(start, start), []);
    assert_eq!(
        hours
            .boundaries(start, instant("2026-03-30T17:00:00Z"))
            .len(),
        1
    );
    assert_eq!(
        hours.last_boundary(
            instant("2026-03-30T08:00:00Z"),
            instant("2026-03-28T00:00:00Z")
        ),
        None
    );
    let long_ago = hours.last_boundary(
        instant("2026-03-30T08:00:00Z"),
        instant("2026-01-01T00:00:00Z"),
    );
    assert_eq!(long_ago.unwrap().at, instant("2026-03-23T17:00:00Z"));
}

#[test]
fn a_gap_s_start_and_end_are_the_instant_of_the_skip() {
    // Paris skips 02:00 to 03:00 on 2026-03-29, at 01:00Z.
    let on_the_day = |week| Team {
        zone: "Europe/Paris",
        week,
        ..TEAM
    };
    let span = ("2026-03-28T12:00:00Z", "2026-03-29T20:00:00Z");
    on_the_day("sun 02:30-05:00").rings(
        span.0,
        span.1,
        &["start 2026-03-29T01:00:00Z", "end 2026-03-29T03:00:00Z"],
    );
    on_the_day("sun 00:30-02:30").rings(
        span.0,
        span.1,
        &["start 2026-03-28T23:30:00Z", "end 2026-03-29T01:00:00Z"],
    );
    on_the_day("sun 02:15-02:45").rings(span.0, span.1, &[]);
    on_the_day("sun 02:00-03:00").rings(span.0, span.1, &[]);
    on_the_day("sun 01:59-03:00").rings(
        span.0,
        span.1,
        &["start 2026-03-29T00:59:00Z", "end 2026-03-29T01:00:00Z"],
    );
    // What the skip brings together is joined.
    on_the_day("sun 01:00-02:15, sun 02:45-04:00").rings(
        span.0,
        span.1,
        &["start 2026-03-29T00:00:00Z", "end 2026-03-29T02:00:00Z"],
    );
}

#[test]
fn a_fold_s_start_is_the_first_reading_and_its_end_the_last() {
    // Paris reads 02:00 to 03:00 twice on 2026-10-25: from 00:00Z and from 01:00Z.
    let on_the_day = |week| Team {
        zone: "Europe/Paris",
        week,
        ..TEAM
    };
    let span = ("2026-10-24T20:00:00Z", "2026-10-25T20:00:00Z");
    on_the_day("sun 02:30-05:00").rings(
        span.0,
        span.1,
        &["start 2026-10-25T00:30:00Z", "end 2026-10-25T04:00:00Z"],
    );
    on_the_day("sun 01:00-02:30").rings(
        span.0,
        span.1,
        &["start 2026-10-24T23:00:00Z", "end 2026-10-25T01:30:00Z"],
    );
    on_the_day("sun 02:15-02:45").rings(
        span.0,
        span.1,
        &["start 2026-10-25T00:15:00Z", "end 2026-10-25T01:45:00Z"],
    );
    on_the_day("sun 02:00-03:00").rings(
        span.0,
        span.1,
        &["start 2026-10-25T00:00:00Z", "end 2026-10-25T02:00:00Z"],
    );
    on_the_day("sun 03:00-04:00").rings(
        span.0,
        span.1,
        &["start 2026-10-25T02:00:00Z", "end 2026-10-25T03:00:00Z"],
    );
    // On the first minute of the repeated hour an end is over the first time; one later, the last.
    on_the_day("sun 01:00-02:00").rings(
        span.0,
        span.1,
        &["start 2026-10-24T23:00:00Z", "end 2026-10-25T00:00:00Z"],
    );
    on_the_day("sun 01:00-02:01").rings(
        span.0,
        span.1,
        &["start 2026-10-24T23:00:00Z", "end 2026-10-25T01:01:00Z"],
    );
}

#[test]
fn away_is_read_as_a_slot_is() {
    let team = |away| Team {
        zone: "Europe/Paris",
        week: "* 00:00-24:00",
        away,
        ..TEAM
    };
    team(&[("2026-10-25T02:30", "2026-10-25T02:45")]).rings(
        "2026-10-24T00:00:00Z",
        "2026-10-27T00:00:00Z",
        &["end 2026-10-25T00:30:00Z", "start 2026-10-25T01:45:00Z"],
    );
    team(&[("2026-03-29T02:10", "2026-03-29T02:50")]).rings(
        "2026-03-28T00:00:00Z",
        "2026-03-31T00:00:00Z",
        &[],
    );
    // Absences that touch count as one, and one that ends as another begins rings once.
    team(&[
        ("2026-05-02T08:00", "2026-05-03T08:00"),
        ("2026-05-01T08:00", "2026-05-02T08:00"),
    ])
    .rings(
        "2026-04-01T00:00:00Z",
        "2026-07-01T00:00:00Z",
        &["end 2026-05-01T06:00:00Z", "start 2026-05-03T06:00:00Z"],
    );
}

#[test]
fn away_is_cut_after_joining() {
    let lunch = Team {
        week: "mon 09:00-13:00, mon 12:00-17:00",
        away: &[("2026-03-30T10:00", "2026-03-30T11:00")],
        ..TEAM
    };
    lunch.rings(
        "2026-03-30T00:00:00Z",
        "2026-03-31T00:00:00Z",
        &[
            "start 2026-03-30T09:00:00Z",
            "end 2026-03-30T10:00:00Z",
            "start 2026-03-30T11:00:00Z",
            "end 2026-03-30T17:00:00Z",
        ],
    );
    let whole_days = Team {
        week: "* 09:00-17:00",
        away: &[("2026-03-30T09:00", "2026-04-02T17:00")],
        ..TEAM
    };
    whole_days.rings(
        "2026-03-29T12:00:00Z",
        "2026-04-03T12:00:00Z",
        &["end 2026-03-29T17:00:00Z", "start 2026-04-03T09:00:00Z"],
    );
}

#[test]
fn slots_that_touch_ring_no_bell() {
    let team = Team {
        week: "mon 09:00-12:00, mon 12:00-17:00, mon 22:00-24:00, tue 00:00-06:00",
        ..TEAM
    };
    team.rings(
        "2026-03-30T00:00:00Z",
        "2026-04-01T00:00:00Z",
        &[
            "start 2026-03-30T09:00:00Z",
            "end 2026-03-30T17:00:00Z",
            "start 2026-03-30T22:00:00Z",
            "end 2026-03-31T06:00:00Z",
        ],
    );
}

#[test]
fn an_overnight_slot_belongs_to_the_date_it_starts_on() {
    let nights = "* 22:00-06:00";
    // A day off takes the night that begins on it, and leaves the one that ends on it.
    let off = Team {
        week: nights,
        overrides: &[("2026-03-31", &[])],
        ..TEAM
    };
    off.rings(
        "2026-03-30T12:00:00Z",
        "2026-04-02T00:00:00Z",
        &[
            "start 2026-03-30T22:00:00Z",
            "end 2026-03-31T06:00:00Z",
            "start 2026-04-01T22:00:00Z",
        ],
    );
    let midnight = Team {
        week: "mon 22:00-00:00",
        ..TEAM
    };
    midnight.rings(
        "2026-03-30T00:00:00Z",
        "2026-04-01T00:00:00Z",
        &["start 2026-03-30T22:00:00Z", "end 2026-03-31T00:00:00Z"],
    );
}

#[test]
fn an_override_beats_a_holiday_and_a_holiday_beats_the_week() {
    let team = Team {
        week: "* 09:00-17:00",
        overrides: &[("2026-12-25", &["10:00-11:00"]), ("2026-12-28", &[])],
        holidays: &["2026-12-26", "2026-12-25"],
        ..TEAM
    };
    team.rings(
        "2026-12-25T00:00:00Z",
        "2026-12-29T00:00:00Z",
        &[
            "start 2026-12-25T10:00:00Z",
            "end 2026-12-25T11:00:00Z",
            "start 2026-12-27T09:00:00Z",
            "end 2026-12-27T17:00:00Z",
        ],
    );
}
