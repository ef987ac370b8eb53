//! What a product is to show of an agent, and its words for it.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::presence::{Status, words};

/// What a product is to show of an agent. Products know no agent who is unseen and gets conversations:
/// whoever helps out is shown online for as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shown {
    /// Gets conversations.
    Online,
    /// Off duty.
    Offline,
    /// On duty, gets none.
    Invisible,
}

words!(Shown { Online => "online", Offline => "offline", Invisible => "invisible" });

impl Shown {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Online, Self::Offline, Self::Invisible];

    /// What a status that was recorded is shown as.
    pub fn of(status: Status, accepts_conversations: bool) -> Self {
        match status {
            _ if accepts_conversations => Self::Online,
            Status::Online => Self::Online,
            Status::Offline => Self::Offline,
            Status::Invisible => Self::Invisible,
        }
    }
}

/// A product's words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    online: Word,
    offline: Word,
    invisible: Option<Word>,
}

impl Words {
    /// The word for `shown`; unseen agents are offline where a product has no word for them.
    pub fn get(&self, shown: Shown) -> &Word {
        match shown {
            Shown::Online => &self.online,
            Shown::Offline => &self.offline,
            Shown::Invisible => self.invisible.as_ref().unwrap_or(&self.offline),
        }
    }
}

/// A product's word for a status: a text, a number, a truth value, or a table of them, whose parts are
/// `{status.name}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Word(Value);

impl Word {
    /// A word from a value.
    pub fn new(value: impl Into<Value>) -> Self {
        Self(value.into())
    }

    /// The word itself.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The part `name` of a table, or the word itself for the empty name.
    pub fn part(&self, name: &str) -> Option<&Value> {
        if name.is_empty() {
            return (!self.0.is_object()).then_some(&self.0);
        }
        self.0.get(name).filter(|part| !part.is_object())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_gets_conversations_is_shown_online() {
        let rows = [
            (Status::Online, true, Shown::Online),
            (Status::Offline, false, Shown::Offline),
            (Status::Invisible, false, Shown::Invisible),
            (Status::Invisible, true, Shown::Online),
        ];
        for (status, accepts, shown) in rows {
            assert_eq!(Shown::of(status, accepts), shown, "{status:?} {accepts}");
        }
    }
}
