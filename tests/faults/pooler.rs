//! A connection pooler in transaction mode stands before Postgres: no session is kept.

use std::{fs, os::unix::fs::chown, process::Command, time::Duration};

use super::{
    kit::{Base, Extent, Plan, Report, Theatre, Worker, ill_end, until},
    support::postgres::Cluster,
};

pub(crate) async fn inject(_: Extent) -> Report {
    let plan = Plan {
        agents: 200,
        spread_s: 5,
        lead_s: 6,
    };
    let cluster = Cluster::shared();
    let theatre = Theatre::set(Base::Postgres(cluster), plan).await;
    let pooler = Pooler::before(cluster, &theatre.url).await;
    let env = [
        ("SHIFTBELL__DATABASE__URL", pooler.url.clone()),
        ("SHIFTBELL__DATABASE__POOLER", "true".to_owned()),
    ];
    let mut worker = Worker::start(&theatre, "run", &[], &env);
    let quiet = theatre.quiet().await;
    let sent = worker.printed().matches("\"attempt\"").count();
    let status = worker.stop().await;
    let mut report = theatre.judge(sent as u64).await;
    report.found.extend(quiet.err());
    report.found.extend(ill_end(status));
    report
}

struct Pooler {
    url: String,
    child: std::process::Child,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// Starts one that makes do with four connections for everybody.
    async fn before(cluster: &Cluster, url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (user, rest) = url.split_once('@').unwrap();
        let user = user.rsplit('/').next().unwrap();
        let database = rest.split(['/', '?']).nth(1).unwrap();
        let socket = cluster.socket();
        let (server, port) = (socket.parent().unwrap().display(), free_port());
        let users = folder.path().join("users");
        fs::write(&users, format!("\"{user}\" \"\"\n")).unwrap();
        let config = format!(
            "[databases]\n* = host={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 4\n",
            users.display()
        );
        let ini = folder.path().join("pooler.ini");
        fs::write(&ini, config).unwrap();
        let mut command = Command::new("/usr/sbin/pgbouncer");
        command.arg("-q").arg(&ini);
        if let Some((uid, gid)) = cluster.ids() {
            for path in [folder.path(), &users, &ini] {
                chown(path, Some(uid), Some(gid)).unwrap();
            }
            std::os::unix::process::CommandExt::uid(&mut command, uid);
        }
        let child = command.spawn().expect("pgbouncer, from Debian");
        let listens = until("the pooler", Duration::from_secs(10), async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
        });
        listens.await.unwrap();
        Self {
            url: format!("postgres://{user}@127.0.0.1:{port}/{database}"),
            child,
            _folder: folder,
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
