//! Phones: registered by the app, moved with their owner, and never shown with their token.

use serde_json::json;
use shiftbell::{domain::access::Scope, sim::script::Fault};

use crate::{
    desk::{Desk, said},
    office::Office,
    support::{Database, on_both},
};

on_both!(
    a_phone_is_registered_shown_and_removed,
    registering_again_wakes_a_phone,
    a_phone_belongs_to_whoever_registered_it_last,
    a_test_alert_answers_with_what_the_push_service_said,
);

const IOS: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

async fn a_phone_is_registered_shown_and_removed(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let path = format!("/v1/agents/a-1/devices/ios/{IOS}");
    platform.get(&path).await.refused(404, &[]);
    let made = platform.put(&path, json!({"environment": "sandbox"})).await;
    let phone = made.ok(201);
    assert_eq!(
        (&phone["platform"], &phone["environment"], &phone["state"]),
        (&"ios".into(), &"sandbox".into(), &"active".into())
    );
    assert!(phone["fingerprint"].as_str().unwrap().starts_with("phone:"));
    // The same phone in another spelling, and for an app from the store.
    let upper = format!("/v1/agents/a-1/devices/ios/{}", IOS.to_uppercase());
    let again = platform.put(&upper, json!({})).await;
    assert_eq!(again.ok(200)["environment"], "production");
    let read = platform.get(&path).await;
    assert_eq!(read.ok(200), again.ok(200));
    let fcm = "/v1/agents/a-1/devices/android/abc:APA91-_x";
    platform.put(fcm, json!({})).await.ok(201);
    let all = platform.get("/v1/agents/a-1/devices").await;
    assert_eq!(all.ok(200)["items"].as_array().unwrap().len(), 2);
    for answer in [&made, &read, &all] {
        let text = answer.text.to_lowercase();
        assert!(
            !text.contains(&IOS[..20]) && !text.contains("apa91"),
            "{text}"
        );
    }
    platform.delete(&path).await.ok(204);
    platform.delete(&path).await.refused(404, &[]);
    let named = desk.db.sql("SELECT action, target FROM audit ORDER BY n");
    assert!(!named.to_lowercase().contains(&IOS[..20]), "{named}");
    assert_eq!(desk.db.sql("SELECT token FROM devices"), "abc:APA91-_x");
}

async fn registering_again_wakes_a_phone(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let path = "/v1/agents/a-1/devices/android/token";
    platform.put(path, json!({})).await.ok(201);
    desk.db
        .sql("UPDATE devices SET state = 'disabled', state_reason = 'UNREGISTERED'");
    let dead = platform.get(path).await.ok(200);
    assert_eq!(
        (&dead["state"], &dead["state_reason"]),
        (&"disabled".into(), &"UNREGISTERED".into())
    );
    desk.clock.advance(std::time::Duration::from_mins(1));
    let awake = platform.put(path, json!({})).await.ok(200);
    assert_eq!(
        (&awake["state"], &awake["state_reason"]),
        (&"active".into(), &json!(null))
    );
    assert_eq!(awake["registered_at"], desk.clock.now().to_string());
}

async fn a_phone_belongs_to_whoever_registered_it_last(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    platform.hire("a-2", "acme").await;
    platform
        .put("/v1/agents/a-1/devices/android/token", json!({}))
        .await
        .ok(201);
    let ben = desk.holder(desk.token(Scope::Agent, None, Some("a-2")).await);
    ben.put("/v1/agents/a-2/devices/android/token", json!({}))
        .await
        .ok(201);
    platform
        .get("/v1/agents/a-1/devices/android/token")
        .await
        .refused(404, &[]);
    assert_eq!(desk.db.sql("SELECT agent_id FROM devices"), "a-2");
}

async fn a_test_alert_answers_with_what_the_push_service_said(db: Database) {
    let office = Office::open(db, "06:00").await;
    let platform = office.desk.platform().await;
    platform.hire("a-1", "acme").await;
    let iphone = format!("/v1/agents/a-1/devices/ios/{IOS}");
    let android = "/v1/agents/a-1/devices/android/abc:APA91-_x".to_owned();
    for phone in [&iphone, &android] {
        platform.put(phone, json!({})).await.ok(201);
    }
    let ana = office.desk.token(Scope::Agent, None, Some("a-1")).await;
    let ana = office.desk.holder(ana);
    for (phone, channel) in [(&iphone, "apns"), (&android, "fcm")] {
        let rung = said(ana.request("POST", &format!("{phone}:test")))
            .await
            .ok(200);
        assert_eq!(
            (&rung["channel"], &rung["accepted"], &rung["http_status"]),
            (&channel.into(), &true.into(), &200.into())
        );
        assert!(rung["receipt"].is_string(), "{rung}");
    }
    assert_eq!(office.rung(), "06:00 a-1 test\n06:00 a-1 test");
    let gone = Fault::answer(410, r#"{"reason":"Unregistered","timestamp":1}"#);
    office.world.apns.script().next(1, gone);
    let rung = said(ana.request("POST", &format!("{iphone}:test")))
        .await
        .ok(200);
    assert_eq!(
        (&rung["accepted"], &rung["reason"], &rung["http_status"]),
        (&false.into(), &"Unregistered".into(), &410.into())
    );
    let unknown = said(ana.request("POST", "/v1/agents/a-1/devices/android/x:test")).await;
    unknown.refused(404, &[]);
    let verb = said(ana.request("POST", &android)).await;
    assert_eq!(verb.refused(405, &[])["status"], 405);
    assert_eq!(verb.header("allow"), "GET,HEAD,PUT,DELETE");
    let audited = "SELECT count(*) FROM audit WHERE action = 'device.test'";
    assert_eq!(office.desk.db.sql(audited), "3");
    let log = "SELECT count(*) FROM delivery_log WHERE channel <> 'presence'";
    assert_eq!(office.desk.db.sql(log), "0", "a test is no delivery");
}
