//! Tokens are kept as hashes, and open what they were made for until they are revoked or expire.

use shiftbell::{
    domain::access::{ApiToken, Grant, Scope},
    store::Actor,
};

use crate::{
    support::{Database, on_both},
    world::at,
};

on_both!(
    a_token_opens_until_it_is_revoked_or_expires,
    the_schema_refuses_a_token_without_its_agent,
    acts_are_read_back_newest_first,
);

async fn a_token_opens_until_it_is_revoked_or_expires(db: Database) {
    let token = ApiToken::from_random([1; 6], [2; 32]);
    let grant = Grant {
        scope: Scope::Platform,
        workspace: Some("acme".into()),
        agent: None,
    };
    let mut tx = db.store.begin().await.unwrap();
    let end = Some(at("10:00:00"));
    tx.add_token(&token, "chat", &grant, at("09:00:00"), end)
        .await
        .unwrap();
    for (given, time, opens) in [
        (&token, "09:30:00", true),
        (&token, "10:00:00", false),
        (&ApiToken::from_random([1; 6], [3; 32]), "09:30:00", false),
        (&ApiToken::from_random([4; 6], [2; 32]), "09:30:00", false),
    ] {
        let found = tx.grant(given, at(time)).await.unwrap();
        assert_eq!(found, opens.then(|| grant.clone()), "{given:?} {time}");
        assert_eq!(
            tx.usable_tokens(at(time)).await.unwrap(),
            i64::from(time < "10")
        );
    }
    assert!(tx.revoke_token(token.id(), at("09:40:00")).await.unwrap());
    assert_eq!(tx.grant(&token, at("09:50:00")).await.unwrap(), None);
    assert_eq!(tx.usable_tokens(at("09:50:00")).await.unwrap(), 0);
    let listed = tx.tokens().await.unwrap().remove(0);
    assert_eq!((listed.name.as_str(), listed.scope), ("chat", "platform"));
    assert_eq!(listed.revoked_at, Some(at("09:40:00")));
}

async fn the_schema_refuses_a_token_without_its_agent(db: Database) {
    for (scope, workspace, agent) in [
        ("agent", "NULL", "NULL"),
        ("feed", "NULL", "NULL"),
        ("platform", "NULL", "'a-1'"),
        ("agent", "'acme'", "'a-1'"),
        ("root", "NULL", "NULL"),
    ] {
        let hash = "0".repeat(64);
        let sql = format!(
            "INSERT INTO tokens VALUES ('t', 'n', '{scope}', {workspace}, {agent}, '{hash}', 1, NULL, NULL)"
        );
        assert!(db.try_sql(&sql).is_err(), "{sql}");
    }
    // An agent has one feed.
    let feed = |id: &str| {
        let hash = "0".repeat(64);
        db.try_sql(&format!(
            "INSERT INTO tokens VALUES ('{id}', 'n', 'feed', NULL, 'a-1', '{hash}', 1, NULL, NULL)"
        ))
    };
    assert!(feed("f-1").is_ok() && feed("f-2").is_err());
    let mut tx = db.store.begin().await.unwrap();
    assert_eq!(tx.revoke_feeds("a-1", at("09:00:00")).await.unwrap(), 1);
    assert_eq!(tx.revoke_feeds("a-1", at("09:00:00")).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert!(feed("f-2").is_ok());
}

async fn acts_are_read_back_newest_first(db: Database) {
    let mut tx = db.store.begin().await.unwrap();
    let actor = Actor::user("olga");
    tx.audit(
        &actor,
        "a.first",
        &[("x", Some("acme")), ("y", Some("bolt"))],
        at("09:00:00"),
    )
    .await
    .unwrap();
    tx.audit(&actor, "a.second", &[("z", None)], at("09:00:01"))
        .await
        .unwrap();
    let shown = |rows: Vec<shiftbell::store::AuditRow>| -> Vec<String> {
        rows.iter().map(|row| row.target.clone()).collect()
    };
    let all = tx.audit_log(None, i64::MAX, 10).await.unwrap();
    let middle = all[1].n;
    assert_eq!(shown(all), ["z", "y", "x"]);
    assert_eq!(shown(tx.audit_log(None, middle, 10).await.unwrap()), ["x"]);
    assert_eq!(
        shown(tx.audit_log(Some("bolt"), i64::MAX, 10).await.unwrap()),
        ["y"]
    );
    tx.audit(&actor, "a.none", &[], at("09:00:02"))
        .await
        .unwrap();
    assert_eq!(tx.audit_log(None, i64::MAX, 10).await.unwrap().len(), 3);
}
