//! Spoiling bytes, by a seed.

use std::{fs, path::Path};

/// What makes parsers stumble.
const WORDS: [&str; 40] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\u{1f514}",
    "\\ud800",
    "\\u0000",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "24:00",
    "25:61",
    "99999999999999999999",
    "0x7fffffff",
    "1s",
    "-0.0",
    "NaN",
    "9999-12-31",
    "-009999-01-01",
    "Europe/Paris",
    "EST5EDT",
    "../../etc/passwd",
    "file:///",
    "http://[::1",
    "//@:@",
    "mon",
    "\"\"\"",
    "[[",
];

/// `SplitMix64`.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    /// Less than `sides`, which is not 0.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// The files of `corpus/NAME`, always in the same order.
pub(crate) fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let entries = fs::read_dir(folder.join(name)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// One of `corpus`, spoilt in up to eight places; now and then in none.
pub(crate) fn spoilt(corpus: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = dice.pick(corpus).clone();
    for _ in 0..dice.roll(9) {
        spoil(&mut bytes, corpus, dice);
    }
    bytes
}

fn spoil(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.roll(bytes.len() + 1);
    let end = (at + 1 + dice.roll(40)).min(bytes.len());
    let part = bytes.get(at..end).unwrap_or_default().to_vec();
    match dice.roll(10) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
        1 if at < bytes.len() => bytes[at] = dice.roll(256) as u8,
        2 => drop(bytes.drain(at.min(end)..end)),
        3 => bytes.truncate(at),
        4 => insert(bytes, at, &part.repeat(1 + dice.roll(200))),
        5 => {
            let other = dice.pick(corpus);
            let from = dice.roll(other.len() + 1);
            let to = (from + dice.roll(200)).min(other.len());
            insert(bytes, at, &other[from..to]);
        }
        6 => insert(
            bytes,
            at,
            &b"[{"[..=dice.roll(2)].repeat(1 + dice.roll(3000)),
        ),
        7 => drop(bytes.splice(at.min(end)..end, dice.pick(&WORDS).bytes())),
        _ => insert(bytes, at, dice.pick(&WORDS).as_bytes()),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

/// Whether each `canary` in `bytes` still stands behind `before`: a secret that was moved to where
/// names stand is a name.
pub(crate) fn in_place(bytes: &[u8], before: &str, canary: &str) -> bool {
    let count = |word: &[u8]| bytes.windows(word.len()).filter(|w| *w == word).count();
    count(format!("{before}{canary}").as_bytes()) == count(canary.as_bytes())
}
