//! `[presence]` with a driver: what it needs is asked for, what it has no use for is refused.

mod config;

use std::time::Duration;

use config::Folder;
use secrecy::ExposeSecret;

const CHATWOOT: &str = "[presence]\ndriver = \"chatwoot\"\nurl = \"https://chat.example.com\"\naccount = 3\ntoken_file = \"presence.token\"\n";

const TEMPLATE: &str = r#"
product = "Our chat"
external = "ourchat"
needs = ["token"]
max_per_minute = 90
max_in_flight = 2
auth = { bearer = "{token}" }
words = { online = true, offline = false }
set = { method = "PUT", path = "/agents/{agent}/presence", json = { on = "{status}" } }
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("presence.token", "CANARY-token\n");
    folder.write("agents.json", r#"{"U1":"CANARY-1","U2":"CANARY-2"}"#);
    folder.write("our-chat.toml", TEMPLATE);
    folder
}

/// Asserts that `toml` is refused with all of `words` in one line of the message, and no canary.
#[track_caller]
fn refused(toml: &str, words: &[&str]) {
    let message = folder().load(toml).expect_err(toml).to_string();
    let said = message
        .lines()
        .any(|line| words.iter().all(|word| line.contains(word)));
    assert!(said, "{message:?} does not say {words:?}");
    assert!(!message.contains("CANARY"), "{message}");
}

#[test]
fn a_driver_is_read_with_what_its_product_needs() {
    let config = folder().load(CHATWOOT).unwrap();
    assert!(config.presence.is_none());
    let driver = config.driver.unwrap();
    assert_eq!(driver.description.product, "Chatwoot");
    assert_eq!(driver.account.as_deref(), Some("3"));
    assert_eq!(
        driver.token.as_ref().unwrap().expose_secret(),
        "CANARY-token"
    );
    assert_eq!(driver.max_per_minute, driver.description.max_per_minute);
    assert_eq!(driver.check_every, Duration::from_hours(1));
    assert!(!format!("{driver:?}").contains("CANARY"));
}

#[test]
fn paces_can_be_changed() {
    let toml = format!("{CHATWOOT}max_per_minute = 7\nmax_in_flight = 9\ncheck_every = \"5m\"\n");
    let driver = folder().load(&toml).unwrap().driver.unwrap();
    assert_eq!((driver.max_per_minute, driver.max_in_flight), (7, 9));
    assert_eq!(driver.check_every, Duration::from_mins(5));
}

#[test]
fn a_name_that_cannot_be_read_is_the_only_problem() {
    for (name, problem) in [("5", "must be text in quotes"), ("\"\"", "is empty")] {
        let toml = CHATWOOT.replace("\"chatwoot\"", name);
        let message = folder().load(&toml).unwrap_err().to_string();
        assert!(message.contains(problem), "{message}");
        assert_eq!(message.matches("presence.").count(), 1, "{message}");
    }
}

#[test]
fn shiftbell_is_the_presence_api_itself() {
    let toml = "[presence]\ndriver = \"shiftbell\"\nurl = \"https://chat.example.com/p\"\nsecret_file = \"presence.secret\"\n";
    let config = folder().load(toml).unwrap();
    assert!(config.presence.is_some() && config.driver.is_none());
}

#[test]
fn a_product_of_the_users_own_is_described_in_a_file() {
    let toml = "[presence]\ndriver = \"template\"\ntemplate_file = \"our-chat.toml\"\nurl = \"https://chat.example.com/api\"\ntoken_file = \"presence.token\"\n";
    let driver = folder().load(toml).unwrap().driver.unwrap();
    assert_eq!(driver.description.external, "ourchat");
    assert_eq!(driver.max_per_minute, 90);
    let missing = toml.replace("template_file = \"our-chat.toml\"\n", "");
    refused(&missing, &["presence.template_file", "is missing"]);
    let folder = folder();
    folder.write("our-chat.toml", TEMPLATE.replace("{agent}", "{agnet}"));
    let message = folder.load(toml).unwrap_err().to_string();
    assert!(
        message.contains("our-chat.toml: set.path: nobody knows {agnet}"),
        "{message}"
    );
}

#[test]
fn what_is_wrong_is_named() {
    let with = |from: &str, to: &str| {
        let toml = CHATWOOT.replace(from, to);
        assert_ne!(toml, CHATWOOT);
        toml
    };
    refused(
        &with("\"chatwoot\"", "\"chatwot\""),
        &["presence.driver", "nearest is \"chatwoot\""],
    );
    refused(
        &with("account = 3\n", ""),
        &["presence.account", "is missing: Chatwoot needs it"],
    );
    refused(
        &with("token_file = \"presence.token\"\n", ""),
        &["presence.token_file", "is missing"],
    );
    refused(
        &with("url = \"https://chat.example.com\"\n", ""),
        &["presence.url", "is missing"],
    );
    refused(
        &with("https://", "http://"),
        &["presence.url", "must be https://"],
    );
    refused(
        &with("example.com", "example.com/?a=b"),
        &["presence.url", "no query"],
    );
    refused(
        &format!("{CHATWOOT}user = \"me\"\n"),
        &["presence.user", "has no use"],
    );
    refused(
        &format!("{CHATWOOT}secret_file = \"presence.secret\"\n"),
        &["presence.secret_file", "has no use with driver"],
    );
    refused(
        &format!("{CHATWOOT}batch_size = 3\n"),
        &["presence.batch_size", "has no use with driver"],
    );
    refused(
        &format!("{CHATWOOT}template_file = \"our-chat.toml\"\n"),
        &["presence.template_file", "\"template\" only"],
    );
    let own = "[presence]\nurl = \"https://chat.example.com/p\"\nsecret_file = \"presence.secret\"\naccount = \"3\"\n";
    refused(own, &["presence.account", "has a use with a driver only"]);
}

#[test]
fn a_token_is_one_line() {
    let folder = folder();
    folder.write("presence.token", "CANARY-one\nCANARY-two\n");
    let message = folder.load(CHATWOOT).unwrap_err().to_string();
    let said = "presence.token_file: must hold the token in one line";
    assert!(message.contains(said), "{message}");
    assert!(!message.contains("CANARY"), "{message}");
}

#[test]
fn tokens_of_agents_are_a_json_object_that_nothing_quotes() {
    let toml = "[presence]\ndriver = \"slack\"\nagent_tokens_file = \"agents.json\"\n";
    let driver = folder().load(toml).unwrap().driver.unwrap();
    assert_eq!(driver.agent_tokens["U2"].expose_secret(), "CANARY-2");
    assert!(!format!("{driver:?}").contains("CANARY"));
    for wrong in [
        "{}",
        "[\"CANARY\"]",
        "{\"U1\":{\"t\":\"CANARY\"}}",
        "CANARY",
    ] {
        let folder = folder();
        folder.write("agents.json", wrong);
        let message = folder.load(toml).unwrap_err().to_string();
        assert!(
            message.contains("presence.agent_tokens_file: must be a JSON object"),
            "{message}"
        );
        assert!(!message.contains("CANARY"), "{message}");
    }
}
