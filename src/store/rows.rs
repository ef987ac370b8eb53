//! Reading stored words back into domain types; what cannot be read says where it stands.

use uuid::Uuid;

use super::StoreError;

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

/// A list for the `{in_list}` fragment.
pub(super) fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    json(&items.into_iter().collect::<Vec<_>>())
}

/// Rows for the `{rows(…)}` fragment.
pub(super) fn json<T: serde::Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("rows of plain values always serialize")
}
