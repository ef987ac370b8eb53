//! System calls of a running worker that fail for a while.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::{Theatre, Worker};

/// Makes one system call of a worker fail for as long as it lives.
pub(crate) struct Strace {
    child: Child,
    log: PathBuf,
}

impl Strace {
    /// Attaches to `worker`: each `call` of its ends with `error` from now on.
    pub(crate) fn fail(theatre: &Theatre, worker: &Worker, call: &str, error: &str) -> Self {
        let log = theatre.world.folder.join("strace");
        // A log of its own each time.
        let _ = fs::remove_file(&log);
        let child = Command::new("strace")
            .args(["-f", "-q", "-e", &format!("trace={call}"), "-e"])
            .arg(format!("inject={call}:error={error}"))
            .arg("-o")
            .arg(&log)
            .args(["-p", &worker.pid().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.expect("strace, from Debian");
        Self { child, log }
    }

    /// How often it struck so far.
    pub(crate) fn struck(&self) -> u64 {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.matches("INJECTED").count() as u64
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It lets go of the worker on its way out.
        super::worker::signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}
