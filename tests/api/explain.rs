//! Why a phone rang, or did not, asked over HTTP.

use serde_json::json;
use shiftbell::domain::access::Scope;

use crate::{
    deliveries::fill,
    desk::{Desk, NOW},
    support::{Database, on_both},
};

on_both!(
    a_story_is_told_to_those_who_may_hear_it,
    an_instant_is_read_or_refused,
    who_was_removed_is_told_of_to_the_platform_and_to_ops,
);

async fn a_story_is_told_to_those_who_may_hear_it(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let path = format!("/v1/agents/b-1/explain?at={NOW}");
    let told = desk.platform().await.get(&path).await.ok(200);
    assert_eq!(told["agent"], "b-1");
    assert_eq!(told["workspace"], "bolt");
    assert_eq!(
        (&told["at"], &told["local"]),
        (&json!(NOW), &json!("2026-03-30T08:00:00"))
    );
    assert_eq!(told["timezone"], "Europe/Paris");
    assert_eq!(told["outcome"], "not_sent");
    assert_eq!(told["occasion"]["reason"], "hours_start");
    assert_eq!(
        (&told["rule"]["by"], &told["rule"]["date"]),
        (&json!("none"), &json!("2026-03-30"))
    );
    let steps = told["steps"].as_array().unwrap();
    let kinds: Vec<&str> = steps
        .iter()
        .map(|step| step["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["rule", "boundary", "delivery", "attempt"],
        "{told:#?}"
    );
    assert_eq!(steps[2]["delivery"]["state"], "failed");
    assert_eq!(steps[3]["attempt"]["worker"], "w");
    assert!(!told.to_string().contains("CANARY"), "no token goes out");
    for (scope, workspace, agent) in [
        (Scope::Platform, Some("bolt"), None),
        (Scope::Agent, None, Some("b-1")),
        (Scope::OpsRead, None, None),
        (Scope::OpsRead, Some("bolt"), None),
        (Scope::OpsWrite, None, None),
    ] {
        let holder = desk.holder(desk.token(scope, workspace, agent).await);
        assert_eq!(holder.get(&path).await.ok(200), told, "{scope:?}");
    }
    for (scope, workspace, agent) in [
        (Scope::Platform, Some("acme"), None),
        (Scope::Agent, None, Some("a-1")),
        (Scope::OpsRead, Some("acme"), None),
    ] {
        let holder = desk.holder(desk.token(scope, workspace, agent).await);
        holder.get(&path).await.refused(404, &[]);
    }
}

async fn an_instant_is_read_or_refused(db: Database) {
    let desk = Desk::at(db).await;
    let platform = desk.platform().await;
    platform.hire("a-1", "acme").await;
    let ask = async |query: &str| {
        platform
            .get(&format!("/v1/agents/a-1/explain{query}"))
            .await
    };
    let now = ask("").await.ok(200);
    assert_eq!(now["at"], NOW, "now is meant where nothing is said");
    assert_eq!(
        ask("?at=2026-03-30T08:00:00%2B02:00").await.ok(200)["at"],
        NOW
    );
    ask("?at=nine").await.refused(400, &["at"]);
    ask("?at=2026-03-30").await.refused(400, &["at"]);
    ask("?when=now").await.refused(400, &["when"]);
    let nobody = platform.get("/v1/agents/nobody/explain").await;
    nobody.refused(404, &[]);
    // The ends of time are instants too.
    for end in ["-009999-01-02T01:59:59Z", "9999-12-30T22:00:00Z"] {
        ask(&format!("?at={end}")).await.ok(200);
    }
}

async fn who_was_removed_is_told_of_to_the_platform_and_to_ops(db: Database) {
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let path = format!("/v1/agents/b-1/explain?at={NOW}");
    desk.platform().await.delete("/v1/agents/b-1").await.ok(204);
    for (scope, workspace, status) in [
        (Scope::Platform, Some("bolt"), 200),
        (Scope::OpsRead, None, 200),
        (Scope::Platform, Some("acme"), 404),
    ] {
        let holder = desk.holder(desk.token(scope, workspace, None).await);
        let said = holder.get(&path).await;
        assert_eq!(said.status, status, "{said:#?}");
        assert_eq!(said.text.contains("the agent was removed"), status == 200);
    }
    let own = desk.holder(desk.token(Scope::Agent, None, Some("b-1")).await);
    own.get(&path).await.refused(404, &[]);
    // Somebody else's agent by the same name has nothing to do with it.
    desk.platform().await.hire("b-1", "acme").await;
    let acme = desk.platform_of("acme").await;
    let told = acme.get(&path).await.ok(200);
    assert!(!told.to_string().contains("bolt"), "{told:#?}");
    assert_eq!(told["steps"].as_array().map(Vec::len), Some(3), "{told:#?}");
}
