//! Zendesk: statuses are numbers, bulk requests are jobs that end completed though some failed, and
//! refusals come in three forms.

use shiftbell::{
    channels::Channel as _,
    domain::{
        delivery::{Judgement, Verdict},
        driver::Shown,
        roster,
    },
    sim::script::Fault,
    store::{DeliveryFilter, OpenOptions, Store},
    workers::{Shared, service::Engine},
};
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, event};

async fn tell_all(desk: &Desk, ids: &[String]) -> Judgement {
    let events: Vec<_> = ids.iter().map(|id| event(id, Shown::Online)).collect();
    desk.driver().send(&events, desk.now()).await
}

fn shown(desk: &Desk, ids: &[String]) -> Vec<String> {
    let all = ids.iter().map(|id| desk.product().shown(id).unwrap());
    all.collect()
}

#[tokio::test]
async fn one_agent_is_set_by_a_number() {
    let desk = Desk::of("zendesk").await;
    let ana = desk.product().add_agent(0);
    desk.tell(&desk.driver(), &ana, Shown::Online).await;
    assert_eq!(desk.product().shown(&ana).as_deref(), Some("online"));
    assert_eq!(
        desk.request(0),
        "PUT /api/v2/agent_availabilities/agent_statuses/agents/10011\n\
         accept: application/json\n\
         authorization: …\n\
         content-type: application/json\n\
         {\"id\":3}"
    );
    desk.tell(&desk.driver(), &ana, Shown::Invisible).await;
    assert_eq!(desk.product().shown(&ana).as_deref(), Some("away"));
}

#[tokio::test]
async fn what_somebody_set_in_zendesk_is_read() {
    let desk = Desk::of("zendesk").await;
    let (ana, driver) = (desk.product().add_agent(0), desk.driver());
    desk.tell(&driver, &ana, Shown::Online).await;
    desk.product().set_there(&ana, "transfers_only");
    let read = driver.read(&[&ana, "999"], desk.now()).await.shown;
    assert_eq!(read.len(), 1, "whom it does not know is left out: {read:?}");
    assert!(!driver.description().means(&read[&ana], Shown::Online));
}

#[tokio::test]
async fn refusals_are_the_agents_or_ours() {
    let desk = Desk::of("zendesk").await;
    let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
    let driver = desk.driver();
    let unknown = (Verdict::Narrow, "RecordNotFound");
    desk.judged(&driver, ("999", Shown::Online), unknown).await;
    desk.product().arrange("locked", &bea);
    let locked = (Verdict::Narrow, "RecordInvalid");
    desk.judged(&driver, (&bea, Shown::Online), locked).await;
    desk.throttled(&ana, 41).await;
    // Here `error` is an object.
    desk.product().arrange("not_admin", "");
    let forbidden = (Verdict::Misconfigured, "Forbidden");
    desk.judged(&driver, (&ana, Shown::Online), forbidden).await;
}

#[tokio::test]
async fn a_job_is_followed_to_its_end() {
    for wrapper in ["", "bare"] {
        let desk = Desk::of("zendesk").await;
        let ids: Vec<String> = (0..3).map(|n| desk.product().add_agent(n)).collect();
        if !wrapper.is_empty() {
            desk.product().arrange(wrapper, "");
        }
        let judgement = tell_all(&desk, &ids).await;
        assert_eq!(judgement.verdict, Verdict::Sent, "{wrapper}: {judgement:?}");
        assert_eq!(shown(&desk, &ids), ["online"; 3]);
        assert_eq!(
            desk.request(0),
            "PUT /api/v2/agent_availabilities/agent_statuses/agents/update_many?ids=10011,10012,10013\n\
             accept: application/json\n\
             authorization: …\n\
             content-type: application/json\n\
             {\"id\":3}"
        );
        let asked = "GET /api/v2/agent_availabilities/agent_statuses/job_statuses/01JB1GQENJMK3X983S00000000\n\
             accept: application/json\n\
             authorization: …";
        assert_eq!([desk.request(1), desk.request(2)], [asked, asked]);
        assert_eq!(desk.product().record().all().len(), 3);
    }
}

#[tokio::test]
async fn a_job_that_is_completed_may_have_failed() {
    let desk = Desk::of("zendesk").await;
    let ids: Vec<String> = (0..3).map(|n| desk.product().add_agent(n)).collect();
    desk.product().arrange("locked", &ids[1]);
    let judgement = tell_all(&desk, &ids).await;
    assert_eq!(judgement.verdict, Verdict::Narrow, "{judgement:?}");
    assert_eq!(judgement.reason, "not_all_were_set");
    assert_eq!(shown(&desk, &ids), ["online", "offline", "online"]);
}

#[tokio::test]
async fn a_job_without_an_end_is_unknown_and_one_that_is_throttled_waits() {
    let desk = Desk::of("zendesk").await;
    let ids: Vec<String> = (0..2).map(|n| desk.product().add_agent(n)).collect();
    let events: Vec<_> = ids.iter().map(|id| event(id, Shown::Online)).collect();
    let job = "01JB1GQENJMK3X983S00000000";
    let working = Fault::answer(200, r#"{"status":"working","results":[]}"#);
    desk.product().script().whenever(job, working);
    let judgement = desk.impatient().send(&events, desk.now()).await;
    assert_eq!(judgement.verdict, Verdict::Unknown, "{judgement:?}");
    assert_eq!(judgement.reason, "job_not_over");
    let slow = Fault::status(429).with_header("retry-after", "7");
    let job = "01JB1GQENJMK3X983S00000001";
    desk.product().script().whenever(job, slow);
    let judgement = desk.driver().send(&events, desk.now()).await;
    assert_eq!(judgement.verdict, Verdict::Slow, "{judgement:?}");
    assert_eq!(judgement.retry_after.unwrap().as_secs(), 7);
}

const AGENTS: usize = 5000;

/// A worker, and so many agents whose hours begin at nine and end at five.
async fn team(desk: &Desk) -> (Engine, Store, Vec<String>) {
    // On a clock that stands still nothing is paced: all that is due goes at once.
    let config = desk.configuration(&[
        ("SHIFTBELL__PRESENCE__MAX_PER_MINUTE", "6000000"),
        ("SHIFTBELL__PRESENCE__MAX_IN_FLIGHT", "20"),
    ]);
    let config = config.unwrap();
    let store = OpenOptions::new(config.database.url.clone());
    let store = Store::open(&store).await.unwrap();
    let zones = shiftbell::zones::load(None).unwrap();
    let ids: Vec<String> = (0..AGENTS).map(|n| desk.product().add_agent(n)).collect();
    let agents = ids.iter().map(|id| {
        format!(
            r#"{{"id":"a-{id}","workspace":"acme","name":"A","timezone":"UTC","hours":[{{"day":"mon","start":"09:00","end":"17:00"}}],"external":{{"zendesk":"{id}"}}}}"#
        )
    });
    let lines: Vec<String> = agents.collect();
    let roster = roster::read(lines.join("\n").as_bytes(), &zones, desk.now()).unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.put_workspaces(&roster.workspaces).await.unwrap();
    for some in roster.agents.chunks(500) {
        tx.put_agents(some, desk.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let shared = Shared::new(store.clone(), desk.clock.clone(), "nine");
    let engine = Engine::new(shared, &config, zones).unwrap();
    (engine, store, ids)
}

/// Moves the clock, lets the worker do what is due, and says how many agents each bulk request named.
async fn at(desk: &Desk, engine: &Engine, now: &str) -> Vec<usize> {
    desk.clock.set(now.parse().unwrap());
    let before = desk.product().record().all().len();
    engine.tick(&CancellationToken::new()).await.unwrap();
    let all = desk.product().record().all();
    let bulk = all[before..].iter().filter_map(|request| {
        let (_, ids) = request.target.split_once("update_many?ids=")?;
        Some(ids.split(',').count())
    });
    bulk.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_agents_at_nine_and_one_who_cannot_be_set() {
    let desk = Desk::of("zendesk").await;
    let (engine, store, ids) = team(&desk).await;
    at(&desk, &engine, "2026-03-30T08:59:00Z").await;
    let requests = at(&desk, &engine, "2026-03-30T09:00:00Z").await;
    assert_eq!(requests, [100; AGENTS / 100]);
    assert!(shown(&desk, &ids).iter().all(|word| word == "online"));

    desk.product().arrange("locked", &ids[1234]);
    let requests = at(&desk, &engine, "2026-03-30T17:00:00Z").await;
    // One batch in halves, down to the bad one alone; whoever is left travels with others.
    assert!(requests.len() < AGENTS / 100 + 20, "{requests:?}");
    let online: Vec<&String> = ids
        .iter()
        .filter(|id| desk.product().shown(id).unwrap() != "offline")
        .collect();
    assert_eq!(online, [&ids[1234]]);
    let filter = DeliveryFilter {
        limit: 20_000,
        ..DeliveryFilter::default()
    };
    let mut tx = store.snapshot().await.unwrap();
    let log = tx.deliveries(&filter).await.unwrap();
    tx.commit().await.unwrap();
    let not_sent: Vec<_> = log
        .iter()
        .filter(|row| row.state != "sent" && row.agent.is_some())
        .map(|row| {
            (
                row.agent.as_deref(),
                row.state.as_str(),
                row.reason.as_deref(),
            )
        })
        .collect();
    let bad = format!("a-{}", ids[1234]);
    assert_eq!(
        not_sent,
        [(Some(bad.as_str()), "failed", Some("RecordInvalid"))]
    );
}
