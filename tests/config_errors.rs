//! Bad configuration: a clear error that names file, line and key, and never a secret.

mod config;

use std::{fs, os::unix::fs::PermissionsExt};

use config::{Folder, SECRET, service_account};

const PRESENCE: &str =
    "[presence]\nurl = \"https://chat.example.com/\"\nsecret_file = \"presence.secret\"\n";
const APNS: &str = "[apns]\nkey_file = \"AuthKey_ABC123DEFG.p8\"\nkey_id = \"K\"\nteam_id = \"T\"\ntopic = \"t\"\n";
const FCM: &str = "[fcm]\nservice_account_file = \"service-account.json\"\n";

/// Asserts that `toml` is refused with all of `words` in one line of the message, and no canary.
#[track_caller]
fn refused(folder: &Folder, toml: &str, words: &[&str]) {
    let message = folder.load(toml).expect_err(toml).to_string();
    let said = message
        .lines()
        .any(|line| words.iter().all(|word| line.contains(word)));
    assert!(said, "{message:?} does not say {words:?}");
    assert!(!message.contains("CANARY"), "{message}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    let folder = Folder::new();
    let toml = format!("{PRESENCE}batch_siez = 3");
    refused(
        &folder,
        &toml,
        &[
            "shiftbell.toml:4:",
            "presence.batch_siez",
            "`presence.batch_size`",
        ],
    );
    refused(
        &folder,
        "\n\n[presense]\n",
        &["shiftbell.toml:3:", "presense", "`presence`"],
    );
    refused(
        &folder,
        "url = 'x'",
        &["shiftbell.toml:1:", "url", "unknown key"],
    );
    refused(
        &folder,
        "[http]\nlisten_on = 1",
        &["http.listen_on", "`http.listen`"],
    );
    refused(&folder, "presence = 3", &["shiftbell.toml:1:", "presence"]);
}

#[test]
fn an_unknown_variable_is_named_with_the_nearest_known_one() {
    let folder = Folder::new();
    for (name, nearest) in [
        (
            "SHIFTBELL__PRESENCE__BATCHSIZE",
            "`SHIFTBELL__PRESENCE__BATCH_SIZE`",
        ),
        ("SHIFTBELL__DATABSE__URL", "`SHIFTBELL__DATABASE__URL`"),
        ("SHIFTBELL__APNS", "`SHIFTBELL__APNS__"),
        ("SHIFTBELL__APNS__KEY__ID", "`SHIFTBELL__APNS__KEY_ID`"),
    ] {
        let message = folder
            .load_with("", &[(name, "CANARY")])
            .unwrap_err()
            .to_string();
        assert!(message.contains(&format!("${name}: ")), "{message}");
        assert!(message.contains(nearest), "{message}");
        assert!(!message.contains("CANARY"), "{message}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let folder = Folder::new();
    let toml = "[apns]\nkey_id = \"\"\n[presence]\nurl = 3\nbatch_size = 0\n[delivery]\nlease = \"0s\"\nleese = 1";
    let message = folder.load(toml).unwrap_err().to_string();
    let lines: Vec<&str> = message.lines().collect();
    for (i, words) in [
        (8, "delivery.leese"),
        (1, "apns.key_file: is missing"),
        (2, "apns.key_id: is empty"),
        (1, "apns.team_id: is missing"),
        (1, "apns.topic: is missing"),
        (4, "presence.url: must be text"),
        (3, "presence.secret_file: is missing"),
        (
            5,
            "presence.batch_size: must be a whole number from 1 to 1000",
        ),
        (7, "delivery.lease: must be longer than nothing"),
    ] {
        let start = format!("shiftbell.toml:{i}: {words}");
        assert!(
            lines.iter().any(|line| line.contains(&start)),
            "{start} in {message}"
        );
    }
    assert_eq!(lines.len(), 9, "{message}");
}

#[test]
fn a_file_that_is_not_toml_is_named_with_its_line_and_not_quoted() {
    let folder = Folder::new();
    refused(&folder, "[http]\nlisten = CANARY", &["shiftbell.toml:2:"]);
    refused(&folder, "[http]\n[http]\n", &["shiftbell.toml:2:"]);
    refused(
        &folder,
        "[presence]\nurl = \"CANARY",
        &["shiftbell.toml:2:"],
    );
    folder.write("latin1.toml", b"[http]\n# caf\xe9");
    let file = folder.path("latin1.toml");
    let load = |path| shiftbell::config::Config::load(Some(path), std::iter::empty(), path);
    let message = load(&file).unwrap_err().to_string();
    assert!(message.contains("latin1.toml:2: is not UTF-8"), "{message}");
    let message = load(&folder.path("nowhere.toml")).unwrap_err().to_string();
    assert!(message.contains("nowhere.toml: cannot read"), "{message}");
}

#[test]
fn a_file_named_by_the_environment_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let env = [("SHIFTBELL_CONFIG".to_owned(), "nowhere.toml".to_owned())];
    let message = shiftbell::config::Config::load(None, env.into_iter(), folder.path())
        .unwrap_err()
        .to_string();
    assert!(message.contains("nowhere.toml"), "{message}");
}

#[test]
fn durations_must_be_longer_than_nothing_and_a_lease_longer_than_its_request() {
    let folder = Folder::new();
    for (value, words) in [
        ("\"0s\"", "longer than nothing"),
        ("\"-5m\"", "longer than nothing"),
        ("15", "must be a duration in quotes"),
        ("\"soon\"", "such as \"15m\""),
        ("\"1d\"", "such as \"15m\""),
        ("\"9999999h\"", "at most a week"),
    ] {
        let toml = format!("[delivery]\nuseful_for = {value}");
        refused(
            &folder,
            &toml,
            &["shiftbell.toml:2: delivery.useful_for", words],
        );
    }
    let words = ["delivery.lease", "longer than delivery.request_timeout"];
    refused(&folder, "[delivery]\nlease = \"10s\"", &words);
    refused(&folder, "[delivery]\nrequest_timeout = \"2m\"", &words);
}

#[test]
fn numbers_must_be_whole_and_in_range() {
    let folder = Folder::new();
    for value in [
        "0",
        "-1",
        "1001",
        "99999999999999999999",
        "1.5",
        "true",
        "\"many\"",
        "[1]",
    ] {
        let toml = format!("{PRESENCE}batch_size = {value}");
        refused(
            &folder,
            &toml,
            &["shiftbell.toml:4: presence.batch_size: must be a whole number"],
        );
    }
    refused(
        &folder,
        "[database]\nmigrate = \"maybe\"",
        &["database.migrate", "true or false"],
    );
}

#[test]
fn urls_with_credentials_are_refused_and_redacted() {
    let folder = Folder::new();
    let toml = PRESENCE.replace("//chat", "//user:CANARY@chat");
    refused(
        &folder,
        &toml,
        &[
            "presence.url",
            "no user name or password",
            "@chat.example.com",
        ],
    );
    let toml = PRESENCE.replace("//chat", "//CANARY@chat");
    refused(
        &folder,
        &toml,
        &["presence.url", "no user name or password"],
    );
    let toml = format!("{APNS}endpoint = \"https://u:CANARY@api.push.apple.com\"");
    refused(
        &folder,
        &toml,
        &[
            "shiftbell.toml:6: apns.endpoint",
            "no user name or password",
        ],
    );
    for url in [
        "postgres://app:CANARY@db/bell",
        "postgresql://app@db/bell?password=CANARY",
    ] {
        let toml = format!("[database]\nurl = \"{url}\"");
        refused(
            &folder,
            &toml,
            &[
                "database.url",
                "must hold no password",
                "database.password_file",
            ],
        );
    }
}

#[test]
fn plain_http_is_refused_for_push_services_except_on_loopback() {
    let folder = Folder::new();
    for (section, key) in [
        (APNS, "endpoint"),
        (APNS, "sandbox_endpoint"),
        (FCM, "endpoint"),
    ] {
        for host in [
            "api.push.apple.com",
            "10.0.0.1",
            "localhost.example.com",
            "[::2]",
        ] {
            let toml = format!("{section}{key} = \"http://{host}/\"");
            refused(&folder, &toml, &[&format!(".{key}: must be https://")]);
        }
        for host in ["127.0.0.1:8443", "localhost:8443", "[::1]:8443"] {
            folder
                .load(&format!("{section}{key} = \"http://{host}/\""))
                .unwrap();
        }
    }
    refused(
        &folder,
        &PRESENCE.replace("https", "ftp"),
        &["presence.url", "https://"],
    );
    refused(
        &folder,
        &PRESENCE.replace("https://", ""),
        &["presence.url", "is not a URL"],
    );
    let config = folder.load(&PRESENCE.replace("https", "http")).unwrap();
    assert!(
        config.warnings[0].contains("presence.url: is not encrypted"),
        "{:?}",
        config.warnings
    );
}

#[test]
fn a_database_must_be_a_file_or_postgres() {
    let folder = Folder::new();
    for url in ["mysql://db/bell", "shiftbell.db", "postgres"] {
        let toml = format!("[database]\nurl = \"{url}\"");
        refused(
            &folder,
            &toml,
            &[
                "shiftbell.toml:2: database.url",
                "must be sqlite://FILE or postgres://",
            ],
        );
    }
    for url in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite://x?mode=memory",
        "sqlite://",
    ] {
        refused(
            &folder,
            &format!("[database]\nurl = \"{url}\""),
            &["database.url", "must name a file"],
        );
    }
    let both = "[database]\nurl = \"sqlite://a\"\nurl_file = \"database.url\"";
    refused(&folder, both, &["database.url_file", "second time"]);
    let useless = "[database]\npassword_file = \"database.password\"";
    refused(&folder, useless, &["database.password_file", "SQLite"]);
}

#[test]
fn a_listener_needs_address_and_port() {
    let folder = Folder::new();
    for address in ["8080", "localhost:8080", "127.0.0.1", "127.0.0.1:99999"] {
        refused(
            &folder,
            &format!("[http]\nlisten = \"{address}\""),
            &["http.listen", "127.0.0.1:8080"],
        );
    }
}

#[test]
fn key_files_that_are_no_good_are_named_and_never_quoted() {
    let folder = Folder::new();
    let p8 = "AuthKey_ABC123DEFG.p8";
    let json = "service-account.json";
    let secret = "presence.secret";
    let rsa = include_str!("config/rsa.pem");
    let pem = "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----";
    let no_key = service_account("https://t/").replace(
        "BEGIN PRIVATE KEY-----\\nMII",
        "BEGIN PRIVATE KEY-----\\nCANARY",
    );
    let plain_token_uri = service_account("http://oauth2.example.com/CANARY");
    for (toml, file, content, words) in [
        (APNS, p8, "", "is empty"),
        (
            APNS,
            p8,
            "CANARY",
            "is not a PKCS#8 PEM file with a P-256 key",
        ),
        (APNS, p8, pem, "is not a PKCS#8 PEM file with a P-256 key"),
        (APNS, p8, rsa, "is not a PKCS#8 PEM file with a P-256 key"),
        (FCM, json, "CANARY", "is not a service account's JSON"),
        (
            FCM,
            json,
            "{\"project_id\": \"CANARY\", \"private_key\": 7}",
            "line 1",
        ),
        (
            FCM,
            json,
            &no_key,
            "private_key that is not a PKCS#8 PEM RSA key",
        ),
        (
            FCM,
            json,
            &plain_token_uri,
            "token_uri that must be https://",
        ),
        (PRESENCE, secret, "CANARY", "is not a webhook secret"),
        (PRESENCE, secret, "whsec_CANARY!", "is not a webhook secret"),
        (PRESENCE, secret, "whsec_", "is not a webhook secret"),
    ] {
        let folder = Folder::new();
        folder.write(file, content);
        refused(&folder, toml, &["_file: ", file, words]);
    }
    folder.write("extra-ca.pem", "CANARY");
    refused(
        &folder,
        &format!("{PRESENCE}ca_file = \"extra-ca.pem\""),
        &["presence.ca_file", "extra-ca.pem", "no PEM certificate"],
    );
    folder.write(secret, b"whsec_\xff");
    refused(
        &folder,
        PRESENCE,
        &["presence.secret_file: cannot read", secret],
    );
}

#[test]
fn key_files_that_are_missing_or_folders_are_named() {
    let folder = Folder::new();
    let elsewhere = |name: &str| APNS.replace("AuthKey_ABC123DEFG.p8", name);
    refused(
        &folder,
        &elsewhere("nowhere.p8"),
        &[
            "shiftbell.toml:2: apns.key_file",
            "nowhere.p8",
            "No such file",
        ],
    );
    refused(
        &folder,
        &elsewhere("."),
        &["apns.key_file", "is a folder, not a file"],
    );
    refused(
        &folder,
        "[timezone]\ndirectory = \"nowhere\"",
        &["timezone.directory", "nowhere", "no folder"],
    );
}

#[test]
fn a_secret_where_its_files_name_belongs_is_not_repeated() {
    let folder = Folder::new();
    let toml = PRESENCE.replace("presence.secret", SECRET);
    refused(
        &folder,
        &toml,
        &["presence.secret_file", "holds the secret itself"],
    );
    assert!(!folder.load(&toml).unwrap_err().to_string().contains(SECRET));
    let toml = APNS.replace("\"AuthKey_ABC123DEFG.p8\"", "\"-----BEGIN CANARY\"");
    refused(
        &folder,
        &toml,
        &["apns.key_file", "holds the secret itself"],
    );
}

#[test]
fn a_key_file_open_to_everyone_is_warned_about() {
    let folder = Folder::new();
    let key = folder.path("AuthKey_ABC123DEFG.p8");
    for (mode, warnings) in [(0o644, 1), (0o604, 1), (0o640, 0), (0o400, 0)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let config = folder.load(APNS).unwrap();
        assert_eq!(
            config.warnings.len(),
            warnings,
            "{mode:o}: {:?}",
            config.warnings
        );
        for warning in &config.warnings {
            assert!(warning.contains("apns.key_file") && warning.contains("open to everyone"));
        }
    }
}

#[test]
fn a_weak_webhook_secret_is_warned_about() {
    let folder = Folder::new();
    folder.write("presence.secret", "whsec_c2hvcnQ=");
    let config = folder.load(PRESENCE).unwrap();
    assert!(config.warnings[0].contains("weak"), "{:?}", config.warnings);
}
