//! `deliveries`: the log that answers "why did my phone not ring?".

use serde_json::{Value, json};
use shiftbell::sim::script::Fault;

use crate::{
    shell::Shell,
    shift::{self, ANA_IOS},
    stage::Stage,
    support::{Database, on_both},
};

on_both!(
    each_filter_finds_its_own,
    one_is_shown_with_its_attempts,
    a_failed_one_is_sent_again_and_nothing_else_is,
);

/// A stage after a tick on which Apple refused Ana's alert.
async fn one_refused(db: &Database) -> (Stage, Shell) {
    let (stage, shell, _) = shift::due(&db.url).await;
    let refusal = Fault::answer(413, r#"{"reason":"PayloadTooLarge"}"#);
    let refused = stage.world.apns.script().next_of(ANA_IOS, 1, refusal);
    shell.aside("tick").await.done();
    assert_eq!(refused.struck(), 1);
    (stage, shell)
}

fn word<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

async fn each_filter_finds_its_own(db: Database) {
    let (_stage, shell) = one_refused(&db).await;
    let list = async |filter: &str| {
        shell
            .aside(&format!("deliveries {filter} --json"))
            .await
            .json()
    };
    let all = list("").await;
    // Two syncs and two modes before; two statuses, two modes and three alerts at the boundary.
    assert_eq!(all.len(), 11, "{all:#?}");
    assert_eq!(list("list").await, all);
    let times: Vec<&str> = all.iter().map(|row| word(row, "created_at")).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first: {times:?}");
    for (filter, name, value, count) in [
        ("--state failed", "state", "failed", 1),
        ("--state sent", "state", "sent", 10),
        ("--channel apns", "channel", "apns", 2),
        ("--channel fcm", "channel", "fcm", 1),
        ("--channel presence", "channel", "presence", 8),
        ("--agent ana", "agent", "ana", 4),
        ("--workspace bell", "workspace", "bell", 5),
        ("--reason PayloadTooLarge", "reason", "PayloadTooLarge", 1),
    ] {
        let found = list(filter).await;
        assert_eq!(found.len(), count, "{filter}: {found:#?}");
        assert!(found.iter().all(|row| row[name] == value), "{filter}");
    }
    assert!(list("--state pending").await.is_empty());
    assert_eq!(
        list("list --agent ana --channel apns --state failed")
            .await
            .len(),
        1
    );
    assert_eq!(list("--limit 3").await, all[..3]);
    let newest = times[0];
    let since = list(&format!("--since {newest}")).await;
    assert_eq!(since, all[..times.iter().filter(|t| **t == newest).count()]);
    assert!(list("--since 2099-01-01T00:00:00Z").await.is_empty());
}

async fn one_is_shown_with_its_attempts(db: Database) {
    let (_stage, shell) = one_refused(&db).await;
    let failed = shell.aside("deliveries --state failed --json").await.json();
    let id = word(&failed[0], "id");
    let shown = shell
        .aside(&format!("deliveries show {id} --json"))
        .await
        .json();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["id"], id);
    let attempts = shown[0]["attempt_log"].as_array().unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0]["http_status"], 413);
    assert_eq!(attempts[0]["reason"], "PayloadTooLarge");
    // For people the same, in a pipe with tabs between columns.
    let people = shell.aside(&format!("deliveries show {id}")).await;
    for part in [id, "hours_start", "\t413\tPayloadTooLarge\t"] {
        assert!(people.done().contains(part), "{part}: {people:#?}");
    }
    let list = shell.aside("deliveries --state failed").await;
    let lines: Vec<&str> = list.done().lines().collect();
    assert_eq!(
        lines[0],
        "recorded\tchannel\tagent\tkind\tboundary\tstate\treason\tattempts\tid"
    );
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1].split('\t').count(), 9);
    assert!(lines[1].ends_with(&format!("\tfailed\tPayloadTooLarge\t1\t{id}")));
    for output in [&people.out, &list.out] {
        assert!(!output.contains(ANA_IOS), "a token is nobody's business");
    }
    let said = shell.aside("deliveries show nobody").await;
    said.failed(&["no delivery nobody"]);
}

async fn a_failed_one_is_sent_again_and_nothing_else_is(db: Database) {
    let (stage, shell) = one_refused(&db).await;
    let shell = shell.with("USER", "olga");
    let failed = shell.aside("deliveries --state failed --json").await.json();
    let sent = shell
        .aside("deliveries --state sent --limit 1 --json")
        .await
        .json();
    let (id, sent) = (word(&failed[0], "id"), word(&sent[0], "id"));
    for other in [sent, "nobody"] {
        let said = shell.aside(&format!("deliveries retry {other}")).await;
        said.failed(&[other, "not retried"]);
    }
    assert_eq!(db.sql("SELECT count(*) FROM audit"), "0");
    // One that can be and one that cannot: the first is, and the exit code tells of the second.
    let said = shell
        .aside(&format!("deliveries retry {id} {sent} --json"))
        .await;
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert_eq!(
        said.out,
        format!("{}\n", json!({"id": id, "retried": true}))
    );
    assert!(said.err.contains(sent), "{said:#?}");
    assert_eq!(
        db.sql("SELECT actor, action, target FROM audit"),
        format!("olga|delivery.retry|{id}")
    );
    let pending = shell
        .aside("deliveries --state pending --json")
        .await
        .json();
    assert_eq!(pending.len(), 1);
    let rung = stage.rung().len();
    shell.aside("tick").await.done();
    assert_eq!(stage.rung().len(), rung + 1, "{:?}", stage.rung());
    let shown = shell
        .aside(&format!("deliveries show {id} --json"))
        .await
        .json();
    assert_eq!(shown[0]["state"], "sent");
    assert_eq!(shown[0]["attempt_log"].as_array().map(Vec::len), Some(2));
    let again = shell.aside(&format!("deliveries retry {id}")).await;
    again.failed(&[id, "not retried"]);
    assert_eq!(db.sql("SELECT count(*) FROM audit"), "1");
}
