//! The stand-ins keep to the receivers' published rules, and misbehave as told.

mod apns;
mod client;
mod faults;
mod fcm;
mod presence;
mod record;
