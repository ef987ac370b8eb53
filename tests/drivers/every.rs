//! What holds for every driver.

use std::{collections::HashSet, time::Duration};

use shiftbell::{
    channels::{
        Channel as _, Proof,
        driver::{Driver, Options},
    },
    domain::{
        delivery::Verdict,
        driver::{BUILT_IN, Shown},
    },
    sim::{
        product::PRODUCTS,
        script::{Fault, Reason},
    },
};
use tokio::task::JoinSet;

use super::desk::{Desk, event};

/// Runs a test for every driver, all at the same time: twelve products that hang take no longer than one.
async fn for_every<T>(test: fn(Desk) -> T)
where
    T: Future<Output = ()> + Send + 'static,
{
    let mut tests = JoinSet::new();
    for (name, _) in BUILT_IN {
        tests.spawn(async move { test(Desk::of(name).await).await });
    }
    while let Some(ended) = tests.join_next().await {
        if let Err(failed) = ended {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

#[test]
fn every_driver_has_a_stand_in() {
    let drivers: HashSet<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    let products: HashSet<&str> = PRODUCTS.iter().map(|(name, _)| *name).collect();
    assert_eq!(drivers, products);
}

#[tokio::test]
async fn statuses_are_set_and_read_back() {
    for_every(|desk| async move {
        let name = desk.product().name();
        let driver = desk.driver();
        let (ana, bea) = (desk.product().add_agent(0), desk.product().add_agent(1));
        for shown in [
            Shown::Online,
            Shown::Invisible,
            Shown::Online,
            Shown::Offline,
        ] {
            let judgement = desk.tell(&driver, &ana, shown).await;
            assert_eq!(
                judgement.verdict,
                Verdict::Sent,
                "{name} {shown:?}: {judgement:?}"
            );
            if driver.reads() > 0 {
                let read = driver.read(&[&ana, &bea], desk.now()).await.shown;
                let word = read
                    .get(&ana)
                    .unwrap_or_else(|| panic!("{name} knows no {ana}"));
                assert!(
                    driver.description().means(word, shown),
                    "{name} {shown:?}: {word}"
                );
            }
            // Twice is as good as once.
            let again = desk.tell(&driver, &ana, shown).await;
            assert_eq!(again.verdict, Verdict::Sent, "{name} {shown:?}: {again:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn several_agents_end_as_they_were_set() {
    for_every(|desk| async move {
        let name = desk.product().name();
        let driver = desk.driver();
        let ids: Vec<String> = (0..5).map(|n| desk.product().add_agent(n)).collect();
        let events: Vec<_> = ids.iter().map(|id| event(id, Shown::Online)).collect();
        for batch in events.chunks(driver.batch()) {
            let judgement = driver.send(batch, desk.now()).await;
            assert_eq!(judgement.verdict, Verdict::Sent, "{name}: {judgement:?}");
        }
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        if driver.reads() > 0 {
            for some in all.chunks(driver.reads()) {
                let read = driver.read(some, desk.now()).await.shown;
                assert_eq!(read.len(), some.len(), "{name}");
                assert!(
                    read.values()
                        .all(|word| driver.description().means(word, Shown::Online)),
                    "{name}: {read:?}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn doctor_is_told_whether_the_credentials_are_taken() {
    for_every(|desk| async move {
        let name = desk.product().name();
        desk.product().add_agent(0);
        let good = desk.driver().check(desk.now()).await.unwrap();
        if desk.driver().description().check.is_none() {
            assert_eq!(good.proof, Proof::Reached, "{name}");
            return;
        }
        assert_eq!(good.proof, Proof::Credentials, "{name}: {}", good.detail);
        let wrong = Driver::new(with_wrong_credentials(desk.options())).unwrap();
        let refused = wrong.check(desk.now()).await.unwrap_err();
        assert!(!refused.contains("wr0ng"), "{name}: {refused}");
    })
    .await;
}

fn with_wrong_credentials(options: Options) -> Options {
    let wrong = || "wr0ng-and-long-enough-to-be-a-token-0123456789".into();
    let agents = options.agent_tokens.keys();
    Options {
        token: options.token.as_ref().map(|_| wrong()),
        agent_tokens: agents.map(|agent| (agent.clone(), wrong())).collect(),
        ..options
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_from_a_wrong_agent() {
    for_every(|desk| async move {
        let name = desk.product().name();
        let ana = desk.product().add_agent(0);
        let options = desk.options();
        let each = !options.agent_tokens.is_empty();
        let wrong = Driver::new(with_wrong_credentials(options)).unwrap();
        let judgement = desk.tell(&wrong, &ana, Shown::Online).await;
        // A credential for each agent says nothing of the others.
        let expected = if each {
            Verdict::Narrow
        } else {
            Verdict::Misconfigured
        };
        assert_eq!(judgement.verdict, expected, "{name}: {judgement:?}");
        assert!(!judgement.reason.contains("wr0ng"), "{name}: {judgement:?}");
    })
    .await;
}

fn faults() -> [(Fault, Verdict); 8] {
    [
        (Fault::status(500), Verdict::Retry),
        (Fault::status(503), Verdict::Retry),
        (Fault::status(429), Verdict::Slow),
        (Fault::status(302), Verdict::Misconfigured),
        (Fault::status(404), Verdict::Misconfigured),
        (Fault::Close, Verdict::Unknown),
        (Fault::GoAway(Reason::NO_ERROR), Verdict::NotProcessed),
        (Fault::Reset(Reason::REFUSED_STREAM), Verdict::NotProcessed),
    ]
}

#[tokio::test]
async fn faults_mean_the_same_as_everywhere() {
    for_every(|desk| async move {
        let name = desk.product().name();
        for (fault, expected) in faults() {
            let judgement = desk.meet(&desk.driver(), fault.clone()).await;
            assert_eq!(
                judgement.verdict, expected,
                "{name} {fault:?}: {judgement:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn who_hangs_or_drips_or_floods_holds_nobody_up() {
    for_every(|desk| async move {
        let name = desk.product().name();
        for fault in [Fault::Hang, Fault::Drip] {
            let judgement = desk.meet(&desk.impatient(), fault).await;
            assert_eq!(judgement.verdict, Verdict::Unknown, "{name}: {judgement:?}");
        }
        let driver = desk.driver();
        let flooded = desk.meet(&driver, Fault::Flood(100 << 20));
        let flooded = tokio::time::timeout(Duration::from_secs(15), flooded).await;
        assert!(flooded.is_ok(), "{name}");
    })
    .await;
}

#[tokio::test]
async fn no_request_carries_a_secret_where_it_is_logged() {
    for_every(|desk| async move {
        let name = desk.product().name();
        let ana = desk.product().add_agent(0);
        let driver = desk.driver();
        desk.tell(&driver, &ana, Shown::Online).await;
        let options = desk.options();
        let tokens = options.token.iter().chain(options.agent_tokens.values());
        let printed = format!("{driver:?}{options:?}{:?}", driver.previews(&ana));
        for token in tokens {
            use secrecy::ExposeSecret as _;
            let token = token.expose_secret();
            assert!(!printed.contains(token), "{name}");
            for request in desk.product().record().all() {
                assert!(
                    !request.target.contains(token),
                    "{name}: {}",
                    request.target
                );
            }
        }
    })
    .await;
}
