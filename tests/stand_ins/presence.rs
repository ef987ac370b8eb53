//! The presence API: signature, body, and the promises that span several posts.

use std::time::Duration;

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use shiftbell::{
    domain::presence::{Mode, Status},
    sim::{Subject, presence::Finding},
};

use crate::client::{Connection, Stage, noon};

async fn ready() -> (Stage, Connection) {
    let stage = Stage::set().await;
    let connection = stage.connect(&stage.world.presence.url()).await;
    (stage, connection)
}

fn agent_event(agent: &str, status: &str, sequence: i64) -> Value {
    json!({
        "id": format!("{agent}-{sequence}"), "type": "agent.status_changed", "workspace": "acme",
        "agent": agent, "status": status, "accepts_conversations": status == "online",
        "reason": "hours_start", "effective_at": "2026-03-30T07:00:00Z", "sequence": sequence,
    })
}

fn mode_event(mode: &str, sequence: i64) -> Value {
    json!({
        "id": format!("acme-{sequence}"), "type": "workspace.mode_changed", "workspace": "acme",
        "mode": mode, "effective_at": "2026-03-30T07:00:00Z", "sequence": sequence,
    })
}

fn batch(events: &[Value]) -> Value {
    json!({ "events": events })
}

#[tokio::test]
async fn a_good_batch_is_accepted_and_the_highest_sequence_kept() {
    let (stage, connection) = ready().await;
    let first = batch(&[
        agent_event("a-1", "online", 17),
        agent_event("a-2", "invisible", 3),
        mode_event("live_chat", 4),
    ]);
    let answer = connection.send(stage.post("m1", &first)).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let second = batch(&[agent_event("a-1", "offline", 18)]);
    assert_eq!(
        connection
            .send(stage.post("m2", &second))
            .await
            .unwrap()
            .status,
        200
    );

    let presence = &stage.world.presence;
    assert_eq!(presence.status("a-1"), Some(Status::Offline));
    assert_eq!(presence.agent("a-1").unwrap().sequence, 18);
    assert_eq!(presence.status("a-2"), Some(Status::Invisible));
    assert_eq!(presence.mode("acme"), Some(Mode::LiveChat));
    assert_eq!(presence.agent("a-3"), None);
    assert_eq!(presence.record().accepted()[0].events.len(), 3);
    assert_eq!(presence.findings(), []);
}

#[tokio::test]
async fn the_signature_is_checked() {
    let (stage, connection) = ready().await;
    let body = batch(&[agent_event("a-1", "online", 1)]);
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut request = stage.post("m1", &body);
        request.headers_mut().remove(header);
        assert_eq!(
            connection.send(request).await.unwrap().status,
            401,
            "{header}"
        );
        let mut request = stage.post("m1", &body);
        request
            .headers_mut()
            .insert(header, HeaderValue::from_static("1774872000"));
        assert_eq!(
            connection.send(request).await.unwrap().status,
            401,
            "{header}"
        );
    }
    let text = body.to_string();
    for off in [301, -301] {
        let at = noon() + jiff::SignedDuration::from_secs(off);
        let request = stage.post_at("m1", at, &text);
        assert_eq!(
            connection.send(request).await.unwrap().status,
            401,
            "{off} s"
        );
    }
    let at = noon() - Duration::from_mins(5);
    let request = stage.post_at("m1", at, &text);
    assert_eq!(connection.send(request).await.unwrap().status, 200);

    // One of several signatures is enough: that is how a secret is changed.
    let mut request = stage.post("m1", &body);
    let good = request.headers()["webhook-signature"]
        .to_str()
        .unwrap()
        .to_owned();
    let several = format!("v1a,AAAA v1,AAAA {good}");
    request
        .headers_mut()
        .insert("webhook-signature", several.parse().unwrap());
    assert_eq!(connection.send(request).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_body_is_held_to_the_letter() {
    let (stage, connection) = ready().await;
    let cases = [
        ("status", json!("away")),
        ("status", Value::Null),
        ("reason", json!("lunch")),
        ("accepts_conversations", json!("yes")),
        ("sequence", json!(0)),
        ("sequence", json!("17")),
        ("sequence", json!(1.5)),
        ("effective_at", json!("2026-03-30T09:00:00+02:00")),
        ("effective_at", json!("2026-03-30 07:00")),
        ("type", json!("agent.changed")),
        ("agent", json!("")),
        ("mode", json!("live_chat")),
        ("extra", json!(1)),
    ];
    for (number, (field, value)) in cases.into_iter().enumerate() {
        let mut event = agent_event("a-1", "online", 17);
        event[field] = value.clone();
        let request = stage.post(&format!("m{number}"), &batch(&[event]));
        let answer = connection.send(request).await.unwrap();
        assert_eq!(answer.status, 400, "{field}: {value}");
        assert_eq!(answer.json()["error"], "body");
    }
    let twice = agent_event("a-1", "online", 17);
    for body in [
        json!({"events": []}),
        json!({"events": [twice.clone(), twice]}),
        json!({"events": [], "more": 1}),
        json!([]),
    ] {
        let answer = connection.send(stage.post("m", &body)).await.unwrap();
        assert_eq!(answer.status, 400, "{body}");
    }
    assert_eq!(stage.world.presence.record().accepted_count(), 0);
    assert_eq!(stage.world.presence.agent("a-1"), None);
}

#[tokio::test]
async fn method_path_and_content_type_are_checked() {
    let (stage, connection) = ready().await;
    let body = batch(&[agent_event("a-1", "online", 1)]);
    let mut request = stage.post("m1", &body);
    *request.method_mut() = Method::PUT;
    assert_eq!(connection.send(request).await.unwrap().status, 405);
    let mut request = stage.post("m1", &body);
    *request.uri_mut() = "/presence/".parse().unwrap();
    assert_eq!(connection.send(request).await.unwrap().status, 404);
    let mut request = stage.post("m1", &body);
    let plain = HeaderValue::from_static("text/plain");
    request.headers_mut().insert("content-type", plain);
    assert_eq!(connection.send(request).await.unwrap().status, 400);
}

#[tokio::test]
async fn a_webhook_id_stands_for_one_body() {
    let (stage, connection) = ready().await;
    let one = batch(&[agent_event("a-1", "online", 1)]);
    let two = batch(&[agent_event("a-1", "offline", 2)]);
    assert_eq!(
        connection
            .send(stage.post("m1", &one))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        connection
            .send(stage.post("m1", &one))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(stage.world.presence.findings(), []);
    assert_eq!(
        connection
            .send(stage.post("m1", &two))
            .await
            .unwrap()
            .status,
        409
    );
    assert_eq!(
        connection
            .send(stage.post("m2", &one))
            .await
            .unwrap()
            .status,
        200
    );
    let (first, second) = ("m1".to_owned(), "m2".to_owned());
    let webhook_id = first.clone();
    assert_eq!(
        stage.world.presence.findings(),
        [
            Finding::BodyChanged { webhook_id },
            Finding::IdChanged { first, second }
        ]
    );
}

#[tokio::test]
async fn events_out_of_order_or_changed_are_found() {
    let (stage, connection) = ready().await;
    let later = batch(&[agent_event("a-1", "offline", 2)]);
    let earlier = batch(&[
        agent_event("a-1", "online", 1),
        agent_event("a-2", "online", 1),
    ]);
    let mut changed = agent_event("a-1", "offline", 2);
    changed["status"] = "online".into();
    let changed = batch(&[changed]);
    for (id, body) in [("m1", later), ("m2", earlier), ("m3", changed)] {
        assert_eq!(
            connection.send(stage.post(id, &body)).await.unwrap().status,
            200
        );
    }
    let subject = Subject::Agent("a-1".to_owned());
    let late = Finding::OutOfOrder {
        subject: subject.clone(),
        after: 2,
        came: 1,
    };
    let changed = Finding::EventChanged {
        subject,
        sequence: 2,
    };
    assert_eq!(stage.world.presence.findings(), [late, changed]);
    assert_eq!(stage.world.presence.status("a-1"), Some(Status::Offline));
}
