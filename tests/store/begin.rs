//! Deliveries that are leased as they are recorded.

use shiftbell::domain::{
    delivery::{ChannelKind, DeliveryState},
    presence::Status,
};

use crate::{
    support::{Database, on_both},
    world::{at, change, settlement, shift_starts},
};

on_both!(
    what_there_are_places_for_is_leased_as_it_is_recorded,
    a_lease_from_the_record_runs_out_like_any_other,
    an_event_waits_for_an_earlier_one_that_is_open,
    an_event_follows_one_that_has_ended,
    what_is_open_already_is_not_begun,
    what_has_ended_is_not_begun_again,
    nothing_is_begun_that_is_rolled_back,
);

async fn what_there_are_places_for_is_leased_as_it_is_recorded(db: Database) {
    db.hire("ana", "acme");
    let start = shift_starts("ana", 1, "09:00:00", &["token-ana", "other"]);
    let (begun, waits) = db.record_with_places(&[start], "09:00:01", 1).await;
    assert!(waits);
    assert_eq!(
        db.states().await,
        ["apns leased", "apns pending", "presence 1 leased"]
    );
    let about: Vec<_> = begun
        .iter()
        .map(|lease| (lease.channel(), lease.epoch, lease.tries))
        .collect();
    assert_eq!(
        about,
        [(ChannelKind::Apns, 1, 0), (ChannelKind::Presence, 1, 0)]
    );
    assert_eq!(begun[0].agent(), Some("ana"));
    assert_eq!(begun[0].deadline, Some(at("09:10:00")));
    let mut tx = db.store.snapshot().await.unwrap();
    let attempts = tx.attempts(&begun[0].id.to_string()).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].epoch), (1, 1));
    assert_eq!(attempts[0].worker, "recorder");
    assert_eq!(attempts[0].started_at, at("09:00:01"));
    drop(tx);

    // The claimed row says the same of itself as the one that was leased at once.
    let claimed = db.claim(ChannelKind::Apns, "09:00:02").await;
    assert_eq!(claimed.len(), 1);
    assert_ne!(claimed[0].id, begun[0].id);
    assert_eq!(claimed[0].about, begun[0].about);
    let over: Vec<_> = begun
        .iter()
        .chain(&claimed)
        .map(|lease| settlement(lease, DeliveryState::Sent, "09:00:03"))
        .collect();
    assert_eq!(db.settle(&over).await, 0);
    assert_eq!(
        db.states().await,
        ["apns sent test", "apns sent test", "presence 1 sent test"]
    );
}

async fn a_lease_from_the_record_runs_out_like_any_other(db: Database) {
    db.hire("ana", "acme");
    let start = shift_starts("ana", 1, "09:00:00", &["token-ana"]);
    let (begun, waits) = db.record_with_places(&[start], "09:00:00", 9).await;
    assert!(!waits);
    assert_eq!(db.reap("09:00:59").await, 0);
    assert_eq!(db.reap("09:01:00").await, 2);
    let late = settlement(&begun[0], DeliveryState::Sent, "09:01:01");
    assert_eq!(db.settle(&[late]).await, 1);
    assert!(db.claim(ChannelKind::Apns, "09:01:02").await.is_empty());
    let again = db.claim_suspects(ChannelKind::Apns, "09:01:02").await;
    assert_eq!(
        (again[0].id, again[0].epoch, again[0].tries),
        (begun[0].id, 2, 1)
    );
}

async fn an_event_waits_for_an_earlier_one_that_is_open(db: Database) {
    db.hire("ana", "acme");
    db.record(&[change("ana", Status::Online, 1, "09:00:00")], "09:00:00")
        .await;
    // The first is waiting still: the second takes its place, and no shortcut.
    let offline = change("ana", Status::Offline, 2, "09:00:01");
    let (begun, waits) = db.record_with_places(&[offline], "09:00:01", 9).await;
    assert!(begun.is_empty() && waits);
    assert_eq!(
        db.states().await,
        ["presence 1 superseded newer_sequence", "presence 2 pending"]
    );
    // The second is under way: the third waits for its end.
    let under_way = db.claim(ChannelKind::Presence, "09:00:02").await;
    assert_eq!(under_way.len(), 1);
    let online = change("ana", Status::Online, 3, "09:00:03");
    let (begun, waits) = db.record_with_places(&[online], "09:00:03", 9).await;
    assert!(begun.is_empty() && waits);
    assert!(db.claim(ChannelKind::Presence, "09:00:03").await.is_empty());
    let sent = settlement(&under_way[0], DeliveryState::Sent, "09:00:04");
    db.settle(&[sent]).await;
    assert_eq!(db.claim(ChannelKind::Presence, "09:00:04").await.len(), 1);
}

async fn an_event_follows_one_that_has_ended(db: Database) {
    db.hire("ana", "acme");
    let online = change("ana", Status::Online, 1, "09:00:00");
    let (first, _) = db.record_with_places(&[online], "09:00:00", 9).await;
    db.settle(&[settlement(&first[0], DeliveryState::Sent, "09:00:01")])
        .await;
    let offline = change("ana", Status::Offline, 2, "09:00:02");
    let (second, waits) = db.record_with_places(&[offline], "09:00:02", 9).await;
    assert_eq!((second.len(), waits), (1, false));
}

async fn what_is_open_already_is_not_begun(db: Database) {
    db.hire("ana", "acme");
    let start = shift_starts("ana", 1, "09:00:00", &["token-ana"]);
    db.record(std::slice::from_ref(&start), "09:00:00").await;
    // A clock that stepped back makes the boundary due once more, with no change of status.
    let again = shiftbell::domain::plan::Decision {
        change: None,
        ..start
    };
    let (begun, _) = db.record_with_places(&[again], "09:00:00", 9).await;
    assert!(begun.is_empty());
    assert_eq!(db.states().await, ["apns pending", "presence 1 pending"]);
}

async fn what_has_ended_is_not_begun_again(db: Database) {
    db.hire("ana", "acme");
    let start = shift_starts("ana", 1, "09:00:00", &["token-ana"]);
    let (begun, _) = db
        .record_with_places(std::slice::from_ref(&start), "09:00:00", 9)
        .await;
    let over: Vec<_> = begun
        .iter()
        .map(|lease| settlement(lease, DeliveryState::Sent, "09:00:01"))
        .collect();
    db.settle(&over).await;
    let again = shiftbell::domain::plan::Decision {
        change: None,
        ..start
    };
    let (begun, _) = db.record_with_places(&[again], "09:00:00", 9).await;
    assert!(begun.is_empty());
    assert_eq!(db.sql("SELECT count(*) FROM outbox"), "0");
    assert_eq!(
        db.states().await,
        ["apns sent test", "presence 1 sent test"]
    );
}

async fn nothing_is_begun_that_is_rolled_back(db: Database) {
    db.hire("ana", "acme");
    let mut tx = db.store.begin().await.unwrap();
    let start = [shift_starts("ana", 1, "09:00:00", &["token-ana"])];
    let terms = shiftbell::store::Terms {
        lease: shiftbell::store::Lease {
            worker: "recorder",
            began: at("09:00:00"),
            until: at("09:01:00"),
        },
        places: &mut |_, deliveries| deliveries,
    };
    let written = db
        .store
        .record(&mut tx, &start, at("09:00:00"), true, Some(terms))
        .await;
    assert_eq!(written.unwrap().begun.len(), 2);
    drop(tx);
    assert!(db.log().await.is_empty());
}
