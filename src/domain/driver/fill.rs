//! Values put into a request. Pure: the same for sending and for showing what would be sent.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use super::{Method, Request, Word};

/// What may be put into a request's texts.
#[derive(Debug, Clone, Default)]
pub struct Values<'v> {
    /// The agent's id in the product.
    pub agent: &'v str,
    /// The ids of all agents of one request.
    pub agents: &'v [&'v str],
    /// The word for the status.
    pub status: Option<&'v Word>,
    /// The job that is asked for.
    pub job: &'v str,
    /// How many agents stood on the pages before.
    pub offset: usize,
    /// `presence.account`
    pub account: &'v str,
    /// `presence.user`
    pub user: &'v str,
    /// The credential, for headers alone.
    pub token: &'v str,
}

/// A request, filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Filled {
    /// The HTTP method.
    pub method: Method,
    /// The path and the query, encoded.
    pub path: String,
    /// The body and its media type, if there is one.
    pub body: Option<(&'static str, String)>,
    /// What a successful answer holds: JSON pointers and values.
    pub expect: BTreeMap<String, Value>,
    /// Status codes besides 2xx that mean that it is done already.
    pub done: Vec<u16>,
}

/// The names that a text may hold in braces. `status.…` is one as well.
pub(super) const NAMES: [&str; 8] = [
    "agent", "agents", "status", "job", "offset", "account", "user", "token",
];

impl Values<'_> {
    /// The value of a name; `None` for names that nobody knows, which a description cannot hold.
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        Some(match name {
            "agent" => self.agent.into(),
            "job" => self.job.into(),
            "offset" => self.offset.to_string().into(),
            "account" => self.account.into(),
            "user" => self.user.into(),
            "token" => self.token.into(),
            _ => match self.word(name)? {
                Value::String(text) => text.as_str().into(),
                other => other.to_string().into(),
            },
        })
    }

    /// The value of `status` or `status.part`.
    fn word(&self, name: &str) -> Option<&Value> {
        let part = name.strip_prefix("status")?;
        self.status?.part(part.strip_prefix('.').unwrap_or(part))
    }

    /// `text` with its values.
    pub fn text(&self, text: &str) -> String {
        self.put(text, str::to_owned)
    }

    fn put(&self, text: &str, encode: impl Fn(&str) -> String) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Literal(literal) => out.push_str(literal),
                // The commas between ids are ours; one inside an id would make two of it.
                Piece::Name("agents") => {
                    let ids: Vec<String> = self.agents.iter().map(|id| encode(id)).collect();
                    out.push_str(&ids.join(","));
                }
                Piece::Name(name) => out.push_str(&encode(&self.get(name).unwrap_or_default())),
            }
        }
        out
    }

    /// `value` with values in all its texts; a text that is a status alone becomes the word itself.
    pub fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match only_name(text) {
                Some("agents") => self.agents.iter().copied().collect(),
                Some(name) if self.word(name).is_some() => {
                    self.word(name).cloned().unwrap_or_default()
                }
                _ => Value::String(self.text(text)),
            },
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.json(value)))
                .collect(),
            other => other.clone(),
        }
    }
}

impl Request {
    /// This request with `values`.
    pub fn fill(&self, values: &Values<'_>) -> Filled {
        let json = self.json.as_ref().map(|json| {
            let text = values.json(json).to_string();
            ("application/json", text)
        });
        let form = self.form.as_ref().map(|form| {
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in form {
                text.append_pair(name, &values.text(value));
            }
            ("application/x-www-form-urlencoded", text.finish())
        });
        let expect = self.expect.iter();
        Filled {
            method: self.method,
            path: values.put(&self.path, percent_encoded),
            body: json.or(form),
            expect: expect
                .map(|(at, value)| (at.clone(), values.json(value)))
                .collect(),
            done: self.done.clone(),
        }
    }
}

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// As it is.
    Literal(&'t str),
    /// What stands in braces, if it looks like a name: other braces are as they are.
    Name(&'t str),
}

/// The parts of a text.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((open, length)) = next_name(rest) {
        if open > 0 {
            pieces.push(Piece::Literal(&rest[..open]));
        }
        pieces.push(Piece::Name(&rest[open + 1..=open + length]));
        rest = &rest[open + length + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    pieces
}

/// Where the first name in braces opens, and its length.
fn next_name(text: &str) -> Option<(usize, usize)> {
    text.match_indices('{').find_map(|(open, _)| {
        let length = text[open + 1..].find('}')?;
        let name = &text[open + 1..=open + length];
        let looks = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '.');
        (!name.is_empty() && name.chars().all(looks)).then_some((open, length))
    })
}

fn only_name(text: &str) -> Option<&str> {
    match pieces(text)[..] {
        [Piece::Name(name)] => Some(name),
        _ => None,
    }
}

/// RFC 3986: everything but the unreserved characters.
fn percent_encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into());
            }
            _ => write!(out, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(toml: &str) -> Request {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn values_are_encoded_for_their_place() {
        let request = request(
            r#"
            method = "PUT"
            path = "/a/{account}/agents/{agent}?ids={agents}&x={other}"
            json = { id = "{agent}", say = "is {status}", now = "{status}", deep = [{ n = "{status}" }], n = 3, ids = "{agents}" }
            expect = { "/ok" = true, "/state" = "{status}" }
            "#,
        );
        let word = Word::new(false);
        let filled = request.fill(&Values {
            agent: "a/../b?ü",
            agents: &["1", "2,3"],
            status: Some(&word),
            account: "7",
            ..Values::default()
        });
        assert_eq!(
            filled.path,
            "/a/7/agents/a%2F..%2Fb%3F%C3%BC?ids=1,2%2C3&x="
        );
        let (kind, body) = filled.body.unwrap();
        assert_eq!(kind, "application/json");
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({"id": "a/../b?ü", "say": "is false", "now": false, "deep": [{"n": false}], "n": 3, "ids": ["1", "2,3"]})
        );
        assert_eq!(filled.expect["/state"], json!(false));
    }

    #[test]
    fn parts_of_a_word_and_forms() {
        let request = request(
            r#"
            method = "POST"
            path = "/p"
            form = { presence = "{status.a}", both = "{status.a} & {status.b}" }
            "#,
        );
        let word = Word::new(json!({"a": "Away", "b": 5}));
        let values = Values {
            status: Some(&word),
            ..Values::default()
        };
        let (kind, body) = request.fill(&values).body.unwrap();
        assert_eq!(kind, "application/x-www-form-urlencoded");
        assert_eq!(body, "both=Away+%26+5&presence=Away");
    }

    #[test]
    fn braces_that_hold_no_name_are_as_they_are() {
        let text = "{ {agent} {} {Agent} {a b} {";
        let filled = Values {
            agent: "x",
            ..Values::default()
        }
        .text(text);
        assert_eq!(filled, "{ x {} {Agent} {a b} {");
    }
}
