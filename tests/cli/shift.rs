//! Hours around the present moment, for programs that cannot be told another one.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use shiftbell::{
    clock::Clock,
    sim::{World, WorldOptions},
};

use crate::{shell::Shell, stage::Stage};

pub(crate) const ANA_IOS: &str = "aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11";
pub(crate) const BEN_IOS: &str = "bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22bb22";

/// The last full minute that began at least two minutes ago: an alert of it is still of use.
pub(crate) fn boundary() -> Timestamp {
    let seconds = Clock::system().now().as_second();
    Timestamp::from_second(seconds - seconds % 60 - 120).unwrap()
}

/// The slot from `from` to `until` minutes after `at`, on a clock that shows UTC.
pub(crate) fn slot(at: Timestamp, from: i64, until: i64) -> Value {
    let local = |minutes| TimeZone::UTC.to_datetime(at + SignedDuration::from_mins(minutes));
    json!({
        "day": local(from).strftime("%a").to_string().to_lowercase(),
        "start": local(from).strftime("%H:%M").to_string(),
        "end": local(until).strftime("%H:%M").to_string(),
    })
}

/// Ana starts and Ben ends at `boundary`; she has two phones, he has one.
fn team(boundary: Timestamp) -> String {
    let both = json!({"start": true, "end": true});
    let ana = json!({
        "id": "ana", "workspace": "acme", "name": "Ana Ruiz", "timezone": "UTC",
        "hours": [slot(boundary, 0, 240)], "notify": both,
        "devices": [{"platform": "ios", "token": ANA_IOS}, {"platform": "android", "token": "ana-phone"}],
    });
    let ben = json!({
        "id": "ben", "workspace": "bell", "name": "Ben Hall", "timezone": "UTC",
        "hours": [slot(boundary, -240, 0)], "notify": both,
        "devices": [{"platform": "ios", "token": BEN_IOS}],
    });
    format!("{ana}\n{ben}\n")
}

/// A stage on which that boundary has just passed and no worker has noticed yet: the team's states
/// were recorded an hour before it.
pub(crate) async fn due(database_url: &str) -> (Stage, Shell, Timestamp) {
    let boundary = boundary();
    let before = boundary - SignedDuration::from_hours(1);
    let stage = Stage::set(
        &before.to_string(),
        Some(database_url.to_owned()),
        &team(boundary),
    )
    .await;
    stage.clock.set(Clock::system().now());
    let shell = Shell::in_folder(&stage.world.folder);
    (stage, shell, boundary)
}

/// Stand-ins for every receiver, and a shell in the folder of the configuration that names them.
/// The database is in that folder too, unless a URL says where else.
pub(crate) async fn world(database_url: Option<String>) -> (World, Shell) {
    let shell = Shell::new();
    let options = WorldOptions {
        database_url,
        ..WorldOptions::default()
    };
    let world = World::start(&shell.folder, Clock::system(), options)
        .await
        .unwrap();
    (world, shell)
}
