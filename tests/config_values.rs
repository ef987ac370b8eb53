//! What a good configuration comes to.

mod config;

use std::{path::Path, time::Duration};

use config::{Folder, SECRET};
use secrecy::ExposeSecret;
use shiftbell::config::Config;

const DEFAULT: &str = include_str!("../deploy/shiftbell.toml");

/// The contract's example, word for word but for its comments.
const CONTRACT: &str = r#"
[database]
url = "sqlite://shiftbell.db"
[apns]
endpoint = "https://api.push.apple.com"
sandbox_endpoint = "https://api.sandbox.push.apple.com"
key_file = "AuthKey_ABC123DEFG.p8"
key_id = "ABC123DEFG"
team_id = "DEF123GHIJ"
topic = "com.example.agent"
ca_file = "extra-ca.pem"
[fcm]
endpoint = "https://fcm.googleapis.com"
service_account_file = "service-account.json"
ca_file = "extra-ca.pem"
[presence]
url = "https://chat.example.com/presence"
secret_file = "presence.secret"
batch_size = 100
ca_file = "extra-ca.pem"
[http]
listen = "127.0.0.1:8080"
"#;

/// All of it but the file's name and whether an address was chosen, which differ by design.
fn values(config: &Config) -> String {
    let mut config = config.clone();
    config.file = None;
    config.http.chosen = false;
    let url = config.database.url.expose_secret();
    format!("{url} {config:#?}")
}

#[test]
fn the_contracts_example_is_understood() {
    let folder = Folder::new();
    let config = folder.load(CONTRACT).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(
        config.database.url.expose_secret(),
        format!("sqlite://{}", folder.path("shiftbell.db").display())
    );
    let apns = config.apns.unwrap();
    assert_eq!(apns.endpoint.as_str(), "https://api.push.apple.com/");
    assert!(
        apns.key_pem
            .expose_secret()
            .starts_with("-----BEGIN PRIVATE KEY-----")
    );
    assert_eq!(
        (apns.key_id.as_str(), apns.team_id.as_str()),
        ("ABC123DEFG", "DEF123GHIJ")
    );
    assert!(apns.ca.unwrap().starts_with(b"-----BEGIN CERTIFICATE-----"));
    assert!(
        config
            .fcm
            .unwrap()
            .service_account
            .expose_secret()
            .contains("bell-test")
    );
    let presence = config.presence.unwrap();
    assert_eq!(presence.secret.expose_secret(), SECRET);
    assert_eq!(presence.batch_size, 100);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn nothing_configured_is_a_configuration_with_every_receiver_off() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::load(None, std::iter::empty(), folder.path()).unwrap();
    assert!(config.apns.is_none() && config.fcm.is_none() && config.presence.is_none());
    assert!(config.file.is_none() && !config.http.chosen);
    assert_eq!(config.delivery.useful_for, Duration::from_mins(15));
    assert_eq!(
        config.database.shown,
        format!("sqlite://{}/shiftbell.db", folder.path().display())
    );
}

#[test]
fn the_commented_default_configuration_is_the_defaults() {
    let folder = Folder::new();
    let defaults = values(&folder.load("").unwrap());
    assert_eq!(values(&folder.load(DEFAULT).unwrap()), defaults);

    // With every # that stands before a key or a section taken off, all keys there are, are named:
    // what is optional and has a default says that default.
    let mut sections = "";
    let mut complete = String::new();
    for line in DEFAULT.lines() {
        let line = match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest,
            _ => line,
        };
        // Those of a chat product stand for the presence API's.
        let alternatives = "url_file password_file template_file token_file token_url \
            agent_tokens_file account user max_per_minute check_every";
        let key = line.split(' ').next().unwrap_or_default();
        let alternative = alternatives.split_whitespace().any(|other| other == key);
        if !alternative {
            complete += line;
            complete += "\n";
        }
        sections = if line.starts_with('[') {
            line
        } else {
            sections
        };
    }
    assert_eq!(sections, "[delivery]");
    let complete = complete.replace("/usr/share/zoneinfo", ".");
    let complete = values(&folder.load(&complete).unwrap());
    let optional = |line: &&str| {
        !["endpoint = ", "max_", "batch_size"]
            .iter()
            .any(|key| line.contains(key))
    };
    let least: String = CONTRACT
        .lines()
        .filter(optional)
        .collect::<Vec<_>>()
        .join("\n");
    let least = values(
        &folder
            .load(&(least + "\n[timezone]\ndirectory = \".\""))
            .unwrap(),
    );
    assert_eq!(complete, least);
}

#[test]
fn the_environment_overrides_the_file_key_by_key() {
    let folder = Folder::new();
    let env = [
        ("SHIFTBELL__PRESENCE__BATCH_SIZE", "7"),
        ("SHIFTBELL__DATABASE__MIGRATE", "false"),
        ("SHIFTBELL__DELIVERY__LEASE", "2m"),
        ("SHIFTBELL__HTTP__LISTEN", "[::1]:0"),
        ("SHIFTBELL_SERVICE_HOST", "10.0.0.1"),
    ];
    let config = folder.load_with(CONTRACT, &env).unwrap();
    let presence = config.presence.unwrap();
    assert_eq!(presence.batch_size, 7);
    assert_eq!(presence.url.as_str(), "https://chat.example.com/presence");
    assert!(!config.database.migrate);
    assert_eq!(config.delivery.lease, Duration::from_mins(2));
    assert_eq!(config.http.listen.to_string(), "[::1]:0");
}

#[test]
fn the_environment_alone_switches_a_receiver_on() {
    let folder = Folder::new();
    let env = [
        ("SHIFTBELL__PRESENCE__URL", "http://localhost:9/presence"),
        ("SHIFTBELL__PRESENCE__SECRET_FILE", "presence.secret"),
    ];
    let config = folder.load_with("", &env).unwrap();
    assert!(config.presence.is_some());
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn paths_in_a_file_start_at_its_folder_and_those_in_a_variable_at_the_current_one() {
    let folder = Folder::new();
    let etc = folder.path("etc");
    std::fs::create_dir(&etc).unwrap();
    std::fs::rename(folder.path("presence.secret"), etc.join("presence.secret")).unwrap();
    let file = etc.join("bell.toml");
    let section =
        "[presence]\nurl = \"https://chat.example.com/\"\nsecret_file = \"presence.secret\"";
    std::fs::write(&file, section).unwrap();
    let load = |explicit: Option<&Path>, env: &[(&str, &str)]| {
        let env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(explicit, env, etc.parent().unwrap()).unwrap()
    };
    let shown = |at: &Path| format!("sqlite://{}", at.display());

    let named = load(Some(Path::new("etc/bell.toml")), &[]);
    assert_eq!(named.database.shown, shown(&etc.join("shiftbell.db")));
    assert!(named.presence.is_some());
    let by_variable = load(None, &[("SHIFTBELL_CONFIG", "etc/bell.toml")]);
    assert_eq!(by_variable.file.as_deref(), Some(file.as_path()));
    let overridden = load(
        Some(&file),
        &[("SHIFTBELL__DATABASE__URL", "sqlite://my%20.db?mode=rwc")],
    );
    assert_eq!(overridden.database.shown, shown(&folder.path("my%20.db")));
    assert!(
        overridden
            .database
            .url
            .expose_secret()
            .ends_with("/my%20.db?mode=rwc")
    );
}

#[test]
fn a_postgres_password_comes_from_a_file_and_is_shown_nowhere() {
    let folder = Folder::new();
    let with_password = folder
        .load("[database]\nurl = \"postgres:///bell?host=/run/pg&user=app\"\npassword_file = \"database.password\"")
        .unwrap();
    let whole = folder
        .load("[database]\nurl_file = \"database.url\"")
        .unwrap();
    assert_eq!(
        with_password.database.url.expose_secret(),
        "postgres:///bell?host=/run/pg&user=app&password=CANARY+pass%26word"
    );
    assert_eq!(whole.database.shown, "postgres://app@db.example.com/bell");
    for config in [with_password, whole] {
        let shown = format!("{config:?} {}", config.database.shown);
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let folder = Folder::new();
    let shown = format!("{:?}", folder.load(CONTRACT).unwrap());
    for secret in ["whsec_", "PRIVATE KEY", "private_key"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn commands_on_the_database_need_no_receivers_key() {
    let folder = Folder::new();
    std::fs::remove_file(folder.path("AuthKey_ABC123DEFG.p8")).unwrap();
    let file = folder.write("shiftbell.toml", CONTRACT);
    let load = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Config::load_database(Some(&file), std::iter::empty(), Path::new("/"))
    };
    let (database, warnings) = load(CONTRACT).unwrap();
    assert!(database.migrate && warnings.is_empty());
    let error = load("[apsn]").unwrap_err().to_string();
    assert!(error.contains("apsn"), "{error}");
}

#[test]
fn a_probe_needs_to_know_the_listener_only() {
    let folder = Folder::new();
    let file = folder.write(
        "shiftbell.toml",
        "[apsn]\n[apns]\n[http]\nlisten = \"127.0.0.1:9\"",
    );
    let http = Config::load_http(Some(&file), std::iter::empty(), Path::new("/")).unwrap();
    assert_eq!(http.listen.port(), 9);
}
