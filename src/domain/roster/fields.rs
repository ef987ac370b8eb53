//! Reading one object's fields: each taken once, with its path, and every fault collected.

use super::json::Json;

/// A value that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the field, such as `hours[2].start`; empty where the whole line is at fault.
    pub field: String,
    /// What is wrong, and what to write instead.
    pub reason: String,
}

/// Collects the faults and warnings of one line.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Faults will only be counted: a reason need not be worked out.
    pub(super) only_counted: bool,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
}

impl Findings {
    pub(super) fn refuse(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.faults.push(Fault {
            field: field.into(),
            reason: reason.into(),
        });
    }

    pub(super) fn warn(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.warnings.push(Fault {
            field: field.into(),
            reason: reason.into(),
        });
    }
}

/// One object, its fields being taken out by name.
pub(super) struct Fields {
    path: String,
    left: Vec<(String, Json)>,
    known: &'static [&'static str],
}

impl Fields {
    /// The fields of `value`, which must be an object with no field but the `known`.
    pub(super) fn of(
        value: Json,
        path: &str,
        known: &'static [&'static str],
        findings: &mut Findings,
    ) -> Option<Self> {
        let Json::Object(left) = value else {
            findings.refuse(path, wrong(&value, "an object {…}"));
            return None;
        };
        let fields = Self {
            path: path.to_owned(),
            left,
            known,
        };
        for (name, _) in &fields.left {
            if !known.contains(&name.as_str()) {
                findings.refuse(fields.path_to(&shown(name)), fields.unknown(name));
            }
        }
        Some(fields)
    }

    /// `a`, or `hours[2].a` inside another object.
    pub(super) fn path_to(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Takes a field out; `None` where it is not there.
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.swap_remove(at).1)
    }

    /// Takes a text that must be there.
    pub(super) fn text(&mut self, name: &str, findings: &mut Findings) -> Option<String> {
        match self.take(name) {
            Some(Json::Text(text)) => return Some(text),
            Some(other) => findings.refuse(self.path_to(name), wrong(&other, "a text \"…\"")),
            None => findings.refuse(self.path_to(name), "is missing"),
        }
        None
    }

    /// Takes a text that must be there and that `read` understands; `expected` says what that is.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        findings: &mut Findings,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name, findings)?;
        let value = read(&text);
        if value.is_none() {
            findings.refuse(
                self.path_to(name),
                format!("\"{}\" is not {expected}", shown(&text)),
            );
        }
        value
    }

    /// Takes `true` or `false`; `None` where it is not there or null.
    pub(super) fn switch(&mut self, name: &str, findings: &mut Findings) -> Option<bool> {
        match self.take(name)? {
            Json::Bool(value) => return Some(value),
            Json::Null => {}
            other => findings.refuse(self.path_to(name), wrong(&other, "true or false")),
        }
        None
    }

    /// Takes a list; null is an empty one, `None` means that it is not there (or was refused).
    pub(super) fn list(&mut self, name: &str, findings: &mut Findings) -> Option<Vec<Json>> {
        match self.take(name)? {
            Json::List(list) => Some(list),
            Json::Null => Some(Vec::new()),
            other => {
                findings.refuse(self.path_to(name), wrong(&other, "a list […]"));
                None
            }
        }
    }

    fn unknown(&self, name: &str) -> String {
        let lower = name.to_lowercase();
        let nearest = self
            .known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(&lower, known), *known))
            .min()
            .filter(|(distance, known)| *distance <= known.len() / 2);
        match nearest {
            Some((_, known)) => format!("is no known field: did you mean \"{known}\"?"),
            None => format!("is no known field: there are {}", self.known.join(", ")),
        }
    }
}

/// "must be a list […], not a number"
pub(super) fn wrong(found: &Json, expected: &str) -> String {
    format!("must be {expected}, not {}", found.kind())
}

/// The start of what a file says, safe to print on one line.
pub(in crate::domain) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let start: String = text.chars().take(LONGEST).collect();
    let more = if text.chars().nth(LONGEST).is_some() {
        "…"
    } else {
        ""
    };
    format!("{}{more}", super::printable(&start))
}
