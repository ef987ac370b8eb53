//! What single steps cost, without a database and without a wire.
//!
//! `cargo bench --bench micro`. Payloads, signatures and the judging of answers are private to their
//! channels, which show them to this file alone, in `steps`.

use std::time::Duration;

use divan::{Bencher, black_box};
use http::StatusCode;
use jiff::{Timestamp, civil::Weekday, tz::TimeZone};
use shiftbell::{
    channels::{apns, fcm, presence},
    domain::{
        agent::Notify,
        alert,
        delivery::{AlertKind, ChannelKind, Judgement, Push, Verdict},
        device::{DeviceToken, Environment},
        hours::{LocalTime, OperatingHours, Slot},
        plan::{Facts, Phone, Recorded, Schedule},
        presence::{Change, Event, Reason, Status},
        retry::{self, Standing},
        roster,
        zone::Zones,
    },
    triggers::{self, Rules},
};

const ZONE: &str = "Europe/Paris";
const WEEK: [Weekday; 5] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
];

fn main() {
    divan::main();
}

/// Monday, nine o'clock in Paris.
fn nine() -> Timestamp {
    "2026-03-30T07:00:00Z".parse().expect("an instant")
}

fn zone() -> TimeZone {
    TimeZone::get(ZONE).expect("the zone is in the data built in")
}

/// 09:00 to 12:30 and 14:00 to 18:00, five days.
fn slots() -> Vec<Slot> {
    let time = |minutes| LocalTime::from_minutes(minutes).expect("a time of day");
    let slot = |day, start, end| Slot {
        day,
        start: time(start),
        end: time(end),
    };
    WEEK.into_iter()
        .flat_map(|day| [slot(day, 540, 750), slot(day, 840, 1080)])
        .collect()
}

fn hours() -> OperatingHours {
    OperatingHours::new(zone(), &slots(), &[], &[], &[])
}

#[divan::bench]
fn compile_hours(bencher: Bencher) {
    let (zone, slots) = (zone(), slots());
    bencher.bench(|| OperatingHours::new(zone.clone(), black_box(&slots), &[], &[], &[]));
}

#[divan::bench]
fn next_boundary(bencher: Bencher) {
    let hours = hours();
    bencher.bench(|| hours.next_boundary(black_box(nine())));
}

#[divan::bench]
fn on_duty_at(bencher: Bencher) {
    let hours = hours();
    bencher.bench(|| hours.on_duty_at(black_box(nine())));
}

#[divan::bench]
fn find_zone(bencher: Bencher) {
    let zones = Zones::built_in();
    bencher.bench(|| zones.get(black_box(ZONE)));
}

/// Everything that is decided about an agent whose hours start.
#[divan::bench]
fn decide_at_a_start(bencher: Bencher) {
    let zones = Zones::built_in();
    let rules = Rules {
        useful_for: Duration::from_mins(15),
        push: vec![ChannelKind::Apns, ChannelKind::Fcm],
    };
    let facts = facts();
    bencher.bench(|| triggers::decide(black_box(&facts), &zones, &rules, nine()));
}

fn facts() -> Facts {
    Facts {
        recorded: Recorded {
            agent: "agent-0000001".to_owned(),
            workspace: "acme".to_owned(),
            status: Some(Status::Offline),
            sequence: 1,
            evaluated_at: Some(nine() - Duration::from_hours(10)),
            boundary_at: Some(nine()),
            ..Recorded::default()
        },
        schedule: Ok(Some(Schedule {
            workspace: "acme".to_owned(),
            timezone: ZONE.to_owned(),
            notify: Notify {
                start: true,
                end: true,
            },
            slots: slots(),
            phones: vec![Phone {
                channel: ChannelKind::Apns,
                token: DeviceToken::new("ab".repeat(32)),
                environment: Environment::Production,
            }],
            ..Schedule::default()
        })),
    }
}

#[divan::bench(args = ["en", "fr", "pt-BR"])]
fn render_text(bencher: Bencher, locale: &str) {
    let zone = zone();
    let facts = alert::Facts {
        minutes: 0,
        zone: &zone,
        at: nine(),
        counterpart: Some(nine() + Duration::from_hours(9)),
        now: nine(),
    };
    bencher.bench(|| alert::render(AlertKind::HoursStart, black_box(locale), &facts));
}

#[divan::bench]
fn delivery_id() -> uuid::Uuid {
    let (agent, receiver) = black_box(("agent-0000001", "receiver-of-some-length"));
    alert::delivery_id(agent, AlertKind::HoursStart, nine(), receiver)
}

#[divan::bench]
fn next_step_after_a_503(bencher: Bencher) {
    let judgement = Judgement::new(Verdict::Retry, "ServiceUnavailable");
    let standing = Standing {
        channel: ChannelKind::Apns,
        tries: 2,
        epoch: 3,
        deadline: Some(nine() + Duration::from_mins(15)),
        batch: 1,
        batch_cap: None,
    };
    bencher.bench(|| retry::next(black_box(&judgement), &standing, nine(), 0.5));
}

fn push(token: String) -> Push {
    Push {
        delivery: uuid::Uuid::from_u128(1),
        token: DeviceToken::new(token),
        environment: Environment::Production,
        event: AlertKind::HoursStart,
        agent: "agent-0000001".to_owned(),
        transition: uuid::Uuid::from_u128(2),
        at: nine(),
        since: nine(),
        deadline: nine() + Duration::from_mins(15),
        collapse_id: "c".repeat(32),
        title: "Your working hours have started".to_owned(),
        body: "You are online until 18:00.".to_owned(),
    }
}

fn iphone() -> String {
    "ab".repeat(32)
}

fn android() -> String {
    format!("c{}:APA91b{}", "0".repeat(21), "1".repeat(120))
}

#[divan::bench]
fn payload_apns(bencher: Bencher) {
    let push = push(iphone());
    bencher.bench(|| apns::steps::payload(black_box(&push)));
}

#[divan::bench]
fn payload_fcm(bencher: Bencher) {
    let push = push(android());
    bencher.bench(|| fcm::steps::message(black_box(&push), nine()));
}

/// As many events as one request carries.
fn events() -> Vec<Event> {
    let event = |n| Event {
        id: uuid::Uuid::from_u128(n),
        workspace: "workspace-1".to_owned(),
        effective_at: nine(),
        sequence: 17,
        change: Change::Agent {
            agent: "agent-0000001".to_owned(),
            external: None,
            status: Status::Online,
            accepts_conversations: true,
            reason: Reason::HoursStart,
        },
    };
    (0..100).map(event).collect()
}

#[divan::bench]
fn payload_presence_100_events(bencher: Bencher) {
    let events = events();
    bencher.bench(|| presence::steps::body(black_box(&events)).is_ok());
}

/// Once in half an hour.
#[divan::bench]
fn sign_apns_token(bencher: Bencher) {
    let key = rcgen::KeyPair::generate().expect("a P-256 key");
    let sign = apns::steps::signer(&key.serialize_pem()).expect("a key");
    let mut now = nine();
    bencher.bench_local(|| {
        now += Duration::from_mins(30);
        sign(now)
    });
}

/// For every push.
#[divan::bench]
fn apns_token_signed_before(bencher: Bencher) {
    let key = rcgen::KeyPair::generate().expect("a P-256 key");
    let sign = apns::steps::signer(&key.serialize_pem()).expect("a key");
    bencher.bench_local(|| sign(black_box(nine())));
}

/// Once an hour.
#[divan::bench]
fn sign_fcm_assertion(bencher: Bencher) {
    let account = serde_json::json!({
        "project_id": "bench",
        "client_email": "bench@bench.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
        "private_key": include_str!("../tests/config/rsa.pem"),
    });
    let sign = fcm::steps::signer(&account.to_string()).expect("an account");
    bencher.bench_local(|| sign(black_box(nine())).is_ok());
}

/// For every request.
#[divan::bench]
fn sign_presence_100_events(bencher: Bencher) {
    let sign = presence::steps::signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
    let body = presence::steps::body(&events()).expect("a body");
    bencher.bench_local(|| sign(black_box(&body), nine().as_second()));
}

#[divan::bench(args = [(200, ""), (410, r#"{"reason":"Unregistered","timestamp":1774852200000}"#)])]
fn judge_apns(bencher: Bencher, (status, body): (u16, &str)) {
    let status = StatusCode::from_u16(status).expect("a status");
    let token = DeviceToken::new(iphone());
    bencher.bench(|| apns::steps::judge(status, black_box(body.as_bytes()), &token, nine()));
}

#[divan::bench(args = [
    (200, r#"{"name":"projects/bench/messages/0:1774852200000000%0123456789abcdef"}"#),
    (404, r#"{"error":{"code":404,"status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"UNREGISTERED"}]}}"#),
])]
fn judge_fcm(bencher: Bencher, (status, body): (u16, &str)) {
    let status = StatusCode::from_u16(status).expect("a status");
    let secrets = [android(), "ya29.".to_owned() + &"a".repeat(100)];
    let secrets = secrets.each_ref().map(String::as_str);
    bencher.bench(|| fcm::steps::judge(status, black_box(body.as_bytes()), &secrets, nine()));
}

/// A thousand lines of an import file, checked.
#[divan::bench]
fn read_a_thousand_agents(bencher: Bencher) {
    let zones = Zones::built_in();
    let hours = r#"[{"day":"mon","start":"09:00","end":"12:30"},{"day":"mon","start":"14:00","end":"18:00"}]"#;
    let lines: String = (0..1000)
        .map(|n| {
            format!(
                r#"{{"id":"a-{n}","workspace":"acme","name":"Agent {n}","timezone":"{ZONE}","hours":{hours},"devices":[{{"platform":"ios","token":"{n:064x}"}}]}}"#
            ) + "\n"
        })
        .collect();
    bencher.bench(|| roster::read(black_box(lines.as_bytes()), &zones, nine()).is_ok());
}
