//! The real program as a process of its own.

use std::{
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use super::{theatre::Theatre, until};

/// A running worker; killed when it is dropped.
pub(crate) struct Worker {
    child: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts `shiftbell COMMAND` in `theatre`, under `wrapper` (a program and its arguments, such as
    /// strace) if that is not empty.
    pub(crate) fn start(
        theatre: &Theatre,
        command: &str,
        wrapper: &[&str],
        env: &[(&str, String)],
    ) -> Self {
        let log = theatre.next_log();
        let program = env!("CARGO_BIN_EXE_shiftbell");
        let mut words = wrapper.to_vec();
        words.extend([program, command, "--log", "info", "--config"]);
        let child = Command::new(words[0])
            .args(&words[1..])
            .arg(&theatre.world.config_path)
            .envs(env.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// As a crash would end it.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.child.wait().unwrap();
    }

    /// Waits for it to end by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Asks it to end, and whether it ended well. Before it listens to signals they end it at once.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let started = until("the worker to start", Duration::from_secs(20), async || {
            self.printed().contains("\"listening\"")
        });
        // If it never does, its exit status tells.
        let _ = started.await;
        self.signal("TERM");
        tokio::task::block_in_place(|| self.wait())
    }

    /// How often it printed this so far.
    pub(crate) fn times(&self, words: &str) -> u64 {
        self.printed().matches(words).count() as u64
    }

    /// What it printed so far.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that may be gone.
pub(crate) fn signal(pid: u32, name: &str) {
    let kill = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status();
    kill.expect("kill, from Debian's procps or the shell");
}
