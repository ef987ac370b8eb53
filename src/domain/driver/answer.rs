//! What an answer of a product means. Pure.
//!
//! HTTP's own meaning comes first; a description corrects it where the product's differs: 200 with
//! `ok: false`, 200 though nothing changed, 403 for an agent without a seat. A web page is no answer,
//! whatever its status.

use serde_json::Value;

use super::{Answers, Refusal, fill::Filled};

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Done.
    Done,
    /// It says that it is done, and is not: what stands at this place is not what was asked for.
    NotDone(String),
    /// Refused, with the product's word for it if it has one.
    Refused(Refusal, Option<String>),
}

/// What an answer of this HTTP status and body means to the request `asked`.
pub fn meaning(answers: &Answers, status: u16, body: &[u8], asked: &Filled) -> Meaning {
    let page = is_page(body);
    if asked.done.contains(&status) && !page {
        return Meaning::Done;
    }
    // No product answers so: the address is wrong, or somebody stands before it and asks for a login.
    if (200..300).contains(&status) && page {
        return Meaning::Refused(Refusal::Ours, Some("a web page".to_owned()));
    }
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let at = |pointer: &str| json.as_ref().and_then(|json| json.pointer(pointer));
    let word = answers
        .word
        .iter()
        .find_map(|pointer| at(pointer).and_then(as_word));
    let told = word.as_ref().and_then(|word| answers.words.get(word));
    if let Some(refusal) = told {
        return refused(*refusal, word);
    }
    if (200..300).contains(&status) {
        let wanting = asked
            .expect
            .iter()
            .find(|(pointer, value)| at(pointer) != Some(value));
        return match (wanting, word) {
            (None, _) => Meaning::Done,
            (Some(_), Some(word)) => Meaning::Refused(Refusal::Later, Some(word)),
            (Some((pointer, _)), None) => Meaning::NotDone(pointer.clone()),
        };
    }
    let by_status = answers.status.get(&status.to_string()).copied();
    // A product tells in JSON that it does not know an agent; a page that is not there, or a proxy,
    // does not, and then the address is wrong for all of them.
    let by_status =
        by_status.filter(|refusal| json.is_some() || status != 404 || *refusal != Refusal::Agent);
    refused(by_status.unwrap_or(by_http(status)), word)
}

/// Whether it is for people, to look at.
fn is_page(body: &[u8]) -> bool {
    let begins = |with: &[u8]| {
        let start = body.trim_ascii_start().get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    begins(b"<!doctype html") || begins(b"<html")
}

fn refused(refusal: Refusal, word: Option<String>) -> Meaning {
    match refusal {
        Refusal::Done => Meaning::Done,
        refusal => Meaning::Refused(refusal, word),
    }
}

/// RFC 9110, 15.
fn by_http(status: u16) -> Refusal {
    match status {
        429 => Refusal::Slow,
        408 | 425 | 500..=599 => Refusal::Later,
        400 | 409 | 413 | 422 => Refusal::Agent,
        _ => Refusal::Ours,
    }
}

fn as_word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::{super::Method, *};

    fn answers() -> Answers {
        toml::from_str(
            r#"
            word = ["/odd", "/error"]
            words = { ratelimited = "slow", user_not_found = "agent", same = "done" }
            status = { "403" = "agent", "404" = "agent" }
            "#,
        )
        .unwrap()
    }

    #[test]
    fn every_answer_has_its_meaning() {
        use Refusal::{Agent, Later, Ours, Slow};
        let refused = |refusal, word: Option<&str>| Meaning::Refused(refusal, word.map(Into::into));
        let rows = [
            (200, r#"{"ok":true}"#, Meaning::Done),
            (204, r#"{"ok":true}"#, Meaning::Done),
            (200, r#"{"ok":false}"#, Meaning::NotDone("/ok".into())),
            (200, "<html>", refused(Ours, Some("a web page"))),
            (200, "\n<!DOCTYPE HTML>", refused(Ours, Some("a web page"))),
            (200, "<", Meaning::NotDone("/ok".into())),
            (410, "<html>", refused(Ours, None)),
            (
                200,
                r#"{"ok":false,"error":"odd"}"#,
                refused(Later, Some("odd")),
            ),
            (
                200,
                r#"{"ok":false,"error":"ratelimited"}"#,
                refused(Slow, Some("ratelimited")),
            ),
            (
                500,
                r#"{"error":"user_not_found"}"#,
                refused(Agent, Some("user_not_found")),
            ),
            (409, r#"{"error":"same"}"#, Meaning::Done),
            (400, "", refused(Agent, None)),
            (401, r#"{"error":"no"}"#, refused(Ours, Some("no"))),
            (403, "", refused(Agent, None)),
            (404, "{}", refused(Agent, None)),
            (404, "<html>", refused(Ours, None)),
            (302, "", refused(Ours, None)),
            (410, "", Meaning::Done),
            (429, "", refused(Slow, None)),
            (503, "", refused(Later, None)),
        ];
        let asked = Filled {
            method: Method::Get,
            path: String::new(),
            body: None,
            expect: BTreeMap::from([("/ok".to_owned(), json!(true))]),
            done: vec![410],
        };
        for (status, body, expected) in rows {
            let found = meaning(&answers(), status, body.as_bytes(), &asked);
            assert_eq!(found, expected, "{status} {body}");
        }
    }
}
