//! Reading stored words back into domain types; what cannot be read says where it stands.

use uuid::Uuid;

use super::{About, Moved, StoreError, instant};
use crate::domain::{
    delivery::{ChannelKind, DeliveryState},
    device::Environment,
};

/// Reads a stored word with `read`; `None` means that the value is corrupt.
pub(super) fn word<T>(
    table: &'static str,
    column: &'static str,
    row: &str,
    value: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, StoreError> {
    read(value).ok_or_else(|| StoreError::Corrupt {
        table,
        column,
        row: row.to_owned(),
        problem: format!("`{}` cannot be read", value.escape_debug()),
    })
}

/// The push service that reaches phones of a stored platform; the schema allows no third.
pub(super) fn push_channel(platform: &str) -> ChannelKind {
    match platform {
        "ios" => ChannelKind::Apns,
        _ => ChannelKind::Fcm,
    }
}

/// Which of Apple's hosts knows a phone; the schema allows no third.
pub(super) fn environment_of(stored: &str) -> Environment {
    match stored {
        "sandbox" => Environment::Sandbox,
        _ => Environment::Production,
    }
}

/// Reads a stored delivery or transition id.
pub(super) fn id(table: &'static str, value: &str) -> Result<Uuid, StoreError> {
    word(table, "id", value, value, |v| Uuid::parse_str(v).ok())
}

/// A delivery that came to its end: id, channel, state, reason, epoch, transition, agent, kind, boundary.
pub(super) type MovedRow = (
    String,
    String,
    String,
    Option<String>,
    i64,
    String,
    Option<String>,
    String,
    Option<i64>,
);

/// Reads deliveries that came to their end.
pub(super) fn moved(rows: Vec<MovedRow>) -> Result<Vec<Moved>, StoreError> {
    rows.into_iter()
        .map(
            |(key, channel, state, reason, epoch, transition, agent, kind, boundary)| {
                Ok(Moved {
                    about: about(&key, transition, agent, kind, boundary)?,
                    id: id("deliveries", &key)?,
                    channel: word(
                        "deliveries",
                        "channel",
                        &key,
                        &channel,
                        ChannelKind::from_word,
                    )?,
                    state: word(
                        "deliveries",
                        "state",
                        &key,
                        &state,
                        DeliveryState::from_word,
                    )?,
                    reason: reason.unwrap_or_default(),
                    epoch,
                })
            },
        )
        .collect()
}

/// Reads what a delivery is about.
pub(super) fn about(
    key: &str,
    transition: String,
    agent: Option<String>,
    kind: String,
    boundary: Option<i64>,
) -> Result<About, StoreError> {
    let boundary = boundary.map(|at| instant("deliveries", "boundary_at", key, at));
    Ok(About {
        transition,
        agent,
        kind,
        boundary: boundary.transpose()?,
    })
}
