//! A Postgres of the tests' own: a throw-away cluster on a unix socket in a temporary folder.
//!
//! A watcher holds the other end of a pipe. However the test process ends, the pipe closes, and the
//! watcher stops the server and removes the folder.

use std::{
    fmt::Write as _,
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use shiftbell::store::{OpenOptions, Store};

const TEMPLATE: &str = "migrated";

/// A running server.
pub(crate) struct Cluster {
    dir: PathBuf,
    bin: PathBuf,
    owner: Owner,
    databases: AtomicU32,
    watcher: Child,
}

/// Who the server runs as: it refuses root.
#[derive(Clone)]
struct Owner {
    name: String,
    /// Set where we are root and must become somebody else.
    ids: Option<(u32, u32)>,
}

impl Cluster {
    /// The one that all tests of this process share. It forgoes fsync: no test cuts its power.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&["fsync=off", "synchronous_commit=off"]))
    }

    /// Starts a server with further `settings` (`name=value`) and a migrated template database.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let bin = programs();
        let owner = Owner::find();
        let dir = tempfile::Builder::new()
            .prefix("shiftbell-pg-")
            .tempdir()
            .unwrap()
            .keep();
        if let Some((uid, gid)) = owner.ids {
            chown(&dir, Some(uid), Some(gid)).unwrap();
        }
        let data = dir.join("data");
        run(owner
            .command(&bin.join("initdb"), &dir)
            .args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"])
            .arg(format!("--username={}", owner.name))
            .arg("--pgdata")
            .arg(&data));
        let mut config = fs::read_to_string(data.join("postgresql.conf")).unwrap();
        writeln!(config, "listen_addresses = ''\nmax_connections = 200").unwrap();
        writeln!(config, "unix_socket_directories = '{}'", dir.display()).unwrap();
        for setting in settings {
            writeln!(config, "{setting}").unwrap();
        }
        fs::write(data.join("postgresql.conf"), config).unwrap();
        let watcher = owner
            .command(Path::new("/bin/sh"), &dir)
            .args([
                "-c",
                r#"read -r _; "$1" -D "$2/data" -m immediate stop; cd /; rm -rf "$2""#,
                "watcher",
            ])
            .arg(bin.join("pg_ctl"))
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Self {
            dir,
            bin,
            owner,
            databases: AtomicU32::new(0),
            watcher,
        };
        cluster.ctl(&["start"]);
        cluster.make_template();
        cluster
    }

    /// Runs `pg_ctl`, waiting for its effect: `start`, `restart -m fast`, `stop -m immediate`.
    pub(crate) fn ctl(&self, args: &[&str]) {
        run(self
            .owner
            .command(&self.bin.join("pg_ctl"), &self.dir)
            .args(["--silent", "--wait", "-D", "data", "-l", "log"])
            .args(args));
    }

    /// A new, migrated database; its URL.
    pub(crate) fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.create(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"));
        self.url(&name)
    }

    /// A new database without any table; its URL.
    pub(crate) fn empty_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.create(&format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The user and group it runs as, where that is not ours.
    #[allow(dead_code, reason = "not every test crate starts a pooler")]
    pub(crate) fn ids(&self) -> Option<(u32, u32)> {
        self.owner.ids
    }

    /// Where it listens.
    #[allow(dead_code, reason = "not every test crate puts a proxy before it")]
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join(".s.PGSQL.5432")
    }

    fn url(&self, database: &str) -> String {
        format!(
            "postgres://{}@localhost/{database}?host={}",
            self.owner.name,
            self.dir.display()
        )
    }

    fn create(&self, sql: &str) {
        super::psql(&self.url("postgres"), sql).unwrap();
    }

    fn make_template(&self) {
        self.create(&format!("CREATE DATABASE {TEMPLATE}"));
        let url = self.url(TEMPLATE);
        // A runtime of its own: the caller's may be busy running the caller.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                Store::open(&OpenOptions::new(url))
                    .await
                    .unwrap()
                    .close()
                    .await;
            });
        })
        .join()
        .unwrap();
        // Every test's database is an installation of its own.
        super::psql(&self.url(TEMPLATE), "DELETE FROM meta").unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Closes the pipe first.
        drop(self.watcher.wait());
    }
}

impl Owner {
    fn find() -> Self {
        let output = Command::new("id").args(["-un"]).output().unwrap();
        let name = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        if name != "root" {
            return Self { name, ids: None };
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        ["postgres", "nobody"]
            .iter()
            .find_map(|wanted| {
                let line = passwd
                    .lines()
                    .find(|l| l.split(':').next() == Some(wanted))?;
                let fields: Vec<_> = line.split(':').collect();
                Some(Self {
                    name: (*wanted).to_owned(),
                    ids: Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)),
                })
            })
            .expect("root cannot run Postgres, and there is neither a user postgres nor nobody")
    }

    /// A command as this user, in `dir`, in a process group of its own: Ctrl-C reaches the tests
    /// first and the server through the watcher.
    fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(dir)
            .process_group(0)
            .stdin(Stdio::null());
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
        command
    }
}

/// Where the newest Postgres installed has its programs.
fn programs() -> PathBuf {
    let newest = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max();
    newest.expect("these tests need Postgres in /usr/lib/postgresql: apt-get install postgresql")
}

fn run(command: &mut Command) {
    // The server inherits what pg_ctl has: a pipe here would stay open as long as it runs.
    let log = tempfile::tempfile().unwrap();
    command
        .stdout(log.try_clone().unwrap())
        .stderr(log.try_clone().unwrap());
    let status = command.status().unwrap();
    if !status.success() {
        let mut said = String::new();
        let mut log = log;
        std::io::Seek::rewind(&mut log).unwrap();
        std::io::Read::read_to_string(&mut log, &mut said).unwrap();
        panic!("{command:?}: {status}\n{said}");
    }
}
