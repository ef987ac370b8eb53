//! Invisible agents who help out. The shift is from 07:00 to 16:00 UTC; a visitor may wait two minutes.

use jiff::SignedDuration;

use super::*;
use crate::domain::{conversation::Waiting, plan::Conversations};

fn waiting(since: &str) -> Waiting {
    Waiting {
        conversation: "c-1".into(),
        since: at(since),
    }
}

/// Invisible since eight, and willing; somebody has waited since `since`.
fn willing(since: Option<&str>) -> Schedule {
    Schedule {
        receive_when_invisible: true,
        conversations: Conversations {
            longest: since.map(waiting),
            ask_invisible_after: Some(SignedDuration::from_mins(2)),
            ..Conversations::default()
        },
        ..set_by_hand(Status::Invisible, "08:00", None)
    }
}

fn told(decision: &Decision) -> Option<(Status, bool, Reason, Timestamp)> {
    let change = decision.change.as_ref()?;
    Some((
        change.status,
        change.accepts,
        change.reason,
        change.effective_at,
    ))
}

fn asked(evaluated: &str) -> Recorded {
    Recorded {
        accepts: true,
        ..on_shift(Status::Invisible, evaluated)
    }
}

#[test]
fn asked_while_somebody_waits_for_too_long_and_only_then() {
    let invisible = || on_shift(Status::Invisible, "09:00");
    let soon = decided(invisible(), willing(Some("09:00")), at("09:01"));
    assert_eq!((told(&soon), soon.due), (None, Some(at("09:02"))));
    let now = decided(invisible(), willing(Some("09:00")), at("09:02"));
    let overflow = |accepts, since| Some((Status::Invisible, accepts, Reason::Overflow, at(since)));
    assert_eq!(told(&now), overflow(true, "09:02"));
    let change = now.change.unwrap();
    assert_eq!(change.cause, Some(waiting("09:00")));
    assert_eq!(change.alert.unwrap().phones.len(), 1);
    let on = decided(asked("09:02"), willing(Some("09:00")), at("09:30"));
    assert_eq!(told(&on), None);
    let answered = decided(asked("09:02"), willing(None), at("09:31"));
    assert_eq!(told(&answered), overflow(false, "09:31"));
    assert_eq!(answered.change.unwrap().alert, None);
}

#[test]
fn nobody_else_is_asked() {
    for not in [
        Schedule {
            receive_when_invisible: false,
            ..willing(Some("09:00"))
        },
        Schedule {
            conversations: Conversations::default(),
            ..willing(None)
        },
    ] {
        let decision = decided(on_shift(Status::Invisible, "09:00"), not, at("09:30"));
        assert_eq!(told(&decision), None);
    }
    let online = Schedule {
        by_hand: None,
        ..willing(Some("09:00"))
    };
    let decision = decided(on_shift(Status::Online, "09:00"), online, at("09:30"));
    assert_eq!(told(&decision), None, "online agents have them anyway");
}

#[test]
fn invisible_over_the_night_is_not_asked_at_night() {
    let long = |since| Schedule {
        by_hand: Some(ByHand {
            status: Status::Invisible,
            set_at: at("08:00"),
            until: Some(at("23:00")),
        }),
        ..willing(since)
    };
    let over = decided(asked("15:30"), long(Some("15:00")), at("16:00"));
    assert_eq!(
        told(&over),
        Some((Status::Invisible, false, Reason::HoursEnd, at("16:00")))
    );
    let night = on_shift(Status::Invisible, "16:00");
    let night = decided(night, long(Some("20:00")), at("21:00"));
    assert_eq!(told(&night), None);
}

#[test]
fn invisible_while_somebody_waits_is_asked_at_once() {
    let mut schedule = willing(Some("09:00"));
    schedule.by_hand = Some(ByHand {
        status: Status::Invisible,
        set_at: at("09:30"),
        until: None,
    });
    let set = decided(on_shift(Status::Online, "09:20"), schedule, at("09:30"));
    let manual = (Status::Invisible, true, Reason::Manual, at("09:30"));
    assert_eq!(told(&set), Some(manual));
    let change = set.change.unwrap();
    assert_eq!(change.cause, Some(waiting("09:00")));
    assert_eq!(change.alert, None, "the phone is in the hand");
}

#[test]
fn an_alert_that_has_not_rung_goes_with_the_answer() {
    let pending = |since| Schedule {
        pending: vec![PendingAlert {
            delivery: uuid::Uuid::nil(),
            kind: AlertKind::Overflow,
            at: at("09:02"),
            lead: None,
        }],
        ..willing(since)
    };
    let waits = decided(asked("09:02"), pending(Some("09:00")), at("09:03"));
    assert!(waits.cancel.is_empty());
    let answered = decided(asked("09:02"), pending(None), at("09:03"));
    assert_eq!(answered.cancel[0].1, "status_changed");
}
