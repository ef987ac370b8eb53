//! Import: what a line names replaces what was there, what it does not name stays.

use shiftbell::domain::{agent::Agent, roster, zone::Zones};

use crate::{
    support::{Database, on_both},
    world::{at, ms},
};

on_both!(
    what_is_exported_is_what_was_imported,
    unnamed_fields_stay,
    phones_keep_their_registration,
    a_token_moves_to_the_agent_who_names_it,
    an_ios_token_is_the_same_in_either_case,
    an_edit_is_dated_by_the_import,
    many_agents_are_paged,
    an_import_does_not_wait_for_who_edits_the_workspace,
);

const WHOLE: &str = r#"{"id":"ana","workspace":"acme","name":"Ana Ruiz","photo_url":"https://example.com/ana.png","timezone":"Europe/Paris","locale":"fr","hours":[{"day":"mon","start":"09:00","end":"12:30"},{"day":"fri","start":"22:00","end":"06:00"}],"overrides":[{"date":"2026-12-25","slots":[]},{"date":"2026-12-31","slots":[{"start":"09:00","end":"12:00"}]}],"away":[{"from":"2026-07-01T12:00","until":"2026-07-14T00:00"}],"notify":{"start":true,"end":true},"leads":[{"minutes":15},{"day_before":"20:00"}],"devices":[{"platform":"android","token":"fcm-token"},{"platform":"ios","token":"00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0","environment":"sandbox"}],"auto_offline_after_minutes":10,"receive_when_invisible":true,"external":{"chatwoot":"17","zendesk":"900"}}"#;

/// Imports lines at `time`.
async fn import(db: &Database, lines: &str, time: &str) {
    let zones = Zones::built_in();
    let roster = roster::read(lines.as_bytes(), &zones, at(time)).unwrap();
    let mut tx = db.store.begin().await.unwrap();
    tx.put_workspaces(&roster.workspaces).await.unwrap();
    tx.put_agents(&roster.agents, at(time)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn export(db: &Database) -> Vec<Agent> {
    let mut tx = db.store.snapshot().await.unwrap();
    tx.agents_after("", 100).await.unwrap()
}

async fn what_is_exported_is_what_was_imported(db: Database) {
    let workspace =
        r#"{"type":"workspace","id":"acme","name":"Acme","holidays":["2026-12-25","2027-01-01"]}"#;
    let lines = format!(
        "{workspace}\n{WHOLE}\n{{\"id\":\"ben\",\"workspace\":\"acme\",\"name\":\"Ben\",\"timezone\":\"UTC\"}}"
    );
    import(&db, &lines, "09:00:00").await;
    let read = roster::read(lines.as_bytes(), &Zones::built_in(), at("09:00:00")).unwrap();
    let exported = export(&db).await;
    let json = |agents: &[Agent]| {
        agents
            .iter()
            .map(|a| serde_json::to_string(a).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(json(&exported), json(&read.agents));
    let mut tx = db.store.snapshot().await.unwrap();
    let workspaces = tx.workspaces().await.unwrap();
    assert_eq!(workspaces, read.workspaces);
    assert_eq!(tx.count_agents().await.unwrap(), 2);
}

async fn unnamed_fields_stay(db: Database) {
    import(&db, WHOLE, "09:00:00").await;
    let before = export(&db).await.remove(0);
    import(
        &db,
        r#"{"id":"ana","workspace":"acme","name":"Ana","timezone":"Europe/Paris"}"#,
        "10:00:00",
    )
    .await;
    let after = export(&db).await.remove(0);
    assert_eq!(
        after,
        Agent {
            name: "Ana".into(),
            ..before.clone()
        }
    );
    import(&db, r#"{"id":"ana","workspace":"acme","name":"Ana","timezone":"Europe/Paris","hours":[],"overrides":[],"away":null,"locale":null,"leads":[],"devices":[]}"#, "11:00:00").await;
    let after = export(&db).await.remove(0);
    assert!(
        after.hours.is_empty()
            && after.overrides.is_empty()
            && after.away.is_empty()
            && after.leads.is_empty()
            && after.devices.is_empty()
    );
    assert_eq!(after.locale, None);
    assert_eq!(after.notify, before.notify);
    assert_eq!(after.photo_url, before.photo_url);
    import(
        &db,
        r#"{"type":"workspace","id":"acme","name":"Acme","holidays":["2026-12-25"]}"#,
        "11:00:00",
    )
    .await;
    import(
        &db,
        r#"{"type":"workspace","id":"acme","name":"Acme 2"}"#,
        "11:00:00",
    )
    .await;
    assert_eq!(
        db.sql("SELECT name, date FROM workspaces JOIN holidays ON workspace_id = id"),
        "Acme 2|2026-12-25"
    );
}

fn with_phones(agent: &str, tokens: &[&str]) -> String {
    let devices: Vec<_> = tokens
        .iter()
        .map(|t| format!(r#"{{"platform":"android","token":"{t}"}}"#))
        .collect();
    format!(
        r#"{{"id":"{agent}","workspace":"acme","name":"A","timezone":"UTC","devices":[{}]}}"#,
        devices.join(",")
    )
}

async fn phones_keep_their_registration(db: Database) {
    import(
        &db,
        &with_phones("ana", &["old", "dead", "gone"]),
        "09:00:00",
    )
    .await;
    db.sql(
        "UPDATE devices SET state = 'disabled', state_reason = 'UNREGISTERED' WHERE token = 'dead'",
    );
    import(
        &db,
        &with_phones("ana", &["old", "dead", "new"]),
        "10:00:00",
    )
    .await;
    let (nine, ten) = (ms("09:00:00"), ms("10:00:00"));
    assert_eq!(
        db.sql("SELECT token, state, state_reason, registered_at FROM devices ORDER BY token"),
        format!("dead|disabled|UNREGISTERED|{nine}\nnew|active||{ten}\nold|active||{nine}")
    );
}

async fn a_token_moves_to_the_agent_who_names_it(db: Database) {
    import(&db, &with_phones("ana", &["shared", "own"]), "09:00:00").await;
    db.sql("UPDATE devices SET state = 'disabled'");
    import(&db, &with_phones("ben", &["shared"]), "10:00:00").await;
    let (nine, ten) = (ms("09:00:00"), ms("10:00:00"));
    assert_eq!(
        db.sql("SELECT token, agent_id, state, registered_at FROM devices ORDER BY token"),
        format!("own|ana|disabled|{nine}\nshared|ben|active|{ten}")
    );
    // Both at once: from ana, who drops it, to ben, who names it, and back.
    let swapped = format!(
        "{}\n{}",
        with_phones("ben", &["own"]),
        with_phones("ana", &["shared"])
    );
    import(&db, &swapped, "11:00:00").await;
    assert_eq!(
        db.sql("SELECT token, agent_id FROM devices ORDER BY token"),
        "own|ben\nshared|ana"
    );
}

async fn an_edit_is_dated_by_the_import(db: Database) {
    import(&db, WHOLE, "09:00:00").await;
    assert_eq!(
        db.sql("SELECT due_at, stale_at FROM agent_state"),
        format!("0|{}", ms("09:00:00"))
    );
    db.sql("UPDATE agent_state SET due_at = 5, stale_at = NULL");
    let renamed = r#"{"id":"ana","workspace":"acme","name":"Anna","timezone":"Europe/Paris"}"#;
    import(&db, renamed, "10:00:00").await;
    assert_eq!(db.sql("SELECT due_at, stale_at FROM agent_state"), "5|");
}

async fn many_agents_are_paged(db: Database) {
    let lines: Vec<_> = (0..250)
        .map(|n| with_phones(&format!("a-{n:03}"), &[&format!("t-{n}")]))
        .collect();
    import(&db, &lines.join("\n"), "09:00:00").await;
    let mut tx = db.store.snapshot().await.unwrap();
    let (mut after, mut seen) = (String::new(), 0);
    loop {
        let page = tx.agents_after(&after, 100).await.unwrap();
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        assert!(page.iter().all(|a| a.devices.len() == 1));
        seen += page.len();
    }
    assert_eq!(seen, 250);
}

async fn an_ios_token_is_the_same_in_either_case(db: Database) {
    let line = |agent: &str, token: &str| {
        format!(
            r#"{{"id":"{agent}","workspace":"acme","name":"A","timezone":"UTC","devices":[{{"platform":"ios","token":"{token}"}}]}}"#
        )
    };
    let (lower, upper) = ("ab".repeat(32), "AB".repeat(32));
    import(&db, &line("ana", &lower), "08:00:00").await;
    import(&db, &line("ben", &upper), "09:00:00").await;
    assert_eq!(
        db.sql("SELECT agent_id, token FROM devices"),
        format!("ben|{upper}"),
        "one phone, one person"
    );
    assert!(
        db.try_sql(&format!(
            "INSERT INTO devices (platform, token, agent_id) VALUES ('ios', '{lower}', 'ana')"
        ))
        .is_err()
    );
}

async fn an_import_does_not_wait_for_who_edits_the_workspace(db: Database) {
    if db.store.dialect() == shiftbell::store::sql::Dialect::Sqlite {
        return; // One writes at a time.
    }
    import(&db, WHOLE, "09:00:00").await;
    let mut edit = db.store.begin().await.unwrap();
    let mut acme = edit.hold_workspace("acme").await.unwrap().unwrap();
    acme.name = "Acme Ltd".into();
    edit.put_workspaces(std::slice::from_ref(&acme))
        .await
        .unwrap();
    // Who edits holidays waits for agents, and an import that holds them would wait in a ring.
    let wait = std::time::Duration::from_secs(5);
    let waited = tokio::time::timeout(wait, import(&db, WHOLE, "09:01:00")).await;
    assert!(waited.is_ok());
    edit.commit().await.unwrap();
}
