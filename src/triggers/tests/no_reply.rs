//! Visitors without a reply. The shift is from 07:00 to 16:00 UTC; ten minutes are allowed.

use jiff::SignedDuration;

use super::*;
use crate::domain::{
    conversation::Waiting,
    plan::{Alert, Conversations},
};

fn waiting(conversation: &str, since: &str) -> Waiting {
    Waiting {
        conversation: conversation.into(),
        since: at(since),
    }
}

/// Ten minutes to answer, and online since seven.
fn answering(assigned: &[(&str, &str)]) -> Schedule {
    let assigned = assigned.iter().map(|(id, since)| waiting(id, since));
    Schedule {
        auto_offline_after: Some(SignedDuration::from_mins(10)),
        conversations: Conversations {
            assigned: assigned.collect(),
            history: vec![(at("07:00"), Status::Online)],
            ..Conversations::default()
        },
        ..schedule()
    }
}

/// What a change of status comes to: status, reason, since when, on account of which conversation.
fn told(decision: &Decision) -> Option<(Status, Reason, Timestamp, Option<&str>)> {
    let change = decision.change.as_ref()?;
    let cause = change.cause.as_ref().map(|waiting| &*waiting.conversation);
    Some((change.status, change.reason, change.effective_at, cause))
}

#[test]
fn ten_minutes_without_a_reply_end_online() {
    let visitor = || answering(&[("c-1", "09:00")]);
    let soon = decided(on_shift(Status::Online, "09:00"), visitor(), at("09:09"));
    assert_eq!(soon.change, None);
    assert_eq!(soon.due, Some(at("09:10")), "looked at when time is up");
    let up = decided(on_shift(Status::Online, "09:09"), visitor(), at("09:10"));
    assert_eq!(
        told(&up),
        Some((Status::Offline, Reason::NoReply, at("09:10"), Some("c-1")))
    );
    assert_eq!(up.no_reply_at, Some(at("09:10")));
    let Some(Alert {
        kind,
        deadline,
        phones,
        ..
    }) = up.change.unwrap().alert
    else {
        panic!("nothing to ring");
    };
    assert_eq!(
        (kind, deadline, phones.len()),
        (AlertKind::NoReply, at("09:25"), 1)
    );
}

#[test]
fn a_worker_or_a_report_that_comes_late_finds_the_same_instant() {
    let late = decided(
        on_shift(Status::Online, "09:00"),
        answering(&[("c-2", "09:05"), ("c-1", "09:00")]),
        at("09:12"),
    );
    assert_eq!(told(&late).unwrap().2, at("09:10"));
    let hour = decided(
        on_shift(Status::Online, "09:00"),
        answering(&[("c-1", "09:00")]),
        at("10:10"),
    );
    assert_eq!(told(&hour).unwrap().2, at("09:10"));
    assert_eq!(
        hour.change.unwrap().alert.unwrap().expired,
        Some("too_late"),
        "an hour later nobody is rung for it"
    );
}

#[test]
fn the_clock_stands_still_over_lunch() {
    let lunch = |assigned: &[(&str, &str)]| Schedule {
        slots: vec![slot("09:00", "12:00"), slot("13:00", "18:00")],
        ..answering(assigned)
    };
    // Noon in Paris is 10:00 UTC: four minutes before lunch, six after it.
    let recorded = || Recorded {
        evaluated_at: Some(at("11:00")),
        boundary_at: Some(at("16:00")),
        ..recorded(Some(Status::Online))
    };
    let before = decided(recorded(), lunch(&[("c-1", "09:56")]), at("11:05"));
    assert_eq!((before.change, before.due), (None, Some(at("11:06"))));
    let after = decided(recorded(), lunch(&[("c-1", "09:56")]), at("11:06"));
    assert_eq!(told(&after).unwrap().2, at("11:06"));
}

#[test]
fn who_comes_online_to_a_visitor_who_waits_has_ten_minutes() {
    let mut visitor = answering(&[("c-1", "06:30")]);
    visitor.conversations.history = vec![(at("06:00"), Status::Offline)];
    let start = decided(
        recorded(Some(Status::Offline)),
        visitor.clone(),
        at("07:00"),
    );
    assert_eq!(told(&start).unwrap().0, Status::Online);
    assert_eq!(start.due, Some(at("07:10")), "not at the end of hours");
    let late = decided(recorded(Some(Status::Offline)), visitor, at("07:12"));
    assert_eq!(told(&late).unwrap().0, Status::Online);
    assert_eq!(late.due, Some(at("07:22")), "the worker was down, not Ana");
}

#[test]
fn only_time_online_counts() {
    let mut schedule = answering(&[("c-1", "09:00")]);
    schedule.conversations.history = vec![
        (at("07:00"), Status::Online),
        (at("09:04"), Status::Invisible),
        (at("09:30"), Status::Online),
    ];
    let decision = decided(on_shift(Status::Online, "09:30"), schedule, at("09:31"));
    assert_eq!((decision.change, decision.due), (None, Some(at("09:36"))));
    let invisible = Schedule {
        by_hand: Some(ByHand {
            status: Status::Invisible,
            set_at: at("09:04"),
            until: None,
        }),
        ..answering(&[("c-1", "09:00")])
    };
    let set = decided(on_shift(Status::Online, "09:00"), invisible, at("09:20"));
    assert_eq!(
        told(&set).unwrap().1,
        Reason::Manual,
        "set before time was up"
    );
}

/// Set offline at 09:10 for want of a reply; recorded so.
fn set_offline(evaluated: &str) -> Recorded {
    Recorded {
        no_reply_at: Some(at("09:10")),
        ..on_shift(Status::Offline, evaluated)
    }
}

#[test]
fn it_holds_until_a_hand_or_the_next_start() {
    let visitor = || answering(&[("c-1", "09:00")]);
    let still = decided(set_offline("09:10"), visitor(), at("15:59"));
    assert_eq!(still.change, None, "answered or not");
    let end = decided(set_offline("09:10"), visitor(), at("16:00"));
    assert_eq!(end.change, None, "offline before, offline now");
    assert_eq!(ringing(&end), [(BoundaryKind::End, None)]);

    let by_hand = Schedule {
        by_hand: Some(ByHand {
            status: Status::Online,
            set_at: at("09:30"),
            until: None,
        }),
        ..visitor()
    };
    let back = decided(set_offline("09:10"), by_hand.clone(), at("09:30"));
    assert_eq!(told(&back).unwrap().1, Reason::Manual);
    let recorded = Recorded {
        no_reply_at: Some(at("09:10")),
        ..on_shift(Status::Online, "09:30")
    };
    let stays = decided(recorded, by_hand, at("15:00"));
    assert_eq!(stays.change, None, "the same message does not count twice");

    let split = Schedule {
        slots: vec![slot("09:00", "12:00"), slot("13:00", "18:00")],
        ..visitor()
    };
    let recorded = Recorded {
        boundary_at: Some(at("11:00")),
        ..set_offline("10:00")
    };
    let start = decided(recorded, split, at("11:00"));
    assert_eq!(
        told(&start).map(|told| (told.0, told.1)),
        Some((Status::Online, Reason::HoursStart))
    );
}

#[test]
fn what_a_visitor_says_afterwards_starts_the_clock_anew() {
    let mut schedule = answering(&[("c-1", "09:00"), ("c-1", "09:40")]);
    schedule.by_hand = Some(ByHand {
        status: Status::Online,
        set_at: at("09:30"),
        until: None,
    });
    schedule.conversations.history = vec![
        (at("07:00"), Status::Online),
        (at("09:10"), Status::Offline),
        (at("09:30"), Status::Online),
    ];
    let recorded = Recorded {
        no_reply_at: Some(at("09:10")),
        ..on_shift(Status::Online, "09:40")
    };
    let again = decided(recorded, schedule, at("09:50"));
    assert_eq!(told(&again).unwrap().2, at("09:50"));
}

#[test]
fn an_alert_that_has_not_rung_goes_with_what_it_tells() {
    let pending = Schedule {
        by_hand: Some(ByHand {
            status: Status::Online,
            set_at: at("09:11"),
            until: None,
        }),
        pending: vec![PendingAlert {
            delivery: uuid::Uuid::nil(),
            kind: AlertKind::NoReply,
            at: at("09:10"),
            lead: None,
        }],
        ..answering(&[])
    };
    let back = decided(set_offline("09:10"), pending.clone(), at("09:11"));
    assert_eq!(back.cancel[0].1, "status_changed");
    let still = Schedule {
        by_hand: None,
        ..pending
    };
    let still = decided(set_offline("09:10"), still, at("09:11"));
    assert!(still.cancel.is_empty());
}
