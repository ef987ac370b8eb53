//! Real signals to this very process, and a real notification socket.
//!
//! One test only: signals and the environment belong to the whole process, and each file of tests
//! is a process of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up fails")]

use std::{os::unix::net::UnixDatagram, process::Command};

use shiftbell::lifecycle::{Progress, Shutdown, ready, stopping, watchdog};

fn signal(name: &str) {
    let pid = std::process::id().to_string();
    let status = Command::new("kill").args([name, &pid]).status();
    assert!(status.is_ok_and(|status| status.success()));
}

/// What systemd would hear, one message after the other. The environment has to be set before the
/// process starts, so the test starts itself again as the service.
#[test]
fn signals_stop_in_two_stages_and_systemd_hears_of_it() {
    if std::env::var_os("NOTIFY_SOCKET").is_some() {
        return service();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let itself = std::env::current_exe().unwrap();
    let status = Command::new(itself)
        .arg("signals_stop_in_two_stages_and_systemd_hears_of_it")
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "3000000")
        .status()
        .unwrap();
    assert!(status.success());
    socket.set_nonblocking(true).unwrap();
    let mut heard = Vec::new();
    let mut bytes = [0; 256];
    while let Ok(length) = socket.recv(&mut bytes) {
        heard.push(String::from_utf8_lossy(&bytes[..length]).trim().to_owned());
    }
    assert_eq!(heard, ["READY=1", "WATCHDOG=1", "STOPPING=1"]);
}

fn service() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().unwrap();
        ready();
        // Its first beat is at once, the next a second later.
        let feeding = tokio::spawn(watchdog(Progress::new(), shutdown.hard.clone()));
        tokio::task::yield_now().await;
        signal("-TERM");
        shutdown.soft.cancelled().await;
        assert!(!shutdown.hard.is_cancelled());
        stopping();
        signal("-INT");
        shutdown.hard.cancelled().await;
        feeding.await.unwrap();
    });
}
