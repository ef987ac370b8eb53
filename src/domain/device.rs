//! Phones: which push service reaches them, and the token that must never be printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which operating system a phone runs, and so which push service reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Reached over APNs.
    Ios,
    /// Reached over FCM.
    Android,
}

impl Platform {
    /// The word used in the database, in import files and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Android => "android",
        }
    }
}

/// Which of Apple's two push hosts knows an iOS token. Android has only production.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// `api.push.apple.com`: apps from the App Store and `TestFlight`.
    #[default]
    Production,
    /// `api.sandbox.push.apple.com`: apps run from Xcode.
    Sandbox,
}

impl Environment {
    /// The word used in the database and in import files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        }
    }
}

/// The address of one app on one phone. `Debug` hides it; [`DeviceToken::expose`] is the one way out.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceToken(String);

impl DeviceToken {
    /// Wraps a token as the phone registered it.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, for the wire and the database only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken(…)")
    }
}
