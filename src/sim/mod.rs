//! Stand-ins for APNs, FCM, the presence API and chat products: real servers on this machine.
//!
//! `shiftbell demo` runs on them and so do the tests, which is why they live in the library. They
//! listen on the loopback address only, over TLS under a throw-away authority, keep to the
//! receivers' published rules strictly, record everything they get, and misbehave when a test's
//! [`script::Script`] tells them to. [`World`] starts all of them and writes the configuration that
//! points the worker at them.
//!
//! That they are as strict as the real receivers is checked twice: each rule by our own requests
//! (`tests/stand_ins/`), and the whole by clients that others wrote (`tests/third_party.rs`).

use std::{io, net::SocketAddr, path::PathBuf};

pub mod apns;
mod apns_request;
mod apns_token;
mod body;
pub mod fcm;
mod fcm_message;
mod fcm_oauth;
mod fcm_schema;
mod jwt;
pub mod presence;
mod presence_body;
mod presence_memory;
pub mod product;
pub mod record;
pub mod script;
mod serve_h1;
mod serve_h2;
pub mod server;
pub mod tls;
mod world;

pub use fcm_oauth::ReceivedGrant;
pub use presence_body::{PostedEvent, Subject};
pub use presence_memory::Finding;
pub use world::{World, WorldOptions};

/// Why a stand-in could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The port cannot be listened on.
    #[error("a stand-in cannot listen on {socket}; is the port taken?")]
    Listen {
        /// The address asked for.
        socket: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The certificate authority could not be made.
    #[error("cannot make the stand-ins' certificates")]
    Certificate(#[from] rcgen::Error),
    /// The TLS settings were refused.
    #[error("cannot set up the stand-ins' TLS")]
    Tls(#[from] rustls::Error),
    /// A file of the stand-ins' world could not be written.
    #[error("cannot write {}; is the folder there and writable?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The shared secret is not in the form of Standard Webhooks.
    #[error("the webhook secret must be \"whsec_\" followed by base64")]
    WebhookSecret,
}
