//! What a request of a description is made of, looked at by itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{
    Answers, Request,
    fill::{Piece, pieces},
};

/// Whether the path holds `{name}`.
pub(super) fn asks_for(request: &Request, name: &str) -> bool {
    pieces(&request.path).contains(&Piece::Name(name))
}

/// Whether the path, a header or the body holds `{name}`, or a part of it.
pub(super) fn holds(request: &Request, name: &str) -> bool {
    let fields = [Some(&request.headers), request.form.as_ref()];
    let fields = fields.into_iter().flatten().flat_map(|all| all.values());
    let mut texts: Vec<&str> = fields.map(String::as_str).chain([&*request.path]).collect();
    let mut values: Vec<&Value> = request.json.iter().collect();
    while let Some(value) = values.pop() {
        match value {
            Value::String(text) => texts.push(text),
            Value::Array(items) => values.extend(items),
            Value::Object(fields) => values.extend(fields.values()),
            _ => {}
        }
    }
    let is =
        |piece: &Piece| matches!(piece, Piece::Name(held) if held.split('.').next() == Some(name));
    texts.iter().any(|text| pieces(text).iter().any(is))
}

/// Headers that no request could be sent with, and those that are the connection's own affair.
pub(super) fn check_headers(place: &str, headers: &BTreeMap<String, String>) -> Result<(), String> {
    let own = ["connection", "content-length", "host", "transfer-encoding"];
    for (name, text) in headers {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(format!("{place}: {name:?} is no name of a header"));
        }
        if own.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!("{place}: {name} is not for a description to set"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("{place}: {name} holds a line break or the like"));
        }
    }
    Ok(())
}

pub(super) fn check_pointer(pointer: &str, place: &str) -> Result<(), String> {
    if pointer.is_empty() || pointer.starts_with('/') {
        return Ok(());
    }
    Err(format!(
        "{place}: {pointer:?} is no JSON pointer, which begins with /"
    ))
}

/// What refusals mean: codes of HTTP, and places in an answer.
pub(super) fn check_answers(answers: &Answers) -> Result<(), String> {
    let wrong = |code: &&String| !matches!(code.parse::<u16>(), Ok(100..=599));
    if let Some(code) = answers.status.keys().find(wrong) {
        return Err(format!("answers.status: {code:?} is no HTTP status code"));
    }
    let mut words = answers.word.iter();
    words.try_for_each(|pointer| check_pointer(pointer, "answers.word"))
}
