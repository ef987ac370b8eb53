//! The behaviour table, row by row, without a database.

use std::sync::LazyLock;

use jiff::civil::Weekday;

mod leads;
mod minutes;
mod no_reply;
mod overflow;
mod wall;

use super::*;
use crate::domain::{
    agent::Notify,
    device::{DeviceToken, Environment},
    hours::{BoundaryKind, DaySlot, LocalTime, Override, Slot},
    plan::{ByHand, PendingAlert, Phone},
};

/// Monday, 2026-03-30; Paris is at UTC+2.
const DAY: &str = "2026-03-30";

fn at(time: &str) -> Timestamp {
    format!("{DAY}T{time}:00Z").parse().unwrap()
}

fn slot(start: &str, end: &str) -> Slot {
    Slot {
        day: Weekday::Monday,
        start: start.parse().unwrap(),
        end: end.parse().unwrap(),
    }
}

/// Nine to six in Paris, opted in, one iPhone.
fn schedule() -> Schedule {
    Schedule {
        workspace: "acme".into(),
        timezone: "Europe/Paris".into(),
        notify: Notify {
            start: true,
            end: true,
        },
        slots: vec![slot("09:00", "18:00")],
        phones: vec![Phone {
            channel: ChannelKind::Apns,
            token: DeviceToken::new("aa11"),
            environment: Environment::Production,
        }],
        ..Schedule::default()
    }
}

/// Recorded as `status` at 06:00 UTC with the boundary of 07:00 UTC planned.
fn recorded(status: Option<Status>) -> Recorded {
    Recorded {
        agent: "a-1".into(),
        workspace: "acme".into(),
        status,
        accepts: status == Some(Status::Online),
        sequence: if status.is_some() { 4 } else { 0 },
        evaluated_at: status.map(|_| at("06:00")),
        boundary_at: status.map(|_| at("07:00")),
        ..Recorded::default()
    }
}

static ZONES: LazyLock<Zones> = LazyLock::new(Zones::built_in);

fn decided(recorded: Recorded, schedule: Schedule, now: Timestamp) -> Decision {
    let rules = Rules {
        useful_for: Duration::from_mins(15),
        push: vec![ChannelKind::Apns],
    };
    let facts = Facts {
        recorded,
        schedule: Ok(Some(schedule)),
    };
    decide(&facts, &ZONES, &rules, now)
}

fn ringing(decision: &Decision) -> Vec<(BoundaryKind, Option<&'static str>)> {
    decision
        .boundaries
        .iter()
        .flat_map(|b| b.alert.phones.iter().map(|_| (b.kind, b.alert.expired)))
        .collect()
}

#[test]
fn a_boundary_changes_the_status_and_rings_once() {
    let decision = decided(recorded(Some(Status::Offline)), schedule(), at("07:00"));
    let change = decision.change.as_ref().unwrap();
    assert_eq!(
        (
            change.status,
            change.reason,
            change.effective_at,
            change.sequence
        ),
        (Status::Online, Reason::HoursStart, at("07:00"), 5)
    );
    assert_eq!(ringing(&decision), [(BoundaryKind::Start, None)]);
    assert_eq!(decision.boundaries[0].alert.counterpart, Some(at("16:00")));
    assert_eq!(decision.boundaries[0].alert.deadline, at("07:15"));
    assert_eq!(decision.next, Some(at("16:00")));
}

#[test]
fn the_first_evaluation_tells_the_truth_and_rings_nobody() {
    let decision = decided(recorded(None), schedule(), at("07:00"));
    let change = decision.change.unwrap();
    assert_eq!(
        (change.status, change.reason, change.sequence),
        (Status::Online, Reason::Sync, 1)
    );
    assert!(decision.boundaries.is_empty());
}

#[test]
fn an_alert_that_comes_late_rings_within_its_use_and_expires_after() {
    let late = decided(recorded(Some(Status::Offline)), schedule(), at("07:14"));
    assert_eq!(ringing(&late), [(BoundaryKind::Start, None)]);
    let too_late = decided(recorded(Some(Status::Offline)), schedule(), at("07:15"));
    assert_eq!(
        ringing(&too_late),
        [(BoundaryKind::Start, Some("too_late"))]
    );
    assert_eq!(
        too_late.change.unwrap().status,
        Status::Online,
        "presence is told all the same"
    );
}

#[test]
fn boundaries_passed_over_are_missed_and_only_the_newest_counts() {
    let decision = decided(recorded(Some(Status::Offline)), schedule(), at("16:05"));
    assert_eq!(decision.change, None, "offline before, offline now");
    assert_eq!(
        ringing(&decision),
        [
            (BoundaryKind::Start, Some("missed")),
            (BoundaryKind::End, None)
        ]
    );
    assert!(decision.boundaries[0].missed && !decision.boundaries[1].missed);
}

#[test]
fn an_alert_never_outlives_its_shift() {
    let short = Schedule {
        slots: vec![slot("09:00", "09:05")],
        ..schedule()
    };
    let decision = decided(recorded(Some(Status::Offline)), short, at("07:00"));
    assert_eq!(decision.boundaries[0].alert.deadline, at("07:05"));
}

#[test]
fn an_edit_on_duty_follows_at_once_and_rings_nobody() {
    let edited = Recorded {
        evaluated_at: Some(at("07:00")),
        boundary_at: Some(at("16:00")),
        stale_at: Some(at("10:00")),
        ..recorded(Some(Status::Online))
    };
    let until_eleven = Schedule {
        slots: vec![slot("09:00", "11:00")],
        ..schedule()
    };
    let decision = decided(edited, until_eleven, at("10:00"));
    let change = decision.change.unwrap();
    assert_eq!(
        (change.status, change.reason, change.effective_at),
        (Status::Offline, Reason::Sync, at("10:00"))
    );
    assert!(decision.boundaries.is_empty());
}

#[test]
fn a_planned_boundary_rings_though_an_edit_came_with_it() {
    let edited = Recorded {
        stale_at: Some(at("07:00")),
        ..recorded(Some(Status::Offline))
    };
    let decision = decided(edited, schedule(), at("07:00"));
    assert_eq!(ringing(&decision), [(BoundaryKind::Start, None)]);
}

#[test]
fn a_boundary_that_came_after_the_edit_that_made_it_rings() {
    let edited = Recorded {
        stale_at: Some(at("06:30")),
        boundary_at: None,
        ..recorded(Some(Status::Offline))
    };
    let decision = decided(edited, schedule(), at("07:00"));
    assert_eq!(ringing(&decision), [(BoundaryKind::Start, None)]);
}

#[test]
fn a_clock_that_stepped_back_rings_nothing_and_tells_the_truth() {
    let ahead = Recorded {
        evaluated_at: Some(at("07:30")),
        boundary_at: Some(at("16:00")),
        ..recorded(Some(Status::Online))
    };
    let decision = decided(ahead, schedule(), at("06:30"));
    assert_eq!(decision.change.unwrap().reason, Reason::Sync);
    assert!(decision.boundaries.is_empty());
    assert_eq!(decision.next, Some(at("07:00")), "no boundary is lost");
}

#[test]
fn pending_alerts_go_with_their_boundary_or_their_consent() {
    let pending = |time| PendingAlert {
        delivery: uuid::Uuid::nil(),
        kind: AlertKind::HoursStart,
        at: at(time),
        lead: None,
    };
    let online = || Recorded {
        evaluated_at: Some(at("07:00")),
        ..recorded(Some(Status::Online))
    };
    let kept = Schedule {
        pending: vec![pending("07:00")],
        ..schedule()
    };
    assert!(decided(online(), kept, at("07:01")).cancel.is_empty());
    let gone = Schedule {
        pending: vec![pending("07:30")],
        ..schedule()
    };
    assert_eq!(
        decided(online(), gone, at("07:01")).cancel[0].1,
        "boundary_gone"
    );
    let opted_out = Schedule {
        notify: Notify {
            start: false,
            end: true,
        },
        pending: vec![pending("07:00")],
        ..schedule()
    };
    assert_eq!(
        decided(online(), opted_out, at("07:01")).cancel[0].1,
        "opted_out"
    );
}

#[test]
fn who_did_not_opt_in_or_has_no_phone_is_not_rung() {
    for quiet in [
        Schedule {
            notify: Notify {
                start: false,
                end: true,
            },
            ..schedule()
        },
        Schedule {
            phones: vec![],
            ..schedule()
        },
        Schedule {
            phones: vec![Phone {
                channel: ChannelKind::Fcm,
                token: DeviceToken::new("x"),
                environment: Environment::Production,
            }],
            ..schedule()
        },
    ] {
        let decision = decided(recorded(Some(Status::Offline)), quiet, at("07:00"));
        assert!(ringing(&decision).is_empty());
        assert!(decision.change.is_some());
    }
}

#[test]
fn a_removed_agent_goes_offline_once() {
    let rules = Rules {
        useful_for: Duration::from_mins(15),
        push: vec![],
    };
    let gone = |status| {
        let facts = Facts {
            recorded: recorded(status),
            schedule: Ok(None),
        };
        decide(&facts, &Zones::built_in(), &rules, at("08:00"))
    };
    assert_eq!(
        gone(Some(Status::Online)).change.unwrap().status,
        Status::Offline
    );
    assert!(gone(Some(Status::Online)).removed);
    assert_eq!(gone(Some(Status::Offline)).change, None);
    assert_eq!(gone(None).change, None);
}

#[test]
fn a_schedule_that_cannot_be_read_keeps_its_status_and_says_why() {
    let zone = Schedule {
        timezone: "Berlin".into(),
        ..schedule()
    };
    let decision = decided(recorded(Some(Status::Online)), zone, at("08:00"));
    assert_eq!((decision.change, decision.next), (None, None));
    assert!(decision.problem.unwrap().contains("a-1"));
}

#[test]
fn an_override_replaces_the_day() {
    let date = DAY.parse().unwrap();
    let half = DaySlot {
        start: LocalTime::from_minutes(600).unwrap(),
        end: LocalTime::from_minutes(660).unwrap(),
    };
    let overridden = Schedule {
        overrides: vec![Override {
            date,
            slots: vec![half],
        }],
        ..schedule()
    };
    let decision = decided(recorded(Some(Status::Offline)), overridden, at("07:00"));
    assert_eq!((decision.change, decision.next), (None, Some(at("08:00"))));
}

fn set_by_hand(status: Status, set_at: &str, until: Option<&str>) -> Schedule {
    Schedule {
        by_hand: Some(ByHand {
            status,
            set_at: at(set_at),
            until: until.map(at),
        }),
        ..schedule()
    }
}

/// Recorded as `status` at `evaluated` (UTC), on a shift from 07:00 to 16:00 UTC.
fn on_shift(status: Status, evaluated: &str) -> Recorded {
    Recorded {
        evaluated_at: Some(at(evaluated)),
        boundary_at: Some(at("16:00")),
        ..recorded(Some(status))
    }
}

#[test]
fn a_status_set_by_hand_holds_until_the_next_boundary() {
    let invisible = || set_by_hand(Status::Invisible, "09:30", None);
    let set = decided(on_shift(Status::Online, "09:00"), invisible(), at("09:31"));
    let change = set.change.unwrap();
    assert_eq!(
        (change.status, change.reason, change.effective_at),
        (Status::Invisible, Reason::Manual, at("09:30"))
    );
    assert_eq!(set.next, Some(at("16:00")));
    let later = decided(
        on_shift(Status::Invisible, "09:31"),
        invisible(),
        at("15:59"),
    );
    assert_eq!(later.change, None, "the schedule never re-asserts itself");
    let over = decided(
        on_shift(Status::Invisible, "15:59"),
        invisible(),
        at("16:00"),
    );
    let change = over.change.as_ref().unwrap();
    assert_eq!(
        (change.status, change.reason, change.effective_at),
        (Status::Offline, Reason::HoursEnd, at("16:00"))
    );
    assert_eq!(ringing(&over), [(BoundaryKind::End, None)]);
}

#[test]
fn online_by_hand_out_of_hours_ends_at_the_next_boundary() {
    let online = || set_by_hand(Status::Online, "05:00", None);
    let early = decided(recorded(Some(Status::Offline)), online(), at("06:30"));
    assert_eq!(early.change.unwrap().status, Status::Online);
    let start = decided(recorded(Some(Status::Online)), online(), at("07:00"));
    assert_eq!(start.change, None, "the shift starts, and online it is");
    assert_eq!(ringing(&start), [(BoundaryKind::Start, None)]);
}

#[test]
fn a_time_given_with_it_outlives_boundaries_and_ends_it() {
    let offline = || set_by_hand(Status::Offline, "06:30", Some("08:00"));
    let start = decided(recorded(Some(Status::Offline)), offline(), at("07:00"));
    assert_eq!(start.change, None);
    assert_eq!(ringing(&start), [(BoundaryKind::Start, None)]);
    assert_eq!(start.due, Some(at("08:00")), "looked at when it is over");
    assert_eq!(start.next, Some(at("16:00")));
    let over = decided(on_shift(Status::Offline, "07:00"), offline(), at("08:01"));
    let change = over.change.unwrap();
    assert_eq!(
        (change.status, change.reason, change.effective_at),
        (Status::Online, Reason::Sync, at("08:00"))
    );
    let long_ago = decided(on_shift(Status::Offline, "09:00"), offline(), at("10:00"));
    assert_eq!(long_ago.change.unwrap().effective_at, at("10:00"));
}

#[test]
fn whoever_moves_is_told_to_the_new_workspace() {
    let moved = Schedule {
        workspace: "other".into(),
        ..schedule()
    };
    let decision = decided(on_shift(Status::Online, "09:00"), moved, at("09:30"));
    assert_eq!(decision.left_workspace.as_deref(), Some("acme"));
    let change = decision.change.unwrap();
    assert_eq!(
        (change.status, change.reason, change.effective_at),
        (Status::Online, Reason::Sync, at("09:30"))
    );
}
