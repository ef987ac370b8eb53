//! One target's loop: case after case until time is up, each watched.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    time::Duration,
};

use shiftbell::clock::Stopwatch;

/// A case that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `case` with the seeds that follow the first one; it is handed the seed and a place to put its
/// input before it is tried, and says what is wrong.
pub(crate) fn target(name: &str, mut case: impl FnMut(u64, &mut Vec<u8>) -> Result<(), String>) {
    let number = |variable: &str| std::env::var(variable).ok()?.parse::<u64>().ok();
    let seconds = number("SHIFTBELL_FUZZ_SECONDS").unwrap_or(3);
    let first = number("SHIFTBELL_SEED").unwrap_or_else(|| rand::random::<u32>().into());
    let turns = watch(name);
    let watch = Stopwatch::start();
    let mut seed = first;
    while watch.elapsed() < Duration::from_secs(seconds) {
        turns.send(seed).unwrap();
        let mut input = Vec::new();
        let tried = catch_unwind(AssertUnwindSafe(|| case(seed, &mut input)));
        let wrong = match tried {
            Ok(Ok(())) => None,
            Ok(Err(wrong)) => Some(wrong),
            Err(_) => Some("it panicked, see above".to_owned()),
        };
        if let Some(wrong) = wrong {
            let path = save(name, seed, &input);
            panic!(
                "{wrong}\nthe input is in {}; SHIFTBELL_SEED={seed} replays it",
                path.display()
            );
        }
        seed += 1;
    }
    let cases = seed - first;
    assert!(cases > 10, "{cases} cases in {seconds} s");
    println!("{name}: {cases} cases from seed {first}");
}

fn save(name: &str, seed: u64, input: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{seed}"));
    fs::write(&path, input).unwrap();
    path
}

/// Ends the process if a case does not end: nothing else ends a loop. Watches until the sender is gone.
fn watch(name: &str) -> Sender<u64> {
    let (turns, seen) = channel();
    let name = name.to_owned();
    std::thread::spawn(move || {
        let mut last = 0;
        loop {
            match seen.recv_timeout(PATIENCE) {
                Ok(case) => last = case,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    println!("{name} hangs; SHIFTBELL_SEED={last} replays it");
                    std::process::exit(101);
                }
            }
        }
    });
    turns
}
