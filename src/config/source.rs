//! Where values come from: one TOML file and the environment, laid over each other.
//!
//! Each value remembers its file and line, or its variable, so that every complaint can name the
//! place to mend.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    ConfigError, Problem,
    keys::{KEYS, Key, PREFIX, known_section, unknown},
};

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In the configuration file, at this line (the first is 1).
    File(PathBuf, usize),
    /// In this environment variable.
    Env(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => write!(f, "${name}"),
        }
    }
}

/// A value as it was written. The environment knows text only.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(String),
    Boolean(bool),
    Other(&'static str),
}

/// A value, where it stands, and the folder that a relative path in it is taken from.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) place: Place,
    pub(super) folder: PathBuf,
}

/// All that was configured.
#[derive(Debug, Default)]
pub(super) struct Source {
    entries: BTreeMap<Key, Entry>,
    sections: BTreeMap<&'static str, Place>,
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
}

impl Source {
    /// Reads the file (`explicit`, else `$SHIFTBELL_CONFIG`, else `shiftbell.toml` in `cwd` where
    /// there is one) and lays the environment over it. Unknown keys go to `problems`.
    pub(super) fn read(
        explicit: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
        cwd: &Path,
        problems: &mut Vec<Problem>,
    ) -> Result<Self, ConfigError> {
        let env: BTreeMap<String, String> = env.collect();
        let mut source = Self::default();
        let named = explicit
            .map(Path::to_owned)
            .or_else(|| {
                let name = env.get("SHIFTBELL_CONFIG").filter(|name| !name.is_empty());
                name.map(PathBuf::from)
            })
            .map(|path| cwd.join(path));
        let default = cwd.join("shiftbell.toml");
        if let Some(path) = named.or_else(|| default.exists().then_some(default)) {
            source.add_file(&path, problems)?;
            source.file = Some(path);
        }
        for (name, value) in env {
            if let Some(rest) = name.strip_prefix(PREFIX) {
                source.add_variable(&name, rest, value, cwd, problems);
            }
        }
        Ok(source)
    }

    /// The value of `key`, if there is one.
    pub(super) fn get(&self, key: Key) -> Option<&Entry> {
        debug_assert!(
            KEYS.iter()
                .any(|(s, keys)| *s == key.0 && keys.contains(&key.1)),
            "{key:?} is not in KEYS"
        );
        self.entries.get(&key)
    }

    /// Where `section` begins, if it is there at all.
    pub(super) fn section(&self, section: &str) -> Option<&Place> {
        self.sections.get(section)
    }

    fn add_file(&mut self, path: &Path, problems: &mut Vec<Problem>) -> Result<(), ConfigError> {
        let bytes = fs::read(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let text = str::from_utf8(&bytes).map_err(|e| ConfigError::Syntax {
            path: path.to_owned(),
            line: line_of(&bytes, e.valid_up_to()),
            message: "is not UTF-8".to_owned(),
        })?;
        // toml's own rendering quotes the line at fault, which may hold a secret put there by mistake.
        let table = DeTable::parse(text).map_err(|e| ConfigError::Syntax {
            path: path.to_owned(),
            line: line_of(&bytes, e.span().map_or(0, |span| span.start)),
            message: e.message().to_owned(),
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let place = |at: usize| Place::File(path.to_owned(), line_of(&bytes, at));
        for (section, body) in table.get_ref() {
            let name: &str = section.get_ref();
            let here = place(section.span().start);
            let (Some((known, keys)), DeValue::Table(body)) = (known_section(name), body.get_ref())
            else {
                problems.push(unknown(here, name, None));
                continue;
            };
            self.sections.entry(known).or_insert(here);
            for (key, value) in body {
                let here = place(key.span().start);
                match keys.iter().find(|k| **k == key.get_ref().as_ref()) {
                    Some(key) => self.insert((known, key), owned(value.get_ref()), here, &folder),
                    None => problems.push(unknown(here, name, Some(key.get_ref()))),
                }
            }
        }
        Ok(())
    }

    fn add_variable(
        &mut self,
        name: &str,
        rest: &str,
        value: String,
        cwd: &Path,
        problems: &mut Vec<Problem>,
    ) {
        let lower = rest.to_ascii_lowercase();
        let (section, key) = lower.split_once("__").unwrap_or((&lower, ""));
        let place = Place::Env(name.to_owned());
        let known = known_section(section)
            .and_then(|(section, keys)| Some((section, *keys.iter().find(|k| **k == key)?)));
        match known {
            Some(key) => {
                self.sections.entry(key.0).or_insert(place.clone());
                self.insert(key, Value::Text(value), place, cwd);
            }
            None => problems.push(unknown(place, section, Some(key))),
        }
    }

    fn insert(&mut self, key: Key, value: Value, place: Place, folder: &Path) {
        let folder = folder.to_owned();
        let entry = Entry {
            value,
            place,
            folder,
        };
        self.entries.insert(key, entry);
    }
}

fn owned(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => Value::Integer(number.to_string()),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(_) => Value::Other("a list"),
        DeValue::Table(_) => Value::Other("a table"),
    }
}

/// The line, counted from 1, of the byte at `offset`.
fn line_of(bytes: &[u8], offset: usize) -> usize {
    let before = &bytes[..offset.min(bytes.len())];
    before.split(|byte| *byte == b'\n').count()
}
