//! Tokens at the command line, and the listener that they open.

use serde_json::json;

use crate::{
    shell::Shell,
    support::{Database, on_both},
};

on_both!(
    a_token_is_shown_once_listed_and_revoked,
    a_feed_is_a_token_with_an_address,
);

async fn a_feed_is_a_token_with_an_address(db: Database) {
    let shell = Shell::on(&db.url);
    let agent = r#"{"id":"a-1","workspace":"acme","name":"Ana","timezone":"UTC"}"#;
    shell.feed("import -", agent).done();
    let line = "token create --name calendar --scope feed --agent a-1";
    let made = shell.run(&format!("{line} --json")).json();
    let (id, path) = (
        made[0]["id"].as_str().unwrap(),
        made[0]["path"].as_str().unwrap(),
    );
    let starts = format!("/v1/feeds/shiftbell_{id}_");
    assert!(
        path.starts_with(&starts) && path.strip_suffix(".ics").is_some(),
        "{path}"
    );
    // A second one takes its place.
    let plain = shell.run(line);
    assert!(plain.done().starts_with("/v1/feeds/"), "{plain:?}");
    let listed = shell.run("token list --json").json();
    assert_eq!(listed.len(), 2);
    assert!(!listed[0]["revoked_at"].is_null() && listed[1]["revoked_at"].is_null());
    assert_eq!(listed[1]["agent"], "a-1");
    shell
        .run("token create --name a --scope feed")
        .refused(&["--agent"]);
    let nobody = "token create --name a --scope feed --agent nobody";
    shell.run(nobody).failed(&["--agent", "nobody"]);
}

async fn a_token_is_shown_once_listed_and_revoked(db: Database) {
    let shell = Shell::on(&db.url).with("USER", "olga");
    let made = shell
        .aside("token create --name chat --scope platform --workspace acme --json")
        .await
        .json();
    let (id, token) = (
        made[0]["id"].as_str().unwrap(),
        made[0]["token"].as_str().unwrap(),
    );
    assert!(
        token.starts_with(&format!("shiftbell_{id}_")) && token.len() == 87,
        "{token}"
    );
    let plain = shell
        .aside("token create --name grafana --scope ops:read")
        .await;
    assert_eq!(plain.done().trim().len(), 87);
    let listed = shell.aside("token list --json").await;
    assert!(!listed.done().contains(&token[25..]), "{listed:#?}");
    let listed = listed.json();
    assert_eq!(listed.len(), 2);
    assert_eq!(
        (
            &listed[0]["id"],
            &listed[0]["scope"],
            &listed[0]["workspace"]
        ),
        (&json!(id), &json!("platform"), &json!("acme"))
    );
    let revoked = shell.aside(&format!("token revoke {id} --json")).await;
    assert_eq!(revoked.json(), [json!({"id": id, "revoked": true})]);
    shell
        .aside(&format!("token revoke {id}"))
        .await
        .failed(&[id, "token list"]);
    let acts = shell.aside("audit --json").await.json();
    let acts: Vec<_> = acts
        .iter()
        .map(|act| (act["actor"].as_str(), act["action"].as_str()))
        .collect();
    let act = |action| (Some("olga"), Some(action));
    assert_eq!(
        acts,
        [
            act("token.revoke"),
            act("token.create"),
            act("token.create")
        ]
    );
    let unknown = shell
        .aside("token create --name a --scope agent --agent nobody")
        .await;
    unknown.failed(&["--agent", "nobody"]);
}

#[test]
fn scopes_are_checked_before_anything_is_made() {
    let shell = Shell::new();
    shell
        .run("token create --name a --scope root")
        .refused(&["root", "--scope"]);
    shell
        .run("token create --name a --scope agent")
        .refused(&["--agent"]);
    shell
        .run("token create --name a --scope platform --agent a-1")
        .refused(&["--agent"]);
    let both = "token create --name a --scope agent --agent a-1 --workspace acme";
    shell.run(both).refused(&["--workspace"]);
}
