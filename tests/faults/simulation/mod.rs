//! A deterministic simulation: the real scan, lanes and store on a clock that the simulation moves,
//! with models in place of the receivers. Weeks pass in a second, and a failing seed replays exactly.
//!
//! The seam lies at [`Channel`](shiftbell::channels::Channel): whatever a receiver may answer is drawn
//! from a hash of seed, delivery and attempt, so it does not depend on the order in which tasks run.
//! The worker lives many lives, each on a runtime of its own: a life that ends by a crash ends as by
//! `kill -9`, with leases taken and answers lost. What this leaves out: the wire clients (they have
//! tests of their own), Postgres (the other rows), and races inside one transaction, since a life does
//! one thing at a time.
//!
//! Every third seed lives as the service does instead, where scan and lanes go on side by side and the scan
//! hands over what it records. What holds of the others holds there; but which of them comes first is
//! SQLite's, and such a seed does not replay to the last attempt.

mod life;
mod model;
mod team;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    checker::{self, Run},
    kit::{Extent, Report},
};
use life::{Ending, Manner, Stage};
use model::{Dice, Receivers};

/// Seeds on each of two threads, and how many days each lives through.
const QUICK: (u64, i64) = (12, 10);
const FULL: (u64, i64) = (600, 10);

pub(crate) async fn inject(extent: Extent) -> Report {
    let (seeds, days) = extent.pick(QUICK, FULL);
    let first = std::env::var("SHIFTBELL_SEED")
        .ok()
        .map(|seed| seed.parse().unwrap());
    let next = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let next = Arc::clone(&next);
            tokio::task::spawn_blocking(move || {
                let mut all = Report::default();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let (seed, days) = match first {
                        Some(seed) if n == 0 => (seed, days),
                        // One of them lives through a whole year.
                        None if n == 0 => (0, extent.pick(60, 365)),
                        None if n < 2 * seeds => (n, days),
                        _ => break,
                    };
                    add(&mut all, seed, play(seed, days));
                }
                all
            })
        })
        .collect();
    let mut report = Report::default();
    for thread in threads {
        report = report.and(thread.await.unwrap());
    }
    // The same seed is the same run, to the last attempt.
    let twice = tokio::task::spawn_blocking(|| [play(7, 6).digest, play(7, 6).digest]);
    let [one, other] = twice.await.unwrap();
    if one != other {
        report
            .found
            .push("the simulation is not deterministic".to_owned());
    }
    report
}

fn add(all: &mut Report, seed: u64, played: Played) {
    all.struck += played.struck;
    let found = played.found.into_iter();
    all.found
        .extend(found.map(|line| format!("seed {seed}: {line}")));
}

/// What became of one seed.
struct Played {
    struck: u64,
    found: Vec<String>,
    digest: String,
}

/// Lives through `days` days of trouble, then through a day of peace, and judges.
fn play(seed: u64, days: i64) -> Played {
    let mut dice = Dice::new(seed);
    let start: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    let start = start + SignedDuration::from_hours(24 * dice.below(300));
    let receivers = Receivers::new(seed);
    let manner = match seed % 3 {
        2 => Manner::SideBySide,
        _ => Manner::InTurns,
    };
    let mut stage = Stage::set(start, &mut dice, Arc::clone(&receivers), manner);
    let end = start + SignedDuration::from_hours(24 * days);
    while stage.clock.now() < end {
        let trouble = dice.below(100);
        match trouble {
            0..=9 => stage.live(end, &mut dice, Ending::Crash),
            10..=14 => stage.sleep_through(&mut dice, 72 * 60),
            15..=24 => stage.sleep_through(&mut dice, 40),
            25..=27 => stage.step_back(&mut dice),
            28..=29 => stage.edit(&mut dice),
            _ => stage.live(end, &mut dice, Ending::Restart),
        }
    }
    receivers.make_peace();
    stage.rest(&mut dice);
    let struck = receivers.struck() + stage.crashes;
    let found = stage.judge(|run: &Run<'_>| {
        let runtime = life::runtime();
        runtime.block_on(checker::violations(run))
    });
    Played {
        struck,
        found,
        digest: stage.digest(),
    }
}
