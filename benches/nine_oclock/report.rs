//! The figures, for people and for programs.

use serde::Serialize;

use crate::{
    database::Statement,
    modes::{Cost, Idle, Import, Replan, Tick, Workers},
    raw::Limits,
    shift::Shift,
    worker::Used,
};

/// The main measurement: a shift's start, and what the wire could carry.
#[derive(Debug, Serialize)]
pub(crate) struct NineOclock {
    #[serde(flatten)]
    pub(crate) shift: Shift,
    pub(crate) raw: Limits,
    /// Pushes a second by the raw limit's.
    pub(crate) ratio: f64,
    /// The bare client's CPU by the worker's, with that of all they need: what else runs on the
    /// machine does not change it.
    pub(crate) cpu_ratio: f64,
}

/// Prints a report, as JSON or as its table.
pub(crate) fn print<T: Serialize>(json: bool, report: &T, table: impl FnOnce(&T) -> Vec<Row>) {
    if json {
        let text = serde_json::to_string(report).unwrap_or_default();
        println!("{text}");
        return;
    }
    let rows = table(report);
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, value) in rows {
        println!("{name:<width$}  {value}");
    }
}

type Row = (String, String);

fn row(name: &str, value: impl Into<String>) -> Row {
    (name.to_owned(), value.into())
}

/// The rows of the main measurement.
pub(crate) fn nine_oclock(report: &NineOclock) -> Vec<Row> {
    let mut rows = shift(&report.shift);
    let NineOclock {
        raw,
        ratio,
        cpu_ratio,
        ..
    } = report;
    rows.extend([
        row(
            "raw limit, APNs alone",
            format!("{:.0} requests/s", raw.apns),
        ),
        row("raw limit, FCM alone", format!("{:.0} requests/s", raw.fcm)),
        row(
            "raw limit, both at once",
            format!("{:.0} requests/s", raw.pushes),
        ),
        row(
            "raw limit, presence",
            format!("{:.0} batches/s, {:.0} events/s", raw.batches, raw.events),
        ),
        row(
            "CPU per 1,000 raw pushes",
            format!("{:.4} s, client and stand-ins", raw.cpu),
        ),
        row("pushes/s ÷ raw limit", format!("{:.1} %", ratio * 100.0)),
        row("the same by CPU", format!("{:.1} %", cpu_ratio * 100.0)),
    ]);
    rows
}

/// The rows of one start.
pub(crate) fn shift(shift: &Shift) -> Vec<Row> {
    let mut rows = vec![
        row(
            "agents, workers",
            format!("{}, {}", shift.agents, shift.workers),
        ),
        row("import", format!("{:.2} s", shift.import_seconds)),
        row(
            "first evaluation, posted",
            format!("{:.2} s", shift.first_evaluation_seconds),
        ),
        row(
            "plans after new hours",
            format!("{:.2} s", shift.plan_seconds),
        ),
        row(
            "pushes",
            format!(
                "{:.0}/s ({} in {:.2} s)",
                shift.pushes_per_second, shift.pushes, shift.push_seconds
            ),
        ),
        row(
            "presence events",
            format!(
                "{:.0}/s ({} in {:.2} s)",
                shift.events_per_second, shift.events, shift.event_seconds
            ),
        ),
    ];
    for late in &shift.lateness {
        let (name, early) = (format!("lateness, {}", late.channel), late.early);
        let text = format!(
            "p50 {:.2} s  p90 {:.2} s  p99 {:.2} s  max {:.2} s",
            late.p50, late.p90, late.p99, late.max
        );
        rows.push((
            name,
            if early > 0 {
                format!("{text}  {early} TOO EARLY")
            } else {
                text
            },
        ));
    }
    rows.extend(costs(shift));
    rows.extend(statements(&shift.top, shift.pushes, "alert"));
    if shift.refused + shift.findings as u64 > 0 {
        rows.push(row(
            "REFUSED, BROKEN PROMISES",
            format!("{}, {}", shift.refused, shift.findings),
        ));
    }
    rows
}

/// What each statement cost, dearest first; what others call for is marked and not added up.
fn statements(top: &[Statement], units: u64, unit: &str) -> Vec<Row> {
    if top.is_empty() {
        return Vec::new();
    }
    let own = |s: &&Statement| !s.nested;
    let sum: f64 = top.iter().filter(own).map(Statement::ms).sum();
    let units = units as f64;
    let mut rows = vec![row(
        "statements",
        format!(
            "{sum:.0} ms in these, {:.0} µs per {unit}",
            sum * 1e3 / units
        ),
    )];
    rows.extend(top.iter().map(|s| {
        let calls = s.calls.max(1) as f64;
        let figures = format!(
            "{:>8.0} ms {:>3.0} % {:>5.0} µs/{unit}",
            s.ms(),
            s.ms() / sum * 100.0,
            s.ms() * 1e3 / units,
        );
        let text = format!(
            "{:>6} × {:>7.2} ms (plan {:.2}) {:>6.0} rows, WAL {:>5.0} B/{unit}: {}{}",
            s.calls,
            s.total_ms / calls,
            s.plan_ms / calls,
            s.rows as f64 / calls,
            s.wal_bytes as f64 / units,
            if s.nested { "(nested) " } else { "" },
            s.text,
        );
        (figures, text)
    }));
    rows
}

fn costs(shift: &Shift) -> Vec<Row> {
    let alerts = shift.pushes as f64;
    let thousand = alerts / 1000.0;
    let mut rows = Vec::new();
    let cpu = &shift.cpu;
    rows.push(row(
        "CPU per 1,000 alerts, worker",
        format!("{:.3} s", cpu.worker / thousand),
    ));
    if let Some(database) = cpu.database {
        rows.push(row(
            "CPU per 1,000 alerts, database",
            format!("{:.3} s", database / thousand),
        ));
    }
    rows.push(row(
        "CPU per 1,000 alerts, stand-ins",
        format!("{:.3} s", cpu.stand_ins / thousand),
    ));
    let later = &shift.cpu_afterwards;
    rows.push(row(
        "of it after the rush",
        format!(
            "worker {:.3} s, database {:.3} s",
            later.worker / thousand,
            later.database.unwrap_or(0.0) / thousand
        ),
    ));
    rows.push(row(
        "worker's peak memory",
        format!("{:.0} MiB", shift.peak_memory_mib),
    ));
    if let Some(counted) = &shift.database {
        rows.extend([
            row(
                "statements per alert",
                format!("{:.3}", counted.statements / alerts),
            ),
            row(
                "transactions per alert",
                format!("{:.3}", counted.transactions / alerts),
            ),
            row(
                "WAL per alert",
                format!("{:.0} bytes", counted.wal_bytes / alerts),
            ),
            row(
                "WAL to disc",
                format!(
                    "{:.0} times, {:.0} ms in sum",
                    counted.wal_syncs, counted.wal_sync_ms
                ),
            ),
        ]);
    }
    rows
}

/// The rows of `idle`.
pub(crate) fn idle(idle: &Idle) -> Vec<Row> {
    let mut rows = vec![
        row("agents", idle.agents.to_string()),
        row(
            "worker's CPU",
            format!("{:.2} s in {:.0} s", idle.worker_cpu, idle.seconds),
        ),
        row("worker's memory", format!("{:.0} MiB", idle.worker_mib)),
    ];
    if let (Some(cpu), Some(mib)) = (idle.database_cpu, idle.database_mib) {
        rows.push(row(
            "database's CPU",
            format!("{cpu:.2} s in {:.0} s", idle.seconds),
        ));
        rows.push(row("database's memory", format!("{mib:.0} MiB")));
    }
    if let Some(statements) = idle.statements {
        rows.push(row("statements", format!("{statements:.0}")));
    }
    rows.extend(statements(&idle.top, idle.agents, "agent"));
    rows
}

/// The rows of `replan`.
pub(crate) fn replan(replan: &Replan) -> Vec<Row> {
    let mut rows = vec![
        row("agents", replan.agents.to_string()),
        row("all plans afresh", format!("{:.2} s", replan.seconds)),
        row("worker's CPU", format!("{:.2} s", replan.worker_cpu)),
    ];
    if let Some(cpu) = replan.database_cpu {
        rows.push(row("database's CPU", format!("{cpu:.2} s")));
    }
    rows.push(row(
        "the pure part, one core",
        format!("{:.0} agents/s", replan.pure),
    ));
    rows.extend(statements(&replan.top, replan.agents, "agent"));
    rows
}

/// The rows of `tick`.
pub(crate) fn tick(tick: &Tick) -> Vec<Row> {
    vec![
        row("agents", tick.agents.to_string()),
        row("first pass", format!("{:.2} s", tick.first_seconds)),
        row(
            "tick with nothing due",
            format!(
                "{:.1} ms ({:.1} to {:.1})",
                tick.median_ms, tick.fastest_ms, tick.slowest_ms
            ),
        ),
        row("its CPU", format!("{:.1} ms on average", tick.cpu_ms)),
    ]
}

/// The rows of `import`.
pub(crate) fn import(import: &Import) -> Vec<Row> {
    vec![
        row("agents", import.agents.to_string()),
        row("import", format!("{:.2} s", import.first_seconds)),
        row("its CPU", cpu(import.first_cpu)),
        row("the same again", format!("{:.2} s", import.again_seconds)),
        row("its CPU", cpu(import.again_cpu)),
    ]
}

fn cpu(used: Used) -> String {
    let database = used.database.map(|s| format!(", database {s:.2} s"));
    format!(
        "command {:.2} s{}",
        used.command,
        database.unwrap_or_default()
    )
}

/// The rows of `workers`.
pub(crate) fn workers(workers: &Workers) -> Vec<Row> {
    let mut rows = shift(&workers.one);
    rows.push(row("", ""));
    rows.extend(shift(&workers.several));
    rows.extend([
        row("speed-up", format!("{:.2}", workers.speed_up)),
        row(
            "one worker's share of its limit",
            format!(
                "{:.0} % of {:.0} pushes/s, which delay and requests in flight allow",
                workers.one.pushes_per_second / workers.one_at_most * 100.0,
                workers.one_at_most
            ),
        ),
    ]);
    rows
}

/// The rows of `cost`.
pub(crate) fn cost(cost: &Cost) -> Vec<Row> {
    let mut rows = Vec::new();
    for one in &cost.shifts {
        rows.extend(shift(one));
        rows.push(row("", ""));
    }
    for (one, ratio) in cost.shifts.iter().zip(&cost.ratios) {
        let ms = one.cpu_an_alert() * 1e3;
        rows.push(row(
            &format!("CPU an alert, {} agents", one.agents),
            format!("{ms:.3} ms, ratio {ratio:.2}"),
        ));
    }
    rows
}
