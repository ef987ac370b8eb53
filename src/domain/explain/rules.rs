//! The wording of rules and boundaries: which slot, override, holiday or absence, and what a change of
//! the clock did to them.

use jiff::civil::{Date, DateTime};

use super::{
    RuleTold, Transition,
    occasion::Absent,
    timetable::{Origin, Rule, Timetable, Written},
    words::utc,
};
use crate::domain::{
    clock_changes::ClockChange,
    hours::{Away, BoundaryKind, DaySlot, day_word, local_minute},
    presence::Status,
};

fn day(date: Date) -> String {
    date.strftime("%a %Y-%m-%d").to_string()
}

fn times(slot: DaySlot) -> String {
    format!("{}-{}", slot.start, slot.end)
}

/// The rule that decided, for people.
pub(super) fn rule(rule: &Rule<'_>, today: Date, timetable: &Timetable<'_>) -> String {
    match rule {
        Rule::ByHand(set, over) => {
            let until = over.map_or_else(String::new, |over| format!(", until {}", utc(over)));
            format!(
                "{} by hand, set at {}{until}",
                set.status.as_str(),
                utc(set.set_at)
            )
        }
        Rule::Away(away) => format!("off duty: {}", absence(away)),
        Rule::Slot(written) if written.date == today => format!("on duty: {}", slot(written)),
        Rule::Slot(written) => format!(
            "on duty: {}, which belongs to {}, the date on which it starts",
            slot(written),
            day(written.date)
        ),
        Rule::Override(own) => format!(
            "off duty: the override for {} {}",
            day(own.date),
            leaves(&own.slots)
        ),
        Rule::Holiday(date) => {
            let workspace = &timetable.schedule.workspace;
            format!("off duty: {} is a holiday of {workspace}", day(*date))
        }
        Rule::NoSlot(date) => {
            let slots: Vec<_> = timetable.weekly(*date).map(|o| o.written.slot).collect();
            let weekday = day_word(date.weekday());
            match &slots[..] {
                [] => format!("off duty: {weekday} has no slots"),
                slots => format!("off duty: {weekday} has {}", listed(slots)),
            }
        }
    }
}

/// The same for programs.
pub(super) fn told(rule: &Rule<'_>) -> RuleTold {
    let off = |by, date| RuleTold {
        by,
        status: Status::Offline,
        date,
        from: None,
        until: None,
    };
    match rule {
        Rule::ByHand(set, over) => RuleTold {
            status: set.status,
            from: Some(utc(set.set_at)),
            until: over.map(utc),
            ..off("by_hand", None)
        },
        Rule::Away(away) => RuleTold {
            from: Some(local_minute(away.from)),
            until: Some(local_minute(away.until)),
            ..off("away", None)
        },
        Rule::Slot(written) => RuleTold {
            status: Status::Online,
            from: Some(written.slot.start.to_string()),
            until: Some(written.slot.end.to_string()),
            ..off(
                if written.own { "override" } else { "weekly" },
                Some(written.date),
            )
        },
        Rule::Override(own) => off("override", Some(own.date)),
        Rule::Holiday(date) => off("holiday", Some(*date)),
        Rule::NoSlot(date) => off("none", Some(*date)),
    }
}

/// The rule that an agent who does not answer is offline, for programs.
pub(super) fn sent_off(change: &Transition) -> RuleTold {
    RuleTold {
        by: "no_reply",
        status: Status::Offline,
        date: None,
        from: Some(utc(change.effective_at)),
        until: None,
    }
}

fn absence(away: &Away) -> String {
    let [from, until] = [away.from, away.until].map(local_minute);
    format!("away from {from} until {until}")
}

fn slot(written: &Written) -> String {
    let times = times(written.slot);
    if written.own {
        format!("slot {times} of the override for {}", day(written.date))
    } else {
        format!("weekly slot {} {times}", day_word(written.date.weekday()))
    }
}

fn listed(slots: &[DaySlot]) -> String {
    let slots: Vec<String> = slots.iter().map(|slot| times(*slot)).collect();
    slots.join(", ")
}

fn leaves(slots: &[DaySlot]) -> String {
    match slots {
        [] => "has no slots".to_owned(),
        slots => format!("has only {}", listed(slots)),
    }
}

/// Why a boundary is one.
pub(super) fn origin(kind: BoundaryKind, origin: Option<&Origin>) -> String {
    let what = match kind {
        BoundaryKind::Start => "hours start",
        BoundaryKind::End => "hours end",
    };
    match (origin, kind) {
        (Some(Origin::Slot(written)), _) => format!("{what}: {}", slot(written)),
        (Some(Origin::Away(away)), BoundaryKind::Start) => {
            format!("{what}: no longer {}", absence(away))
        }
        (Some(Origin::Away(away)), BoundaryKind::End) => format!("{what}: {}", absence(away)),
        (None, _) => {
            format!("{what}, by hours that were edited since: those of now have no such boundary")
        }
    }
}

/// What took an expected boundary away, or moved it.
pub(super) fn absent(absent: &Absent<'_>, timetable: &Timetable<'_>) -> String {
    match absent {
        Absent::Away(away) => format!("the agent is {}", absence(away)),
        Absent::Joined => "two slots touch there, so hours neither start nor end".to_owned(),
        Absent::Override(own) => format!(
            "the override for {} replaces the weekly slots and {}",
            day(own.date),
            leaves(&own.slots)
        ),
        Absent::Holiday(date) => {
            let workspace = &timetable.schedule.workspace;
            format!("{} is a holiday of {workspace}", day(*date))
        }
        Absent::Clock {
            kind,
            local,
            skipped,
            came,
        } => {
            let (name, zone) = (kind.as_str(), &timetable.schedule.timezone);
            let time = local.strftime("%H:%M").to_string();
            let how = if *skipped { "skipped" } else { "showed twice" };
            let came = match came {
                Some(at) => {
                    let there = timetable.zone.to_datetime(*at);
                    let there = there.strftime("%H:%M");
                    format!("the {name} came at {there} ({})", utc(*at))
                }
                None => format!("there was no {name}"),
            };
            format!("the clock in {zone} {how} {time} that day, so {came}")
        }
    }
}

/// A change of the clock, and the slots it moved, doubled or swallowed.
pub(super) fn clock_change(change: &ClockChange, timetable: &Timetable<'_>) -> String {
    let time = |at: DateTime| at.strftime("%H:%M").to_string();
    let (from, to) = (change.from, change.to);
    let mut text = format!(
        "the clock in {} went from {} to {}",
        timetable.schedule.timezone,
        time(from),
        time(to)
    );
    let odd = from.min(to)..from.max(to);
    for occurrence in timetable.occurrences(change.at) {
        for (kind, local, came) in occurrence.edges() {
            if !odd.contains(&local) {
                continue;
            }
            let kind_word = kind.as_str();
            let what = match (change.skips(), kind, came) {
                (true, _, Some(_)) => {
                    format!("the {kind_word} written {} is that instant", time(local))
                }
                (true, ..) => format!("the {kind_word} written {} did not happen", time(local)),
                (false, BoundaryKind::Start, _) => {
                    format!("the start written {} means the first time", time(local))
                }
                (false, BoundaryKind::End, _) => {
                    format!("the end written {} means the last time", time(local))
                }
            };
            text = format!("{text}; {what}");
        }
    }
    text
}
