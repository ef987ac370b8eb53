//! Alerts ahead of hours: stored, recorded once under ids of their own, asked for consent when they ring.

use shiftbell::domain::{
    alert,
    delivery::{AlertKind, ChannelKind},
    device::{DeviceToken, Environment},
    lead::{Ahead, Lead},
    plan::{Alert, Announced, Decision, NewAlert, Phone},
};

use crate::{
    support::{Database, on_both},
    world::{at, decision, ms},
};

on_both!(
    leads_written_with_sql_are_read,
    a_lead_is_recorded_once_and_posts_nothing,
    what_is_pending_is_known_by_its_lead,
    a_lead_that_was_taken_away_does_not_ring,
    importing_the_same_leads_plans_nothing_afresh,
);

const QUARTER: Lead = Lead::Minutes(15);

fn eve() -> Lead {
    Lead::DayBefore("20:00".parse().unwrap())
}

/// These leads of Ana's came at 08:45 and announce the start at nine.
fn announced(leads: &[Lead]) -> Decision {
    let announced = leads.iter().map(|&lead| Announced {
        ahead: Ahead {
            lead,
            at: at("08:45:00"),
            start: at("09:00:00"),
        },
        missed: false,
        alert: Alert {
            kind: AlertKind::HoursStartLead,
            at: at("09:00:00"),
            counterpart: None,
            deadline: at("09:00:00"),
            expired: None,
            phones: vec![NewAlert {
                delivery: alert::lead_delivery_id("ana", lead, at("09:00:00"), "token-ana"),
                phone: Phone {
                    channel: ChannelKind::Apns,
                    token: DeviceToken::new("token-ana"),
                    environment: Environment::Production,
                },
            }],
        },
    });
    Decision {
        next: Some(at("09:00:00")),
        next_lead: Some(at("08:55:00")),
        due: Some(at("08:55:00")),
        leads: announced.collect(),
        ..decision("ana", "acme")
    }
}

fn hire(db: &Database) {
    db.hire("ana", "acme");
    db.sql(
        "INSERT INTO leads (agent_id, minutes) VALUES ('ana', 15);
         INSERT INTO leads (agent_id, day_before) VALUES ('ana', '20:00')",
    );
}

async fn leads_written_with_sql_are_read(db: Database) {
    hire(&db);
    let mut tx = db.store.begin().await.unwrap();
    let facts = tx.due_agents(at("08:00:00"), 10).await.unwrap();
    let mut leads = facts[0].schedule.clone().unwrap().unwrap().leads;
    leads.sort_unstable();
    assert_eq!(leads, [QUARTER, eve()]);
    assert_eq!(facts[0].recorded.lead_at, None);
}

async fn a_lead_is_recorded_once_and_posts_nothing(db: Database) {
    hire(&db);
    // The second time by a clock that stepped back.
    for time in ["08:45:01", "08:44:59"] {
        db.record(&[announced(&[QUARTER, eve()])], time).await;
    }
    assert_eq!(db.states().await, ["apns pending", "apns pending"]);
    let row = format!(
        "ana|hours_start_lead|||start|{}|{}|{}",
        ms("09:00:00"),
        ms("08:45:00"),
        ms("08:45:01")
    );
    let rows = db.sql(
        "SELECT agent_id, reason, status, sequence, boundary_kind, boundary_at, effective_at, recorded_at FROM transitions",
    );
    assert_eq!(rows, format!("{row}\n{row}"));
    let called = db.sql("SELECT count(DISTINCT transition_id), min(kind), min(boundary_at), min(deadline_at) FROM outbox");
    let nine = ms("09:00:00");
    assert_eq!(called, format!("2|hours_start_lead|{nine}|{nine}"));
    assert_eq!(
        db.sql("SELECT lead_at, due_at, sequence FROM agent_state"),
        format!("{}|{}|0", ms("08:55:00"), ms("08:55:00"))
    );
}

async fn what_is_pending_is_known_by_its_lead(db: Database) {
    hire(&db);
    db.record(&[announced(&[QUARTER, eve()])], "08:45:00").await;
    db.sql("DELETE FROM leads WHERE minutes = 15");
    let mut tx = db.store.begin().await.unwrap();
    let facts = tx.due_agents(at("08:46:00"), 10).await.unwrap();
    assert_eq!(facts[0].recorded.lead_at, Some(at("08:55:00")));
    let schedule = facts[0].schedule.clone().unwrap().unwrap();
    let of = |lead| {
        let id = alert::lead_delivery_id("ana", lead, at("09:00:00"), "token-ana");
        let found = schedule.pending.iter().find(|p| p.delivery == id).unwrap();
        assert_eq!(
            (found.kind, found.at),
            (AlertKind::HoursStartLead, at("09:00:00"))
        );
        found.lead
    };
    assert_eq!((of(QUARTER), of(eve())), (None, Some(eve())));
}

async fn a_lead_that_was_taken_away_does_not_ring(db: Database) {
    hire(&db);
    db.sql("UPDATE agents SET notify_start = FALSE, notify_end = FALSE");
    db.record(&[announced(&[QUARTER, eve()])], "08:45:00").await;
    db.sql("DELETE FROM leads WHERE minutes = 15");
    let leases = db.claim(ChannelKind::Apns, "08:45:01").await;
    let mut tx = db.store.begin().await.unwrap();
    let pushes = tx.pushes(&leases).await.unwrap();
    let mut told: Vec<_> = leases.iter().zip(&pushes).collect();
    let eves = alert::lead_delivery_id("ana", eve(), at("09:00:00"), "token-ana");
    told.sort_by_key(|(lease, _)| lease.id != eves);
    let push = told[0].1.as_ref().unwrap();
    assert_eq!(
        (push.event, push.at, push.lead),
        (AlertKind::HoursStartLead, at("09:00:00"), Some(eve()))
    );
    assert_eq!(told[1].1.as_ref().unwrap_err(), &"opted_out");
    let evening = at("20:00:00") - jiff::SignedDuration::from_hours(24);
    assert_eq!(push.since(&jiff::tz::TimeZone::UTC), evening);
    tx.commit().await.unwrap();
    db.sql("DELETE FROM devices");
    let mut tx = db.store.begin().await.unwrap();
    let pushes = tx.pushes(&leases).await.unwrap();
    let gone = pushes
        .iter()
        .filter(|p| p.as_ref().err() == Some(&"phone_gone"));
    assert_eq!(gone.count(), 1);
}

async fn importing_the_same_leads_plans_nothing_afresh(db: Database) {
    let import = async |leads: &str| {
        let line = format!(
            r#"{{"id":"ana","workspace":"acme","name":"Ana","timezone":"UTC","leads":{leads}}}"#
        );
        let zones = shiftbell::domain::zone::Zones::built_in();
        let now = at("08:00:00");
        let roster = shiftbell::domain::roster::read(line.as_bytes(), &zones, now).unwrap();
        let mut tx = db.store.begin().await.unwrap();
        tx.put_agents(&roster.agents, now).await.unwrap();
        tx.commit().await.unwrap();
    };
    let both = r#"[{"day_before":"20:00"},{"minutes":15}]"#;
    import(both).await;
    let plan = || db.sql("UPDATE agent_state SET due_at = 9000000000000, stale_at = NULL");
    let stale = || db.sql("SELECT count(*) FROM agent_state WHERE due_at = 0");
    plan();
    import(both).await;
    assert_eq!(stale(), "0");
    import(r#"[{"minutes":15}]"#).await;
    assert_eq!(stale(), "1");
    plan();
    import("null").await;
    assert_eq!(
        (stale(), db.sql("SELECT count(*) FROM leads")),
        ("1".into(), "0".into())
    );
}
