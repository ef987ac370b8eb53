//! What was recorded of a boundary, and why nothing was.

use super::*;

#[test]
fn why_nothing_was_recorded() {
    let state = |looked: Option<&str>| State {
        evaluated_at: looked.map(at),
        ..facts("07:00").state
    };
    let bare = Facts {
        transitions: vec![],
        ..facts("07:00")
    };
    let cases = [
        (
            Facts {
                state: state(None),
                ..bare.clone()
            },
            "no worker has looked at this agent yet",
        ),
        (
            Facts {
                state: State {
                    problem: Some("agents.timezone: unknown".into()),
                    ..state(Some("07:00"))
                },
                ..bare.clone()
            },
            "cannot be evaluated until this is mended: agents.timezone: unknown",
        ),
        (
            Facts {
                state: state(Some("06:00")),
                last_look: Some(at("06:10")),
                ..bare.clone()
            },
            "no worker has looked at this agent since 2026-03-30T06:00:00Z; nor at anybody since 2026-03-30T06:10:00Z: see that a worker runs",
        ),
        (
            Facts {
                state: State {
                    stale_at: Some(at("06:30")),
                    ..state(Some("06:00"))
                },
                last_look: Some(at("07:20")),
                ..bare.clone()
            },
            "since 2026-03-30T06:00:00Z, and hours were edited at 2026-03-30T06:30:00Z; others were looked at until 2026-03-30T07:20:00Z",
        ),
        (
            Facts {
                first_recorded: Some(at("07:10")),
                state: state(Some("07:10")),
                ..bare.clone()
            },
            "no worker knew the agent before 2026-03-30T07:10:00Z, which is after it; a first start records the true status and rings nobody",
        ),
        (
            Facts {
                state: State {
                    stale_at: Some(at("07:20")),
                    ..state(Some("07:10"))
                },
                ..bare.clone()
            },
            "hours were edited at 2026-03-30T07:20:00Z, and no worker has looked since",
        ),
        (
            Facts {
                transitions: vec![change(2, "sync", "07:20", "07:20")],
                state: state(Some("07:20")),
                ..bare.clone()
            },
            "edited after the fact, which the worker followed at 2026-03-30T07:20:00Z with reason sync; an edit is not a shift",
        ),
        (
            Facts {
                state: state(Some("07:20")),
                ..bare.clone()
            },
            "looked at 2026-03-30T07:20:00Z and saw no boundary there",
        ),
    ];
    for (facts, why) in cases {
        let story = told(&facts);
        says(
            &story,
            Outcome::NotRecorded,
            &["The start of hours at Mon 2026-03-30 09:00", why],
        );
        assert_eq!(steps(&story, StepKind::Note).len(), 1);
    }
    let soon = Facts {
        state: state(Some("06:00")),
        ..bare
    };
    says(
        &told_at(&soon, "07:01"),
        Outcome::NotRecorded,
        &["a worker is about to look"],
    );
}

#[test]
fn what_was_recorded_late_says_that_nobody_looked() {
    let late = Facts {
        transitions: vec![Transition {
            missed: true,
            status: None,
            sequence: None,
            ..change(2, "hours_start", "07:00", "16:10")
        }],
        deliveries: vec![Delivery {
            created_at: at("16:10"),
            ..alert("expired", Some("missed"))
        }],
        ..facts("07:00")
    };
    let story = told_at(&late, "17:00");
    says(
        &story,
        Outcome::NotSent,
        &[
            "expired: a newer boundary came before a worker looked, which was at 2026-03-30T16:10:00Z (missed)",
        ],
    );
    let [recorded] = steps(&story, StepKind::Transition)[..] else {
        panic!("{story:#?}")
    };
    assert!(
        recorded.ends_with(
            "status unchanged; missed, since a newer boundary came before anybody looked"
        ),
        "{recorded}"
    );
    assert_eq!(
        steps(&story, StepKind::Note),
        ["that was 9h 10m after it: no worker looked at this agent in between"]
    );
}

#[test]
fn what_was_recorded_under_other_hours_is_told() {
    let edited = Facts {
        schedule: planned("07:00", |s| {
            s.slots = vec![slot(Weekday::Monday, "10:00-18:00")];
        })
        .schedule,
        deliveries: vec![Delivery {
            attempts: vec![attempt(1, "sent", 200)],
            ..alert("sent", None)
        }],
        ..facts("07:00")
    };
    let story = told(&edited);
    says(
        &story,
        Outcome::Sent,
        &["APNs accepted the alert at 2026-03-30T07:00:03Z, for the start of hours"],
    );
    assert_eq!(
        steps(&story, StepKind::Boundary),
        ["hours start, by hours that were edited since: those of now have no such boundary"]
    );
}

/// Alerts of other kinds are about the instant at which their rule fired.
#[test]
fn other_reasons_are_occasions_too() {
    for (reason, words) in [
        ("no_reply", "a visitor left without a reply"),
        ("overflow", "a conversation that waits too long"),
    ] {
        let mut fired = facts("07:20");
        fired
            .transitions
            .push(change(3, reason, "07:20:20", "07:20:20"));
        let mut of_it = alert("sent", None);
        (of_it.kind, of_it.boundary, of_it.transition) =
            (reason.into(), Some(at("07:20:20")), "t-3".into());
        fired.deliveries.push(of_it);
        let story = told(&fired);
        says(
            &story,
            Outcome::Sent,
            &["APNs accepted the alert at", words],
        );
        assert_eq!(story.occasion.unwrap().reason, reason);
    }
    let mut by_hand = facts("07:25");
    by_hand
        .transitions
        .push(change(3, "manual", "07:20", "07:20"));
    let story = told(&by_hand);
    let meant = story.occasion.as_ref().unwrap();
    assert_eq!(meant.reason, "hours_start", "a click rings no phone");
    assert_eq!(
        steps(&story, StepKind::Status)[1],
        "offline from here on: set by hand (manual)"
    );
}

/// Sent off at 07:20 UTC for want of a reply: until the shift is over, or a hand.
#[test]
fn whom_nobody_answered_for_is_off_until_the_next_start_or_a_hand() {
    let sent_off = |asked: &str| {
        let mut facts = facts(asked);
        let off = change(3, "no_reply", "07:20", "07:20");
        facts.transitions.push(off);
        facts
    };
    let hand = |status, set_at, until: Option<&str>| {
        let mut schedule = schedule();
        schedule.by_hand = Some(crate::domain::plan::ByHand {
            status,
            set_at: at(set_at),
            until: until.map(at),
        });
        Ok(Some(schedule))
    };
    let before = hand(Status::Online, "07:10", Some("18:00"));
    let after = hand(Status::Offline, "09:00", None);
    for (asked, schedule, by) in [
        ("07:19", None, "weekly"),
        ("07:20", None, "no_reply"),
        ("15:59", None, "no_reply"),
        ("16:00", None, "none"),
        ("2026-04-06T07:00", None, "weekly"),
        ("07:15", Some(&before), "by_hand"),
        ("08:00", Some(&before), "no_reply"),
        ("17:00", Some(&before), "none"),
        ("08:00", Some(&after), "no_reply"),
        ("10:00", Some(&after), "by_hand"),
    ] {
        let mut facts = sent_off(asked);
        if let Some(schedule) = schedule {
            facts.schedule.clone_from(schedule);
        }
        let story = told_at(&facts, "2026-04-07T00:00");
        assert_eq!(story.rule.as_ref().unwrap().by, by, "{asked}: {story:#?}");
    }
}

/// What the platform reports decides too, and it may come late.
#[test]
fn a_worker_is_not_blamed_for_a_late_report() {
    let mut late = facts("07:20");
    let off = change(3, "no_reply", "07:20", "07:50");
    late.transitions.push(off);
    late.deliveries.push(Delivery {
        kind: "no_reply".into(),
        boundary: Some(at("07:20")),
        transition: "t-3".into(),
        created_at: at("07:50"),
        ..alert("expired", Some("too_late"))
    });
    let story = told_at(&late, "08:00");
    says(
        &story,
        Outcome::NotSent,
        &[
            "expired: the platform did not report it, or no worker looked, before 2026-03-30T07:50:00Z",
        ],
    );
    assert_eq!(
        steps(&story, StepKind::Note),
        [
            "that was 30m after it: the platform reported it late, or no worker looked at this agent in between"
        ]
    );
}
