//! What the platform reports, kept so that its order does not matter, and who is looked at for it.

use shiftbell::domain::{
    conversation::{Happened, Report},
    plan::Conversations,
};

use crate::{
    support::{Database, on_both},
    world::{at, ms},
};

on_both!(
    events_do_the_right_thing_in_any_order,
    those_whom_it_may_concern_are_looked_at_again,
    another_workspaces_agent_is_no_concern,
    online_is_an_agent_once_that_is_recorded,
    a_setting_that_no_day_has_spoils_its_own_agents_alone,
    a_report_is_not_lost_on_who_turns_invisible_meanwhile,
    the_longest_wait_is_known_to_the_willing,
    reports_and_edits_do_not_wait_in_a_ring,
    what_nobody_reports_on_is_forgotten,
    what_is_heard_of_just_now_is_not_waited_for_to_be_forgotten,
);

fn report(id: &str, happened: Happened, time: &str) -> Report {
    Report {
        id: id.into(),
        happened,
        workspace: "acme".into(),
        conversation: "c-1".into(),
        agent: (happened == Happened::Assigned).then(|| "ana".into()),
        at: at(time),
    }
}

/// Ana, who may leave a visitor for ten minutes, and Ben, who is willing; recorded at eight.
async fn team(db: &Database) {
    db.hire("ana", "acme");
    db.hire("ben", "acme");
    db.sql(
        "UPDATE agents SET auto_offline_after_minutes = 10 WHERE id = 'ana';
         UPDATE agents SET receive_when_invisible = TRUE WHERE id = 'ben';
         UPDATE workspaces SET ask_invisible_after_seconds = 120",
    );
    let (ana, ben) = (
        crate::world::change(
            "ana",
            shiftbell::domain::presence::Status::Online,
            1,
            "08:00:00",
        ),
        crate::world::change(
            "ben",
            shiftbell::domain::presence::Status::Invisible,
            1,
            "08:00:00",
        ),
    );
    db.record(&[ana, ben], "08:00:00").await;
}

impl Database {
    async fn report(&self, reports: &[Report], time: &str) -> usize {
        let mut tx = self.store.begin().await.unwrap();
        let new = tx.report(reports, at(time)).await.unwrap();
        tx.commit().await.unwrap();
        new
    }

    /// What is known for an agent who is due.
    async fn conversations(&self, agent: &str) -> Conversations {
        self.sql(&format!(
            "UPDATE agent_state SET due_at = 0 WHERE agent_id = '{agent}'"
        ));
        let mut tx = self.store.begin().await.unwrap();
        let facts = tx.due_agents(at("12:00:00"), 100).await.unwrap();
        tx.commit().await.unwrap();
        let facts = facts
            .into_iter()
            .find(|f| f.recorded.agent == agent)
            .unwrap();
        facts.schedule.unwrap().unwrap().conversations
    }
}

/// A conversation: asked for, taken, answered, and the visitor writes twice more.
fn told() -> Vec<Report> {
    vec![
        report("e-1", Happened::Waiting, "09:00:00"),
        report("e-2", Happened::Assigned, "09:01:00"),
        report("e-3", Happened::VisitorMessage, "09:02:00"),
        report("e-4", Happened::AgentReply, "09:03:00"),
        report("e-5", Happened::VisitorMessage, "09:04:00"),
        report("e-6", Happened::VisitorMessage, "09:05:00"),
    ]
}

async fn events_do_the_right_thing_in_any_order(db: Database) {
    team(&db).await;
    let since = |conversations: &Conversations| -> Vec<String> {
        let assigned = conversations.assigned.iter();
        assigned.map(|waiting| waiting.since.to_string()).collect()
    };
    let expected = ["2026-03-30T09:04:00Z", "2026-03-30T09:05:00Z"];
    let mut order = told();
    // Every rotation, forwards and backwards, one report at a time, and each twice.
    for turn in 0..2 * order.len() {
        db.sql("DELETE FROM conversations; DELETE FROM reports");
        order.rotate_left(1);
        if turn == order.len() {
            order.reverse();
        }
        for report in order.iter().chain(&order) {
            db.report(std::slice::from_ref(report), "09:30:00").await;
        }
        let known = db.conversations("ana").await;
        assert_eq!(since(&known), expected, "{order:#?}");
        assert_eq!(
            known.history,
            [(at("08:00:00"), shiftbell::domain::presence::Status::Online)]
        );
    }
    assert_eq!(db.report(&told(), "09:30:00").await, 0, "all heard before");
    db.report(&[report("e-7", Happened::Closed, "09:10:00")], "09:31:00")
        .await;
    assert_eq!(since(&db.conversations("ana").await), [""; 0]);
    db.report(
        &[report("e-8", Happened::VisitorMessage, "09:11:00")],
        "09:31:00",
    )
    .await;
    assert_eq!(
        since(&db.conversations("ana").await),
        ["2026-03-30T09:11:00Z"]
    );
}

async fn those_whom_it_may_concern_are_looked_at_again(db: Database) {
    team(&db).await;
    let due =
        || db.sql("SELECT agent_id, due_at FROM agent_state WHERE due_at IS NOT NULL ORDER BY 1");
    assert_eq!(due(), "");
    db.report(&[report("e-1", Happened::Waiting, "09:00:00")], "09:00:01")
        .await;
    assert_eq!(due(), format!("ben|{}", ms("09:00:01")), "nobody has it");
    db.report(&[report("e-2", Happened::Assigned, "09:01:00")], "09:01:01")
        .await;
    assert_eq!(
        due(),
        format!("ana|{}\nben|{}", ms("09:01:01"), ms("09:00:01"))
    );
    assert_eq!(
        db.sql("SELECT count(*) FROM agent_state WHERE stale_at IS NOT NULL"),
        "0",
        "a report is no edit"
    );
}

async fn another_workspaces_agent_is_no_concern(db: Database) {
    team(&db).await;
    db.hire("eve", "other");
    let theirs = Report {
        workspace: "other".into(),
        ..report("e-2", Happened::Assigned, "09:01:00")
    };
    let message = Report {
        workspace: "other".into(),
        ..report("e-3", Happened::VisitorMessage, "09:02:00")
    };
    db.report(&[theirs, message], "09:02:01").await;
    assert_eq!(
        db.sql("SELECT count(*) FROM agent_state WHERE agent_id = 'ana' AND due_at IS NOT NULL"),
        "0"
    );
    assert_eq!(db.conversations("ana").await, Conversations::default());
}

async fn online_is_an_agent_once_that_is_recorded(db: Database) {
    use shiftbell::domain::presence::Status;
    team(&db).await;
    let late = |status, sequence, since| crate::world::change("ana", status, sequence, since);
    db.record(&[late(Status::Offline, 2, "09:00:00")], "09:04:00")
        .await;
    db.record(&[late(Status::Online, 3, "09:30:00")], "09:42:00")
        .await;
    db.report(&told(), "09:43:00").await;
    assert_eq!(
        db.conversations("ana").await.history,
        [
            (at("09:00:00"), Status::Offline),
            (at("09:42:00"), Status::Online)
        ]
    );
}

async fn a_setting_that_no_day_has_spoils_its_own_agents_alone(db: Database) {
    team(&db).await;
    db.report(&told(), "09:30:00").await;
    let most = i64::MAX;
    db.sql(&format!(
        "UPDATE agents SET auto_offline_after_minutes = {most} WHERE id = 'ana';
         UPDATE workspaces SET ask_invisible_after_seconds = {most};
         UPDATE agents SET receive_when_invisible = TRUE WHERE id = 'ben'"
    ));
    db.hire("eve", "other");
    let mut tx = db.store.begin().await.unwrap();
    let mut facts = tx.due_agents(at("12:00:00"), 100).await.unwrap();
    facts.sort_by(|a, b| a.recorded.agent.cmp(&b.recorded.agent));
    let problems: Vec<String> = facts
        .into_iter()
        .map(|f| f.schedule.err().unwrap_or_default())
        .collect();
    assert_eq!(
        problems,
        [
            format!("agents.auto_offline_after_minutes of row ana: `{most}` cannot be read"),
            format!("workspaces.ask_invisible_after_seconds of row acme: `{most}` cannot be read"),
            String::new(),
        ]
    );
}

async fn a_report_is_not_lost_on_who_turns_invisible_meanwhile(db: Database) {
    use shiftbell::domain::presence::Status;
    team(&db).await;
    let ben = |status, sequence| crate::world::change("ben", status, sequence, "09:00:00");
    db.record(&[ben(Status::Online, 2)], "09:00:00").await;
    db.sql(&format!(
        "INSERT INTO set_by_hand (agent_id, status, set_at) VALUES ('ben', 'invisible', {})",
        ms("09:00:00")
    ));
    // A scan has read that, and of no visitor; then one is reported.
    let mut scan = db.store.begin().await.unwrap();
    let facts = scan.due_agents(at("09:00:00"), 100).await.unwrap();
    let read = facts.into_iter().find(|f| f.recorded.agent == "ben");
    assert_eq!(
        read.unwrap()
            .schedule
            .unwrap()
            .unwrap()
            .conversations
            .longest,
        None
    );
    let store = db.store.clone();
    let reported = tokio::spawn(async move {
        let mut tx = store.begin().await.unwrap();
        let report = report("e-1", Happened::Waiting, "09:00:00");
        tx.report(&[report], at("09:00:01")).await.unwrap();
        tx.commit().await.unwrap();
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let decisions = [ben(Status::Invisible, 3)];
    db.store
        .record(&mut scan, &decisions, at("09:00:00"), true, None)
        .await
        .unwrap();
    scan.commit().await.unwrap();
    reported.await.unwrap();
    assert_eq!(
        db.sql("SELECT due_at FROM agent_state WHERE agent_id = 'ben'"),
        ms("09:00:01").to_string(),
        "looked at again"
    );
}

async fn the_longest_wait_is_known_to_the_willing(db: Database) {
    team(&db).await;
    let other = Report {
        conversation: "c-2".into(),
        ..report("e-9", Happened::Waiting, "08:30:00")
    };
    let mut reports = told();
    reports.push(other);
    db.report(&reports, "09:30:00").await;
    let longest = db.conversations("ben").await.longest.unwrap();
    assert_eq!(
        (&*longest.conversation, longest.since),
        ("c-2", at("08:30:00"))
    );
    assert_eq!(db.conversations("ana").await.longest, None, "not asked for");
    db.sql("UPDATE workspaces SET ask_invisible_after_seconds = NULL");
    assert_eq!(
        db.sql("SELECT count(*) FROM agent_state WHERE stale_at IS NOT NULL"),
        "1",
        "those who help out are planned afresh"
    );
    assert_eq!(db.conversations("ben").await, Conversations::default());
}

async fn what_nobody_reports_on_is_forgotten(db: Database) {
    team(&db).await;
    db.report(&told(), "09:30:00").await;
    db.sql(&format!(
        "UPDATE conversations SET heard_at = {0}; UPDATE reports SET heard_at = {0}",
        ms("09:30:00") - 86_400_001
    ));
    db.sql("UPDATE agent_state SET due_at = NULL");
    db.report(&[], "09:30:00").await;
    assert_eq!(db.sql("SELECT (SELECT count(*) FROM conversations) + (SELECT count(*) FROM unanswered) + (SELECT count(*) FROM reports)"), "0");
    assert_eq!(
        db.sql("SELECT agent_id FROM agent_state WHERE due_at IS NOT NULL"),
        "ben",
        "whoever was asked for it is let go"
    );
}

async fn what_is_heard_of_just_now_is_not_waited_for_to_be_forgotten(db: Database) {
    if db.store.dialect() == shiftbell::store::sql::Dialect::Sqlite {
        return; // Its one writer waits for nobody.
    }
    team(&db).await;
    db.hire("eve", "other");
    db.report(&told(), "09:30:00").await;
    db.sql(&format!(
        "UPDATE conversations SET heard_at = {}",
        ms("09:30:00") - 86_400_001
    ));
    let mut busy = db.store.begin().await.unwrap();
    let before = at("09:29:59");
    let message = report("e-9", Happened::VisitorMessage, "09:29:00");
    busy.report(&[message], before).await.unwrap();
    let theirs = Report {
        workspace: "other".into(),
        ..report("e-1", Happened::Waiting, "09:30:00")
    };
    let wait = std::time::Duration::from_secs(5);
    let reported = tokio::time::timeout(wait, db.report(&[theirs], "09:30:00")).await;
    assert_eq!(reported, Ok(1), "two platforms do not wait for each other");
    busy.commit().await.unwrap();
    assert_eq!(
        db.sql("SELECT count(*) FROM conversations"),
        "2",
        "and what was heard of is kept"
    );
}

async fn reports_and_edits_do_not_wait_in_a_ring(db: Database) {
    use shiftbell::domain::agent::{Agent, Field, Workspace};
    team(&db).await;
    db.hire("zoe", "acme");
    db.sql("UPDATE agents SET auto_offline_after_minutes = 10");
    let taken = |id: &str, agent: &str| Report {
        agent: Some(agent.into()),
        conversation: agent.into(),
        ..report(id, Happened::Assigned, "09:00:00")
    };
    for (turn, import) in [false, true].into_iter().enumerate() {
        // Read from end to end, Zoe's row comes before Ana's.
        for agent in ["zoe", "ana"] {
            db.sql(&format!(
                "UPDATE agent_state SET stale_at = NULL, problem = '' WHERE agent_id = '{agent}'"
            ));
        }
        let mut events = db.store.begin().await.unwrap();
        let id = |n: usize| format!("e-{turn}-{n}");
        events
            .report(&[taken(&id(1), "ana")], at("09:00:01"))
            .await
            .unwrap();
        let store = db.store.clone();
        let edit = tokio::spawn(async move {
            let mut tx = store.begin().await?;
            if import {
                let team = ["zoe", "ana"].map(|id| {
                    let mut agent = Agent::new(id, "acme", id, "UTC");
                    agent.named.insert(Field::ReceiveWhenInvisible);
                    agent.receive_when_invisible = true;
                    agent
                });
                tx.put_agents(&team, at("09:00:02")).await?;
            } else {
                let holidays = Some(vec!["2026-12-25".parse().unwrap()]);
                let (id, name) = ("acme".into(), "Acme".into());
                let acme = Workspace {
                    id,
                    name,
                    holidays,
                    ask_invisible: None,
                };
                tx.put_workspaces(&[acme]).await?;
            }
            tx.commit().await
        });
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        events
            .report(&[taken(&id(2), "zoe")], at("09:00:01"))
            .await
            .unwrap();
        events.commit().await.unwrap();
        edit.await.unwrap().unwrap();
    }
}
