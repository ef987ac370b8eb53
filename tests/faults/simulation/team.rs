//! A few agents in odd zones, with random hours and a phone each.

use jiff::civil::Weekday;
use shiftbell::domain::{
    agent::{Agent, Device, Field, Notify},
    device::{DeviceToken, Environment, Platform},
    hours::{LocalTime, Slot},
    lead::Lead,
};

use super::model::Dice;

const ZONES: [&str; 9] = [
    "Europe/Paris",
    "America/New_York",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "America/Havana",
    "Pacific/Chatham",
    "Asia/Kolkata",
];
const DAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// Three to five of them, in two workspaces.
pub(super) fn team(dice: &mut Dice) -> Vec<Agent> {
    (0..3 + dice.below(3))
        .map(|n| {
            let mut agent = Agent::new(
                format!("a-{n}"),
                format!("w-{}", n % 2),
                format!("Agent {n}"),
                *dice.pick(&ZONES),
            );
            agent.hours = hours(dice);
            agent.notify = Notify {
                start: dice.below(4) > 0,
                end: dice.below(4) > 0,
            };
            agent.leads = leads(dice);
            let platform = *dice.pick(&[Platform::Ios, Platform::Android]);
            agent.devices = vec![Device {
                platform,
                token: DeviceToken::new(format!("token-{n}")),
                environment: Environment::Production,
            }];
            for field in [Field::Hours, Field::Notify, Field::Leads, Field::Devices] {
                agent.named.insert(field);
            }
            agent
        })
        .collect()
}

/// None, or some, of which two may come at one instant.
fn leads(dice: &mut Dice) -> Vec<Lead> {
    let mut leads = Vec::new();
    for _ in 0..dice.below(4) {
        let lead = match dice.below(2) {
            0 => Lead::DayBefore(quarter(dice)),
            _ => Lead::Minutes(*dice.pick(&[5, 15, 60, 720, 1440])),
        };
        if !leads.contains(&lead) {
            leads.push(lead);
        }
    }
    leads
}

/// A week of slots, some of them over midnight, some of them touching.
pub(super) fn hours(dice: &mut Dice) -> Vec<Slot> {
    let mut slots = Vec::new();
    for day in DAYS {
        for _ in 0..dice.below(3) {
            let start = quarter(dice);
            let end = quarter(dice);
            if start != end {
                slots.push(Slot { day, start, end });
            }
        }
    }
    slots
}

fn quarter(dice: &mut Dice) -> LocalTime {
    LocalTime::from_minutes(dice.below(96) as u16 * 15).unwrap()
}
