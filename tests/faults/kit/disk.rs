//! A small disk in memory, which can be full or read-only as a real one can.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// A mounted tmpfs; gone when it is dropped.
pub(crate) struct Disk(tempfile::TempDir);

impl Disk {
    /// Mounts one of sixteen megabytes.
    pub(crate) fn mount() -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "shiftbell"])
            .arg(disk.path())
            .status();
        assert!(mount.unwrap().success(), "mounting needs root");
        disk
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no page free.
    pub(crate) fn fill(&self) {
        // Fails when the last block is taken, which is the point.
        let _ = fs::write(self.path().join("ballast"), vec![0; 32 << 20]);
    }

    /// Makes room again.
    pub(crate) fn clear(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }

    /// Makes it `rw` or `ro`; whether that worked. Not `ro` while a file is open for writing.
    pub(crate) fn remount(&self, how: &str) -> bool {
        let mount = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(self.path())
            .stderr(Stdio::null())
            .status();
        mount.unwrap().success()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the database may not be closed yet.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
