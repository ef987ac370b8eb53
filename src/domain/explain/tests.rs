//! Stories, told from facts written down by hand. All about Ana, in Paris (UTC+2 from 2026-03-29 on, UTC+1
//! before), whose hours are Mondays 09:00-18:00 and who has one iPhone.

mod alerts;
mod nothing;
mod records;

use jiff::{Timestamp, civil::Weekday};

use super::*;
use crate::domain::{
    agent::Notify,
    delivery::ChannelKind,
    hours::{Away, BoundaryKind, Override, Slot, local_minute_from},
    plan::Schedule,
    zone::Zones,
};

/// What makes a case of what is usual.
type Edit<'a, T> = &'a dyn Fn(&mut T);

/// A UTC instant on Monday 2026-03-30, or on any day: `07:00`, `2026-03-29T01:00`.
fn at(time: &str) -> Timestamp {
    let day = if time.contains('T') {
        ""
    } else {
        "2026-03-30T"
    };
    let seconds = if time.matches(':').count() == 2 {
        ""
    } else {
        ":00"
    };
    format!("{day}{time}{seconds}Z").parse().unwrap()
}

fn slot(day: Weekday, times: &str) -> Slot {
    let (start, end) = times.split_once('-').unwrap();
    Slot {
        day,
        start: start.parse().unwrap(),
        end: end.parse().unwrap(),
    }
}

fn own(date: &str, slots: &[&str]) -> Override {
    Override {
        date: date.parse().unwrap(),
        slots: slots
            .iter()
            .map(|times| slot(Weekday::Monday, times).times())
            .collect(),
    }
}

fn away(from: &str, until: &str) -> Away {
    Away {
        from: local_minute_from(from).unwrap(),
        until: local_minute_from(until).unwrap(),
    }
}

fn schedule() -> Schedule {
    Schedule {
        workspace: "acme".into(),
        timezone: "Europe/Paris".into(),
        notify: Notify {
            start: true,
            end: true,
        },
        slots: vec![slot(Weekday::Monday, "09:00-18:00")],
        ..Schedule::default()
    }
}

fn phone() -> Phone {
    Phone {
        channel: ChannelKind::Apns,
        fingerprint: "phone:1".into(),
        state: "active".into(),
        reason: None,
        since: None,
        registered_at: at("2026-01-01T00:00"),
    }
}

/// A change of status on that Monday.
fn change(sequence: i64, reason: &str, effective: &str, recorded: &str) -> Transition {
    let (status, kind) = match reason {
        "hours_start" => (Status::Online, Some(BoundaryKind::Start)),
        "hours_end" => (Status::Offline, Some(BoundaryKind::End)),
        _ => (Status::Offline, None),
    };
    Transition {
        id: format!("t-{sequence}"),
        reason: reason.into(),
        status: Some(status),
        accepts_conversations: status == Status::Online,
        cause: None,
        waiting_since: None,
        sequence: Some(sequence),
        boundary: kind.map(|kind| (kind, at(effective))),
        announces: None,
        effective_at: at(effective),
        recorded_at: at(recorded),
        missed: false,
    }
}

/// The alert for the start at 07:00 UTC, called for by change #2, not yet tried.
fn alert(state: &str, reason: Option<&str>) -> Delivery {
    let open = ["pending", "leased"].contains(&state);
    Delivery {
        id: "d-1".into(),
        transition: "t-2".into(),
        channel: "apns".into(),
        kind: "hours_start".into(),
        receiver: "phone:1".into(),
        state: state.into(),
        reason: reason.map(str::to_owned),
        boundary: Some(at("07:00")),
        sequence: None,
        created_at: at("07:00:01"),
        due_at: at("07:00:01"),
        deadline: Some(at("07:15")),
        settled_at: (!open).then(|| at("07:00:03")),
        attempts: vec![],
    }
}

fn attempt(epoch: i64, outcome: &str, http_status: i64) -> Attempt {
    Attempt {
        delivery: "d-1".into(),
        epoch,
        worker: "w".into(),
        started_at: at("07:00:01"),
        finished_at: Some(at("07:00:02")),
        outcome: Some(outcome.into()),
        late: false,
        http_status: Some(http_status),
        reason: None,
        retry_at: None,
    }
}

/// Known since a Sunday, looked at a minute after nine, when hours started, with nothing sent.
fn facts(asked: &str) -> Facts {
    Facts {
        agent: "ana".into(),
        workspace: "acme".into(),
        at: at(asked),
        schedule: Ok(Some(schedule())),
        state: State {
            evaluated_at: Some(at("07:00:01")),
            stale_at: None,
            problem: None,
        },
        last_look: Some(at("07:00:01")),
        first_recorded: Some(at("2026-03-01T12:00")),
        transitions: vec![
            change(1, "sync", "2026-03-01T12:00", "2026-03-01T12:00"),
            change(2, "hours_start", "07:00", "07:00:01"),
        ],
        deliveries: vec![],
        phones: vec![phone()],
    }
}

/// The same with other hours, of which nothing was recorded.
fn planned(asked: &str, edit: impl FnOnce(&mut Schedule)) -> Facts {
    let mut schedule = schedule();
    edit(&mut schedule);
    Facts {
        schedule: Ok(Some(schedule)),
        transitions: vec![],
        ..facts(asked)
    }
}

/// Told at 07:30 UTC on that Monday, with both push services switched on.
fn told(facts: &Facts) -> Story {
    told_at(facts, "07:30")
}

fn told_at(facts: &Facts, now: &str) -> Story {
    let receivers = [ChannelKind::Apns, ChannelKind::Fcm];
    let setting = Setting {
        zones: &Zones::built_in(),
        receivers: &receivers,
        now: at(now),
    };
    story(facts, setting)
}

/// The verdict is of this outcome and has all of `words`.
#[track_caller]
fn says(story: &Story, outcome: Outcome, words: &[&str]) {
    assert_eq!(story.outcome, outcome, "{story:#?}");
    for word in words {
        assert!(story.verdict.contains(word), "{word}: {story:#?}");
    }
}

fn steps(story: &Story, kind: StepKind) -> Vec<&str> {
    let steps = story.steps.iter().filter(|step| step.kind == kind);
    steps.map(|step| step.text.as_str()).collect()
}
