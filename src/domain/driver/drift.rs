//! What a difference between us and a product means. Pure.
//!
//! A product shows something else than was recorded because it never took it, or because somebody set
//! it there since. The first is mended; the second is somebody's own click, which holds until the next
//! change. They are told apart by what the product was seen to show: once it has shown a change, or has
//! proven in its answer that it took it, a later difference was made there.

use super::Shown;

/// What was recorded of an agent, and what is known of how the product took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The agent's id, ours.
    pub agent: String,
    /// What the product is to show.
    pub shown: Shown,
    /// The sequence of the change that says so.
    pub sequence: i64,
    /// The last sequence that the product was seen to show, or 0. Below 0: up to this one it was told of
    /// another id than the agent has there now.
    pub confirmed: i64,
    /// The last sequence that was posted to mend a difference, or 0.
    pub mended: i64,
    /// Whether its event is still on its way.
    pub pending: bool,
    /// Whether its event was accepted.
    pub sent: bool,
}

/// What comes of a look at the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Found {
    /// It shows what was recorded.
    Agrees,
    /// It has not been told yet.
    Pending,
    /// It shows something else, which somebody set there.
    SetThere,
    /// It shows something else, for it never took what was recorded.
    Drifted,
    /// It shows something else though that was mended once: it does not take it.
    NotTaken,
    /// It knows no such agent.
    Unknown,
    /// It could not tell now.
    Unread,
}

crate::domain::presence::words!(Found {
    Agrees => "agrees", Pending => "pending", SetThere => "set_there", Drifted => "drifted",
    NotTaken => "not_taken", Unknown => "unknown_agent", Unread => "unread",
});

impl Found {
    /// Whether the recorded status is to be posted again; with `force` over what was set there, too.
    pub fn is_to_mend(self, force: bool) -> bool {
        match self {
            Self::Drifted => true,
            Self::SetThere | Self::NotTaken => force,
            Self::Agrees | Self::Pending | Self::Unknown | Self::Unread => false,
        }
    }
}

impl Told {
    /// What it means that the product shows what was recorded (`Some(true)`), something else, or no such
    /// agent (`None`). `proves`: whether its answers prove that it took a change.
    pub fn found(&self, shows: Option<bool>, proves: bool) -> Found {
        match shows {
            _ if self.pending => Found::Pending,
            None => Found::Unknown,
            Some(true) => Found::Agrees,
            // Whatever it took and shows, it is somebody else's.
            Some(false) if self.confirmed == -self.sequence => Found::Drifted,
            Some(false) if self.confirmed == self.sequence || (self.sent && proves) => {
                Found::SetThere
            }
            Some(false) if self.mended == self.sequence => Found::NotTaken,
            Some(false) => Found::Drifted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        Told {
            agent: "a-1".to_owned(),
            shown: Shown::Online,
            sequence: 5,
            confirmed: 4,
            mended: 0,
            pending: false,
            sent: true,
        }
    }

    #[test]
    fn differences_are_told_apart() {
        let rows = [
            ("agrees", told(), Some(true), true, Found::Agrees),
            ("never shown", told(), Some(false), false, Found::Drifted),
            (
                "proven when it was sent",
                told(),
                Some(false),
                true,
                Found::SetThere,
            ),
            (
                "shown before",
                Told {
                    confirmed: 5,
                    ..told()
                },
                Some(false),
                false,
                Found::SetThere,
            ),
            (
                "refused",
                Told {
                    sent: false,
                    ..told()
                },
                Some(false),
                true,
                Found::Drifted,
            ),
            (
                "on its way",
                Told {
                    pending: true,
                    ..told()
                },
                Some(false),
                true,
                Found::Pending,
            ),
            (
                "mended in vain",
                Told {
                    mended: 5,
                    ..told()
                },
                Some(false),
                false,
                Found::NotTaken,
            ),
            (
                "mended before",
                Told {
                    mended: 4,
                    ..told()
                },
                Some(false),
                false,
                Found::Drifted,
            ),
            (
                "told of another id",
                Told {
                    confirmed: -5,
                    ..told()
                },
                Some(false),
                true,
                Found::Drifted,
            ),
            ("not there", told(), None, true, Found::Unknown),
        ];
        for (name, told, shows, proves, expected) in rows {
            assert_eq!(told.found(shows, proves), expected, "{name}");
        }
    }

    #[test]
    fn what_was_set_there_is_mended_by_force_alone() {
        let all = [
            Found::Agrees,
            Found::Pending,
            Found::SetThere,
            Found::Drifted,
            Found::NotTaken,
            Found::Unknown,
            Found::Unread,
        ];
        let mended = |force| {
            all.into_iter()
                .filter(|f| f.is_to_mend(force))
                .collect::<Vec<_>>()
        };
        assert_eq!(mended(false), [Found::Drifted]);
        assert_eq!(
            mended(true),
            [Found::SetThere, Found::Drifted, Found::NotTaken]
        );
    }
}
