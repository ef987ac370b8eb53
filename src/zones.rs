//! Reads a directory of compiled time zones: the one piece of I/O that [`Zones`] needs.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use crate::domain::zone::{DataVersion, Directory, Zones};

const SYSTEM: &str = "/usr/share/zoneinfo";
/// No compiled zone comes near this size; what does is something else.
const LARGEST_ZONE: u64 = 1 << 20;
/// No zone's name comes near this length; what does is a link that leads back to its own folder.
const LONGEST_NAME: usize = 60;
/// Copies of other zones under names of their own (`posix/…`), with leap seconds (`right/…`), or
/// of whatever the machine is set to.
const NO_ZONES: [&str; 4] = ["posix", "right", "localtime", "posixrules"];

/// A configured time-zone directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    /// It, or a file in it, could not be read.
    #[error("cannot read time-zone data in {}", path.display())]
    Unreadable {
        /// The directory or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It does not say which version it holds.
    #[error(
        "the time-zone directory {} does not say its version: it needs a tzdata.zi whose first line \
         is like \"# version 2026f\", or a file +VERSION with 2026f in it",
        path.display()
    )]
    NoVersion {
        /// The directory.
        path: PathBuf,
    },
    /// It holds no compiled zone.
    #[error("the time-zone directory {} holds no compiled zone: fill it with zic", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
}

/// The newest time-zone data at hand: the copy built in, or a directory's.
///
/// The directory is `dir` where one is configured, else the system's. A configured one is used if
/// it is at least as new as the copy built in, and must be usable in any case; the system's is used
/// if it is newer, and passed over if it is missing or broken.
///
/// # Errors
/// The configured directory cannot be read, or does not say its version.
pub fn load(dir: Option<&Path>) -> Result<Zones, ZoneError> {
    match dir {
        Some(path) => {
            let version = version_of(path)?;
            let wanted = Zones::wants(&version);
            let directory = if wanted {
                Some(read(path, version)?)
            } else {
                None
            };
            Ok(Zones::newest(directory))
        }
        None => Ok(system(Path::new(SYSTEM)).unwrap_or_else(Zones::built_in)),
    }
}

/// As [`load`], where the data at hand are of another version than `current`: a look at one line, as
/// long as they are not.
///
/// # Errors
/// As [`load`].
pub fn changed(dir: Option<&Path>, current: &Zones) -> Result<Option<Zones>, ZoneError> {
    let same = |zones_version: &str| zones_version == current.version();
    let there = version_of(dir.unwrap_or(Path::new(SYSTEM)));
    if there.is_ok_and(|version| same(&version.to_string())) {
        return Ok(None);
    }
    let zones = load(dir)?;
    Ok((!same(zones.version())).then_some(zones))
}

fn system(path: &Path) -> Option<Zones> {
    let version = version_of(path).ok()?;
    if !Zones::wants(&version) || version.to_string() == Zones::built_in().version() {
        return None;
    }
    Some(Zones::newest(Some(read(path, version).ok()?)))
}

fn version_of(dir: &Path) -> Result<DataVersion, ZoneError> {
    fs::read_dir(dir).map_err(unreadable(dir))?;
    let zi = first_line(&dir.join("tzdata.zi"))?;
    let zi = zi
        .as_deref()
        .and_then(|line| line.strip_prefix("# version "));
    if let Some(version) = zi.and_then(DataVersion::parse) {
        return Ok(version);
    }
    let plain = first_line(&dir.join("+VERSION"))?;
    plain
        .and_then(|line| DataVersion::parse(&line))
        .ok_or_else(|| ZoneError::NoVersion {
            path: dir.to_owned(),
        })
}

fn first_line(path: &Path) -> Result<Option<String>, ZoneError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(path)(error)),
    };
    let mut line = Vec::new();
    BufReader::new(file)
        .take(200)
        .read_until(b'\n', &mut line)
        .map_err(unreadable(path))?;
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

fn read(dir: &Path, version: DataVersion) -> Result<Directory, ZoneError> {
    let mut zones = HashMap::new();
    let mut folders = vec![(dir.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(unreadable(&folder))? {
            let path = entry.map_err(unreadable(&folder))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if prefix.is_empty() && NO_ZONES.contains(&name) {
                continue;
            }
            // Follows links: distributions link old names to new ones.
            let Ok(kind) = fs::metadata(&path) else {
                continue;
            };
            let name = format!("{prefix}{name}");
            if kind.is_dir() && name.len() < LONGEST_NAME {
                folders.push((path, format!("{name}/")));
            } else if kind.is_file() && kind.len() <= LARGEST_ZONE {
                let data = fs::read(&path).map_err(unreadable(&path))?;
                if data.starts_with(b"TZif") {
                    zones.insert(name, data);
                }
            }
        }
    }
    if zones.is_empty() {
        return Err(ZoneError::Empty {
            path: dir.to_owned(),
        });
    }
    Ok(Directory {
        path: dir.to_owned(),
        version,
        zones,
    })
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ZoneError + use<> {
    let path = path.to_owned();
    move |source| ZoneError::Unreadable { path, source }
}
