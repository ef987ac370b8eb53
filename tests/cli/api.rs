//! The worker hears of what is changed over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use shiftbell::{
    clock::Clock,
    domain::presence::{Mode, Status},
};

use crate::{
    run::Service,
    shell::Shell,
    shift::{slot, world},
    support::{Database, on_both},
};

on_both!(an_edit_is_followed, what_is_retried_is_sent);

/// The promise is a second; the machine may be busy.
const FOLLOWED: Duration = Duration::from_secs(10);

/// The platform's program, which asks with `curl`.
struct Platform {
    shell: Shell,
    address: String,
    token: String,
}

impl Platform {
    async fn of(shell: &Shell, service: &Service) -> Self {
        let made = shell
            .aside("token create --name platform --scope platform")
            .await;
        Self {
            shell: shell.clone(),
            address: format!("http://{}", service.address),
            token: made.done().trim().to_owned(),
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let mut curl = self.shell.command("curl");
        curl.args(["-sSf", "-X", method, "-H", "content-type: application/json"])
            .args(["-H", &format!("authorization: Bearer {}", self.token)])
            .args(["-d", &body.to_string(), &format!("{}{path}", self.address)]);
        let output = tokio::task::spawn_blocking(move || curl.output())
            .await
            .unwrap();
        let output = output.expect("this test needs curl: apt-get install curl");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text} {:?}", output.stderr);
        serde_json::from_str(&text).unwrap()
    }
}

async fn an_edit_is_followed(db: Database) {
    let (world, shell) = world(Some(db.url.clone())).await;
    let now = Clock::system().now();
    let service = Service::start(&shell).await;
    let platform = Platform::of(&shell, &service).await;
    let becomes = async |status, mode| {
        let presence = &world.presence;
        let record = presence.record();
        let reached = record.wait_until(FOLLOWED, |_| {
            presence.status("ana") == Some(status) && presence.mode("acme") == Some(mode)
        });
        reached.await.unwrap();
    };
    let ana = json!({"workspace": "acme", "name": "Ana", "timezone": "UTC", "hours": [slot(now, -60, 120)]});
    platform.ask("PUT", "/v1/agents/ana", ana).await;
    becomes(Status::Online, Mode::LiveChat).await;
    let later = json!({"hours": [slot(now, 300, 420)]});
    platform.ask("PATCH", "/v1/agents/ana", later).await;
    becomes(Status::Offline, Mode::Messaging).await;
    let presence = platform
        .ask("GET", "/v1/workspaces/acme/presence", json!({}))
        .await;
    assert_eq!(presence["agents"][0]["status"], "offline");
    assert_eq!(service.stop("-TERM").await, Some(0));
}

async fn what_is_retried_is_sent(db: Database) {
    let (world, shell) = world(Some(db.url.clone())).await;
    let now = Clock::system().now();
    let service = Service::start(&shell).await;
    let platform = Platform::of(&shell, &service).await;
    let ana = json!({
        "workspace": "acme", "name": "Ana", "timezone": "UTC", "hours": [slot(now, -60, 120)],
        "notify": {"start": true}, "devices": [{"platform": "android", "token": "ana-phone"}],
    });
    platform.ask("PUT", "/v1/agents/ana", ana).await;
    let (id, at) = ("00000000-0000-4000-8000-000000000001", now.as_millisecond());
    let boundary = at - at % 60_000 - 60 * 60_000;
    db.sql(&format!(
        "INSERT INTO transitions (id, workspace_id, agent_id, reason, boundary_kind, boundary_at, effective_at, recorded_at)
         VALUES ('{id}', 'acme', 'ana', 'hours_start', 'start', {boundary}, {boundary}, {boundary});
         INSERT INTO deliveries (id, transition_id, channel, workspace_id, agent_id, kind, receiver, boundary_at, deadline_at,
             created_at, due_at, state, reason, tries, epoch, settled_at, worker, started_at, outcome)
         VALUES ('{id}', '{id}', 'fcm', 'acme', 'ana', 'hours_start', 'ana-phone', {boundary}, {at} + 600000,
             {at}, {at}, 'failed', 'INTERNAL', 1, 1, {at}, 'w', {at}, 'failed')"
    ));
    let path = format!("/v1/deliveries/{id}:retry");
    let done = platform.ask("POST", &path, json!({})).await;
    assert_eq!(done["changed"], json!([id]));
    let record = world.fcm.record();
    record
        .wait_until(FOLLOWED, |_| world.fcm.record().total_count() == 1)
        .await
        .unwrap();
    assert_eq!(service.stop("-TERM").await, Some(0));
}
