//! Each of Apple's rules: what keeps it is accepted, what breaks it gets Apple's own word.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use jiff::Timestamp;
use shiftbell::{
    domain::device::{DeviceToken, Environment},
    sim::record::Verdict,
};

use crate::client::{Connection, PHONE, Stage, noon, push};

/// A stage, a connection to the production host and a good token.
async fn ready() -> (Stage, Connection, String) {
    let stage = Stage::set().await;
    let connection = stage.connect(&stage.world.apns.endpoint()).await;
    let token = stage.good_token();
    (stage, connection, token)
}

/// Sends a good push after `spoil` and answers with status and reason.
async fn outcome(
    (_, connection, token): &(Stage, Connection, String),
    spoil: impl FnOnce(&mut Request<Bytes>),
) -> (u16, String) {
    let mut request = push(token);
    spoil(&mut request);
    connection.send(request).await.unwrap().reason()
}

fn refused(status: u16, reason: &str) -> (u16, String) {
    (status, reason.to_owned())
}

#[tokio::test]
async fn a_good_push_is_accepted_and_recorded() {
    let (stage, connection, token) = ready().await;
    let answer = connection.send(push(&token)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.headers["apns-id"],
        "6f0c1a52-8d3e-4f0a-9b1c-2d3e4f5a6b7c"
    );
    assert!(answer.body.is_empty());

    let record = stage.world.apns.record().all();
    let [push] = &record[..] else {
        panic!("one push, not {record:?}")
    };
    assert_eq!(push.verdict, Verdict::Accepted);
    assert_eq!(push.at, noon());
    assert_eq!(push.token, DeviceToken::new(PHONE));
    assert_eq!(push.environment, Environment::Production);
    assert_eq!(push.collapse_id.as_deref(), Some("a-1/start"));
    assert_eq!(
        push.expires,
        Some(Timestamp::from_second(1_774_872_900).unwrap())
    );
    assert_eq!(push.json()["aps"]["alert"]["title"], "t");
    let printed = format!("{push:?} {:?}", push.headers);
    assert!(!printed.contains(&token) && !printed.contains(PHONE));
}

#[tokio::test]
async fn a_push_without_an_id_gets_one() {
    let (_stage, connection, token) = ready().await;
    let mut request = push(&token);
    request.headers_mut().remove("apns-id");
    let answer = connection.send(request).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["apns-id"].len(), 36);
}

#[tokio::test]
async fn headers_are_checked() {
    let ready = ready().await;
    let long = "x".repeat(65);
    let cases: [(&'static str, Option<&str>, &str); 17] = [
        ("apns-topic", None, "MissingTopic"),
        ("apns-topic", Some("no topic"), "BadTopic"),
        ("apns-topic", Some("com.example.other"), "TopicDisallowed"),
        ("apns-push-type", None, "InvalidPushType"),
        ("apns-push-type", Some("Alert"), "InvalidPushType"),
        ("apns-push-type", Some("background"), "BadPriority"),
        ("apns-priority", Some("7"), "BadPriority"),
        ("apns-priority", Some("high"), "BadPriority"),
        ("apns-expiration", Some("-1"), "BadExpirationDate"),
        (
            "apns-expiration",
            Some("2026-03-30T12:00:00Z"),
            "BadExpirationDate",
        ),
        ("apns-expiration", Some("1774872900.5"), "BadExpirationDate"),
        ("apns-id", Some("1"), "BadMessageId"),
        (
            "apns-id",
            Some("6F0C1A52-8D3E-4F0A-9B1C-2D3E4F5A6B7C"),
            "BadMessageId",
        ),
        (
            "apns-id",
            Some("6f0c1a528d3e4f0a9b1c2d3e4f5a6b7c"),
            "BadMessageId",
        ),
        ("apns-collapse-id", Some(&long), "BadCollapseId"),
        ("apns-collapse-id", Some(""), "BadCollapseId"),
        ("authorization", None, "MissingProviderToken"),
    ];
    for (name, value, reason) in cases {
        let status = if name == "authorization" { 403 } else { 400 };
        let seen = outcome(&ready, |request| {
            request.headers_mut().remove(name);
            if let Some(value) = value {
                let value = HeaderValue::from_str(value).unwrap();
                request.headers_mut().insert(name, value);
            }
        })
        .await;
        assert_eq!(seen, refused(status, reason), "{name}: {value:?}");
    }
}

#[tokio::test]
async fn optional_headers_may_be_left_out_and_others_may_take_any_allowed_value() {
    let ready = ready().await;
    for (name, value) in [
        ("apns-priority", None),
        ("apns-expiration", None),
        ("apns-collapse-id", None),
        ("apns-priority", Some("1")),
        ("apns-priority", Some("5")),
        ("apns-expiration", Some("0")),
        ("apns-push-type", Some("voip")),
    ] {
        let seen = outcome(&ready, |request| {
            request.headers_mut().remove(name);
            if let Some(value) = value {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        })
        .await;
        assert_eq!(seen.0, 200, "{name}: {value:?}: {}", seen.1);
    }
}

#[tokio::test]
async fn a_header_given_twice_is_refused() {
    let ready = ready().await;
    let seen = outcome(&ready, |request| {
        request
            .headers_mut()
            .append("apns-priority", HeaderValue::from_static("10"));
    })
    .await;
    assert_eq!(seen, refused(400, "DuplicateHeaders"));
}

#[tokio::test]
async fn method_path_and_device_token_are_checked() {
    let ready = ready().await;
    let seen = outcome(&ready, |request| *request.method_mut() = Method::PUT).await;
    assert_eq!(seen, refused(405, "MethodNotAllowed"));
    let odd = format!("/3/device/{}", &PHONE[1..]);
    for (path, expected) in [
        ("/3/devices/00", refused(404, "BadPath")),
        ("/3/device/00/11", refused(404, "BadPath")),
        ("/3/device/", refused(400, "MissingDeviceToken")),
        ("/3/device/00fc", refused(400, "BadDeviceToken")),
        (&*odd, refused(400, "BadDeviceToken")),
        ("/3/device/not-hexadecimal", refused(400, "BadDeviceToken")),
    ] {
        let seen = outcome(&ready, |request| *request.uri_mut() = path.parse().unwrap()).await;
        assert_eq!(seen, expected, "{path}");
    }
}

#[tokio::test]
async fn the_payload_is_checked() {
    let ready = ready().await;
    let sized = |length: usize| {
        let frame = r#"{"aps":{},"x":""}"#.len();
        format!(r#"{{"aps":{{}},"x":"{}"}}"#, "y".repeat(length - frame))
    };
    for (body, expected) in [
        (String::new(), refused(400, "PayloadEmpty")),
        ("not json".to_owned(), refused(400, "PayloadEmpty")),
        (r#"{"aps":"text"}"#.to_owned(), refused(400, "PayloadEmpty")),
        (sized(4097), refused(413, "PayloadTooLarge")),
        (sized(4096), refused(200, "")),
    ] {
        let length = body.len();
        let seen = outcome(&ready, |request| *request.body_mut() = body.into()).await;
        assert_eq!(seen, expected, "{length} bytes");
    }
}

#[tokio::test]
async fn provider_tokens_are_checked() {
    let (stage, connection, good) = ready().await;
    let now = noon().as_second();
    let mut forged = stage.good_token();
    let last = if forged.ends_with('A') { 'Q' } else { 'A' };
    forged.replace_range(forged.len() - 1.., &last.to_string());
    let padded = format!("{good}=");
    for (token, reason) in [
        (
            stage.provider_token("OTHERKEY01", "DEMOTEAM01", now),
            "InvalidProviderToken",
        ),
        (
            stage.provider_token("DEMO123456", "OTHERTEAM1", now),
            "InvalidProviderToken",
        ),
        (
            stage.provider_token("DEMO123456", "DEMOTEAM01", now - 3601),
            "ExpiredProviderToken",
        ),
        (
            stage.provider_token("DEMO123456", "DEMOTEAM01", now + 61),
            "InvalidProviderToken",
        ),
        (forged, "InvalidProviderToken"),
        (padded, "InvalidProviderToken"),
        ("a.b".to_owned(), "InvalidProviderToken"),
    ] {
        let answer = connection.send(push(&token)).await.unwrap();
        assert_eq!(answer.reason(), refused(403, reason));
    }
    let oldest = stage.provider_token("DEMO123456", "DEMOTEAM01", now - 3600);
    assert_eq!(connection.send(push(&oldest)).await.unwrap().status, 200);
    assert_eq!(stage.world.apns.provider_tokens_seen(), 1);
}

#[tokio::test]
async fn a_token_that_was_good_expires_with_the_clock() {
    let (stage, connection, token) = ready().await;
    assert_eq!(connection.send(push(&token)).await.unwrap().status, 200);
    stage.clock.advance(Duration::from_secs(3601));
    let answer = connection.send(push(&token)).await.unwrap();
    assert_eq!(answer.reason(), refused(403, "ExpiredProviderToken"));
}

#[tokio::test]
async fn a_second_new_token_within_twenty_minutes_is_refused() {
    let (stage, connection, first) = ready().await;
    assert_eq!(connection.send(push(&first)).await.unwrap().status, 200);
    stage.clock.advance(Duration::from_secs(20 * 60 - 1));
    let second = stage.good_token();
    let answer = connection.send(push(&second)).await.unwrap();
    assert_eq!(answer.reason(), refused(429, "TooManyProviderTokenUpdates"));
    // The old one still serves, and one that is a second younger may come.
    assert_eq!(connection.send(push(&first)).await.unwrap().status, 200);
    stage.clock.advance(Duration::from_secs(1));
    let second = stage.good_token();
    assert_eq!(connection.send(push(&second)).await.unwrap().status, 200);

    stage.world.apns.limit_token_updates(false);
    stage.clock.advance(Duration::from_secs(1));
    let third = stage.good_token();
    assert_eq!(connection.send(push(&third)).await.unwrap().status, 200);
}

#[tokio::test]
async fn phones_may_be_gone_unknown_or_of_another_app() {
    let phone = DeviceToken::new(PHONE);
    let ready = ready().await;
    let (stage, connection, token) = &ready;
    stage.world.apns.other_topic(&phone);
    assert_eq!(
        outcome(&ready, |_| {}).await,
        refused(400, "DeviceTokenNotForTopic")
    );
    stage.world.apns.reject(&phone);
    assert_eq!(
        outcome(&ready, |_| {}).await,
        refused(400, "BadDeviceToken")
    );
    stage.world.apns.unregister(&phone, noon());
    let answer = connection.send(push(token)).await.unwrap();
    assert_eq!(answer.reason(), refused(410, "Unregistered"));
    assert_eq!(answer.json()["timestamp"], noon().as_millisecond());
    assert_eq!(stage.world.apns.record().accepted_count(), 0);
}

#[tokio::test]
async fn each_host_knows_its_own_environment() {
    let ready = ready().await;
    let (stage, _, token) = &ready;
    let sandbox = stage.connect(&stage.world.apns.sandbox_endpoint()).await;
    assert_eq!(sandbox.send(push(token)).await.unwrap().status, 200);
    let phone = DeviceToken::new(PHONE);
    stage.world.apns.belongs_to(&phone, Environment::Sandbox);
    assert_eq!(sandbox.send(push(token)).await.unwrap().status, 200);
    assert_eq!(
        outcome(&ready, |_| {}).await,
        refused(400, "BadDeviceToken")
    );
    let hosts: Vec<_> = stage.world.apns.record().all();
    let hosts: Vec<_> = hosts.iter().map(|push| push.environment.as_str()).collect();
    assert_eq!(hosts, ["sandbox", "sandbox", "production"]);
}
