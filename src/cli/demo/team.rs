//! The demo's team: people in several time zones whose hours start or end at the coming minute.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{
    domain::{
        agent::{Agent, Device, Field, Notify},
        device::{DeviceToken, Environment, Platform},
        hours::{LocalTime, Slot},
        zone::Zones,
    },
    sim::product::Product,
};

/// When a member's hours start and end, in minutes from the coming boundary.
struct Member {
    id: &'static str,
    name: &'static str,
    zone: &'static str,
    locale: &'static str,
    from: i64,
    until: i64,
    phone: Option<Platform>,
    opted_in: bool,
}

const fn member(
    id: &'static str,
    name: &'static str,
    zone: &'static str,
    locale: &'static str,
    from: i64,
    until: i64,
    phone: Option<Platform>,
) -> Member {
    Member {
        id,
        name,
        zone,
        locale,
        from,
        until,
        phone,
        opted_in: phone.is_some(),
    }
}

/// The id of the one whose app was removed from the phone.
pub(super) const GONE: &str = "kenji";

const TEAM: [Member; 9] = [
    member(
        "ana",
        "Ana Ruiz",
        "Europe/Madrid",
        "es",
        0,
        480,
        Some(Platform::Ios),
    ),
    member(
        "lea",
        "Léa Martin",
        "Europe/Paris",
        "fr",
        0,
        240,
        Some(Platform::Android),
    ),
    member(
        "jonas",
        "Jonas Weber",
        "Europe/Berlin",
        "de",
        -480,
        0,
        Some(Platform::Ios),
    ),
    member(
        "priya",
        "Priya Nair",
        "Asia/Kolkata",
        "en",
        -300,
        0,
        Some(Platform::Android),
    ),
    member(
        "tui",
        "Tui Henare",
        "Pacific/Chatham",
        "en-NZ",
        0,
        360,
        Some(Platform::Ios),
    ),
    member(
        "bruno",
        "Bruno Costa",
        "America/Sao_Paulo",
        "pt-BR",
        0,
        1,
        Some(Platform::Android),
    ),
    member(
        GONE,
        "Kenji Mori",
        "Asia/Tokyo",
        "en",
        -60,
        0,
        Some(Platform::Ios),
    ),
    Member {
        opted_in: false,
        ..member(
            "giulia",
            "Giulia Riva",
            "Europe/Rome",
            "it",
            0,
            480,
            Some(Platform::Ios),
        )
    },
    member("sam", "Sam Okoye", "Africa/Lagos", "en", -10, 2, None),
];

/// The team, with hours that meet at `boundary` (UTC, a whole minute).
pub(super) fn team(boundary: Timestamp, zones: &Zones) -> anyhow::Result<Vec<Agent>> {
    TEAM.iter()
        .map(|member| agent(member, boundary, &zones.get(member.zone)?))
        .collect()
}

/// Makes the team known in a product, each with the id that the product gives.
pub(super) fn enrol(team: &mut [Agent], product: &Product, named_in: &str) {
    for (n, agent) in team.iter_mut().enumerate() {
        let id = product.add_agent(n);
        agent.external.insert(named_in.to_owned(), id);
        agent.named.insert(Field::External);
    }
}

/// How many alerts ring at the boundary itself.
pub(super) fn alerts() -> usize {
    TEAM.iter()
        .filter(|m| m.opted_in && (m.from == 0 || m.until == 0))
        .count()
}

/// A phone's token, made up of its owner's name.
pub(super) fn token(id: &str, platform: Platform) -> DeviceToken {
    let first = id.bytes().fold(0u64, |n, byte| n << 8 | u64::from(byte));
    let digits = format!("{first:064x}");
    DeviceToken::new(match platform {
        Platform::Ios => digits,
        Platform::Android => format!("demo-{id}:{digits}"),
    })
}

fn agent(member: &Member, boundary: Timestamp, zone: &TimeZone) -> anyhow::Result<Agent> {
    let local = |minutes: i64| -> anyhow::Result<jiff::civil::DateTime> {
        Ok(zone.to_datetime(boundary.checked_add(SignedDuration::from_mins(minutes))?))
    };
    let (from, until) = (local(member.from)?, local(member.until)?);
    let time = |at: jiff::civil::DateTime| {
        let minutes =
            u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs());
        LocalTime::from_minutes(minutes).unwrap_or(LocalTime::MIDNIGHT)
    };
    let mut agent = Agent::new(member.id, "acme", member.name, member.zone);
    agent.locale = Some(member.locale.to_owned());
    agent.hours = vec![Slot {
        day: from.date().weekday(),
        start: time(from),
        end: time(until),
    }];
    agent.notify = Notify {
        start: member.opted_in,
        end: member.opted_in,
    };
    agent.devices = member
        .phone
        .map(|platform| Device {
            platform,
            token: token(member.id, platform),
            environment: Environment::Production,
        })
        .into_iter()
        .collect();
    for field in [Field::Locale, Field::Hours, Field::Notify, Field::Devices] {
        agent.named.insert(field);
    }
    Ok(agent)
}
