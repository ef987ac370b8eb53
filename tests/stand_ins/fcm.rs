//! Google's rules: the token endpoint, the gateway, the schema, and FCM itself.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use shiftbell::{domain::device::DeviceToken, sim::record::Verdict};

use crate::client::{Answer, Connection, Stage, noon};

const SEND: &str = "/v1/projects/shiftbell-demo/messages:send";
const PHONE: &str = "fcm-token-1";

async fn ready() -> (Stage, Connection, String) {
    let stage = Stage::set().await;
    let connection = stage.connect(&stage.world.fcm.endpoint()).await;
    let answer = connection.send(stage.grant(&stage.claims())).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let json = answer.json();
    assert_eq!(json["expires_in"], 3599);
    assert_eq!(json["token_type"], "Bearer");
    let access = json["access_token"].as_str().unwrap().to_owned();
    (stage, connection, access)
}

fn message() -> Value {
    json!({"message": {
        "token": PHONE,
        "notification": {"title": "t", "body": "b"},
        "data": {"event": "hours_start", "agent": "a-1"},
        "android": {
            "priority": "HIGH",
            "ttl": "900s",
            "collapse_key": "a-1/start",
            "notification": {"tag": "a-1/start"},
        },
    }})
}

fn post(access: &str, path: &str, body: &str) -> Request<Bytes> {
    Request::post(path)
        .header("authorization", format!("Bearer {access}"))
        .header("content-type", "application/json")
        .body(body.to_owned().into())
        .unwrap()
}

fn error_code(answer: &Answer) -> Option<String> {
    let json = answer.json();
    let details = json["error"]["details"].as_array()?;
    let detail = details
        .iter()
        .find(|detail| detail["@type"] == "type.googleapis.com/google.firebase.fcm.v1.FcmError")?;
    Some(detail["errorCode"].as_str()?.to_owned())
}

#[tokio::test]
async fn a_good_message_is_accepted_and_recorded() {
    let (stage, connection, access) = ready().await;
    let request = post(&access, SEND, &message().to_string());
    let answer = connection.send(request).await.unwrap();
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let name = answer.json()["name"].as_str().unwrap().to_owned();
    assert!(
        name.starts_with("projects/shiftbell-demo/messages/0:"),
        "{name}"
    );

    let record = stage.world.fcm.record().accepted();
    assert_eq!(record.len(), 1);
    assert_eq!(record[0].token, DeviceToken::new(PHONE));
    assert_eq!(record[0].collapse_id.as_deref(), Some("a-1/start"));
    assert_eq!(record[0].expires, Some(noon() + Duration::from_secs(900)));
    assert_eq!(record[0].json()["message"]["data"]["agent"], "a-1");
    assert_eq!(stage.world.fcm.grants().accepted_count(), 1);
}

#[tokio::test]
async fn a_dry_run_reaches_no_phone() {
    let (stage, connection, access) = ready().await;
    let mut body = message();
    body["validate_only"] = true.into();
    let request = post(&access, SEND, &body.to_string());
    assert_eq!(connection.send(request).await.unwrap().status, 200);
    assert_eq!(stage.world.fcm.record().total_count(), 0);
}

#[tokio::test]
async fn bad_assertions_get_no_token() {
    let (stage, connection, _) = ready().await;
    let now = noon().as_second();
    for (claim, value, error) in [
        ("iss", json!("other@example.com"), "invalid_grant"),
        (
            "aud",
            json!("https://oauth2.googleapis.com/token"),
            "invalid_grant",
        ),
        ("exp", json!(now + 3601), "invalid_grant"),
        ("exp", json!(now), "invalid_grant"),
        ("iat", json!(now + 61), "invalid_grant"),
        ("iat", json!("now"), "invalid_grant"),
        ("scope", Value::Null, "invalid_scope"),
    ] {
        let mut claims = stage.claims();
        claims[claim] = value.clone();
        let answer = connection.send(stage.grant(&claims)).await.unwrap();
        assert_eq!(answer.status, 400, "{claim}: {value}");
        assert_eq!(answer.json()["error"], error, "{claim}: {value}");
    }
    let mut forged = stage.grant(&stage.claims());
    *forged.body_mut() = [&forged.body()[..forged.body().len() - 2], b"AA"]
        .concat()
        .into();
    let answer = connection.send(forged).await.unwrap();
    assert_eq!(answer.json()["error"], "invalid_grant");
    let mut other = stage.grant(&stage.claims());
    *other.body_mut() = Bytes::from_static(b"grant_type=password");
    let answer = connection.send(other).await.unwrap();
    assert_eq!(answer.json()["error"], "unsupported_grant_type");
    let grants = stage.world.fcm.grants().all();
    let refused = grants
        .iter()
        .filter(|grant| grant.verdict != Verdict::Accepted);
    assert_eq!(refused.count(), 9);
}

#[tokio::test]
async fn the_caller_is_checked_before_the_message() {
    let (stage, connection, access) = ready().await;
    let body = message().to_string();
    for (access, path, status, word) in [
        ("nonsense", SEND, 401, "UNAUTHENTICATED"),
        (
            &*access,
            "/v1/projects/other/messages:send",
            404,
            "NOT_FOUND",
        ),
        (
            &*access,
            "/v1/projects/shiftbell-demo/messages",
            404,
            "NOT_FOUND",
        ),
    ] {
        let answer = connection.send(post(access, path, &body)).await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["error"]["status"], word);
        assert_eq!(error_code(&answer), None);
    }

    let mut claims = stage.claims();
    claims["scope"] = "https://www.googleapis.com/auth/calendar".into();
    let answer = connection.send(stage.grant(&claims)).await.unwrap().json();
    let elsewhere = answer["access_token"].as_str().unwrap();
    let answer = connection.send(post(elsewhere, SEND, &body)).await.unwrap();
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["error"]["status"], "PERMISSION_DENIED");
}

#[tokio::test]
async fn access_ends_with_the_clock_and_when_revoked() {
    let (stage, connection, access) = ready().await;
    let send = || connection.send(post(&access, SEND, &message().to_string()));
    stage.clock.advance(Duration::from_secs(3598));
    assert_eq!(send().await.unwrap().status, 200);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(send().await.unwrap().status, 401);

    let answer = connection
        .send(stage.grant(&stage.claims()))
        .await
        .unwrap()
        .json();
    let access = answer["access_token"].as_str().unwrap();
    let request = post(access, SEND, &message().to_string());
    assert_eq!(connection.send(request.clone()).await.unwrap().status, 200);
    stage.world.fcm.revoke_access();
    assert_eq!(connection.send(request).await.unwrap().status, 401);
}

#[tokio::test]
async fn the_schema_is_held_to() {
    let (_stage, connection, access) = ready().await;
    let cases = [
        ("/message/nonsense", json!("x"), "message"),
        (
            "/message/android/colapse_key",
            json!("x"),
            "message.android",
        ),
        (
            "/message/android/collapseKey",
            json!("twice"),
            "message.android.collapseKey",
        ),
        ("/message/data/count", json!(3), "message.data[2].value"),
        (
            "/message/android/priority",
            json!("high"),
            "message.android.priority",
        ),
        ("/message/android/ttl", json!("15m"), "message.android.ttl"),
        ("/message/android/ttl", json!(900), "message.android.ttl"),
        ("/message/android/ttl", json!("-1s"), "message.android.ttl"),
        (
            "/message/android/ttl",
            json!("2419201s"),
            "message.android.ttl",
        ),
        (
            "/message/notification/title",
            json!(["t"]),
            "message.notification.title",
        ),
        (
            "/message/android/notification/sticky",
            json!("yes"),
            "message.android.notification.sticky",
        ),
        ("/message/topic", json!("news"), "message"),
        ("/message/token", Value::Null, "message"),
        ("/message/data/google.x", json!("x"), "message.data"),
        ("/message", json!([]), "message"),
    ];
    for (pointer, value, field) in cases {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let mut body = message();
        body.pointer_mut(parent).unwrap()[key] = value.clone();
        let request = post(&access, SEND, &body.to_string());
        let answer = connection.send(request).await.unwrap();
        assert_eq!(answer.status, 400, "{pointer}: {value}");
        let detail = &answer.json()["error"]["details"][0];
        assert_eq!(detail["@type"], "type.googleapis.com/google.rpc.BadRequest");
        assert_eq!(
            detail["fieldViolations"][0]["field"], field,
            "{pointer}: {value}"
        );
    }
    for (pointer, value) in [
        ("/message/android/ttl", json!("3.5s")),
        ("/message/android/ttl", json!("0s")),
        ("/message/android/direct_boot_ok", json!(true)),
        ("/message/android/notification/channelId", json!("hours")),
    ] {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let mut body = message();
        body.pointer_mut(parent).unwrap()[key] = value.clone();
        let request = post(&access, SEND, &body.to_string());
        let answer = connection.send(request).await.unwrap();
        assert_eq!(answer.status, 200, "{pointer}: {value}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn what_is_not_json_or_too_big_is_refused() {
    let (_stage, connection, access) = ready().await;
    let answer = connection
        .send(post(&access, SEND, "{\"message\""))
        .await
        .unwrap();
    assert_eq!(answer.json()["error"]["status"], "INVALID_ARGUMENT");
    let mut body = message();
    body["message"]["data"]["more"] = "x".repeat(4096).into();
    let answer = connection
        .send(post(&access, SEND, &body.to_string()))
        .await
        .unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(error_code(&answer).as_deref(), Some("INVALID_ARGUMENT"));
}

#[tokio::test]
async fn phones_may_be_gone_unknown_or_of_another_sender() {
    let (stage, connection, access) = ready().await;
    let phone = DeviceToken::new(PHONE);
    let send = || connection.send(post(&access, SEND, &message().to_string()));
    stage.world.fcm.reject(&phone);
    let answer = send().await.unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(error_code(&answer).as_deref(), Some("INVALID_ARGUMENT"));
    stage.world.fcm.mismatch_sender(&phone);
    let answer = send().await.unwrap();
    assert_eq!(answer.status, 403);
    assert_eq!(error_code(&answer).as_deref(), Some("SENDER_ID_MISMATCH"));
    stage.world.fcm.unregister(&phone);
    let answer = send().await.unwrap();
    assert_eq!(answer.status, 404);
    assert_eq!(error_code(&answer).as_deref(), Some("UNREGISTERED"));
}

#[tokio::test]
async fn the_older_http_is_spoken_too() {
    let (stage, _, access) = ready().await;
    // Whoever came first may have installed it; either is the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(stage.file("ca.pem").as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([ca])
        .http1_only()
        .build()
        .unwrap();
    let url = format!("{}{SEND}", stage.world.fcm.endpoint());
    let request = client.post(url).bearer_auth(access).json(&message());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_11);
    assert_eq!(answer.status(), 200);
}
