//! Planning without a database: what the worker decides of each agent, on one core.

use std::{hint::black_box, time::Duration};

use jiff::{Timestamp, civil::Weekday};
use shiftbell::{
    domain::{
        agent::Notify,
        delivery::ChannelKind,
        device::{DeviceToken, Environment},
        hours::{LocalTime, Slot},
        plan::{Facts, Phone, Recorded, Schedule},
        presence::Status,
        zone::Zones,
    },
    triggers::{self, Rules},
};

use crate::{process, stage, team};

/// Long enough for a figure.
const AGENTS: usize = 500_000;
const WEEK: [Weekday; 5] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
];

/// How many agents' plans are made afresh in a second of CPU: five days a week, two slots a day.
pub(crate) fn plans_per_second() -> f64 {
    let now = stage::now();
    let zones = Zones::built_in();
    let rules = Rules {
        useful_for: Duration::from_mins(15),
        push: vec![ChannelKind::Apns, ChannelKind::Fcm],
    };
    let facts: Vec<Facts> = team::zones().map(|zone| facts(zone, now)).collect();
    let cpu = || process::cpu(std::process::id());
    let before = cpu();
    for facts in facts.iter().cycle().take(AGENTS) {
        black_box(triggers::decide(black_box(facts), &zones, &rules, now));
    }
    AGENTS as f64 / (cpu() - before)
}

/// An agent whose plan is there and was made with older data.
fn facts(zone: &str, now: Timestamp) -> Facts {
    let minute = |minutes| LocalTime::from_minutes(minutes).expect("a time of day");
    let slot = |day, start, end| Slot {
        day,
        start: minute(start),
        end: minute(end),
    };
    Facts {
        recorded: Recorded {
            agent: "agent-0000001".to_owned(),
            workspace: "workspace-1".to_owned(),
            status: Some(Status::Offline),
            sequence: 1,
            evaluated_at: Some(now - Duration::from_hours(6)),
            boundary_at: Some(now + Duration::from_hours(6)),
            stale_at: Some(now),
            ..Recorded::default()
        },
        schedule: Ok(Some(Schedule {
            workspace: "workspace-1".to_owned(),
            timezone: zone.to_owned(),
            notify: Notify {
                start: true,
                end: true,
            },
            slots: WEEK
                .into_iter()
                .flat_map(|day| [slot(day, 540, 750), slot(day, 840, 1080)])
                .collect(),
            phones: vec![Phone {
                channel: ChannelKind::Apns,
                token: DeviceToken::new("ab".repeat(32)),
                environment: Environment::Production,
            }],
            ..Schedule::default()
        })),
    }
}
