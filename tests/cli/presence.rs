//! A chat product in place of the presence API, as its operators meet it: `doctor`, `presence sync`,
//! `demo --driver`.

use serde_json::{Value, json};
use shiftbell::{
    clock::Clock,
    sim::{World, WorldOptions, product::Product},
};

use crate::{
    shell::{Said, Shell},
    shift,
};

/// A world of this product with an agent on duty and one off duty, who were told of by `tick`.
async fn world(driver: &str) -> (World, Shell, [String; 2]) {
    let folder = tempfile::tempdir().unwrap().keep();
    let options = WorldOptions {
        driver: Some(driver.to_owned()),
        ..WorldOptions::default()
    };
    let world = World::start(&folder, Clock::system(), options)
        .await
        .unwrap();
    let shell = Shell::in_folder(&world.folder);
    let product = product(&world);
    let ids = [product.add_agent(0), product.add_agent(1)];
    let now = shift::boundary();
    let line = |id: &str, there: &str, from, until| {
        json!({
            "id": id, "workspace": "acme", "name": id, "timezone": "UTC",
            "hours": [shift::slot(now, from, until)], "external": {driver: there},
        })
    };
    let team = format!(
        "{}\n{}\n",
        line("ana", &ids[0], -60, 240),
        line("ben", &ids[1], 300, 360)
    );
    shell.feed("import -", team).done();
    shell.aside("tick").await.done();
    (world, shell, ids)
}

fn product(world: &World) -> &Product {
    world.product.as_ref().unwrap()
}

/// What was found of each agent, and whether it is mended.
fn found(said: &Said) -> Vec<(String, String, bool)> {
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    said.json()
        .iter()
        .map(|row| {
            (
                word(row, "agent"),
                word(row, "found"),
                row["mended"].as_bool().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn sync_tells_what_differs_and_mends_what_nobody_set_there() {
    let (world, shell, [ana, ben]) = world("chatwoot").await;
    assert_eq!(product(&world).shown(&ana).as_deref(), Some("online"));
    let said = shell.aside("presence sync").await;
    assert_eq!(said.done(), "compared: 2 agrees\n");
    product(&world).set_there(&ben, "online");
    let expected = |mended| vec![("ben".to_owned(), "set_there".to_owned(), mended)];
    assert_eq!(
        found(&shell.aside("presence sync --json").await),
        expected(false)
    );
    assert_eq!(
        found(&shell.aside("presence sync --force --dry-run --json").await),
        expected(false)
    );
    assert_eq!(product(&world).shown(&ben).as_deref(), Some("online"));
    assert_eq!(
        found(
            &shell
                .aside("presence sync --agent ben --force --json")
                .await
        ),
        expected(true)
    );
    assert_eq!(product(&world).shown(&ben).as_deref(), Some("offline"));
    shell
        .aside("presence sync --agent nobody")
        .await
        .failed(&["no status was recorded of agent nobody"]);
}

#[tokio::test]
async fn the_presence_api_cannot_be_asked_and_is_told_again() {
    let (world, shell) = shift::world(None).await;
    let line = json!({"id": "ana", "workspace": "acme", "name": "Ana", "timezone": "UTC"});
    shell.feed("import -", line.to_string()).done();
    shell.aside("tick").await.done();
    assert_eq!(world.presence.agent("ana").unwrap().sequence, 1);
    let said = shell.aside("presence sync").await;
    assert_eq!(
        said.done(),
        "the platform cannot be asked: 1 statuses are posted again\n"
    );
    assert_eq!(world.presence.agent("ana").unwrap().sequence, 2);
    assert!(world.presence.findings().is_empty());
    Shell::new()
        .run("presence sync")
        .failed(&["there is no [presence] section"]);
}

#[tokio::test]
async fn doctor_shows_the_requests_of_a_product_that_it_does_not_know() {
    let shell = Shell::new();
    shell.write(
        "our-chat.toml",
        r#"
product = "Our chat"
external = "ourchat"
needs = ["token", "account"]
max_per_minute = 90
max_in_flight = 2
auth = { bearer = "{token}" }
headers = { "x-team" = "{account}" }
words = { online = true, offline = false }
set = { method = "PUT", path = "/agents/{agent}/presence", json = { on = "{status}" } }
read = { request = { method = "GET", path = "/agents/{agent}" }, status = "/on" }
"#,
    );
    shell.write("chat.token", "CANARY");
    shell.write("shiftbell.toml", "[presence]\ndriver = \"template\"\ntemplate_file = \"our-chat.toml\"\nurl = \"http://127.0.0.1:9/api\"\ntoken_file = \"chat.token\"\naccount = \"7\"\n");
    shell.run("migrate").done();
    let said = shell.run("doctor --json");
    assert_eq!(said.code, Some(1), "nobody answers there: {said:#?}");
    let rows = crate::shell::objects(&said.out);
    let requests: Vec<&str> = rows
        .iter()
        .filter(|row| row["check"] == "request")
        .map(|row| row["detail"].as_str().unwrap())
        .collect();
    let common = "authorization: Bearer … | x-team: 7";
    assert_eq!(
        requests,
        [
            format!(
                "an agent goes online: PUT http://127.0.0.1:9/api/agents/AGENT/presence | {common} | content-type: application/json | {{\"on\":true}}"
            ),
            format!(
                "an agent goes offline: PUT http://127.0.0.1:9/api/agents/AGENT/presence | {common} | content-type: application/json | {{\"on\":false}}"
            ),
            format!(
                "an agent goes invisible: PUT http://127.0.0.1:9/api/agents/AGENT/presence | {common} | content-type: application/json | {{\"on\":false}}"
            ),
            format!("a status is read back: GET http://127.0.0.1:9/api/agents/AGENT | {common}"),
        ]
    );
    assert!(!said.out.contains("CANARY") && !said.err.contains("CANARY"));
}

#[tokio::test]
async fn doctor_refuses_cron_where_online_is_a_lease() {
    let (_world, shell, _) = world("brevo").await;
    let said = shell.aside("doctor --json").await;
    assert_eq!(said.code, Some(1), "{said:#?}");
    let rows = crate::shell::objects(&said.out);
    let lease: Vec<&Value> = rows.iter().filter(|row| row["check"] == "lease").collect();
    assert_eq!(lease.len(), 1, "{said:#?}");
    assert_eq!(lease[0]["level"], "broken");
    let detail = lease[0]["detail"].as_str().unwrap();
    for word in [
        "Brevo",
        "start the service",
        "cron (`shiftbell tick`) cannot hold them",
    ] {
        assert!(detail.contains(word), "{word}: {detail}");
    }
}

#[test]
fn the_demo_shows_no_credential() {
    let said = Shell::new().run("demo --driver graph --exit");
    let form = "grant_type=client_credentials";
    let fetched = said
        .done()
        .lines()
        .find(|line| line.contains(form))
        .unwrap();
    assert!(fetched.contains("client_secret=…&"), "{fetched}");
}

#[test]
fn the_demo_shows_the_requests_of_a_product() {
    let said = Shell::new().run("demo --driver chatwoot --exit");
    let requests: Vec<&str> = said
        .done()
        .lines()
        .filter(|line| line.contains("  chatwoot  "))
        .collect();
    assert!(requests.len() >= 9, "{said:#?}");
    let request = "PATCH /api/v1/accounts/3/agents/17 {\"agent\":{\"auto_offline\":false,\"availability\":\"online\"}}  [200]";
    assert!(
        requests.iter().any(|line| line.ends_with(request)),
        "{requests:#?}"
    );
    assert!(said.out.contains(" 0 deliveries open."), "{said:#?}");
}
