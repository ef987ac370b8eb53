//! Ids in other products: one agent has one, and agents may swap them.

use shiftbell::{
    domain::{agent::Agent, roster, zone::Zones},
    store::StoreError,
};

use crate::{
    support::{Database, on_both},
    world::at,
};

on_both!(
    what_a_line_names_replaces_all_ids,
    agents_swap_ids_within_one_import,
    an_id_of_somebody_else_is_refused,
    ids_go_with_their_agent,
    an_id_changes_no_plan,
    a_driver_looks_ids_up_by_product,
    two_who_claim_one_id_at_once_do_not_both_get_it,
);

fn line(agent: &str, more: &str) -> Agent {
    let line =
        format!(r#"{{"id":"{agent}","workspace":"acme","name":"A","timezone":"UTC"{more}}}"#);
    let read = roster::read(line.as_bytes(), &Zones::built_in(), at("09:00:00"));
    read.unwrap().agents.remove(0)
}

fn with(agent: &str, ids: &str) -> Agent {
    line(agent, &format!(r#","external":{ids}"#))
}

/// Writes agents as an import does that takes them one a chunk.
async fn import(db: &Database, agents: &[Agent]) -> Result<(), StoreError> {
    let mut tx = db.store.begin().await?;
    tx.release_external_ids(agents).await?;
    for agent in agents {
        tx.put_agents(std::slice::from_ref(agent), at("09:00:00"))
            .await?;
    }
    tx.commit().await
}

fn stored(db: &Database) -> String {
    db.sql("SELECT agent_id, product, external_id FROM external_ids ORDER BY 1, 2")
}

async fn what_a_line_names_replaces_all_ids(db: Database) {
    let both = with("a-1", r#"{"chatwoot":"17","zendesk":"900"}"#);
    import(&db, &[both]).await.unwrap();
    assert_eq!(stored(&db), "a-1|chatwoot|17\na-1|zendesk|900");
    import(&db, &[line("a-1", "")]).await.unwrap();
    assert_eq!(stored(&db), "a-1|chatwoot|17\na-1|zendesk|900");
    import(&db, &[with("a-1", r#"{"chatwoot":"18"}"#)])
        .await
        .unwrap();
    assert_eq!(stored(&db), "a-1|chatwoot|18");
    import(&db, &[with("a-1", "{}")]).await.unwrap();
    assert_eq!(stored(&db), "");
}

async fn agents_swap_ids_within_one_import(db: Database) {
    let team = |one: &str, two: &str, three: &str| {
        [("a-1", one), ("a-2", two), ("a-3", three)]
            .map(|(agent, id)| with(agent, &format!(r#"{{"chatwoot":"{id}"}}"#)))
    };
    import(&db, &team("1", "2", "3")).await.unwrap();
    import(&db, &team("2", "3", "1")).await.unwrap();
    assert_eq!(
        stored(&db),
        "a-1|chatwoot|2\na-2|chatwoot|3\na-3|chatwoot|1"
    );
    // All in one chunk, as the API's batch of one and small imports are.
    let mut tx = db.store.begin().await.unwrap();
    tx.put_agents(&team("3", "2", "1"), at("09:00:00"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        stored(&db),
        "a-1|chatwoot|3\na-2|chatwoot|2\na-3|chatwoot|1"
    );
}

async fn an_id_of_somebody_else_is_refused(db: Database) {
    import(&db, &[with("a-1", r#"{"chatwoot":"17"}"#)])
        .await
        .unwrap();
    let claim = with("a-2", r#"{"chatwoot":"17"}"#);
    // One who is in the file and does not speak of ids keeps them.
    for team in [vec![claim.clone()], vec![line("a-1", ""), claim]] {
        let error = import(&db, &team).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "agent \"a-2\": external.chatwoot: \"17\" belongs to agent \"a-1\": take it away there \
             first, or in the same import"
        );
        assert_eq!(stored(&db), "a-1|chatwoot|17");
        assert_eq!(db.sql("SELECT count(*) FROM agents"), "1");
    }
    // Another product's 17 is somebody else.
    import(&db, &[with("a-2", r#"{"zendesk":"17"}"#)])
        .await
        .unwrap();
    let twice = "INSERT INTO external_ids VALUES ('a-2', 'chatwoot', '17')";
    assert!(db.try_sql(twice).is_err());
}

async fn ids_go_with_their_agent(db: Database) {
    import(&db, &[with("a-1", r#"{"chatwoot":"17"}"#)])
        .await
        .unwrap();
    let mut tx = db.store.begin().await.unwrap();
    tx.remove_agents(["a-1"]).await.unwrap();
    tx.commit().await.unwrap();
    import(&db, &[with("a-2", r#"{"chatwoot":"17"}"#)])
        .await
        .unwrap();
    assert_eq!(stored(&db), "a-2|chatwoot|17");
}

async fn an_id_changes_no_plan(db: Database) {
    import(&db, &[line("a-1", "")]).await.unwrap();
    db.sql("UPDATE agent_state SET due_at = 5, stale_at = NULL");
    import(&db, &[with("a-1", r#"{"chatwoot":"17"}"#)])
        .await
        .unwrap();
    assert_eq!(db.sql("SELECT due_at, stale_at FROM agent_state"), "5|");
}

async fn a_driver_looks_ids_up_by_product(db: Database) {
    let team = [
        with("a-1", r#"{"chatwoot":"17","zendesk":"900"}"#),
        with("a-2", r#"{"zendesk":"901"}"#),
        with("a-3", r#"{"chatwoot":"19"}"#),
    ];
    import(&db, &team).await.unwrap();
    let mut tx = db.store.snapshot().await.unwrap();
    let ids = tx
        .external_ids("chatwoot", ["a-1", "a-2", "nobody"])
        .await
        .unwrap();
    assert_eq!(ids, [("a-1".to_owned(), "17".to_owned())].into());
    let none = tx.external_ids("chatwoot", []).await.unwrap();
    assert!(none.is_empty());
}

async fn two_who_claim_one_id_at_once_do_not_both_get_it(db: Database) {
    import(&db, &[line("a-1", ""), line("a-2", "")])
        .await
        .unwrap();
    let claim = |agent: &str| [with(agent, r#"{"chatwoot":"17"}"#)];
    let mut first = db.store.begin().await.unwrap();
    let at = at("09:00:00");
    first.put_agents(&claim("a-1"), at).await.unwrap();
    let store = db.store.clone();
    let second = tokio::spawn(async move {
        let mut second = store.begin().await?;
        second.put_agents(&claim("a-2"), at).await?;
        second.commit().await
    });
    tokio::task::yield_now().await;
    first.commit().await.unwrap();
    let refused = second.await.unwrap().unwrap_err();
    assert!(matches!(refused, StoreError::Taken { .. }), "{refused:?}");
    assert_eq!(stored(&db), "a-1|chatwoot|17");
}
