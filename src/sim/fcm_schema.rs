//! Google's published schema of a send request, and a strict reading of JSON against it. Pure.
//!
//! The schema is data (`data/fcm_send_schema.json`, which names its source). As protobuf's JSON
//! mapping allows, a field may be written in camel case or as in the `.proto` file with underscores.
//! Violations are worded as Google words them. `tests/stand_ins/fcm.rs` shows them.

use std::{collections::HashMap, sync::LazyLock};

use serde::Deserialize;
use serde_json::{Map, Value};

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Path of the field, as `message.android`.
    pub(super) field: String,
    /// In Google's words.
    pub(super) description: String,
}

#[derive(Deserialize)]
struct Schema {
    scopes: Vec<String>,
    messages: HashMap<String, HashMap<String, Kind>>,
}

/// A field's type.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kind {
    /// A scalar's name, or a message's.
    Named(String),
    /// The words of an enum.
    Enum(Vec<String>),
    /// A list.
    Repeated { repeated: Box<Kind> },
    /// A map with text as keys.
    Map { map: Box<Kind> },
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    serde_json::from_str(include_str!("data/fcm_send_schema.json"))
        .expect("the schema in the source tree is well formed")
});

/// The OAuth scopes either of which allows sending.
pub(super) fn scopes() -> &'static [String] {
    &SCHEMA.scopes
}

/// Everything in `body` that a `SendMessageRequest` does not allow.
pub(super) fn violations(body: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    check_message(body, "SendMessageRequest", "", &mut found);
    found
}

/// A field by its camel-case name, whichever way it was written.
pub(super) fn field<'a>(object: &'a Value, camel: &str) -> Option<&'a Value> {
    object.get(camel).or_else(|| object.get(underscored(camel)))
}

fn check_message(value: &Value, message: &str, path: &str, found: &mut Vec<Violation>) {
    let Some(object) = value.as_object() else {
        return found.push(invalid(path, message, value));
    };
    let fields = &SCHEMA.messages[message];
    for (name, value) in object {
        let camel = camel_cased(name);
        let known = fields.get(&camel);
        let Some(kind) = known.filter(|_| *name == camel || *name == underscored(&camel)) else {
            found.push(unknown(path, name));
            continue;
        };
        if *name != camel && object.contains_key(&camel) {
            found.push(twice(path, &camel));
        }
        if !value.is_null() {
            check(value, kind, &join(path, name), found);
        }
    }
}

fn check(value: &Value, kind: &Kind, path: &str, found: &mut Vec<Violation>) {
    match kind {
        Kind::Named(name) if SCHEMA.messages.contains_key(name) => {
            check_message(value, name, path, found);
        }
        Kind::Named(name) if is_scalar(value, name) => {}
        Kind::Named(name) => found.push(invalid(path, scalar_name(name), value)),
        Kind::Enum(words) => {
            if !value
                .as_str()
                .is_some_and(|word| words.iter().any(|known| known == word))
            {
                found.push(invalid(path, "enum", value));
            }
        }
        Kind::Repeated { repeated } => match value.as_array() {
            Some(items) => {
                for (index, item) in items.iter().enumerate() {
                    check(item, repeated, &format!("{path}[{index}]"), found);
                }
            }
            None => found.push(invalid(path, "list", value)),
        },
        Kind::Map { map } => match value.as_object() {
            Some(entries) => check_entries(entries, map, path, found),
            None => found.push(invalid(path, "map", value)),
        },
    }
}

fn check_entries(
    entries: &Map<String, Value>,
    kind: &Kind,
    path: &str,
    found: &mut Vec<Violation>,
) {
    for (index, value) in entries.values().enumerate() {
        check(value, kind, &format!("{path}[{index}].value"), found);
    }
}

fn is_scalar(value: &Value, name: &str) -> bool {
    match name {
        "any" => true,
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "int32" => value
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        "float" => value.is_number(),
        "google-duration" => value.as_str().is_some_and(|text| seconds(text).is_some()),
        "google-datetime" => value
            .as_str()
            .is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        _ => false,
    }
}

/// Reads protobuf's JSON form of a duration, `3.5s`: whole seconds, at most nine decimals.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let number = text.strip_suffix('s')?;
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (numeric(whole) && numeric(fraction) && fraction.len() <= 9)
        .then(|| number.parse().ok())
        .flatten()
}

fn scalar_name(name: &str) -> &str {
    match name {
        "string" => "TYPE_STRING",
        "boolean" => "TYPE_BOOL",
        "int32" => "TYPE_INT32",
        "float" => "TYPE_FLOAT",
        "google-duration" => "type.googleapis.com/google.protobuf.Duration",
        "google-datetime" => "type.googleapis.com/google.protobuf.Timestamp",
        other => other,
    }
}

fn invalid(path: &str, kind: &str, value: &Value) -> Violation {
    Violation {
        field: path.to_owned(),
        description: format!("Invalid value at '{path}' ({kind}), {value}"),
    }
}

fn unknown(path: &str, name: &str) -> Violation {
    let place = if path.is_empty() {
        String::new()
    } else {
        format!(" at '{path}'")
    };
    Violation {
        field: path.to_owned(),
        description: format!(
            "Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."
        ),
    }
}

fn twice(path: &str, name: &str) -> Violation {
    Violation {
        field: join(path, name),
        description: format!(
            "Invalid value at '{}' (oneof), the field is set twice.",
            join(path, name)
        ),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn camel_cased(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        match letter {
            '_' => upper = true,
            letter if upper => {
                camel.push(letter.to_ascii_uppercase());
                upper = false;
            }
            letter => camel.push(letter),
        }
    }
    camel
}

fn underscored(camel: &str) -> String {
    let mut name = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
