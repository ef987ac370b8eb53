//! Dispatches: many leases in one row, which anybody may need one by one.

use shiftbell::{
    domain::{
        delivery::{ChannelKind, DeliveryState, DeviceFate},
        plan::Decision,
        presence::Status,
        zone::Zones,
    },
    store::{Actor, Again, AttemptRow, Claimed, DeliveryRow, Question, Settlement},
};

use crate::{
    support::{Database, on_both},
    world::{at, change, settlement, shift_starts},
};

on_both!(
    many_leases_are_one_row_and_in_the_log_like_any_others,
    a_few_leases_are_rows_of_their_own,
    a_dispatch_is_taken_apart_when_the_rush_is_over,
    a_dispatch_whose_lease_runs_out_is_taken_back,
    who_is_evaluated_again_is_in_no_dispatch,
    what_comes_back_takes_its_dispatch_apart,
    a_phone_that_is_gone_is_put_out_of_use,
    outcomes_written_twice_are_written_once,
    an_operator_reaches_what_is_in_a_dispatch,
    what_was_recorded_before_is_in_no_dispatch,
    a_status_posted_again_follows_the_one_in_a_dispatch,
    two_settle_one_dispatch_side_by_side,
    a_dispatch_of_a_clock_that_ran_ahead_is_taken_back,
    an_agents_story_tells_what_is_in_a_dispatch,
);

/// So many agents' shifts start at nine; an event and an alert each.
const TEAM: usize = 40;

fn name(n: usize) -> String {
    format!("agent-{n:02}")
}

fn starts(n: usize) -> Decision {
    let agent = name(n);
    shift_starts(&agent, 1, "09:00:00", &[&format!("token-{agent}")])
}

/// All of them start, and all of it is leased as it is recorded.
async fn rush(db: &Database) -> Vec<Claimed> {
    for n in 0..TEAM {
        db.hire(&name(n), "acme");
    }
    db.sql("UPDATE agent_state SET due_at = NULL");
    let decisions: Vec<_> = (0..TEAM).map(starts).collect();
    let (begun, waits) = db.record_with_places(&decisions, "09:00:00", 999).await;
    assert_eq!((begun.len(), waits), (2 * TEAM, false));
    begun
}

fn sent(leases: &[Claimed], time: &str) -> Vec<Settlement> {
    let sent = |lease| settlement(lease, DeliveryState::Sent, time);
    leases.iter().map(sent).collect()
}

/// How many dispatches there are, rows in the outbox and in the log.
fn rows(db: &Database) -> [String; 3] {
    ["dispatches", "outbox", "deliveries"]
        .map(|table| db.sql(&format!("SELECT count(*) FROM {table}")))
}

/// All that the log says, with the attempts of each.
async fn story(db: &Database) -> Vec<(DeliveryRow, Vec<AttemptRow>)> {
    let mut story = Vec::new();
    let mut tx = db.store.snapshot().await.unwrap();
    for delivery in db.log().await {
        assert_eq!(
            tx.delivery(&delivery.id).await.unwrap().as_ref(),
            Some(&delivery)
        );
        let attempts = tx.attempts(&delivery.id).await.unwrap();
        story.push((delivery, attempts));
    }
    story
}

async fn many_leases_are_one_row_and_in_the_log_like_any_others(db: Database) {
    let begun = rush(&db).await;
    assert_eq!(rows(&db), ["1", "0", "0"]);
    let log = db.log().await;
    assert_eq!(log.len(), 2 * TEAM);
    assert!(log.iter().all(|d| d.state == "leased" && d.attempts == 1));
    let mut tx = db.store.snapshot().await.unwrap();
    let open = tx.open_counts().await.unwrap();
    let mut counts: Vec<_> = open
        .iter()
        .map(|o| (&*o.channel, &*o.state, o.count))
        .collect();
    counts.sort_unstable();
    assert_eq!(counts, [("apns", "leased", 40), ("presence", "leased", 40)]);
    drop(tx);

    // In two parts, of which the second ends what is left.
    let (pushes, events): (Vec<_>, Vec<_>) = begun
        .into_iter()
        .partition(|lease| lease.channel() == ChannelKind::Apns);
    assert_eq!(db.settle(&sent(&pushes, "09:00:01")).await, 0);
    let mut tx = db.store.snapshot().await.unwrap();
    let open = tx.open_counts().await.unwrap();
    assert_eq!(
        (open.len(), &*open[0].channel, open[0].count),
        (1, "presence", 40)
    );
    drop(tx);
    let refused = |lease| Settlement {
        http_status: Some(400),
        outcome: "rejected",
        receipt: Some("said so".into()),
        ..settlement(lease, DeliveryState::Failed, "09:00:02")
    };
    assert_eq!(
        db.settle(&events.iter().map(refused).collect::<Vec<_>>())
            .await,
        0
    );
    assert_eq!(rows(&db), ["1", "0", "0"]);
    let told = story(&db).await;
    assert_eq!(told.iter().filter(|(d, _)| d.state == "sent").count(), TEAM);
    assert_eq!(
        told.iter().filter(|(d, _)| d.state == "failed").count(),
        TEAM
    );
    assert!(
        told.iter()
            .all(|(d, attempts)| d.tries == 1 && attempts.len() == 1)
    );

    // Taken apart, it says the same.
    db.reap("09:00:30").await;
    assert_eq!(rows(&db), ["0", "0", "80"]);
    assert_eq!(story(&db).await, told);
}

async fn a_few_leases_are_rows_of_their_own(db: Database) {
    db.hire(&name(0), "acme");
    let (begun, _) = db.record_with_places(&[starts(0)], "09:00:00", 9).await;
    assert_eq!((begun.len(), begun[0].dispatch), (2, None));
    assert_eq!(rows(&db), ["0", "2", "0"]);
}

async fn a_dispatch_is_taken_apart_when_the_rush_is_over(db: Database) {
    let begun = rush(&db).await;
    db.settle(&sent(&begun[..30], "09:00:01")).await;
    let mut tx = db.store.snapshot().await.unwrap();
    assert_eq!(tx.next_due().await.unwrap().reap, Some(at("09:00:30")));
    drop(tx);
    db.reap("09:00:29").await;
    assert_eq!(rows(&db), ["1", "0", "0"]);
    let told = story(&db).await;
    db.reap("09:00:30").await;
    assert_eq!(rows(&db), ["0", "50", "30"]);
    assert_eq!(story(&db).await, told);
    // What was under way goes on under its lease.
    assert_eq!(db.settle(&sent(&begun[30..], "09:00:31")).await, 0);
    assert_eq!(rows(&db), ["0", "0", "80"]);
}

async fn a_dispatch_whose_lease_runs_out_is_taken_back(db: Database) {
    let begun = rush(&db).await;
    db.settle(&sent(&begun[..79], "09:00:01")).await;
    assert_eq!(db.reap("09:01:00").await, 1);
    assert_eq!(rows(&db), ["0", "1", "79"]);
    let late = settlement(&begun[79], DeliveryState::Sent, "09:01:01");
    assert_eq!(db.settle(&[late]).await, 1);
    let channel = begun[79].channel();
    let again = db.claim_suspects(channel, "09:01:02").await;
    assert_eq!(
        (again[0].id, again[0].epoch, again[0].tries),
        (begun[79].id, 2, 1)
    );
}

async fn who_is_evaluated_again_is_in_no_dispatch(db: Database) {
    let begun = rush(&db).await;
    db.settle(&sent(&begun[..10], "09:00:01")).await;
    let (first, second) = (name(0), name(39));
    db.sql(&format!(
        "UPDATE agent_state SET due_at = 1 WHERE agent_id IN ('{first}', '{second}')"
    ));
    let mut tx = db.store.begin().await.unwrap();
    let facts = tx.due_agents(at("09:00:02"), 10).await.unwrap();
    let pending = |n: usize| {
        let facts = facts.iter().find(|f| f.recorded.agent == name(n)).unwrap();
        facts
            .schedule
            .as_ref()
            .unwrap()
            .as_ref()
            .unwrap()
            .pending
            .len()
    };
    // The first one's alert has been sent.
    let order: Vec<_> = begun
        .iter()
        .map(|lease| lease.agent().unwrap().to_owned())
        .collect();
    let settled = order[..10].contains(&first);
    assert_eq!((pending(0), pending(39)), (usize::from(!settled), 1));
    tx.commit().await.unwrap();
    assert_eq!(rows(&db), ["0", "70", "10"]);
    // The next event waits for the one under way.
    let offline = change(&second, Status::Offline, 2, "09:00:02");
    let (begun, waits) = db.record_with_places(&[offline], "09:00:02", 9).await;
    assert!(begun.is_empty() && waits);
}

async fn what_comes_back_takes_its_dispatch_apart(db: Database) {
    let begun = rush(&db).await;
    db.settle(&sent(&begun[..10], "09:00:01")).await;
    let mut more = sent(&begun[10..20], "09:00:02");
    more.push(Settlement {
        due_at: Some(at("09:00:05")),
        outcome: "overloaded",
        http_status: Some(503),
        ..settlement(&begun[20], DeliveryState::Pending, "09:00:02")
    });
    assert_eq!(db.settle(&more).await, 0);
    assert_eq!(rows(&db), ["0", "60", "20"]);
    let again = db.claim(begun[20].channel(), "09:00:05").await;
    assert_eq!(again.len(), 1);
    assert_eq!(
        (again[0].id, again[0].epoch, again[0].tries),
        (begun[20].id, 2, 1)
    );
    assert_eq!(db.settle(&sent(&begun[21..], "09:00:06")).await, 0);
    assert_eq!(db.settle(&sent(&again, "09:00:06")).await, 0);
    assert_eq!(rows(&db), ["0", "0", "80"]);
}

async fn a_phone_that_is_gone_is_put_out_of_use(db: Database) {
    let begun = rush(&db).await;
    let push = begun
        .iter()
        .find(|lease| lease.channel() == ChannelKind::Apns);
    let agent = push.unwrap().agent().unwrap();
    let gone = Settlement {
        device: DeviceFate::Disable(None),
        outcome: "rejected",
        http_status: Some(410),
        ..settlement(push.unwrap(), DeliveryState::Failed, "09:00:01")
    };
    assert_eq!(db.settle(&[gone]).await, 0);
    assert_eq!(rows(&db), ["1", "0", "0"]);
    let disabled = "SELECT agent_id, state_reason FROM devices WHERE state = 'disabled'";
    assert_eq!(db.sql(disabled), format!("{agent}|test"));
}

async fn outcomes_written_twice_are_written_once(db: Database) {
    let begun = rush(&db).await;
    // The answer to the first COMMIT was lost.
    for _ in 0..2 {
        assert_eq!(db.settle(&sent(&begun, "09:00:01")).await, 0);
    }
    assert_eq!(db.log().await.len(), 2 * TEAM);
    db.reap("09:00:30").await;
    assert_eq!(rows(&db), ["0", "0", "80"]);
}

async fn an_operator_reaches_what_is_in_a_dispatch(db: Database) {
    let begun = rush(&db).await;
    db.settle(&sent(&begun[1..], "09:00:01")).await;
    let id = begun[0].id.to_string();
    let mut tx = db.store.begin().await.unwrap();
    let operator = Actor::user("ops");
    let done = tx
        .cancel_all(std::slice::from_ref(&id), at("09:00:02"), &operator)
        .await;
    assert_eq!(done.unwrap().revoked, std::slice::from_ref(&id));
    tx.commit().await.unwrap();
    assert_eq!(rows(&db), ["0", "1", "79"]);
    let back = Settlement {
        due_at: Some(at("09:00:05")),
        ..settlement(&begun[0], DeliveryState::Pending, "09:00:03")
    };
    assert_eq!(db.settle(&[back]).await, 0);
    let mut tx = db.store.snapshot().await.unwrap();
    let row = tx.delivery(&id).await.unwrap().unwrap();
    assert_eq!(
        (&*row.state, row.reason.as_deref()),
        ("cancelled", Some("cancelled_by_operator"))
    );
}

async fn what_was_recorded_before_is_in_no_dispatch(db: Database) {
    for n in 0..2 * TEAM {
        db.hire(&name(n), "acme");
    }
    // Of the first the same boundary was recorded before, without an event.
    let before = Decision {
        change: None,
        ..starts(0)
    };
    db.record(std::slice::from_ref(&before), "09:00:00").await;
    let all: Vec<_> = (0..2 * TEAM).map(starts).collect();
    let (begun, _) = db.record_with_places(&all, "09:00:00", 999).await;
    assert_eq!(begun.len(), 4 * TEAM - 1);
    assert!(
        begun
            .iter()
            .all(|lease| lease.dispatch == begun[0].dispatch)
    );
    assert_eq!(rows(&db), ["1", "1", "0"]);
    assert_eq!(db.log().await.len(), 4 * TEAM);
}

async fn a_status_posted_again_follows_the_one_in_a_dispatch(db: Database) {
    let begun = rush(&db).await;
    let again = Again {
        agent_id: name(3),
        sequence: 1,
    };
    let mut tx = db.store.begin().await.unwrap();
    let (seen, _) = db
        .store
        .post_again(&mut tx, &[again], at("09:00:01"))
        .await
        .unwrap();
    assert_eq!(seen.len(), 1);
    tx.commit().await.unwrap();
    // It waits for the event under way.
    assert!(db.claim(ChannelKind::Presence, "09:00:02").await.is_empty());
    assert_eq!(db.settle(&sent(&begun, "09:00:03")).await, 0);
    assert_eq!(db.claim(ChannelKind::Presence, "09:00:04").await.len(), 1);
}

async fn two_settle_one_dispatch_side_by_side(db: Database) {
    let begun = rush(&db).await;
    if !db.store.writes_side_by_side() {
        return;
    }
    let mut one = db.store.begin().await.unwrap();
    assert_eq!(
        one.settle(&sent(&begun[..40], "09:00:01"))
            .await
            .unwrap()
            .kept
            .len(),
        40
    );
    // The first has not committed, and the second does not wait for it.
    assert_eq!(db.settle(&sent(&begun[40..], "09:00:01")).await, 0);
    // Who takes it apart does.
    let mut reaper = db.store.begin().await.unwrap();
    assert_eq!(reaper.reap(at("09:00:30")).await.unwrap().unpacked, 0);
    reaper.commit().await.unwrap();
    one.commit().await.unwrap();
    db.reap("09:00:30").await;
    assert_eq!(rows(&db), ["0", "0", "80"]);
}

async fn a_dispatch_of_a_clock_that_ran_ahead_is_taken_back(db: Database) {
    let begun = rush(&db).await;
    db.settle(&sent(&begun[..79], "09:00:01")).await;
    // It was eight, and the one who sent it is gone.
    let mut tx = db.store.begin().await.unwrap();
    tx.replan_ahead_of(at("08:00:00")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.reap("08:00:00").await, 1);
    assert_eq!(rows(&db), ["0", "1", "79"]);
    let again = db.claim_suspects(begun[79].channel(), "08:00:01").await;
    assert_eq!(again[0].id, begun[79].id);
}

async fn an_agents_story_tells_what_is_in_a_dispatch(db: Database) {
    let begun = rush(&db).await;
    db.settle(&sent(&begun[..79], "09:00:01")).await;
    let agent = name(7);
    let question = Question {
        agent: &agent,
        at: at("09:00:00"),
        workspace: None,
    };
    let zones = Zones::built_in();
    let mut told = Vec::new();
    for _ in 0..2 {
        let mut tx = db.store.snapshot().await.unwrap();
        let facts = db.store.explain(&mut tx, question, &zones).await.unwrap();
        let deliveries = facts.unwrap().deliveries;
        assert_eq!(deliveries.len(), 2);
        told.push(format!("{deliveries:#?}"));
        tx.commit().await.unwrap();
        db.reap("09:00:30").await;
    }
    assert_eq!(told[0], told[1]);
}
