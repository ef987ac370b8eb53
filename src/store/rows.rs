//! Reading stored words back into domain types; what cannot be read says where it stands.

use uuid::Uuid;

use super::{Moved, StoreError};
use crate::domain::delivery::{ChannelKind, DeliveryState};

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

/// Reads a stored delivery or transition id.
pub(super) fn id(table: &'static str, value: &str) -> Result<Uuid, StoreError> {
    word(table, "id", value, value, |v| Uuid::parse_str(v).ok())
}

/// Reads deliveries that came to their end: id, channel, state, reason.
pub(super) fn moved(
    rows: Vec<(String, String, String, Option<String>)>,
) -> Result<Vec<Moved>, StoreError> {
    rows.into_iter()
        .map(|(key, channel, state, reason)| {
            Ok(Moved {
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
            })
        })
        .collect()
}

/// A list for the `{in_list}` fragment.
pub(super) fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    json(&items.into_iter().collect::<Vec<_>>())
}

/// Rows for the `{rows(…)}` fragment.
pub(super) fn json<T: serde::Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("rows of plain values always serialize")
}
