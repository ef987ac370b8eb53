//! The time-zone data in use: what the scan decides by, and what lanes tell times of.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use super::lock;
use crate::{domain::zone::Zones, telemetry::metrics};

/// Time-zone data, exchanged for newer ones while the worker runs.
#[derive(Debug)]
pub struct ZonesInUse {
    zones: Mutex<Arc<Zones>>,
    directory: Option<PathBuf>,
}

impl ZonesInUse {
    /// Begins with `zones`; newer ones are looked for in `directory`, or where the system has them.
    pub fn new(zones: Zones, directory: Option<PathBuf>) -> Self {
        metrics::tzdata(zones.version());
        Self {
            zones: Mutex::new(Arc::new(zones)),
            directory,
        }
    }

    /// Those in use.
    pub fn get(&self) -> Arc<Zones> {
        Arc::clone(&lock(&self.zones))
    }

    /// Takes newer ones into use; broken ones are logged and the old kept.
    pub(super) fn reload(&self) {
        match crate::zones::changed(self.directory.as_deref(), &self.get()) {
            Ok(Some(zones)) => {
                metrics::tzdata(zones.version());
                *lock(&self.zones) = Arc::new(zones);
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "tzdata_unreadable"),
        }
    }
}
