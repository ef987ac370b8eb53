//! The disk is full for a while: a small file system in memory, and a ballast that leaves no page free.

use std::{fs, path::Path, process::Command, time::Duration};

use super::kit::{Base, Extent, Plan, Report, Theatre, until};

pub(crate) async fn inject(extent: Extent) -> Report {
    let disk = Disk::mount();
    let plan = Plan {
        agents: 200,
        spread_s: extent.pick(6, 30),
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::SqliteIn(disk.path()), plan).await;
    let mut worker = theatre.worker();
    theatre.curtain().await;
    disk.fill();
    let full = until("a full disk", Duration::from_secs(20), async || {
        worker.printed().contains("disk is full")
    });
    let full = full.await;
    disk.clear();
    let struck = worker.printed().matches("disk is full").count();
    // The same worker goes on.
    let quiet = theatre.quiet().await;
    worker.stop().await;
    let mut report = theatre.judge(struck as u64).await;
    report.found.extend(quiet.err());
    report.found.extend(full.err());
    drop(theatre);
    report
}

/// A file system of sixteen megabytes, gone when it is dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m", "shiftbell"])
            .arg(folder.path())
            .status();
        assert!(mount.unwrap().success(), "mounting needs root");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn fill(&self) {
        // Fails when the last block is taken, which is the point.
        let _ = fs::write(self.path().join("ballast"), vec![0; 32 << 20]);
    }

    fn clear(&self) {
        fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the database may not be closed yet.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
