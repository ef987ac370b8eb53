//! Killed again and again at random moments while boundaries fall and a chat product is driven, which now
//! and then takes a status whose answer is lost. In full, a product that holds agents online by leases, too.

use std::time::Duration;

use shiftbell::{
    domain::driver::{Shown, built_in},
    sim::script::{Behaviour, Fault},
};

use super::kit::{Base, Extent, Plan, Report, Theatre};

pub(crate) async fn inject(extent: Extent) -> Report {
    let drivers: &[&str] = extent.pick(&["chatwoot"], &["chatwoot", "graph"]);
    let mut all = Report {
        struck: 0,
        found: Vec::new(),
    };
    for driver in drivers {
        let report = drive(driver, extent).await;
        all.struck += report.struck;
        let found = report.found.into_iter();
        all.found
            .extend(found.map(|found| format!("{driver}: {found}")));
    }
    all
}

async fn drive(driver: &str, extent: Extent) -> Report {
    let kills = extent.pick(8, 60);
    let plan = Plan {
        agents: 120,
        spread_s: extent.pick(8, 60),
        lead_s: 6,
    };
    let theatre = Theatre::driving(driver, Base::Sqlite, plan).await;
    let product = theatre.world.product.as_ref().unwrap();
    let lost = Behaviour::Accepted(Fault::Close);
    let lost = product.script().next(5, lost);
    theatre.curtain().await;
    for _ in 0..kills {
        let mut worker = theatre.worker();
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..2000))).await;
        worker.kill();
    }
    let mut worker = theatre.worker();
    let quiet = theatre.quiet().await;
    let status = worker.stop().await;
    let mut found: Vec<String> = quiet.err().into_iter().collect();
    if !status.success() {
        found.push(format!("L: the worker ended with {status}"));
    }
    if lost.struck() == 0 {
        found.push("the lost answers never struck".to_owned());
    }
    found.extend(untrue(&theatre, driver));
    found.extend(left_open(&theatre));
    found.extend(told(&theatre));
    Report {
        struck: kills,
        found,
    }
}

/// C: agents of whom the product shows something else than their hours say now that all boundaries are
/// past: every other pair has come on duty, the others have gone off.
fn untrue(theatre: &Theatre, driver: &str) -> Vec<String> {
    let product = theatre.world.product.as_ref().unwrap();
    let words = built_in(driver).unwrap().words;
    let differs = |(n, agent): (usize, &shiftbell::domain::agent::Agent)| {
        let desired = if n / 2 % 2 == 0 {
            Shown::Online
        } else {
            Shown::Offline
        };
        let word = words.get(desired).value().as_str().unwrap();
        let shown = product.shown(&agent.external[driver]).unwrap_or_default();
        let id = &agent.id;
        (!shown.starts_with(word)).then(|| format!("C: {id} is shown as {shown:?}, not {word}"))
    };
    theatre
        .team
        .iter()
        .enumerate()
        .filter_map(differs)
        .collect()
}

/// L and D: deliveries that are not final or failed, attempts without an outcome.
fn left_open(theatre: &Theatre) -> Vec<String> {
    let counts = [
        ("L: open deliveries", "SELECT count(*) FROM outbox"),
        (
            "L: failed statuses",
            "SELECT count(*) FROM deliveries WHERE channel = 'presence' AND state NOT IN ('sent', 'superseded')",
        ),
        (
            "L: agents whose newest status has no delivery",
            "SELECT count(*) FROM agent_state s WHERE NOT EXISTS (SELECT 1 FROM deliveries d
                 WHERE d.channel = 'presence' AND d.receiver = 'agent:' || s.agent_id AND d.sequence = s.sequence)",
        ),
        (
            "D: attempts without an outcome",
            "SELECT count(*) FROM attempt_log WHERE outcome IS NULL",
        ),
    ];
    let of = |(what, sql): (&str, &str)| (theatre.number(sql), what.to_owned());
    let counts = counts.into_iter().map(of).filter(|(count, _)| *count > 0);
    counts
        .map(|(count, what)| format!("{what}: {count}"))
        .collect()
}

/// K: whether a credential of the product was printed.
fn told(theatre: &Theatre) -> Option<String> {
    let printed = theatre.printed();
    let secrets = theatre.world.product.as_ref().unwrap().secrets();
    let told = secrets.iter().any(|secret| printed.contains(secret));
    told.then(|| "K: a credential was printed".to_owned())
}
