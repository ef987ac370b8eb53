//! The one checker: joins what the stand-ins recorded with the database and decides whether nothing
//! was lost, nothing came twice, nothing came stale and everybody was told the truth.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use shiftbell::{
    domain::{
        agent::Agent,
        alert,
        delivery::AlertKind,
        hours::BoundaryKind,
        lead::{self, Ahead},
        zone::Zones,
    },
    store::{AttemptRow, DeliveryFilter, DeliveryRow, Store},
};

pub(crate) mod seen;

pub(crate) use seen::{Push, Seen};

/// What a run is judged by.
pub(crate) struct Run<'a> {
    /// What the receivers recorded.
    pub(crate) seen: &'a Seen,
    pub(crate) store: &'a Store,
    /// The team, unchanged over the run.
    pub(crate) team: &'a [Agent],
    pub(crate) zones: &'a Zones,
    /// From when on (UTC) boundaries must have been acted on.
    pub(crate) from: Timestamp,
    /// When the run ended, UTC, after the worker had time to finish.
    pub(crate) until: Timestamp,
    /// All that the worker printed.
    pub(crate) printed: &'a str,
    /// What must not be printed, beside the team's device tokens.
    pub(crate) secrets: &'a [String],
}

/// Every violation, each beginning with its invariant's letter; empty if all six hold.
pub(crate) async fn violations(run: &Run<'_>) -> Vec<String> {
    let log = read(run.store).await;
    let mut found = lost(run, &log);
    found.extend(doubled(&log));
    found.extend(processed(&log, &run.seen.pushes));
    found.extend(converged(run, &log));
    found.extend(stale(&run.seen.pushes));
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

/// L: every boundary of everybody who opted in has a row a phone, every lead has, and every row is final.
fn lost(run: &Run<'_>, log: &Log) -> Vec<String> {
    let rows: HashSet<&str> = log.iter().map(|(row, _)| row.id.as_str()).collect();
    let mut found = leads_lost(run, &rows);
    for agent in run.team {
        let hours = agent.operating_hours(run.zones, &[]).unwrap();
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
    found.extend(open.map(|(row, _)| {
        format!(
            "L: {} {} is {} ({}), due {}, {} tries",
            row.channel,
            row.id,
            row.state,
            row.reason.as_deref().unwrap_or("new"),
            row.due_at,
            row.tries
        )
    }));
    found
}

fn leads_lost(run: &Run<'_>, rows: &HashSet<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for agent in run.team {
        let hours = agent.operating_hours(run.zones, &[]).unwrap();
        for Ahead { lead, at, start } in lead::between(&agent.leads, &hours, run.from, run.until) {
            for device in &agent.devices {
                let phone = device.token.expose();
                let id = alert::lead_delivery_id(&agent.id, lead, start, phone).to_string();
                if !rows.contains(id.as_str()) {
                    found.push(format!("L: {} {lead:?} at {at} has no delivery", agent.id));
                }
            }
        }
    }
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
fn processed(log: &Log, pushes: &[Push]) -> Vec<String> {
    let mut requests: HashMap<String, (usize, usize)> = HashMap::new();
    let mut ids: HashMap<&str, HashSet<Ids>> = HashMap::new();
    for push in pushes {
        let entry = requests.entry(push.alert.clone()).or_default();
        entry.0 += 1;
        entry.1 += usize::from(push.accepted);
        ids.entry(&push.alert).or_default().insert(push.ids.clone());
    }
    let mut found: Vec<String> = ids
        .iter()
        .filter(|(_, ids)| ids.len() > 1)
        .map(|(alert, _)| format!("P: {alert} changed its ids"))
        .collect();
    for (row, attempts) in log.iter().filter(|(row, _)| row.channel != "presence") {
        let alert = format!(
            "{} {} {} {}",
            row.agent.as_deref().unwrap_or_default(),
            row.kind,
            row.boundary.unwrap_or_default(),
            row.transition
        );
        let (asked, accepted) = requests.remove(&alert).unwrap_or_default();
        let unknown = attempts
            .iter()
            .filter(|a| a.outcome.as_deref() == Some("unknown"))
            .count();
        if asked > attempts.len() {
            let tries = attempts.len();
            found.push(format!(
                "P: {alert} was sent {asked} times in {tries} attempts"
            ));
        }
        if accepted > 1 + unknown {
            found.push(format!(
                "P: {alert} was accepted {accepted} times, {unknown} attempts unknown"
            ));
        }
        if row.state == "sent" && accepted == 0 {
            found.push(format!("P: {alert} is sent and was never accepted"));
        }
    }
    found.extend(
        requests
            .keys()
            .map(|alert| format!("P: {alert} rang and is not in the log")),
    );
    found
}

/// C: the receiver's newest status is the desired one, its sequences are the database's, and the
/// workspaces' modes follow from the agents' statuses.
fn converged(run: &Run<'_>, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    let mut recorded: HashMap<&str, i64> = HashMap::new();
    for (row, _) in log {
        if let Some(sequence) = row.sequence {
            let known = recorded.entry(&row.receiver).or_default();
            *known = sequence.max(*known);
        }
    }
    let mut modes: HashMap<&str, &str> = HashMap::new();
    for agent in run.team {
        let hours = agent.operating_hours(run.zones, &[]).unwrap();
        let desired = if hours.on_duty_at(run.until) {
            "online"
        } else {
            "offline"
        };
        compare(
            run,
            &format!("agent:{}", agent.id),
            desired,
            &recorded,
            &mut found,
        );
        let mode = modes.entry(&agent.workspace).or_insert("messaging");
        if desired == "online" {
            *mode = "live_chat";
        }
    }
    for (workspace, mode) in modes {
        compare(
            run,
            &format!("workspace:{workspace}"),
            mode,
            &recorded,
            &mut found,
        );
    }
    found.extend(
        run.seen
            .findings
            .iter()
            .map(|finding| format!("C: {finding}")),
    );
    found
}

fn compare(
    run: &Run<'_>,
    subject: &str,
    desired: &str,
    recorded: &HashMap<&str, i64>,
    found: &mut Vec<String>,
) {
    let told = run.seen.told.get(subject);
    let (sequence, word) = told.map_or((None, None), |(n, word)| (Some(*n), Some(word.as_str())));
    if word != Some(desired) {
        found.push(format!(
            "C: {subject} is {desired}, the platform was told {word:?}"
        ));
    }
    let newest = recorded.get(subject).copied();
    if sequence != newest {
        found.push(format!(
            "C: {subject} is at sequence {newest:?}, the platform saw {sequence:?}"
        ));
    }
}

/// S: nothing was received after its deadline.
fn stale(pushes: &[Push]) -> Vec<String> {
    let late = pushes
        .iter()
        .filter(|push| push.expires.is_some_and(|deadline| push.arrived > deadline));
    late.map(|push| format!("S: {} came at {}", push.alert, push.arrived))
        .collect()
}

/// K: no token and no secret was printed. There may be tens of thousands, and megabytes of log: those
/// that begin alike are looked for at once.
fn leaked(run: &Run<'_>) -> Vec<String> {
    let tokens = run.team.iter().flat_map(|a| &a.devices);
    let tokens = tokens.map(|device| device.token.expose());
    let mut alike: HashMap<&str, HashSet<&str>> = HashMap::new();
    for secret in run.secrets.iter().map(String::as_str).chain(tokens) {
        let start = secret.get(..8).unwrap_or(secret);
        alike.entry(start).or_default().insert(secret);
    }
    let mut found = Vec::new();
    for (start, secrets) in alike {
        let lengths: HashSet<usize> = secrets.iter().map(|secret| secret.len()).collect();
        let mut rest = run.printed;
        while let Some(at) = rest.find(start) {
            let is_secret = |length: &usize| {
                let end = at + length;
                rest.get(at..end).is_some_and(|word| secrets.contains(word))
            };
            if lengths.iter().any(is_secret) {
                found.push("K: a secret was printed".to_owned());
            }
            rest = &rest[at + 1..];
        }
    }
    found
}
