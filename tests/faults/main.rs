//! Faults of the real world, injected into the real program, each judged by the one checker.
//!
//! Not libtest's harness: each fault reports how often it really struck, and one that never did has
//! failed. `tests/FAULTS.md` says how to add one.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says best that it fails by failing, and this one prints a table"
)]

#[path = "../checker/mod.rs"]
mod checker;
#[path = "../support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with other test crates"
)]
mod support;

mod kit;

mod cancelled_begin;
mod clock_ahead;
mod clock_back;
mod commit_answer_lost;
mod connections_break;
mod corrupt_file;
mod crash_after_acceptance;
mod crash_after_lease;
mod crash_at_commits;
mod crash_loop;
mod credentials;
mod deadlock;
mod disk_full;
mod downtime;
mod driver_crash_loop;
mod dst;
mod eight_workers;
mod every_answer;
mod frozen_before_send;
mod frozen_in_request;
mod fsync_fails;
mod garbage;
mod half_open;
mod long_transaction;
mod needle;
mod one_receiver_down;
mod poison;
mod pooler;
mod postgres_crashes;
mod postgres_restarts;
mod read_only;
mod receiver_stalls;
mod shared_file;
mod simulation;
mod terminated;
mod throttled;
mod unreachable;
mod workers_disagree;
mod zone_data_changes;

use std::{future::Future, pin::Pin, sync::Arc};

use kit::{Extent, Report};
use shiftbell::clock::Stopwatch;
use tokio::sync::Semaphore;

type Running = Pin<Box<dyn Future<Output = Report> + Send>>;

/// A row of the table.
struct Fault {
    /// Its numbers in the list of faults.
    number: &'static str,
    name: &'static str,
    inject: fn(Extent) -> Running,
}

macro_rules! faults {
    ($($number:literal $file:ident $name:literal;)+) => {
        const FAULTS: &[Fault] = &[$(Fault {
            number: $number,
            name: $name,
            inject: |extent| Box::pin($file::inject(extent)),
        }),+];
    };
}

faults! {
    "1" crash_at_commits "killed at each commit, SQLite";
    "2" crash_after_lease "killed after the lease, before the send";
    "3" crash_after_acceptance "killed after the receiver accepted";
    "4" crash_loop "killed in a loop while boundaries fall";
    "4" driver_crash_loop "killed in a loop while a chat product is driven";
    "5" poison "a delivery that takes its worker down";
    "6" frozen_before_send "frozen before the send, longer than the lease";
    "7" frozen_in_request "frozen in the middle of a request";
    "8" postgres_crashes "Postgres crashes";
    "9" postgres_restarts "Postgres restarts under load";
    "all" simulation "a simulated team under random faults, by seed";
    "10" commit_answer_lost "the answer to COMMIT is lost";
    "11" unreachable "the database is out of reach, then cuts connections";
    "12" cancelled_begin "callers give up in the middle of a transaction";
    "13" deadlock "deadlocks and serialization failures";
    "14" long_transaction "another session's long transaction, Postgres";
    "15" pooler "a pooler in transaction mode";
    "16" eight_workers "eight workers, all boundaries at one instant";
    "17, 18" shared_file "services, ticks and a reader on one SQLite file";
    "19" disk_full "the disk is full";
    "20" fsync_fails "fsync fails, SQLite";
    "23" corrupt_file "a page of the file is overwritten, SQLite";
    "24" read_only "the file cannot be written, SQLite";
    "25" clock_ahead "the clock steps an hour ahead and back";
    "26" clock_back "the clock steps an hour back";
    "27" workers_disagree "workers ten minutes ahead and behind, Postgres";
    "28" downtime "nobody runs for three hours, then three days";
    "29" dst "clock changes, minute by minute";
    "30" zone_data_changes "time-zone data change while it runs";
    "31, 32" receiver_stalls "receivers hang, drip, and send 100 MB";
    "33, 34" connections_break "GOAWAY in mid-batch, refused and reset streams";
    "34" garbage "answers that are no answers";
    "35" half_open "the way to the receivers goes silent";
    "36" throttled "429 with every kind of Retry-After";
    "37" credentials "credentials refused for ten minutes";
    "37" one_receiver_down "one receiver down for an hour";
    "37" every_answer "every answer of the tables, in bulk";
    "38" needle "all boundaries at one instant, one worker";
    "39" terminated "SIGTERM under load";
}

/// Most of the time a fault waits for seconds to pass: so several run side by side.
const SIDE_BY_SIDE: usize = 3;

fn main() -> std::process::ExitCode {
    let extent = match std::env::var("SHIFTBELL_FAULTS").as_deref() {
        Ok("full") => Extent::Full,
        _ => Extent::Quick,
    };
    // Whatever else libtest understands means nothing here.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let chosen: Vec<&'static Fault> = FAULTS
        .iter()
        .filter(|fault| {
            wanted.is_empty()
                || wanted
                    .iter()
                    .any(|w| fault.name.contains(w) || fault.number == w)
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let reports = runtime.block_on(all(&chosen, extent));
    print(&chosen, &reports)
}

async fn all(chosen: &[&'static Fault], extent: Extent) -> Vec<Report> {
    let places = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let running: Vec<_> = chosen
        .iter()
        .map(|fault| {
            let (places, inject, name) = (Arc::clone(&places), fault.inject, fault.name);
            tokio::spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                let watch = Stopwatch::start();
                let report = inject(extent).await;
                println!(
                    "{name}: struck {} times in {:.0?}",
                    report.struck,
                    watch.elapsed()
                );
                report
            })
        })
        .collect();
    let mut reports = Vec::new();
    for fault in running {
        reports.push(fault.await.unwrap_or_else(|panic| Report {
            struck: 0,
            found: vec![format!("the test itself failed: {panic}")],
        }));
    }
    reports
}

fn print(chosen: &[&Fault], reports: &[Report]) -> std::process::ExitCode {
    println!(
        "\n{:>7}  {:<55} {:>6}  invariants  verdict",
        "fault", "", "struck"
    );
    let mut failed = 0;
    for (fault, report) in chosen.iter().zip(reports) {
        let good = report.struck > 0 && report.found.is_empty();
        failed += usize::from(!good);
        println!(
            "{:>7}  {:<55} {:>6}  L D P C S K  {}",
            fault.number,
            fault.name,
            report.struck,
            if good { "passed" } else { "FAILED" }
        );
        for line in report.found.iter().take(10) {
            println!("         {line}");
        }
        if report.found.len() > 10 {
            println!("         and {} more", report.found.len() - 10);
        }
    }
    let passed = chosen.len() - failed;
    println!(
        "\ntest result: {}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out\n",
        if failed == 0 { "ok" } else { "FAILED" }
    );
    std::process::ExitCode::from(u8::from(failed > 0))
}
