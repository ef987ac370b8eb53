//! `[database]`: where the database is, with its password from a file.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::reader::Reader;

const URL: (&str, &str) = ("database", "url");
const URL_FILE: (&str, &str) = ("database", "url_file");
const PASSWORD_FILE: (&str, &str) = ("database", "password_file");
const POOLER: (&str, &str) = ("database", "pooler");

/// `[database]`
#[derive(Debug, Clone)]
pub struct Database {
    /// `sqlite:///absolute/path` or `postgres://…`, ready to connect with. It may hold a password.
    pub url: SecretString,
    /// The same for people: without credentials and query.
    pub shown: String,
    /// Whether `run` and `tick` bring the schema up to date first.
    pub migrate: bool,
    /// Whether Postgres is reached through a pooler that keeps no session.
    pub pooler: bool,
}

/// Reads the section. `cwd` is where the default database file lies if there is no configuration
/// file; else it lies beside that.
pub(super) fn read(reader: &mut Reader, cwd: &Path) -> Option<Database> {
    let migrate = reader.flag(("database", "migrate"), true);
    let pooler = reader.flag(POOLER, false);
    let password = reader.secret_file(PASSWORD_FILE);
    let (text, key, folder) = place(reader, cwd)?;
    if let Some(path) = sqlite_path(text.expose_secret()) {
        let url = match sqlite(path, &folder) {
            Ok(url) => url,
            Err(message) => {
                reader.problem(key, message);
                return None;
            }
        };
        if password.is_some() {
            reader.problem(PASSWORD_FILE, "has no use: SQLite knows no passwords");
        }
        if pooler {
            reader.problem(POOLER, "has no use: nothing stands before an SQLite file");
        }
        let shown = url.split('?').next().unwrap_or_default().to_owned();
        let url = SecretString::from(url);
        return Some(Database {
            url,
            shown,
            migrate,
            pooler,
        });
    }
    match postgres(text.expose_secret(), key == URL_FILE, password.as_ref()) {
        Ok((url, shown)) => Some(Database {
            url,
            shown,
            migrate,
            pooler,
        }),
        Err(message) => {
            reader.problem(key, message);
            None
        }
    }
}

/// The URL as written, the key it came from, and the folder its relative path is taken from.
fn place(
    reader: &mut Reader,
    cwd: &Path,
) -> Option<(SecretString, (&'static str, &'static str), PathBuf)> {
    let file_folder = reader.source.file.as_ref().and_then(|file| file.parent());
    let beside = file_folder.unwrap_or(cwd).to_owned();
    match (
        reader.source.get(URL).cloned(),
        reader.source.get(URL_FILE).cloned(),
    ) {
        (Some(_), Some(_)) => {
            reader.problem(
                URL_FILE,
                "names the database a second time; keep it or database.url",
            );
            None
        }
        (Some(entry), None) => Some((reader.text(URL)?.into(), URL, entry.folder)),
        (None, Some(entry)) => Some((reader.secret_file(URL_FILE)?, URL_FILE, entry.folder)),
        (None, None) => Some(("sqlite://shiftbell.db".into(), URL, beside)),
    }
}

fn sqlite_path(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    Some(rest.strip_prefix("//").unwrap_or(rest))
}

/// An absolute `SQLite` URL. What the path's percent signs mean is left to the driver.
fn sqlite(path: &str, folder: &Path) -> Result<String, String> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path.is_empty() || path == ":memory:" || query.contains("mode=memory") {
        return Err("must name a file: a database in memory would forget what was sent".to_owned());
    }
    let folder = folder
        .to_str()
        .ok_or("lies in a folder whose name is not UTF-8")?;
    let folder = folder
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    let path = Path::new(&folder).join(path);
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    Ok(format!("sqlite://{}{query}", path.display()))
}

/// A Postgres URL with its password, and the same for people.
fn postgres(
    text: &str,
    secret: bool,
    password: Option<&SecretString>,
) -> Result<(SecretString, String), String> {
    let mut url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "postgres" | "postgresql"))
        .ok_or("must be sqlite://FILE or postgres://USER@HOST/NAME")?;
    let held = url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password");
    if held && !secret {
        return Err(format!(
            "must hold no password (the one for {} is not shown here); put it in a file and name \
             that as database.password_file, or the whole URL as database.url_file",
            url.host_str().unwrap_or("this socket")
        ));
    }
    if held && password.is_some() {
        return Err("holds a password already; drop database.password_file".to_owned());
    }
    let user = match url.username() {
        "" => String::new(),
        user => format!("{user}@"),
    };
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let shown = format!("{}://{user}{host}{port}{}", url.scheme(), url.path());
    if let Some(password) = password {
        // As a parameter, because a URL without a host (a Unix socket) takes no password elsewhere.
        url.query_pairs_mut()
            .append_pair("password", password.expose_secret());
    }
    Ok((String::from(url).into(), shown))
}
