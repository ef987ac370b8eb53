//! What became of an alert, and why a phone had none.

use super::*;

fn with_alert(alert: Delivery) -> Facts {
    Facts {
        deliveries: vec![alert],
        ..facts("07:00")
    }
}

#[test]
fn a_whole_story_in_order() {
    let refused = Attempt {
        reason: Some("ServiceUnavailable".into()),
        retry_at: Some(at("07:00:05")),
        ..attempt(1, "retry", 503)
    };
    let sent = Delivery {
        attempts: vec![refused, attempt(2, "sent", 200)],
        ..alert("sent", None)
    };
    let event = Delivery {
        channel: "presence".into(),
        kind: "agent.status_changed".into(),
        receiver: "agent:ana".into(),
        boundary: None,
        deadline: None,
        sequence: Some(2),
        attempts: vec![attempt(1, "sent", 204)],
        ..alert("sent", None)
    };
    let story = told(&Facts {
        deliveries: vec![sent, event],
        ..facts("07:00")
    });
    assert_eq!(
        story.verdict,
        "APNs accepted the alert at 2026-03-30T07:00:03Z, for the start of hours at Mon 2026-03-30 09:00 (2026-03-30T07:00:00Z); if a phone stayed silent, look at its notification settings."
    );
    let lines: Vec<String> = story
        .steps
        .iter()
        .map(|step| format!("{:.0} {}", step.at, step.text))
        .collect();
    assert_eq!(
        lines,
        [
            "2026-03-30T07:00:00Z on duty: weekly slot mon 09:00-18:00",
            "2026-03-30T07:00:00Z hours start: weekly slot mon 09:00-18:00",
            "2026-03-01T12:00:00Z offline from here on: put right after a first start or an edit (sync)",
            "2026-03-30T07:00:00Z recorded at 2026-03-30T07:00:01Z: hours started (hours_start), online since then, change #2",
            "2026-03-30T07:00:01Z alert hours_start to phone:1 over APNs, of use until 2026-03-30T07:15:00Z",
            "2026-03-30T07:00:01Z attempt 1 by w: APNs refused it for now (at 2026-03-30T07:00:02Z, HTTP 503, ServiceUnavailable, again at 2026-03-30T07:00:05Z)",
            "2026-03-30T07:00:01Z attempt 2 by w: APNs accepted it (at 2026-03-30T07:00:02Z, HTTP 200)",
            "2026-03-30T07:00:01Z event #2 to the presence API",
            "2026-03-30T07:00:01Z attempt 1 by w: the presence API accepted it (at 2026-03-30T07:00:02Z, HTTP 204)",
        ]
    );
}

#[test]
fn how_an_alert_ended() {
    for (state, reason, outcome, words) in [
        (
            "failed",
            "BadDeviceToken",
            Outcome::NotSent,
            "The alert for the start of hours at Mon 2026-03-30 09:00 (2026-03-30T07:00:00Z) failed: APNs said BadDeviceToken.",
        ),
        (
            "failed",
            "poison",
            Outcome::NotSent,
            "failed: it took its worker down three times",
        ),
        (
            "expired",
            "too_late",
            Outcome::NotSent,
            "expired: no worker looked before 2026-03-30T07:00:01Z, too late to be of use",
        ),
        (
            "expired",
            "deadline",
            Outcome::NotSent,
            "expired: its deadline passed before it could be sent",
        ),
        (
            "expired",
            "timeout",
            Outcome::NotSent,
            "its deadline passed before it could be tried again (timeout)",
        ),
        (
            "cancelled",
            "opted_out",
            Outcome::NotSent,
            "was cancelled: alerts were switched off",
        ),
        (
            "cancelled",
            "boundary_gone",
            Outcome::NotSent,
            "hours were edited",
        ),
        (
            "cancelled",
            "phone_gone",
            Outcome::NotSent,
            "no longer registered",
        ),
        (
            "cancelled",
            "cancelled_by_operator",
            Outcome::NotSent,
            "an operator cancelled it",
        ),
        (
            "superseded",
            "newer_sequence",
            Outcome::NotSent,
            "was superseded: a newer status",
        ),
        (
            "pending",
            "timeout",
            Outcome::Waiting,
            "waits (timeout), due since 2026-03-30T07:00:01Z, and no worker has taken it",
        ),
        ("leased", "", Outcome::Waiting, "is under way"),
    ] {
        let reason = Some(reason).filter(|reason| !reason.is_empty());
        says(&told(&with_alert(alert(state, reason))), outcome, &[words]);
    }
    let soon = told_at(&with_alert(alert("pending", None)), "07:00:30");
    says(
        &soon,
        Outcome::Waiting,
        &["waits, due at 2026-03-30T07:00:01Z"],
    );
}

#[test]
fn several_phones_are_counted() {
    let other = |state: &str| Delivery {
        id: "d-2".into(),
        receiver: "phone:2".into(),
        channel: "fcm".into(),
        ..alert(state, Some("UNREGISTERED"))
    };
    for (states, outcome, words) in [
        (
            ["sent", "sent"],
            Outcome::Sent,
            "All 2 alerts were accepted, the last at 2026-03-30T07:00:03Z, for the start",
        ),
        (
            ["sent", "failed"],
            Outcome::PartlySent,
            "1 of 2 alerts for the start of hours",
        ),
        (
            ["failed", "failed"],
            Outcome::NotSent,
            "None of 2 alerts for",
        ),
        (["sent", "pending"], Outcome::Waiting, "1 of 2 alerts for"),
    ] {
        let both = Facts {
            deliveries: vec![alert(states[0], Some("Unregistered")), other(states[1])],
            ..facts("07:00")
        };
        says(&told(&both), outcome, &[words]);
    }
}

#[test]
fn why_no_alert_was_called_for() {
    let silent = |edit: &dyn Fn(&mut Facts)| {
        let mut facts = facts("07:00");
        edit(&mut facts);
        told(&facts)
    };
    let quarantined = Phone {
        state: "quarantined".into(),
        reason: Some("BadDeviceToken".into()),
        since: Some(at("2026-03-27T16:00")),
        ..phone()
    };
    let cases: [(Edit<Facts>, &str); 6] = [
        (
            &|f| f.schedule = planned("07:00", |s| s.notify.start = false).schedule,
            "called for no alert: alerts at the start of hours are switched off",
        ),
        (
            &|f| f.phones.clear(),
            "called for no alert: no phone is registered",
        ),
        (
            &|f| f.phones = vec![quarantined.clone()],
            "phone:1 is quarantined since 2026-03-27T16:00:00Z: APNs said BadDeviceToken",
        ),
        (
            &|f| f.phones[0].channel = ChannelKind::Presence,
            "which is switched off: there is no [presence] in the configuration",
        ),
        (
            &|f| f.phones[0].registered_at = at("07:10"),
            "phone:1 was registered last at 2026-03-30T07:10:00Z, after it; the next boundary rings",
        ),
        (
            &|_| {},
            "phone:1 has no alert of this, though all is well with it now",
        ),
    ];
    for (edit, why) in cases {
        says(
            &silent(edit),
            Outcome::NoAlert,
            &["The start of hours", why],
        );
    }
    // One of two: the other's fate is told beside.
    let mut one = with_alert(alert("sent", None));
    one.phones.push(Phone {
        fingerprint: "phone:2".into(),
        ..quarantined
    });
    let story = told(&one);
    says(
        &story,
        Outcome::Sent,
        &["another phone was not to ring: phone:2 is quarantined"],
    );
    assert_eq!(steps(&story, StepKind::Phone).len(), 1);
}

#[test]
fn what_is_still_to_come_says_who_will_ring() {
    let asked = "16:00";
    says(
        &told(&facts(asked)),
        Outcome::ToCome,
        &[
            "The end of hours at Mon 2026-03-30 18:00",
            "still to come; the phone will ring.",
        ],
    );
    let mut two = facts(asked);
    two.phones.push(Phone {
        fingerprint: "phone:2".into(),
        ..phone()
    });
    says(&told(&two), Outcome::ToCome, &["all 2 phones will ring"]);
    two.phones[1].state = "disabled".into();
    says(
        &told(&two),
        Outcome::ToCome,
        &["1 of 2 phones will ring: phone:2 is disabled"],
    );
    let off = Facts {
        schedule: planned(asked, |s| s.notify.end = false).schedule,
        ..facts(asked)
    };
    says(
        &told(&off),
        Outcome::ToCome,
        &["no phone will ring: alerts at the end of hours are switched off"],
    );
}
