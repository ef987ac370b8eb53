//! Reading who is due and recording what was decided.

use shiftbell::{
    domain::{delivery::ChannelKind, presence::Status},
    store::sql::Dialect,
};

use crate::{
    support::{Database, on_both},
    world::{at, change, decision, ms, shift_starts},
};

on_both!(
    due_agents_come_with_whole_facts,
    agents_that_are_due_are_locked,
    recording_writes_transition_deliveries_and_state,
    what_is_rolled_back_leaves_nothing,
    an_alert_is_recorded_once,
    another_alert_of_the_same_identity_is_refused,
    a_corrupt_row_spoils_its_agent_alone,
    removing_an_agent_cancels_its_alerts,
    replanning_makes_agents_due,
    the_next_due_is_the_earliest,
);

async fn due_agents_come_with_whole_facts(db: Database) {
    db.hire("ana", "acme");
    db.sql(
        "INSERT INTO holidays VALUES ('acme', '2026-12-25');
         INSERT INTO overrides VALUES ('ana', '2026-12-24'), ('ana', '2026-12-31');
         INSERT INTO override_slots VALUES ('ana', '2026-12-31', '09:00', '12:00'), ('ana', '2026-12-31', '13:00', '24:00');
         INSERT INTO away VALUES ('ana', '2026-07-01T12:00', '2026-07-14T00:00');
         INSERT INTO devices (platform, token, agent_id, state) VALUES ('android', 'dead', 'ana', 'disabled'), ('android', 'alive', 'ana', 'active')",
    );
    let mut tx = db.store.begin().await.unwrap();
    let facts = tx.due_agents(at("09:00:00"), 10).await.unwrap();
    let [ana] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(ana.recorded.agent, "ana");
    assert_eq!(ana.recorded.status, None);
    assert_eq!(ana.recorded.sequence, 0);
    assert!(ana.recorded.stale_at.is_some());
    let schedule = ana.schedule.as_ref().unwrap().as_ref().unwrap();
    assert_eq!(schedule.timezone, "UTC");
    assert!(schedule.notify.start && schedule.notify.end);
    assert_eq!(schedule.slots.len(), 1);
    assert_eq!(schedule.slots[0].start.to_string(), "09:00");
    let slots: Vec<_> = schedule
        .overrides
        .iter()
        .map(|o| (o.date.to_string(), o.slots.len()))
        .collect();
    assert_eq!(slots, [("2026-12-24".into(), 0), ("2026-12-31".into(), 2)]);
    assert_eq!(schedule.holidays[0].to_string(), "2026-12-25");
    assert_eq!(schedule.away[0].from.to_string(), "2026-07-01T12:00:00");
    let phones: Vec<_> = schedule
        .phones
        .iter()
        .map(|p| (p.channel, p.token.expose()))
        .collect();
    assert_eq!(
        phones,
        [
            (ChannelKind::Fcm, "alive"),
            (ChannelKind::Apns, "token-ana")
        ]
    );
    assert!(schedule.pending.is_empty());
    drop(tx);

    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana"])],
        "09:00:00",
    )
    .await;
    db.sql("UPDATE agents SET timezone = 'Europe/Paris'");
    let mut tx = db.store.begin().await.unwrap();
    let facts = tx.due_agents(at("09:00:01"), 10).await.unwrap();
    assert_eq!(facts[0].recorded.status, Some(Status::Online));
    assert_eq!(facts[0].recorded.evaluated_at, Some(at("09:00:00")));
    assert_eq!(facts[0].recorded.boundary_at, Some(at("17:00:00")));
    let schedule = facts[0].schedule.as_ref().unwrap().as_ref().unwrap();
    assert_eq!(schedule.pending[0].at, at("09:00:00"));
}

async fn agents_that_are_due_are_locked(db: Database) {
    for agent in ["ana", "ben", "cem"] {
        db.hire(agent, "acme");
    }
    let names = |facts: Vec<shiftbell::domain::plan::Facts>| -> Vec<String> {
        facts.into_iter().map(|f| f.recorded.agent).collect()
    };
    let mut one = db.store.begin().await.unwrap();
    let first = names(one.due_agents(at("09:00:00"), 2).await.unwrap());
    assert_eq!(first.len(), 2);
    // SQLite has one writer: the second transaction begins when the first is over.
    if db.store.dialect() == Dialect::Postgres {
        let mut two = db.store.begin().await.unwrap();
        let second = names(two.due_agents(at("09:00:00"), 10).await.unwrap());
        assert_eq!(second.len(), 1);
        assert!(!first.contains(&second[0]));
        two.commit().await.unwrap();
    }
    let decisions: Vec<_> = first.iter().map(|agent| decision(agent, "acme")).collect();
    db.store
        .record(&mut one, &decisions, at("09:00:00"), true, None)
        .await
        .unwrap();
    one.commit().await.unwrap();
    let mut three = db.store.begin().await.unwrap();
    assert_eq!(three.due_agents(at("09:00:00"), 10).await.unwrap().len(), 1);
}

async fn recording_writes_transition_deliveries_and_state(db: Database) {
    db.hire("ana", "acme");
    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana", "other"])],
        "09:00:01",
    )
    .await;
    assert_eq!(
        db.states().await,
        ["apns pending", "apns pending", "presence 1 pending"]
    );
    let transitions = db.sql(
        "SELECT agent_id, reason, status, sequence, boundary_kind, boundary_at, counterpart_at, effective_at, recorded_at FROM transitions",
    );
    let (nine, five, recorded) = (ms("09:00:00"), ms("17:00:00"), ms("09:00:01"));
    assert_eq!(
        transitions,
        format!("ana|sync|online|1|start|{nine}|{five}|{nine}|{recorded}")
    );
    assert_eq!(
        db.sql("SELECT status, sequence, effective_at, evaluated_at, boundary_at, due_at, stale_at, problem FROM agent_state"),
        format!("online|1|{nine}|{recorded}|{five}|{five}||")
    );
    assert_eq!(
        db.sql("SELECT count(DISTINCT transition_id) FROM outbox"),
        "1"
    );
    assert_eq!(
        db.sql("SELECT dirty_at FROM workspace_state"),
        nine.to_string()
    );
    let log = db.log().await;
    let push = log.iter().find(|d| d.channel == "apns").unwrap();
    assert_eq!(push.deadline, Some(at("09:10:00")));
    assert_eq!(push.boundary, Some(at("09:00:00")));
    assert!(push.receiver.starts_with("phone:"), "{}", push.receiver);
    // Nothing changes, nothing is said.
    db.record(&[decision("ana", "acme")], "09:05:00").await;
    assert_eq!(db.log().await.len(), 3);
    assert_eq!(
        db.sql("SELECT status, sequence FROM agent_state"),
        "online|1"
    );
}

async fn what_is_rolled_back_leaves_nothing(db: Database) {
    db.hire("ana", "acme");
    let before = db.sql("SELECT * FROM agent_state");
    let mut tx = db.store.begin().await.unwrap();
    let decisions = [shift_starts("ana", 1, "09:00:00", &["token-ana"])];
    db.store
        .record(&mut tx, &decisions, at("09:00:00"), true, None)
        .await
        .unwrap();
    drop(tx);
    assert!(db.log().await.is_empty());
    assert_eq!(db.sql("SELECT count(*) FROM transitions"), "0");
    assert_eq!(db.sql("SELECT count(*) FROM workspace_state"), "0");
    assert_eq!(db.sql("SELECT * FROM agent_state"), before);
}

async fn an_alert_is_recorded_once(db: Database) {
    db.hire("ana", "acme");
    let decision = shift_starts("ana", 1, "09:00:00", &["token-ana"]);
    db.record(std::slice::from_ref(&decision), "09:00:00").await;
    let before = db.log().await;
    db.record(&[decision], "09:00:05").await;
    assert_eq!(db.log().await, before);
    assert_eq!(db.sql("SELECT count(*) FROM transitions"), "1");
}

async fn another_alert_of_the_same_identity_is_refused(db: Database) {
    db.hire("ana", "acme");
    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana"])],
        "09:00:00",
    )
    .await;
    let copy = |to: &str, id: &str, ended: &str, channel: &str| {
        let (columns, values) = if ended.is_empty() {
            ("", String::new())
        } else {
            (
                ", tries, epoch, state, settled_at",
                format!(", 1, 1, '{ended}', 1"),
            )
        };
        db.try_sql(&format!(
            "INSERT INTO {to} (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                 sequence, due_at, deadline_at, created_at{columns})
             SELECT '{id}', transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at,
                 sequence, due_at, deadline_at, created_at{values} FROM outbox WHERE channel = '{channel}'"
        ))
    };
    // An alert's identity is its id; an event's is its sequence, too.
    let mut refusals = Vec::new();
    for channel in ["apns", "presence"] {
        let id = db.sql(&format!(
            "SELECT id FROM outbox WHERE channel = '{channel}'"
        ));
        refusals.push(copy("outbox", &id, "", channel));
        copy("deliveries", &id, "failed", channel).unwrap();
        refusals.push(copy("deliveries", &id, "failed", channel));
    }
    refusals.push(copy("outbox", "another", "", "presence"));
    refusals.push(copy("deliveries", "another", "failed", "presence"));
    for refusal in refusals {
        let refusal = refusal.unwrap_err().to_lowercase();
        assert!(refusal.contains("unique"), "{refusal}");
    }
}

async fn a_corrupt_row_spoils_its_agent_alone(db: Database) {
    db.hire("ana", "acme");
    db.hire("ben", "acme");
    match db.store.dialect() {
        Dialect::Sqlite => db.sql("PRAGMA ignore_check_constraints = on; UPDATE operating_hours SET day = 'someday' WHERE agent_id = 'ana'"),
        Dialect::Postgres => db.sql("ALTER TABLE operating_hours DROP CONSTRAINT operating_hours_day_check; UPDATE operating_hours SET day = 'someday' WHERE agent_id = 'ana'"),
    };
    let mut tx = db.store.begin().await.unwrap();
    let facts = tx.due_agents(at("09:00:00"), 10).await.unwrap();
    assert_eq!(facts.len(), 2);
    for agent in facts {
        if agent.recorded.agent == "ana" {
            assert_eq!(
                agent.schedule.unwrap_err(),
                "operating_hours.day of row ana: `someday` cannot be read"
            );
        } else {
            assert_eq!(agent.schedule.unwrap().unwrap().slots.len(), 1);
        }
    }
}

async fn removing_an_agent_cancels_its_alerts(db: Database) {
    db.hire("ana", "acme");
    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana"])],
        "09:00:00",
    )
    .await;
    let mut tx = db.store.begin().await.unwrap();
    assert_eq!(tx.remove_agents(["ana", "nobody"]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    for table in ["operating_hours", "devices"] {
        assert_eq!(db.sql(&format!("SELECT count(*) FROM {table}")), "0");
    }
    let mut tx = db.store.begin().await.unwrap();
    let facts = tx.due_agents(at("09:01:00"), 10).await.unwrap();
    assert_eq!(facts[0].schedule, Ok(None));
    let gone = shiftbell::domain::plan::Decision {
        removed: true,
        ..change("ana", Status::Offline, 2, "09:01:00")
    };
    db.store
        .record(&mut tx, &[gone], at("09:01:00"), true, None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        db.states().await,
        [
            "apns cancelled agent_removed",
            "presence 1 superseded newer_sequence",
            "presence 2 pending"
        ]
    );
}

async fn replanning_makes_agents_due(db: Database) {
    for (agent, looked_at) in [("ana", "09:00:00"), ("ben", "11:00:00")] {
        db.hire(agent, "acme");
        db.record(&[shift_starts(agent, 1, "09:00:00", &[])], looked_at)
            .await;
    }
    db.hire("new", "acme");
    db.sql("UPDATE agent_state SET due_at = NULL WHERE agent_id = 'new'");
    let due = || db.sql("SELECT agent_id FROM agent_state WHERE due_at = 0 ORDER BY 1");
    let mut tx = db.store.begin().await.unwrap();
    assert_eq!(tx.replan_ahead_of(at("10:00:00")).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(due(), "ben");
    let mut tx = db.store.begin().await.unwrap();
    assert_eq!(tx.replan_all(at("10:00:00")).await.unwrap(), 2);
    assert_eq!(tx.stale_count().await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(due(), "ana\nben");
}

async fn the_next_due_is_the_earliest(db: Database) {
    let next = async || {
        let mut tx = db.store.snapshot().await.unwrap();
        tx.next_due().await.unwrap()
    };
    assert_eq!(
        next().await,
        shiftbell::store::Due {
            scan: None,
            reap: None
        }
    );
    db.hire("ana", "acme");
    assert_eq!(next().await.scan, Some(jiff::Timestamp::UNIX_EPOCH));
    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana"])],
        "09:00:00",
    )
    .await;
    // The workspace's mode is still to be settled.
    assert_eq!(next().await.scan, Some(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(db.settle_modes("09:00:00").await, 1);
    assert_eq!(next().await.scan, Some(at("17:00:00")));
    assert_eq!(next().await.reap, Some(at("09:10:00")));
    let mut tx = db.store.snapshot().await.unwrap();
    assert_eq!(
        tx.next_send(ChannelKind::Apns).await.unwrap(),
        Some(at("09:00:00"))
    );
    assert_eq!(tx.next_send(ChannelKind::Fcm).await.unwrap(), None);
    drop(tx);
    db.claim(ChannelKind::Apns, "09:00:00").await;
    assert_eq!(next().await.reap, Some(at("09:01:00")));
    let mut tx = db.store.snapshot().await.unwrap();
    let mut counts: Vec<_> = tx
        .open_counts()
        .await
        .unwrap()
        .into_iter()
        .map(|c| (c.channel, c.state, c.count))
        .collect();
    counts.sort();
    assert_eq!(
        counts,
        [
            ("apns".into(), "leased".into(), 1),
            ("presence".into(), "pending".into(), 2)
        ]
    );
}
