//! `run`: the long-lived service.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use serde_json::Value;
use shiftbell::{
    clock::Clock,
    domain::presence::{Mode, Status},
    http::probe,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    shell::Shell,
    shift::{slot, world},
    support::{Database, on_both},
};

on_both!(
    it_answers_and_ends_well_when_asked,
    a_slot_changed_with_sql_is_followed,
);

/// Far more than it takes: the machine may be busy.
const SOON: Duration = Duration::from_secs(20);
/// The promise is a second.
const FOLLOWED: Duration = Duration::from_secs(10);

/// A worker that listens.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Service {
    pub(crate) async fn start(shell: &Shell) -> Self {
        let mut child = Command::from(shell.shiftbell("run --log info"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut printed = Vec::new();
        let address = loop {
            let line = timeout(SOON, log.next_line())
                .await
                .expect("in time")
                .unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended: {printed:#?}"));
            let event: Value = serde_json::from_str(&line).expect(&line);
            if event["event"] == "listening" {
                break event["address"].as_str().unwrap().parse().unwrap();
            }
            printed.push(line);
        };
        // Whoever leaves a pipe full stops the one who writes to it.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self { child, address }
    }

    async fn get(&self, path: &str) -> (bool, String) {
        timeout(SOON, probe(self.address, path))
            .await
            .unwrap()
            .unwrap()
    }

    /// Its metrics have all of `names`: not at once, since it counts only after it has begun.
    async fn counts(&self, names: &[&str]) {
        let counted = async {
            loop {
                let (well, text) = self.get("/metrics").await;
                let has = |name: &&str| text.contains(&format!("\nshiftbell_{name}{{"));
                if well && names.iter().all(has) {
                    return;
                }
            }
        };
        timeout(SOON, counted).await.expect("all metrics in time");
    }

    /// Asks it to end, as systemd does; its exit code.
    pub(crate) async fn stop(mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().unwrap().to_string();
        let kill = Command::new("kill").args([signal, &id]).status().await;
        assert!(kill.unwrap().success());
        timeout(SOON, self.child.wait())
            .await
            .unwrap()
            .unwrap()
            .code()
    }
}

async fn it_answers_and_ends_well_when_asked(db: Database) {
    let (_world, shell) = world(Some(db.url.clone())).await;
    for signal in ["-TERM", "-INT"] {
        let service = Service::start(&shell).await;
        let (well, body) = service.get("/livez").await;
        assert!(well && body.contains("\"alive\":true"), "{body}");
        let (well, body) = service.get("/readyz").await;
        assert!(well, "{body}");
        for check in ["database", "apns", "fcm", "presence"] {
            assert!(
                body.contains(&format!(r#"{{"name":"{check}","ok":true}}"#)),
                "{body}"
            );
        }
        service
            .counts(&["build_info", "tzdata_info", "deliveries", "breaker_open"])
            .await;
        let asking = shell
            .clone()
            .with("SHIFTBELL__HTTP__LISTEN", service.address.to_string());
        for what in ["livez", "readyz"] {
            let said = asking.aside(&format!("probe {what} --json")).await;
            assert_eq!(said.json()[0]["ok"], true, "{said:#?}");
        }
        assert_eq!(service.stop(signal).await, Some(0), "{signal}");
        let said = asking.aside("probe livez").await;
        said.failed(&["no answer from http://127.0.0.1:", "/livez"]);
    }
}

async fn a_slot_changed_with_sql_is_followed(db: Database) {
    let (world, shell) = world(Some(db.url.clone())).await;
    let now = Clock::system().now();
    let later = slot(now, 300, 420);
    let agent = serde_json::json!({
        "id": "ana", "workspace": "acme", "name": "Ana", "timezone": "UTC", "hours": [later],
        "notify": {"start": true, "end": true},
        "devices": [{"platform": "android", "token": "ana-phone"}],
    });
    shell.feed("import -", agent.to_string()).done();
    let service = Service::start(&shell).await;
    let becomes = async |status, mode, within| {
        let presence = &world.presence;
        presence
            .record()
            .wait_until(within, |_| {
                presence.status("ana") == Some(status) && presence.mode("acme") == Some(mode)
            })
            .await
            .unwrap();
    };
    becomes(Status::Offline, Mode::Messaging, SOON).await;
    for (from, until, status, mode) in [
        (-60, 120, Status::Online, Mode::LiveChat),
        (300, 420, Status::Offline, Mode::Messaging),
    ] {
        let slot = slot(now, from, until);
        let part = |name: &str| slot[name].as_str().unwrap().to_owned();
        db.sql(&format!(
            "UPDATE operating_hours SET day = '{}', start_time = '{}', end_time = '{}' WHERE agent_id = 'ana'",
            part("day"),
            part("start"),
            part("end")
        ));
        becomes(status, mode, FOLLOWED).await;
    }
    assert_eq!(
        world.fcm.record().total_count(),
        0,
        "an edit is not a shift"
    );
    let reasons = "SELECT DISTINCT reason FROM transitions WHERE agent_id = 'ana'";
    assert_eq!(db.sql(reasons), "sync");
    assert_eq!(service.stop("-TERM").await, Some(0));
}

#[tokio::test]
async fn an_address_that_is_taken_or_open_to_all_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let shell = Shell::new();
    let busy = shell.clone().with("SHIFTBELL__HTTP__LISTEN", &address);
    busy.aside("run").await.failed(&["http.listen", &address]);
    let open = shell.with("SHIFTBELL__HTTP__LISTEN", "0.0.0.0:0");
    open.aside("run")
        .await
        .refused(&["http.listen", "shiftbell token create"]);
    let made = "token create --name platform --scope platform";
    open.aside(made).await.done();
    let service = Service::start(&open).await;
    assert!(service.get("/livez").await.0);
    // A network reaches it, so the metrics take a token.
    let (well, body) = service.get("/metrics").await;
    assert!(!well && body.contains("401"), "{body}");
    assert_eq!(service.stop("-TERM").await, Some(0));
}
