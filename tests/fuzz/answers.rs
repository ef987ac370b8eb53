//! What receivers answer: any status, any headers, any bytes, through the real clients.

use std::{fs, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use shiftbell::{
    channels::{Channel, apns, fcm, presence},
    clock::Clock,
    domain::{
        delivery::{AlertKind, Push},
        device::{DeviceToken, Environment},
        presence::{Change, Event, Reason, Status},
    },
    sim::{World, WorldOptions, script::Fault},
};
use uuid::Uuid;

use super::{
    mutate::{Dice, spoilt},
    run::target,
};

const NOW: &str = "2026-03-30T07:00:00Z";
const LIMIT: Duration = Duration::from_secs(10);
/// Long and with digits, as real ones are.
const IPHONE: &str = "ca11ab1eca11ab1eca11ab1eca11ab1eca11ab1eca11ab1eca11ab1eca11ab1e";
const ANDROID: &str = "canary-7:APA91bCANARY";
const ACCESS: &str = "ya29.canary0123456789abcdefghijklmnopqrstuvwxyz";

/// What bodies are made of; `{}` is where our own secret is given back.
const BODIES: [&str; 12] = [
    r#"{"reason":"BadDeviceToken"}"#,
    r#"{"reason":"Unregistered","timestamp":1774778400250}"#,
    r#"{"reason":"no {}"}"#,
    r#"{"name":"projects/shiftbell-demo/messages/0:1500415314455276"}"#,
    r#"{"name":"projects/{}"}"#,
    r#"{"error":{"code":404,"status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#,
    r#"{"error":{"code":400,"message":"The registration token {}","details":[{"@type":"x/google.rpc.BadRequest","fieldViolations":[{"field":"message.token"}]}]}}"#,
    r#"{"access_token":"ya29.canary0123456789abcdefghijklmnopqrstuvwxyz","expires_in":3599,"token_type":"Bearer"}"#,
    r#"{"error":"invalid_grant","error_description":"{}"}"#,
    "<!doctype html><title>{}</title>",
    "",
    "null",
];
const RETRY_AFTER: [&str; 8] = [
    "0",
    "-1",
    "1000000000000",
    "99999999999999999999999999",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Mon, 30 Mar 2026 07:00:30 GMT",
    "1.5",
    "\u{e9}",
];

struct Clients {
    world: World,
    now: Timestamp,
    apns: apns::Apns,
    fcm: fcm::Options,
    presence: presence::Presence,
    secret: String,
    _folder: tempfile::TempDir,
}

#[test]
fn answers() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let clients = runtime.block_on(Clients::connect());
    let fcm = fcm::Fcm::new(clients.fcm.clone()).unwrap();
    target("answers", |seed, input| {
        let mut dice = Dice::new(seed);
        runtime.block_on(async {
            match dice.roll(4) {
                0 => {
                    let fault = fault(&mut dice, IPHONE, input);
                    clients.world.apns.script().next(1, fault);
                    clients.send(&clients.apns, &push(IPHONE)).await
                }
                1 => {
                    let fault = fault(&mut dice, ANDROID, input);
                    clients.world.fcm.script().next(1, fault);
                    clients.send(&fcm, &push(ANDROID)).await
                }
                2 => {
                    let fault = fault(&mut dice, &clients.secret, input);
                    clients.world.presence.script().next(1, fault);
                    clients.send(&clients.presence, &event()).await
                }
                _ => {
                    // A client that has no access token yet asks for one.
                    let fault = fault(&mut dice, ACCESS, input);
                    clients.world.fcm.token_script().next(1, fault);
                    let cold = fcm::Fcm::new(clients.fcm.clone()).unwrap();
                    clients.send(&cold, &push(ANDROID)).await
                }
            }
        })
    });
}

/// Any answer; its body goes to `input` as well.
fn fault(dice: &mut Dice, secret: &str, input: &mut Vec<u8>) -> Fault {
    let bodies = BODIES.map(|body| body.replace("{}", secret).into_bytes());
    let body = spoilt(&bodies, dice);
    input.clone_from(&body);
    let usual = [200, 400, 401, 403, 404, 410, 429, 500, 503];
    let status = if dice.roll(2) == 0 {
        *dice.pick(&usual)
    } else {
        200 + dice.roll(400) as u16
    };
    let mut headers = HeaderMap::new();
    if dice.roll(2) == 0 {
        let value = HeaderValue::from_bytes(dice.pick(&RETRY_AFTER).as_bytes()).unwrap();
        headers.insert("retry-after", value);
    }
    for name in ["apns-id", "location", "content-type", "www-authenticate"] {
        let value = spoilt(&bodies, dice);
        let value = &value[..value.len().min(200)];
        if let (0, Ok(value)) = (dice.roll(4), HeaderValue::from_bytes(value)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    Fault::Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::from(body),
    }
}

impl Clients {
    async fn connect() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now: Timestamp = NOW.parse().unwrap();
        let world = World::start(folder.path(), Clock::manual(now), WorldOptions::default());
        let world = world.await.unwrap();
        let text = |name: &str| fs::read_to_string(world.folder.join(name)).unwrap();
        let extra_ca = Some(text("ca.pem").into_bytes());
        let secret = text("presence.secret").trim().to_owned();
        let apns = apns::Apns::new(apns::Options {
            endpoint: world.apns.endpoint().parse().unwrap(),
            sandbox_endpoint: world.apns.sandbox_endpoint().parse().unwrap(),
            key_pem: text("AuthKey_DEMO123456.p8").into(),
            key_id: "DEMO123456".to_owned(),
            team_id: "DEMOTEAM01".to_owned(),
            topic: "com.example.agent".to_owned(),
            extra_ca: extra_ca.clone(),
            request_timeout: LIMIT,
            max_in_flight: 10,
        });
        let fcm = fcm::Options {
            endpoint: world.fcm.endpoint().parse().unwrap(),
            service_account: text("service-account.json").into(),
            extra_ca: extra_ca.clone(),
            request_timeout: LIMIT,
            max_in_flight: 10,
        };
        let presence = presence::Presence::new(presence::Options {
            url: world.presence.url().parse().unwrap(),
            secret: secret.clone().into(),
            batch_size: 100,
            extra_ca,
            request_timeout: LIMIT,
            max_in_flight: 10,
        });
        Self {
            apns: apns.unwrap(),
            fcm,
            presence: presence.unwrap(),
            secret,
            now,
            world,
            _folder: folder,
        }
    }

    /// Sends, and says what is wrong with the judgement.
    async fn send<C: Channel>(&self, channel: &C, message: &C::Message) -> Result<(), String>
    where
        C::Message: Clone,
    {
        let sending = channel.send(std::slice::from_ref(message), self.now);
        let judgement = tokio::time::timeout(LIMIT * 2, sending)
            .await
            .map_err(|_| "no judgement within the time limit".to_owned())?;
        let printed = format!("{judgement:?}").to_lowercase();
        let secrets = [IPHONE, ANDROID, &self.secret, ACCESS];
        if secrets
            .iter()
            .any(|secret| printed.contains(&secret.to_lowercase()))
        {
            return Err(format!("a secret comes back: {printed}"));
        }
        // 200 characters, each of which may be escaped.
        if judgement.reason.chars().count() > 2_200
            || judgement.reason.chars().any(char::is_control)
        {
            return Err(format!("not printable: {:?}", judgement.reason));
        }
        if judgement.retry_after > Some(Duration::from_hours(1)) {
            return Err(format!("too long a wait: {:?}", judgement.retry_after));
        }
        Ok(())
    }
}

fn push(token: &str) -> Push {
    let now: Timestamp = NOW.parse().unwrap();
    Push {
        delivery: Uuid::from_u128(1),
        token: DeviceToken::new(token),
        environment: Environment::Production,
        event: AlertKind::HoursStart,
        agent: "a-1".to_owned(),
        transition: Uuid::from_u128(2),
        at: now,
        since: now,
        deadline: now + Duration::from_mins(15),
        collapse_id: "a-1/start".to_owned(),
        title: "Bonjour".to_owned(),
        body: "C'est l'heure".to_owned(),
    }
}

fn event() -> Event {
    Event {
        id: Uuid::from_u128(3),
        workspace: "acme".to_owned(),
        effective_at: NOW.parse().unwrap(),
        sequence: 1,
        change: Change::Agent {
            agent: "a-1".to_owned(),
            external: None,
            status: Status::Online,
            accepts_conversations: true,
            reason: Reason::HoursStart,
        },
    }
}
