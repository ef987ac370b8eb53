//! Every metric, and one function to record each: nobody else writes a metric's name.
//!
//! Units are seconds and Unix timestamps in seconds; instants are UTC. No label names an agent, a
//! phone or a workspace, and no label takes its values from a receiver without bound: after
//! a hundred different reasons further ones count as `other`.

mod reasons;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use self::reasons::bounded;
use crate::domain::{
    delivery::{ChannelKind, DeliveryState, Verdict},
    device::Platform,
    driver::drift::Found,
    presence::Reason,
};

/// From a boundary on: what is late by more than the useful quarter of an hour is just late.
const LAGS: [f64; 13] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
];
/// Requests and scans: up to the longest request time-out anyone would set.
const WORK: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

macro_rules! names {
    ($($constant:ident = $name:literal, $kind:expr, $help:literal;)+) => {
        $(const $constant: &str = concat!("shiftbell_", $name);)+
        /// Name, kind and meaning of all metrics.
        const ALL: &[(&str, Kind, &str)] = &[$(($constant, $kind, $help)),+];
    };
}

names! {
    BUILD_INFO = "build_info", Kind::Gauge, "1, labelled with the program's version";
    TZDATA_INFO = "tzdata_info", Kind::Gauge, "1 for the version of the time-zone data in use";
    LAST_SCAN = "last_successful_scan_timestamp_seconds", Kind::Gauge, "When due boundaries were last looked for with success";
    SCAN_DURATION = "scan_duration_seconds", Kind::Histogram(&WORK), "How long one look for due boundaries took";
    TRANSITIONS = "transitions_total", Kind::Counter, "Recorded changes of an agent's status";
    TRANSITION_LAG = "transition_lag_seconds", Kind::Histogram(&LAGS), "From a boundary until its transition was recorded";
    DELIVERY_LAG = "delivery_lag_seconds", Kind::Histogram(&LAGS), "From a boundary until the receiver accepted its message";
    DELIVERIES_TOTAL = "deliveries_total", Kind::Counter, "Deliveries that reached a final state";
    REQUEST_DURATION = "delivery_request_duration_seconds", Kind::Histogram(&WORK), "How long a receiver took to answer";
    DELIVERIES = "deliveries", Kind::Gauge, "Deliveries in each state";
    OLDEST_PENDING = "oldest_pending_age_seconds", Kind::Gauge, "How long the oldest delivery that is not final has been due";
    BREAKER_OPEN = "breaker_open", Kind::Gauge, "1 while nothing is sent to a receiver because it fails or refuses us";
    DEVICES = "devices", Kind::Gauge, "Registered phones in each state";
    DEVICES_DISABLED = "devices_disabled_total", Kind::Counter, "Phones that stopped being rung";
    CREDENTIAL_EXPIRY = "credential_expiry_timestamp_seconds", Kind::Gauge, "When a credential ends";
    LEASE_RENEWALS = "presence_lease_renewals_total", Kind::Counter, "Renewals of agents whom a chat product holds online only for so long";
    PRESENCE_COMPARED = "presence_compared_total", Kind::Counter, "Looks at what a chat product shows of an agent, and what they found";
    PLANS_STALE = "plans_stale", Kind::Gauge, "Agents whose boundaries have to be planned afresh";
}

/// Starts collecting. The handle renders what was collected as Prometheus text.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = builder()?.install_recorder()?;
    describe();
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, kind, _) in ALL {
        if let Kind::Histogram(buckets) = kind {
            let name = Matcher::Full((*name).to_owned());
            builder = builder.set_buckets_for_metric(name, buckets)?;
        }
    }
    Ok(builder)
}

fn describe() {
    for &(name, kind, help) in ALL {
        match kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram(_) => describe_histogram!(name, help),
        }
    }
}

/// Folds what histograms gathered, every few seconds until `stop`: without it they grow until
/// somebody asks for the metrics.
pub async fn upkeep(handle: PrometheusHandle, stop: CancellationToken) {
    let mut beat = tokio::time::interval(Duration::from_secs(5));
    while stop.run_until_cancelled(beat.tick()).await.is_some() {
        handle.run_upkeep();
    }
}

/// The version of the IANA data in use, such as `2026f`. An earlier one no longer counts.
pub fn tzdata(version: &str) {
    static CURRENT: Mutex<Option<String>> = Mutex::new(None);
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(earlier) = current.replace(version.to_owned()) {
        gauge!(TZDATA_INFO, "version" => earlier).set(0.0);
    }
    gauge!(TZDATA_INFO, "version" => version.to_owned()).set(1.0);
}

/// A look for due boundaries ended well at `at` (UTC), after `took`.
pub fn scanned(at: Timestamp, took: Duration) {
    gauge!(LAST_SCAN).set(seconds(at));
    histogram!(SCAN_DURATION).record(took);
}

/// A transition was recorded for `reason`; for a boundary (`reason` is the start or end of hours),
/// this long after it.
pub fn transition_recorded(reason: Reason, lag: Option<Duration>) {
    counter!(TRANSITIONS, "reason" => reason.as_str()).increment(1);
    let kind = match reason {
        Reason::HoursStart => "start",
        Reason::HoursEnd => "end",
        _ => return,
    };
    if let Some(lag) = lag {
        histogram!(TRANSITION_LAG, "kind" => kind).record(lag);
    }
}

/// A lease was asked to be renewed, with this outcome.
pub fn lease_renewed(outcome: Verdict) {
    counter!(LEASE_RENEWALS, "outcome" => outcome.as_str()).increment(1);
}

/// What a chat product shows of an agent was compared with what was recorded.
pub fn presence_compared(found: Found) {
    counter!(PRESENCE_COMPARED, "found" => found.as_str()).increment(1);
}

/// A delivery's final state, and why.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// The state.
    pub outcome: DeliveryState,
    /// Why, in a word.
    pub reason: &'a str,
    /// The time since its boundary; it counts where the receiver accepted it.
    pub lag: Option<Duration>,
}

/// Deliveries of one channel reached their final states. They are many and mostly alike: each metric is
/// looked up once.
pub fn deliveries_ended<'a>(channel: ChannelKind, ended: impl Iterator<Item = Ended<'a>>) {
    let mut counts: Vec<(DeliveryState, &str, u64)> = Vec::new();
    let mut lags = None;
    for Ended {
        outcome,
        reason,
        lag,
    } in ended
    {
        let same =
            |(of, why, _): &&mut (DeliveryState, &str, u64)| (*of, *why) == (outcome, reason);
        match counts.iter_mut().find(same) {
            Some((.., count)) => *count += 1,
            None => counts.push((outcome, reason, 1)),
        }
        if let (DeliveryState::Sent, Some(lag)) = (outcome, lag) {
            lags.get_or_insert_with(|| histogram!(DELIVERY_LAG, "channel" => channel.as_str()))
                .record(lag);
        }
    }
    for (outcome, reason, count) in counts {
        let labels = [
            ("channel", channel.as_str().to_owned()),
            ("outcome", outcome.as_str().to_owned()),
            ("reason", bounded(reason)),
        ];
        counter!(DELIVERIES_TOTAL, &labels).increment(count);
    }
}

/// A request to a receiver ended after `took`, whatever came of it.
pub fn request_ended(channel: ChannelKind, took: Duration) {
    histogram!(REQUEST_DURATION, "channel" => channel.as_str()).record(took);
}

/// How many deliveries of `channel` are in `state` now.
pub fn deliveries(channel: ChannelKind, state: DeliveryState, count: u64) {
    gauge!(DELIVERIES, "channel" => channel.as_str(), "state" => state.as_str()).set(count as f64);
}

/// For how long the oldest delivery that is not final has been due; zero if there is none.
pub fn oldest_pending(channel: ChannelKind, age: Duration) {
    gauge!(OLDEST_PENDING, "channel" => channel.as_str()).set(age.as_secs_f64());
}

/// Whether a receiver's breaker is open.
pub fn breaker(channel: ChannelKind, open: bool) {
    gauge!(BREAKER_OPEN, "channel" => channel.as_str()).set(if open { 1.0 } else { 0.0 });
}

/// How many phones of `platform` are in `state` now.
pub fn devices(platform: Platform, state: &'static str, count: u64) {
    gauge!(DEVICES, "platform" => platform.as_str(), "state" => state).set(count as f64);
}

/// A phone stopped being rung, for `reason`.
pub fn device_disabled(platform: Platform, reason: &str) {
    let labels = [
        ("platform", platform.as_str().to_owned()),
        ("reason", bounded(reason)),
    ];
    counter!(DEVICES_DISABLED, &labels).increment(1);
}

/// When `credential` ends, UTC.
pub fn credential_expiry(credential: &'static str, at: Timestamp) {
    gauge!(CREDENTIAL_EXPIRY, "credential" => credential).set(seconds(at));
}

/// How many agents wait to be planned afresh.
pub fn plans_stale(count: u64) {
    gauge!(PLANS_STALE).set(count as f64);
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_described_and_rendered() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let second = Duration::from_secs(1);
            let at: Timestamp = "2026-03-30T07:00:00.5Z".parse().unwrap();
            describe();
            gauge!(BUILD_INFO, "version" => "1").set(1.0);
            tzdata("2026e");
            tzdata("2026f");
            scanned(at, second);
            transition_recorded(Reason::HoursStart, Some(second));
            transition_recorded(Reason::Sync, None);
            let ended = |outcome, reason| Ended {
                outcome,
                reason,
                lag: Some(second),
            };
            let sent = ended(DeliveryState::Sent, "ok");
            deliveries_ended(ChannelKind::Apns, [sent, sent].into_iter());
            let failed = ended(DeliveryState::Failed, "<b>no");
            deliveries_ended(ChannelKind::Fcm, [failed].into_iter());
            request_ended(ChannelKind::Fcm, second);
            deliveries(ChannelKind::Fcm, DeliveryState::Pending, 3);
            oldest_pending(ChannelKind::Fcm, second);
            breaker(ChannelKind::Presence, true);
            devices(Platform::Ios, "active", 2);
            device_disabled(Platform::Ios, "Unregistered");
            credential_expiry("fcm", at);
            plans_stale(1);
            lease_renewed(Verdict::Sent);
            presence_compared(Found::Drifted);
        });
        let text = handle.render();
        for (name, kind, help) in ALL {
            let kind = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            assert!(
                text.contains(&format!("# TYPE {name} {kind}\n")),
                "{name}\n{text}"
            );
            assert!(
                text.contains(&format!("# HELP {name} {help}\n")),
                "{name}\n{text}"
            );
        }
        for line in [
            "shiftbell_tzdata_info{version=\"2026e\"} 0",
            "shiftbell_tzdata_info{version=\"2026f\"} 1",
            "shiftbell_last_successful_scan_timestamp_seconds 1774854000.5",
            "shiftbell_transition_lag_seconds_bucket{kind=\"start\",le=\"1\"} 1",
            "shiftbell_delivery_lag_seconds_count{channel=\"apns\"} 2",
            "shiftbell_deliveries_total{channel=\"apns\",outcome=\"sent\",reason=\"ok\"} 2",
            "shiftbell_deliveries_total{channel=\"fcm\",outcome=\"failed\",reason=\"other\"} 1",
            "shiftbell_breaker_open{channel=\"presence\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(
            !text.contains("delivery_lag_seconds_count{channel=\"fcm\"}"),
            "{text}"
        );
    }
}
