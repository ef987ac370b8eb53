//! Leases that several workers renew once, a walk that belongs to all of them, and statuses that are
//! posted again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use shiftbell::{
    domain::{driver::Shown, presence::Posting},
    store::{Again, Seen, Store, Stride},
};

use crate::{
    support::{Database, on_both},
    world::at,
};

on_both!(
    whoever_is_on_duty_has_a_lease,
    two_workers_renew_once,
    a_renewal_that_failed_is_due_sooner,
    a_clock_that_steps_back_lets_nobody_go,
    one_walk_goes_through_everybody,
    a_status_is_posted_again_unless_it_changed,
    another_receiver_is_told_everything_once,
    workers_that_start_at_once_tell_it_once,
    what_was_seen_is_kept,
);

/// Agents `a-0` … with these statuses, each after its first change, which was posted.
fn team(db: &Database, statuses: &[(&str, bool)]) {
    db.sql("INSERT INTO workspaces (id, name) VALUES ('acme', 'Acme')");
    for (n, (status, accepts)) in statuses.iter().enumerate() {
        db.sql(&format!("INSERT INTO agents (id, workspace_id, name, timezone) VALUES ('a-{n}', 'acme', 'A', 'UTC')"));
        db.sql(&format!(
            "UPDATE agent_state SET status = '{status}', accepts = {accepts}, sequence = 1, stale_at = NULL, due_at = NULL
             WHERE agent_id = 'a-{n}'"
        ));
        db.sql(&format!(
            "INSERT INTO transitions (id, workspace_id, agent_id, reason, status, accepts, sequence, effective_at, recorded_at)
             VALUES ('00000000-0000-0000-0000-{n:012}', 'acme', 'a-{n}', 'sync', '{status}', {accepts}, 1, 1, 1)"
        ));
    }
}

fn product(name: &str) -> Posting {
    Posting::Product {
        identity: name.to_owned(),
        external: name.to_owned(),
    }
}

async fn claim(store: &Store, now: Timestamp, next: Timestamp, limit: i64) -> Vec<String> {
    let mut tx = store.begin().await.unwrap();
    tx.settle_leases(now, next.duration_since(now))
        .await
        .unwrap();
    let mut claimed = tx.claim_leases(now, next, limit).await.unwrap();
    tx.commit().await.unwrap();
    claimed.sort();
    claimed
}

async fn whoever_is_on_duty_has_a_lease(db: Database) {
    team(
        &db,
        &[
            ("online", true),
            ("offline", false),
            ("invisible", true),
            ("invisible", false),
        ],
    );
    let minute = |n: i64| at("09:00:00") + SignedDuration::from_mins(n);
    assert!(
        claim(&db.store, minute(0), minute(1), 10).await.is_empty(),
        "the event itself was the first"
    );
    assert_eq!(
        claim(&db.store, minute(1), minute(2), 10).await,
        ["a-0", "a-2"]
    );
    db.sql("UPDATE agent_state SET status = 'offline', accepts = FALSE WHERE agent_id = 'a-0'");
    db.sql("UPDATE agent_state SET status = 'online', accepts = TRUE WHERE agent_id = 'a-1'");
    assert_eq!(claim(&db.store, minute(2), minute(3), 10).await, ["a-2"]);
    assert_eq!(
        claim(&db.store, minute(3), minute(4), 10).await,
        ["a-1", "a-2"]
    );
    let mut tx = db.store.snapshot().await.unwrap();
    assert_eq!(tx.count_accepting().await.unwrap(), 2);
    assert_eq!(tx.next_lease().await.unwrap(), Some(minute(4)));
    assert_eq!(
        tx.gone_off(["a-0", "a-1", "a-9"]).await.unwrap(),
        [("a-0".to_owned(), Shown::Offline)]
    );
    tx.commit().await.unwrap();
}

async fn two_workers_renew_once(db: Database) {
    team(&db, &[("online", true); 40]);
    let (start, now, next) = (at("09:00:00"), at("09:01:00"), at("09:02:00"));
    claim(&db.store, start, now, 0).await;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = db.store.clone();
        workers.spawn(async move {
            let mut mine = Vec::new();
            for _ in 0..20 {
                mine.extend(claim(&store, now, next, 3).await);
            }
            mine
        });
    }
    let claimed: Vec<String> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), 40);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 40);
}

async fn a_renewal_that_failed_is_due_sooner(db: Database) {
    team(&db, &[("online", true); 2]);
    let (start, now, next) = (at("09:00:00"), at("09:01:00"), at("09:02:00"));
    claim(&db.store, start, now, 0).await;
    assert_eq!(claim(&db.store, now, next, 10).await, ["a-0", "a-1"]);
    let mut tx = db.store.begin().await.unwrap();
    tx.renew_at(["a-1"], at("09:01:05")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        claim(&db.store, at("09:01:05"), at("09:02:05"), 10).await,
        ["a-1"]
    );
}

async fn a_clock_that_steps_back_lets_nobody_go(db: Database) {
    team(&db, &[("online", true); 2]);
    claim(&db.store, at("09:00:00"), at("09:01:00"), 0).await;
    assert!(
        claim(&db.store, at("08:59:50"), at("09:00:50"), 10)
            .await
            .is_empty(),
        "ten seconds are no matter"
    );
    assert_eq!(
        claim(&db.store, at("08:00:00"), at("08:01:00"), 10).await,
        ["a-0", "a-1"],
        "an hour's wait would be their end"
    );
}

async fn walk(store: &Store, now: Timestamp) -> Vec<String> {
    let stride = Stride {
        agents: 2,
        pause: SignedDuration::from_secs(1),
        every: SignedDuration::from_hours(1),
    };
    let mut tx = store.begin().await.unwrap();
    let told = tx.walk(now, stride).await.unwrap();
    tx.commit().await.unwrap();
    told.into_iter().map(|told| told.agent).collect()
}

async fn one_walk_goes_through_everybody(db: Database) {
    team(&db, &[("online", true); 3]);
    assert_eq!(walk(&db.store, at("09:00:00")).await, ["a-0", "a-1"]);
    assert!(
        walk(&db.store, at("09:00:00")).await.is_empty(),
        "a step is due after a pause"
    );
    assert_eq!(walk(&db.store, at("09:00:01")).await, ["a-2"]);
    assert!(
        walk(&db.store, at("09:59:59")).await.is_empty(),
        "the next walk is due an hour after the first began"
    );
    assert_eq!(walk(&db.store, at("10:00:00")).await, ["a-0", "a-1"]);
    db.sql("UPDATE presence_walk SET step_at = step_at + 864000000");
    assert_eq!(
        walk(&db.store, at("10:00:01")).await,
        ["a-2"],
        "a clock that ran ahead holds no walk up"
    );
}

async fn again(store: &Store, agent: &str, sequence: i64) -> Vec<i64> {
    let again = [Again {
        agent_id: agent.to_owned(),
        sequence,
    }];
    let mut tx = store.begin().await.unwrap();
    let (seen, _) = store
        .post_again(&mut tx, &again, at("09:00:00"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    seen.into_iter().map(|seen| seen.mended).collect()
}

async fn a_status_is_posted_again_unless_it_changed(db: Database) {
    team(&db, &[("invisible", true)]);
    assert_eq!(again(&db.store, "a-0", 1).await, [2]);
    assert!(
        again(&db.store, "a-0", 1).await.is_empty(),
        "that was looked at before"
    );
    assert_eq!(again(&db.store, "a-0", 2).await, [3]);
    let row = db.sql(
        "SELECT reason || ' ' || status || ' ' || sequence FROM transitions WHERE sequence = 3",
    );
    assert_eq!(row.trim(), "sync invisible 3");
    assert_eq!(
        db.sql("SELECT sequence FROM outbox").trim(),
        "3",
        "the newer one goes before the older"
    );
    assert_eq!(
        db.sql("SELECT state || ' ' || sequence FROM deliveries")
            .trim(),
        "superseded 2"
    );
    let mut tx = db.store.snapshot().await.unwrap();
    let told = tx.told_of(["a-0"]).await.unwrap().remove(0);
    tx.commit().await.unwrap();
    assert_eq!(
        (told.shown, told.sequence, told.pending, told.sent),
        (Shown::Online, 3, true, false)
    );
}

async fn another_receiver_is_told_everything_once(db: Database) {
    team(&db, &[("online", true), ("offline", false)]);
    let now = at("09:00:00");
    let chatwoot = product("chatwoot");
    let own = Posting::PresenceApi;
    // What was recorded and never posted, and then nothing more.
    assert_eq!(db.store.switch_posting(&chatwoot, now).await.unwrap(), 2);
    assert_eq!(db.store.switch_posting(&chatwoot, now).await.unwrap(), 0);
    assert_eq!(
        db.store.switch_posting(&own, now).await.unwrap(),
        2,
        "it heard nothing yet"
    );
    assert_eq!(
        db.store
            .switch_posting(&Posting::Nobody, now)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        db.store.switch_posting(&own, now).await.unwrap(),
        0,
        "it heard all of it"
    );
    assert_eq!(
        db.store
            .switch_posting(&Posting::Nobody, now)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        db.store.switch_posting(&chatwoot, now).await.unwrap(),
        2,
        "another was told meanwhile"
    );
}

async fn workers_that_start_at_once_tell_it_once(db: Database) {
    team(&db, &[("online", true); 5]);
    let now = at("09:00:00");
    let first = product("one");
    assert_eq!(db.store.switch_posting(&first, now).await.unwrap(), 5);
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = db.store.clone();
        workers.spawn(async move {
            let other = product("other");
            store.switch_posting(&other, now).await.unwrap()
        });
    }
    assert_eq!(workers.join_all().await.into_iter().sum::<usize>(), 5);
}

async fn what_was_seen_is_kept(db: Database) {
    team(&db, &[("online", true)]);
    let seen = |confirmed, mended| Seen {
        agent_id: "a-0".to_owned(),
        confirmed,
        mended,
    };
    for (note, expected) in [
        (seen(1, 0), (1, 0)),
        (seen(0, 2), (1, 2)),
        (seen(2, 0), (2, 2)),
    ] {
        let mut tx = db.store.begin().await.unwrap();
        tx.note_seen(&[note]).await.unwrap();
        let told = tx.told_of(["a-0"]).await.unwrap().remove(0);
        tx.commit().await.unwrap();
        assert_eq!((told.confirmed, told.mended), expected);
    }
}
