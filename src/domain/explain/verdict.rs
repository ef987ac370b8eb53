//! What a story comes to, in a sentence or two.

use super::{
    Delivery, Occasion, Outcome,
    occasion::{Meant, minute},
    rules,
    tell::Teller,
    why::Cause,
    words::{self, utc},
};
impl Teller<'_> {
    pub(super) fn verdict(&mut self, meant: &Meant<'_>) -> (Outcome, String) {
        let (from, _) = minute(self.facts.at);
        let when = self.when(self.facts.at);
        let was = if self.facts.at > self.setting.now {
            "is"
        } else {
            "was"
        };
        let nothing = format!("Nothing {was} to ring at {when}");
        let absent = meant.absent.as_ref().zip(self.timetable);
        let absent = absent.map(|(absent, timetable)| rules::absent(absent, timetable));
        if meant.occasion.is_none() {
            self.status_before(self.facts.at, true);
        }
        match (meant.occasion, absent) {
            (None, Some(absent)) => (Outcome::Nothing, format!("{nothing}: {absent}.")),
            (None, None) => {
                let why = match (self.timetable, &self.facts.schedule) {
                    (Some(_), _) => {
                        "hours neither start nor end then, nor did they in the year before"
                    }
                    (None, Ok(None)) => {
                        "the agent was removed, and the log has nothing of that time"
                    }
                    (None, _) => "the log has nothing of that time",
                };
                (Outcome::Nothing, format!("{nothing}: {why}."))
            }
            (Some(occasion), absent) => {
                let (outcome, sentence) = self.occasion(occasion);
                let opening = match absent {
                    Some(absent) => format!("{nothing}: {absent}. "),
                    None if occasion.at < from => format!("{nothing}. What came last: "),
                    None => String::new(),
                };
                (outcome, capitalised(&format!("{opening}{sentence}")))
            }
        }
    }

    pub(super) fn will_come(&mut self, occasion: Occasion, phrase: &str) -> (Outcome, String) {
        let causes = self.silent(occasion, occasion.at, &[]);
        let (phones, silent) = (self.facts.phones.len(), causes.len());
        let will = match causes.first() {
            None if phones == 1 => "the phone will ring".to_owned(),
            None => format!("all {phones} phones will ring"),
            Some(cause) if cause.of_phone && silent < phones => {
                format!(
                    "{} of {phones} phones will ring: {}",
                    phones - silent,
                    cause.text
                )
            }
            Some(cause) => format!("as things stand, no phone will ring: {}", cause.text),
        };
        let verdict = format!("{phrase} is still to come; {will}.");
        (Outcome::ToCome, verdict)
    }

    /// What alerts came to, and why a phone has none.
    pub(super) fn came_to(
        &self,
        phrase: &str,
        alerts: &[&Delivery],
        silent: Option<&Cause>,
    ) -> (Outcome, String) {
        let sent = alerts.iter().filter(|alert| alert.state == "sent").count();
        let open = alerts
            .iter()
            .find(|alert| ["pending", "leased"].contains(&&*alert.state));
        let lost = alerts.iter().find(|alert| alert.state != "sent");
        let silent = silent.map_or("", |cause| &cause.text);
        match (alerts, open, lost) {
            ([], ..) => {
                let verdict = format!("{phrase} was recorded and called for no alert: {silent}.");
                (Outcome::NoAlert, verdict)
            }
            (_, Some(open), _) => {
                let (all, how) = (alerts.len(), words::waits(open, self.setting.now));
                let verdict = match all {
                    1 => format!("the alert for {phrase} {how}."),
                    _ => format!("{sent} of {all} alerts for {phrase} were accepted; one {how}."),
                };
                (Outcome::Waiting, verdict)
            }
            (_, None, Some(lost)) => lost_some(phrase, alerts.len(), sent, lost),
            (_, None, None) => (Outcome::Sent, accepted(phrase, alerts, silent)),
        }
    }
}

fn lost_some(phrase: &str, all: usize, sent: usize, lost: &Delivery) -> (Outcome, String) {
    let ended = words::ended(lost);
    match (all, sent) {
        (1, _) => (Outcome::NotSent, format!("the alert for {phrase} {ended}.")),
        (_, 0) => (
            Outcome::NotSent,
            format!("none of {all} alerts for {phrase} was accepted; the first {ended}."),
        ),
        _ => (
            Outcome::PartlySent,
            format!("{sent} of {all} alerts for {phrase} were accepted; one {ended}."),
        ),
    }
}

/// The receivers took them all; whether the phone rang is between them and it.
fn accepted(phrase: &str, alerts: &[&Delivery], silent: &str) -> String {
    let last = alerts.iter().filter_map(|alert| alert.settled_at).max();
    let last = last.map_or_else(String::new, |at| format!(" at {}", utc(at)));
    let what = match alerts {
        [one] => format!("{} accepted the alert{last}", words::receiver(&one.channel)),
        _ => format!("all {} alerts were accepted, the last{last}", alerts.len()),
    };
    let else_ = if silent.is_empty() {
        "if a phone stayed silent, look at its notification settings".to_owned()
    } else {
        format!("another phone was not to ring: {silent}")
    };
    format!("{what}, for {phrase}; {else_}.")
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
