//! The one checker: joins what the stand-ins recorded with the database and decides whether nothing
//! was lost, nothing came twice, nothing came stale and everybody was told the truth.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use shiftbell::{
    domain::{agent::Agent, alert, delivery::AlertKind, hours::BoundaryKind, zone::Zones},
    sim::{World, record::ReceivedPush},
    store::{AttemptRow, DeliveryFilter, DeliveryRow, Store},
};

/// What a run is judged by.
pub(crate) struct Run<'a> {
    pub(crate) world: &'a World,
    pub(crate) store: &'a Store,
    /// The team, unchanged over the run.
    pub(crate) team: &'a [Agent],
    /// When the team was first evaluated, UTC.
    pub(crate) from: Timestamp,
    /// When the run ended, UTC, after the worker had time to finish.
    pub(crate) until: Timestamp,
    /// All that the worker printed.
    pub(crate) printed: &'a str,
}

/// Every violation, each beginning with its invariant's letter; empty if all six hold.
pub(crate) async fn violations(run: &Run<'_>) -> Vec<String> {
    let log = read(run.store).await;
    let pushes: Vec<_> = run
        .world
        .apns
        .record()
        .all()
        .into_iter()
        .chain(run.world.fcm.record().all())
        .collect();
    let mut found = lost(run, &log);
    found.extend(doubled(&log));
    found.extend(processed(&log, &pushes));
    found.extend(converged(run).await);
    found.extend(stale(&pushes));
    found.extend(leaked(run));
    found
}

/// `apns-id` and the collapse id.
type Ids = (Option<String>, Option<String>);

type Log = Vec<(DeliveryRow, Vec<AttemptRow>)>;

async fn read(store: &Store) -> Log {
    let mut tx = store.snapshot().await.unwrap();
    let filter = DeliveryFilter {
        limit: 1_000_000,
        ..DeliveryFilter::default()
    };
    let rows = tx.deliveries(&filter).await.unwrap();
    let mut log = Vec::with_capacity(rows.len());
    for row in rows {
        let attempts = tx.attempts(&row.id).await.unwrap();
        log.push((row, attempts));
    }
    tx.commit().await.unwrap();
    log
}

/// L: every boundary of everybody who opted in has a row a phone, and every row is final.
fn lost(run: &Run<'_>, log: &Log) -> Vec<String> {
    let zones = Zones::built_in();
    let rows: HashSet<&str> = log.iter().map(|(row, _)| row.id.as_str()).collect();
    let mut found = Vec::new();
    for agent in run.team {
        let hours = agent.operating_hours(&zones, &[]).unwrap();
        for boundary in hours.boundaries(run.from, run.until) {
            let (kind, wanted) = match boundary.kind {
                BoundaryKind::Start => (AlertKind::HoursStart, agent.notify.start),
                BoundaryKind::End => (AlertKind::HoursEnd, agent.notify.end),
            };
            for device in agent.devices.iter().filter(|_| wanted) {
                let id = alert::delivery_id(&agent.id, kind, boundary.at, device.token.expose())
                    .to_string();
                if !rows.contains(id.as_str()) {
                    found.push(format!(
                        "L: {} {} at {} has no delivery",
                        agent.id,
                        kind.as_str(),
                        boundary.at
                    ));
                }
            }
        }
    }
    let open = log
        .iter()
        .filter(|(row, _)| matches!(row.state.as_str(), "pending" | "leased"));
    found.extend(open.map(|(row, _)| format!("L: {} {} is {}", row.channel, row.id, row.state)));
    found
}

/// D: one attempt a lease, none left open.
fn doubled(log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    for (row, attempts) in log {
        let epochs: Vec<i64> = attempts.iter().map(|a| a.epoch).collect();
        if epochs != (1..=row.attempts).collect::<Vec<_>>() {
            found.push(format!(
                "D: {} has had {} leases and attempts {epochs:?}",
                row.id, row.attempts
            ));
        }
        if attempts.iter().any(|a| a.outcome.is_none()) {
            found.push(format!("D: {} has an attempt without an outcome", row.id));
        }
    }
    found
}

/// P: no more requests than attempts; a second acceptance only after an unknown outcome; ids stable.
fn processed(log: &Log, pushes: &[std::sync::Arc<ReceivedPush>]) -> Vec<String> {
    let mut requests: HashMap<(String, String), (usize, usize)> = HashMap::new();
    for push in pushes {
        let key = identity(push);
        let entry = requests.entry(key).or_default();
        entry.0 += 1;
        entry.1 += usize::from(push.verdict == shiftbell::sim::record::Verdict::Accepted);
    }
    let mut found = Vec::new();
    for (row, attempts) in log.iter().filter(|(row, _)| row.channel != "presence") {
        let key = (
            row.agent.clone().unwrap_or_default(),
            format!("{} {}", row.kind, row.boundary.unwrap_or_default()),
        );
        let (asked, accepted) = requests.remove(&key).unwrap_or_default();
        let unknown = attempts
            .iter()
            .filter(|a| a.outcome.as_deref() == Some("unknown"))
            .count();
        if asked > attempts.len() {
            found.push(format!(
                "P: {key:?} was sent {asked} times in {} attempts",
                attempts.len()
            ));
        }
        if accepted > 1 + unknown {
            found.push(format!(
                "P: {key:?} was accepted {accepted} times, {unknown} attempts unknown"
            ));
        }
        if row.state == "sent" && accepted == 0 {
            found.push(format!("P: {key:?} is sent and was never accepted"));
        }
    }
    found.extend(
        requests
            .keys()
            .map(|key| format!("P: {key:?} rang and is not in the log")),
    );
    let mut ids: HashMap<(String, String), HashSet<Ids>> = HashMap::new();
    for push in pushes {
        ids.entry(identity(push))
            .or_default()
            .insert((push.id.clone(), push.collapse_id.clone()));
    }
    found.extend(
        ids.iter()
            .filter(|(_, ids)| ids.len() > 1)
            .map(|(key, _)| format!("P: {key:?} changed its ids")),
    );
    found
}

/// Who and what an alert is about; each agent of these teams has one phone.
fn identity(push: &ReceivedPush) -> (String, String) {
    let json = push.json();
    let data = if json["shiftbell"].is_object() {
        &json["shiftbell"]
    } else {
        &json["message"]["data"]
    };
    let word = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    (word("agent"), format!("{} {}", word("event"), word("at")))
}

/// C: the receiver's newest status is the desired one, and its sequences are the database's.
async fn converged(run: &Run<'_>) -> Vec<String> {
    let zones = Zones::built_in();
    let mut found = Vec::new();
    let mut newest: HashMap<String, i64> = HashMap::new();
    for (row, _) in read(run.store).await {
        if let Some(sequence) = row.sequence {
            let known = newest.entry(row.receiver).or_default();
            *known = sequence.max(*known);
        }
    }
    for agent in run.team {
        let on = agent
            .operating_hours(&zones, &[])
            .unwrap()
            .on_duty_at(run.until);
        let desired = if on { "online" } else { "offline" };
        let told = run
            .world
            .presence
            .status(&agent.id)
            .map(shiftbell::domain::presence::Status::as_str);
        if told != Some(desired) {
            found.push(format!(
                "C: {} is {desired}, the platform was told {told:?}",
                agent.id
            ));
        }
        let recorded = newest.get(&format!("agent:{}", agent.id)).copied();
        let highest = run
            .world
            .presence
            .agent(&agent.id)
            .map(|seen| seen.sequence);
        if highest != recorded {
            found.push(format!(
                "C: {} has sequence {recorded:?}, the platform saw {highest:?}",
                agent.id
            ));
        }
    }
    found.extend(
        run.world
            .presence
            .findings()
            .iter()
            .map(|finding| format!("C: {finding:?}")),
    );
    found
}

/// S: nothing was received after its deadline.
fn stale(pushes: &[std::sync::Arc<ReceivedPush>]) -> Vec<String> {
    let late = pushes
        .iter()
        .filter(|push| push.expires.is_some_and(|deadline| push.at > deadline));
    late.map(|push| format!("S: {:?} came at {}", identity(push), push.at))
        .collect()
}

/// K: no token and no secret was printed.
fn leaked(run: &Run<'_>) -> Vec<String> {
    let secret = std::fs::read_to_string(run.world.folder.join("presence.secret")).unwrap();
    let mut canaries = vec![
        secret.trim().trim_start_matches("whsec_").to_owned(),
        "PRIVATE KEY".to_owned(),
    ];
    canaries.extend(
        run.team
            .iter()
            .flat_map(|a| a.devices.iter().map(|d| d.token.expose().to_owned())),
    );
    canaries
        .iter()
        .filter(|canary| run.printed.contains(canary.as_str()))
        .map(|_| "K: a secret was printed".to_owned())
        .collect()
}
