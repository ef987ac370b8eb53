//! What joins the rooms: loops that take no input and reconcile.
//!
//! `run`, `tick` and several workers at once go through the same code: [`scan::Scan::pass`] records
//! what is due, and a [`lane::Lane`] a receiver sends what was recorded; while lanes run, as far as they
//! have places, at once ([`direct`]). A crash at any point leaves
//! rows that the next pass, in whatever process, finds and finishes.

pub mod direct;
pub mod lane;
mod message;
pub mod receivers;
pub mod scan;
pub mod service;
mod settle;
mod tell;
pub mod upkeep;
pub mod zones;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};

use crate::{clock::Clock, lifecycle::Progress, store::Store};

/// What every loop is handed.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The database.
    pub store: Store,
    /// The time, in production the database's where it has one.
    pub clock: Clock,
    /// This process, as attempts name it.
    pub worker: Arc<str>,
    /// Touched whenever the scan's loop turns, and with each batch of a long pass.
    pub progress: Progress,
    /// Wakes the scan: the database changed.
    pub scan_wake: Arc<Notify>,
    /// Wakes the lanes: there may be something to send.
    pub send_wake: Arc<Notify>,
    /// Held while deliveries are under way whose worker went down before: those of one lane at a time,
    /// or the one at fault would bring the blame on innocent ones of another receiver.
    pub suspect: Arc<Semaphore>,
}

impl Shared {
    /// For one process; `worker` is its name in the log.
    pub fn new(store: Store, clock: Clock, worker: &str) -> Self {
        Self {
            store,
            clock,
            worker: worker.into(),
            progress: Progress::new(),
            scan_wake: Arc::default(),
            send_wake: Arc::default(),
            suspect: Arc::new(Semaphore::new(1)),
        }
    }
}

/// What a mutex holds, though somebody panicked who held it: none of ours is left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
