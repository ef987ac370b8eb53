//! Leases, epochs and final states.

use shiftbell::{
    domain::{
        delivery::{ChannelKind, DeliveryState, DeviceFate},
        plan::Decision,
        presence::{Change, Mode, Status},
    },
    store::{Actor, Crashed, Order, Settlement, sql::Dialect},
};

use crate::{
    support::{Database, on_both},
    world::{at, change, decision, ms, settlement, shift_starts},
};

on_both!(
    a_claim_raises_the_epoch_and_begins_an_attempt,
    claims_skip_what_others_claimed,
    pushes_are_made_of_what_holds_at_sending_time,
    events_keep_id_and_sequence,
    settling_ends_the_lease_and_the_attempt,
    an_old_epoch_settles_nothing,
    a_lease_that_ran_out_is_reaped,
    the_third_crash_is_poison,
    what_is_revoked_under_way_is_not_repeated,
    a_push_past_its_deadline_expires,
    a_newer_event_supersedes_the_pending_one,
    one_event_of_an_agent_is_under_way,
    a_reaped_event_gives_way_to_a_newer_one,
    a_returned_event_gives_way_to_a_newer_one,
    final_states_are_final,
    an_operator_revives_what_failed,
    phones_are_disabled_by_what_the_receiver_said,
);

async fn with_push(db: &Database) {
    db.hire("ana", "acme");
    db.record(
        &[shift_starts("ana", 1, "09:00:00", &["token-ana"])],
        "09:00:00",
    )
    .await;
}

async fn a_claim_raises_the_epoch_and_begins_an_attempt(db: Database) {
    with_push(&db).await;
    assert!(db.claim(ChannelKind::Apns, "08:59:59").await.is_empty());
    assert!(db.claim(ChannelKind::Fcm, "09:00:00").await.is_empty());
    let leases = db.claim(ChannelKind::Apns, "09:00:01").await;
    assert_eq!(leases.len(), 1);
    assert_eq!((leases[0].epoch, leases[0].tries), (1, 0));
    assert_eq!(leases[0].deadline, Some(at("09:10:00")));
    let mut tx = db.store.snapshot().await.unwrap();
    let attempts = tx.attempts(&leases[0].id.to_string()).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (attempts[0].epoch, attempts[0].worker.as_str()),
        (1, "worker")
    );
    assert_eq!(attempts[0].started_at, at("09:00:01"));
    assert_eq!(attempts[0].outcome, None);
    drop(tx);
    assert!(db.claim(ChannelKind::Apns, "09:00:02").await.is_empty());
}

async fn claims_skip_what_others_claimed(db: Database) {
    for agent in ["ana", "ben", "cem"] {
        db.hire(agent, "acme");
        db.record(
            &[shift_starts(agent, 1, "09:00:00", &["token"])],
            "09:00:00",
        )
        .await;
    }
    let (now, until) = (at("09:00:00"), at("09:01:00"));
    let mut one = db.store.begin().await.unwrap();
    let order = |limit, worker| Order {
        channel: ChannelKind::Apns,
        now,
        until,
        limit,
        worker,
        crashed: Crashed::Never,
    };
    let first = one.claim(&order(2, "one")).await.unwrap();
    assert_eq!(first.len(), 2);
    if db.store.dialect() == Dialect::Sqlite {
        return;
    }
    let mut two = db.store.begin().await.unwrap();
    let second = two.claim(&order(10, "two")).await.unwrap();
    assert_eq!(second.len(), 1);
    assert!(first.iter().all(|c| c.id != second[0].id));
}

async fn pushes_are_made_of_what_holds_at_sending_time(db: Database) {
    with_push(&db).await;
    db.sql("UPDATE agents SET locale = 'fr', timezone = 'Europe/Paris'; UPDATE devices SET environment = 'sandbox'");
    let leases = db.claim(ChannelKind::Apns, "09:00:00").await;
    let facts = async || {
        let mut tx = db.store.snapshot().await.unwrap();
        tx.pushes(&leases).await.unwrap().remove(0)
    };
    let push = facts().await.unwrap();
    assert_eq!(push.token.expose(), "token-ana");
    assert_eq!(push.environment.as_str(), "sandbox");
    assert_eq!(
        (push.timezone.as_str(), push.locale.as_deref()),
        ("Europe/Paris", Some("fr"))
    );
    assert_eq!(
        (push.at, push.counterpart),
        (at("09:00:00"), Some(at("17:00:00")))
    );
    assert_eq!(push.agent, "ana");
    db.sql("UPDATE agents SET notify_start = FALSE");
    assert_eq!(facts().await.unwrap_err(), "opted_out");
    db.sql("UPDATE agents SET notify_start = TRUE; UPDATE devices SET state = 'disabled'");
    assert_eq!(facts().await.unwrap_err(), "phone_gone");
    db.sql("DELETE FROM devices");
    assert_eq!(facts().await.unwrap_err(), "phone_gone");
    db.sql("DELETE FROM agents");
    assert_eq!(facts().await.unwrap_err(), "agent_removed");
}

async fn events_keep_id_and_sequence(db: Database) {
    with_push(&db).await;
    db.settle_modes("09:00:00").await;
    let leases = db.claim(ChannelKind::Presence, "09:00:00").await;
    let mut tx = db.store.snapshot().await.unwrap();
    let events = tx.events(&leases, None).await.unwrap();
    drop(tx);
    assert_eq!(events.len(), 2);
    for (event, lease) in events.iter().zip(&leases) {
        assert_eq!(event.id, lease.id);
        assert_eq!((event.workspace.as_str(), event.sequence), ("acme", 1));
        assert_eq!(event.effective_at, at("09:00:00"));
        match &event.change {
            Change::Agent {
                agent,
                status,
                accepts_conversations,
                ..
            } => {
                assert_eq!(
                    (agent.as_str(), *status, *accepts_conversations),
                    ("ana", Status::Online, true)
                );
            }
            Change::Workspace { mode } => assert_eq!(*mode, Mode::LiveChat),
        }
    }
    db.reap("09:01:00").await;
    let again = db.claim_suspects(ChannelKind::Presence, "09:01:00").await;
    let mut tx = db.store.snapshot().await.unwrap();
    let mut repeated = tx.events(&again, None).await.unwrap();
    repeated.sort_by_key(|e| events.iter().position(|first| first.id == e.id));
    assert_eq!(repeated, events);
}

async fn settling_ends_the_lease_and_the_attempt(db: Database) {
    with_push(&db).await;
    let first = db.claim(ChannelKind::Apns, "09:00:00").await.remove(0);
    let later = Settlement {
        due_at: Some(at("09:00:30")),
        batch_cap: Some(5),
        outcome: "retry",
        http_status: Some(503),
        ..settlement(&first, DeliveryState::Pending, "09:00:02")
    };
    assert_eq!(db.settle(&[later]).await, 0);
    assert!(db.claim(ChannelKind::Apns, "09:00:29").await.is_empty());
    let second = db.claim(ChannelKind::Apns, "09:00:30").await.remove(0);
    assert_eq!(
        (second.epoch, second.tries, second.batch_cap),
        (2, 1, Some(5))
    );
    let sent = Settlement {
        receipt: Some("receipt".into()),
        ..settlement(&second, DeliveryState::Sent, "09:00:31")
    };
    assert_eq!(db.settle(&[sent]).await, 0);
    let log = db.log().await;
    let push = log.iter().find(|d| d.channel == "apns").unwrap();
    assert_eq!(
        (push.state.as_str(), push.tries, push.attempts),
        ("sent", 2, 2)
    );
    assert_eq!(push.settled_at, Some(at("09:00:31")));
    assert_eq!(push.receipt.as_deref(), Some("receipt"));
    let mut tx = db.store.snapshot().await.unwrap();
    let attempts = tx.attempts(&push.id).await.unwrap();
    assert_eq!(attempts[0].outcome.as_deref(), Some("retry"));
    assert_eq!(attempts[0].http_status, Some(503));
    assert_eq!(attempts[0].retry_at, Some(at("09:00:30")));
    assert_eq!(attempts[1].finished_at, Some(at("09:00:31")));
    assert!(!attempts[0].late && !attempts[1].late);
}

async fn an_old_epoch_settles_nothing(db: Database) {
    with_push(&db).await;
    let old = db.claim(ChannelKind::Apns, "09:00:00").await.remove(0);
    db.reap("09:01:00").await;
    let new = db
        .claim_suspects(ChannelKind::Apns, "09:01:00")
        .await
        .remove(0);
    assert_eq!(new.epoch, 2);
    let dead = Settlement {
        outcome: "failed",
        device: DeviceFate::Disable(None),
        ..settlement(&old, DeliveryState::Failed, "09:01:05")
    };
    assert_eq!(db.settle(std::slice::from_ref(&dead)).await, 1);
    assert_eq!(
        db.states().await,
        ["apns leased lease_ran_out", "presence 1 pending"]
    );
    let mut tx = db.store.snapshot().await.unwrap();
    let attempts = tx.attempts(&old.id.to_string()).await.unwrap();
    assert!(attempts[0].late);
    assert_eq!(
        (
            attempts[0].outcome.as_deref(),
            attempts[0].reason.as_deref()
        ),
        (Some("unknown"), Some("failed: test")),
        "nobody knew it in time, and that is what the next attempt was made for"
    );
    assert_eq!(attempts[0].finished_at, Some(at("09:01:00")));
    assert_eq!(attempts[1].outcome, None);
    drop(tx);
    assert_eq!(db.sql("SELECT state FROM devices"), "active");
    let alive = settlement(&new, DeliveryState::Sent, "09:01:06");
    assert_eq!(
        db.settle(&[dead, alive]).await,
        1,
        "an old answer that comes together with the new one is none"
    );
    assert_eq!(db.sql("SELECT state FROM devices"), "active");
    assert_eq!(db.states().await[0], "apns sent test");
}

async fn a_lease_that_ran_out_is_reaped(db: Database) {
    with_push(&db).await;
    let lease = db.claim(ChannelKind::Apns, "09:00:00").await.remove(0);
    assert_eq!(db.reap("09:00:59").await, 0);
    assert_eq!(db.reap("09:01:00").await, 1);
    assert_eq!(db.reap("09:01:00").await, 0);
    assert_eq!(db.states().await[0], "apns pending lease_ran_out");
    let mut tx = db.store.snapshot().await.unwrap();
    let attempts = tx.attempts(&lease.id.to_string()).await.unwrap();
    assert_eq!(attempts[0].outcome.as_deref(), Some("unknown"));
    assert_eq!(attempts[0].finished_at, Some(at("09:01:00")));
    drop(tx);
    assert!(db.claim(ChannelKind::Apns, "09:01:00").await.is_empty());
    assert_eq!(
        db.claim_suspects(ChannelKind::Apns, "09:01:00").await[0].tries,
        1
    );
}

async fn the_third_crash_is_poison(db: Database) {
    with_push(&db).await;
    assert_eq!(db.claim(ChannelKind::Apns, "09:00:00").await.len(), 1);
    assert_eq!(db.reap("09:01:00").await, 1);
    for (claimed, reaped) in [("09:01:00", "09:02:00"), ("09:02:00", "09:03:00")] {
        assert_eq!(db.claim_suspects(ChannelKind::Apns, claimed).await.len(), 1);
        assert_eq!(db.reap(reaped).await, 1);
    }
    assert_eq!(db.states().await[0], "apns failed poison");
    assert!(db.claim(ChannelKind::Apns, "09:03:00").await.is_empty());
    assert_eq!(
        db.sql("SELECT count(*) FROM attempts WHERE outcome = 'unknown'"),
        "3"
    );
}

async fn a_push_past_its_deadline_expires(db: Database) {
    with_push(&db).await;
    assert!(db.claim(ChannelKind::Apns, "09:10:00").await.is_empty());
    assert_eq!(db.reap("09:09:59").await, 0);
    assert_eq!(db.reap("09:10:00").await, 1);
    assert_eq!(
        db.states().await,
        ["apns expired deadline", "presence 1 pending"]
    );
    assert!(db.claim(ChannelKind::Apns, "09:10:00").await.is_empty());
}

async fn a_newer_event_supersedes_the_pending_one(db: Database) {
    db.hire("ana", "acme");
    db.record(&[change("ana", Status::Online, 1, "09:00:00")], "09:00:00")
        .await;
    db.record(&[change("ana", Status::Offline, 2, "09:01:00")], "09:01:00")
        .await;
    assert_eq!(
        db.states().await,
        ["presence 1 superseded newer_sequence", "presence 2 pending"]
    );
}

async fn one_event_of_an_agent_is_under_way(db: Database) {
    db.hire("ana", "acme");
    db.hire("ben", "acme");
    db.record(&[change("ana", Status::Online, 1, "09:00:00")], "09:00:00")
        .await;
    let first = db.claim(ChannelKind::Presence, "09:00:00").await.remove(0);
    let both = [
        change("ana", Status::Offline, 2, "09:00:10"),
        change("ben", Status::Online, 1, "09:00:10"),
    ];
    db.record(&both, "09:00:10").await;
    let bens = db.claim(ChannelKind::Presence, "09:00:10").await;
    assert_eq!(bens.len(), 1);
    assert_eq!(
        db.settle(&[settlement(&first, DeliveryState::Sent, "09:00:11")])
            .await,
        0
    );
    let second = db.claim(ChannelKind::Presence, "09:00:11").await;
    assert_eq!(second.len(), 1);
    assert!(second[0].id != first.id && second[0].id != bens[0].id);
}

async fn a_reaped_event_gives_way_to_a_newer_one(db: Database) {
    db.hire("ana", "acme");
    db.record(&[change("ana", Status::Online, 1, "09:00:00")], "09:00:00")
        .await;
    db.claim(ChannelKind::Presence, "09:00:00").await;
    db.record(&[change("ana", Status::Offline, 2, "09:00:10")], "09:00:10")
        .await;
    db.reap("09:01:00").await;
    assert_eq!(
        db.states().await,
        ["presence 1 superseded newer_sequence", "presence 2 pending"]
    );
    assert_eq!(db.claim(ChannelKind::Presence, "09:01:00").await.len(), 1);
}

async fn a_returned_event_gives_way_to_a_newer_one(db: Database) {
    db.hire("ana", "acme");
    db.record(&[change("ana", Status::Online, 1, "09:00:00")], "09:00:00")
        .await;
    let lease = db.claim(ChannelKind::Presence, "09:00:00").await.remove(0);
    db.record(&[change("ana", Status::Offline, 2, "09:00:10")], "09:00:10")
        .await;
    let back = settlement(&lease, DeliveryState::Pending, "09:00:20");
    assert_eq!(db.settle(&[back]).await, 0);
    assert_eq!(
        db.states().await,
        ["presence 1 superseded newer_sequence", "presence 2 pending"]
    );
}

async fn final_states_are_final(db: Database) {
    with_push(&db).await;
    let lease = db.claim(ChannelKind::Apns, "09:00:00").await.remove(0);
    db.settle(&[settlement(&lease, DeliveryState::Failed, "09:00:02")])
        .await;
    for edit in ["state = 'sent'", "reason = 'other'", "settled_at = 1"] {
        let refusal = db.try_sql(&format!("UPDATE deliveries SET {edit}"));
        assert!(
            refusal
                .unwrap_err()
                .contains("a final delivery state is final"),
            "{edit}"
        );
    }
    let again = [shift_starts("ana", 1, "09:00:00", &["token-ana"])];
    db.record(&again, "09:00:05").await;
    assert_eq!(
        db.states().await,
        ["apns failed test", "presence 1 pending"],
        "what has ended does not open again when it is recorded again"
    );
}

async fn an_operator_revives_what_failed(db: Database) {
    with_push(&db).await;
    let lease = db.claim(ChannelKind::Apns, "09:00:00").await.remove(0);
    let id = lease.id.to_string();
    let retry = async |time: &str| {
        let mut tx = db.store.begin().await.unwrap();
        let revived = tx.retry(&id, at(time), &Actor::user("ops")).await.unwrap();
        tx.commit().await.unwrap();
        revived
    };
    assert!(!retry("09:00:01").await);
    db.settle(&[settlement(&lease, DeliveryState::Failed, "09:00:02")])
        .await;
    assert!(!retry("09:10:00").await);
    assert!(retry("09:01:00").await);
    assert!(!retry("09:01:00").await);
    assert_eq!(db.states().await[0], "apns pending retried_by_operator");
    let when = ms("09:01:00");
    assert_eq!(
        db.sql("SELECT at, actor, action, target, workspace_id FROM audit"),
        format!("{when}|ops|delivery.retry|{id}|acme")
    );
    let again = db.claim(ChannelKind::Apns, "09:01:00").await.remove(0);
    assert_eq!((again.epoch, again.tries), (2, 0));
}

async fn phones_are_disabled_by_what_the_receiver_said(db: Database) {
    with_push(&db).await;
    db.sql(&format!(
        "UPDATE devices SET registered_at = {}",
        ms("08:00:00")
    ));
    let lease = db.claim(ChannelKind::Apns, "09:00:00").await.remove(0);
    let back = |device, time| Settlement {
        due_at: Some(at(time)),
        device,
        reason: "Unregistered".into(),
        ..settlement(&lease, DeliveryState::Pending, time)
    };
    let phone = || db.sql("SELECT state, state_reason FROM devices");
    assert_eq!(
        db.settle(&[back(DeviceFate::Disable(Some(at("07:00:00"))), "09:00:01")])
            .await,
        0
    );
    assert_eq!(phone(), "active|");
    let lease = db.claim(ChannelKind::Apns, "09:00:01").await.remove(0);
    let dead = Settlement {
        device: DeviceFate::Disable(Some(at("08:30:00"))),
        reason: "Unregistered".into(),
        ..settlement(&lease, DeliveryState::Failed, "09:00:02")
    };
    assert_eq!(db.settle(&[dead]).await, 0);
    assert_eq!(phone(), "disabled|Unregistered");
    let mut tx = db.store.snapshot().await.unwrap();
    assert_eq!(
        tx.device_counts().await.unwrap(),
        [("ios".into(), "disabled".into(), 1)]
    );
}

/// An alert is under way when its boundary is edited away: its answer counts, a repetition is
/// cancelled.
async fn what_is_revoked_under_way_is_not_repeated(db: Database) {
    for (agent, state, expected) in [
        (
            "ana",
            DeliveryState::Pending,
            "apns cancelled boundary_gone",
        ),
        ("ben", DeliveryState::Sent, "apns sent test"),
    ] {
        db.hire(agent, "acme");
        let token = format!("token-{agent}");
        db.record(&[shift_starts(agent, 1, "09:00:00", &[&token])], "09:00:00")
            .await;
        let lease = db.claim(ChannelKind::Apns, "09:00:00").await.remove(0);
        let edited = Decision {
            cancel: vec![(lease.id, "boundary_gone")],
            ..decision(agent, "acme")
        };
        db.record(&[edited], "09:00:01").await;
        let answer = Settlement {
            due_at: (state == DeliveryState::Pending).then(|| at("09:00:30")),
            ..settlement(&lease, state, "09:00:02")
        };
        assert_eq!(db.settle(&[answer]).await, 0);
        assert!(
            db.states().await.contains(&expected.to_owned()),
            "{:?}",
            db.states().await
        );
    }
}
