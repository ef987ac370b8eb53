//! A receiver's words as labels, of which there must not be any number.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// How many different values a `reason` label takes.
const MOST_REASONS: usize = 100;

/// A receiver's word as a label.
pub(super) fn bounded(reason: &str) -> String {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    one_of_a_hundred(&mut seen, reason)
}

fn one_of_a_hundred(seen: &mut BTreeSet<String>, reason: &str) -> String {
    let a_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let plain = reason.len() <= 64 && reason.chars().all(a_word);
    if seen.contains(reason) || (plain && seen.len() < MOST_REASONS) {
        seen.insert(reason.to_owned());
        return reason.to_owned();
    }
    "other".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_cannot_make_labels_without_bound() {
        let mut seen = BTreeSet::new();
        let labels: BTreeSet<String> = (0..1_000)
            .map(|i| one_of_a_hundred(&mut seen, &format!("Reason{i}")))
            .collect();
        assert_eq!(labels.len(), MOST_REASONS + 1);
        assert_eq!(one_of_a_hundred(&mut seen, "Reason0"), "Reason0");
        assert_eq!(one_of_a_hundred(&mut seen, &"x".repeat(65)), "other");
    }
}
