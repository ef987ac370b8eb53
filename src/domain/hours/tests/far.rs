//! Answers that lie far off, or nowhere.

use super::*;

#[test]
fn round_the_clock_has_no_boundaries() {
    for week in [
        "* 00:00-24:00",
        "* 06:00-18:00, * 18:00-06:00",
        "* 12:00-11:00, * 08:00-13:00",
    ] {
        for zone in ["UTC", "Europe/Paris", "Australia/Lord_Howe", "Africa/Cairo"] {
            let team = Team { zone, week, ..TEAM };
            team.rings("2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z", &[]);
            assert_eq!(
                team.hours().next_boundary(instant("2026-01-01T00:00:00Z")),
                None
            );
            assert!(team.hours().on_duty_at(instant("2026-06-01T12:34:56Z")));
        }
    }
}

#[test]
fn a_chain_of_months_ends_where_an_exception_ends_it() {
    let after = instant("2026-01-01T00:00:00Z");
    let next = |team: Team| {
        team.hours()
            .next_boundary(after)
            .map(|boundary| boundary.at.to_string())
    };
    let all = Team {
        week: "* 00:00-24:00",
        ..TEAM
    };
    let is = |found: Option<String>, at: &str| assert_eq!(found.as_deref(), Some(at));
    is(
        next(Team {
            overrides: &[("2031-05-05", &[])],
            ..all
        }),
        "2031-05-05T00:00:00Z",
    );
    is(
        next(Team {
            holidays: &["2031-05-05"],
            ..all
        }),
        "2031-05-05T00:00:00Z",
    );
    is(
        next(Team {
            away: &[("2031-05-05T10:00", "2031-05-05T11:00")],
            ..all
        }),
        "2031-05-05T10:00:00Z",
    );
    is(
        next(Team {
            overrides: &[("9000-05-05", &["00:00-23:00"])],
            ..all
        }),
        "9000-05-05T23:00:00Z",
    );
    // An exception that keeps the chain whole does not end it, the next one does.
    is(
        next(Team {
            overrides: &[("2030-01-01", &["00:00-24:00"]), ("2031-05-05", &[])],
            ..all
        }),
        "2031-05-05T00:00:00Z",
    );
    // Nights round the clock: the day off leaves the morning that belongs to the day before.
    let nights = Team {
        week: "* 06:00-06:01, * 06:01-06:00",
        overrides: &[("2031-05-05", &[])],
        ..TEAM
    };
    is(next(nights), "2031-05-05T06:00:00Z");
}

#[test]
fn an_empty_week_has_only_its_overrides() {
    let team = Team {
        overrides: &[
            ("2030-02-02", &["09:00-10:00"]),
            ("2030-02-01", &["23:00-09:00"]),
        ],
        ..TEAM
    };
    team.rings(
        "2026-01-01T00:00:00Z",
        "2040-01-01T00:00:00Z",
        &["start 2030-02-01T23:00:00Z", "end 2030-02-02T10:00:00Z"],
    );
    assert_eq!(
        team.hours().next_boundary(instant("2030-02-02T10:00:00Z")),
        None
    );
    assert_eq!(
        TEAM.hours().next_boundary(instant("2026-01-01T00:00:00Z")),
        None
    );
    assert_eq!(TEAM.hours().boundaries(Timestamp::MIN, Timestamp::MAX), []);
}

#[test]
fn a_very_long_absence_is_stepped_over() {
    let gone = Team {
        week: "* 09:00-17:00",
        away: &[("2026-01-01T12:00", "9999-12-31T23:59")],
        ..TEAM
    };
    gone.rings(
        "2026-01-01T00:00:00Z",
        "9990-01-01T00:00:00Z",
        &["start 2026-01-01T09:00:00Z", "end 2026-01-01T12:00:00Z"],
    );
    assert_eq!(
        gone.hours().next_boundary(instant("2026-02-01T00:00:00Z")),
        None
    );
    let back = Team {
        away: &[("2026-01-01T12:00", "8000-01-01T12:00")],
        ..gone
    };
    back.rings(
        "2026-02-01T00:00:00Z",
        "8000-01-02T00:00:00Z",
        &["start 8000-01-01T12:00:00Z", "end 8000-01-01T17:00:00Z"],
    );
}

#[test]
fn the_ends_of_the_calendar_are_no_trap() {
    for zone in ["UTC", "America/New_York", "Pacific/Apia"] {
        for week in ["* 09:00-17:00", "* 00:00-24:00", "* 22:00-06:00", ""] {
            let hours = Team { zone, week, ..TEAM }.hours();
            for at in [Timestamp::MIN, Timestamp::MAX] {
                hours.on_duty_at(at);
                hours.next_boundary(at);
                hours.last_boundary(at, at);
            }
            assert_eq!(hours.next_boundary(Timestamp::MAX), None);
        }
    }
}
