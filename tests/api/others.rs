//! What others made reads the document: schemathesis finds nothing that it and the answers do not agree
//! on, and a client generated from it works.
//!
//! Both come from `PyPI` (`tests/third_party/install`), so these tests run only where
//! `SHIFTBELL_THIRD_PARTY` is set; there, a tool that is missing is a failure.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use shiftbell::domain::access::Scope;
use tokio::process::Command;

use crate::{
    deliveries::fill,
    desk::Desk,
    support::{Database, on_both},
};

on_both!(schemathesis_finds_nothing);

/// Ends a tool that would hang.
const LONG: Duration = Duration::from_mins(5);

/// Whether to run; says so where not.
fn wanted() -> bool {
    let wanted = env::var_os("SHIFTBELL_THIRD_PARTY").is_some();
    if !wanted {
        println!("left out: set SHIFTBELL_THIRD_PARTY=1 after tests/third_party/install");
    }
    wanted
}

/// A tool, as the install script installed it.
fn tool(name: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("target"), PathBuf::from);
    let bin = target.join("third_party/venv/bin");
    let mut command = Command::new(bin.join(name));
    // The generator looks for its formatter there.
    let path = env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", bin.display()));
    command
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/third_party")
        .join(name)
}

/// Runs a tool in `folder` to its end; what it printed.
async fn run(command: &mut Command, folder: &Path) -> String {
    command
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(LONG, command.output())
        .await
        .expect("the tool ends in time")
        .expect("the tool is installed: run tests/third_party/install");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "it failed: {printed}\n{said}");
    printed
}

async fn schemathesis_finds_nothing(db: Database) {
    if !wanted() {
        return;
    }
    let desk = Desk::at(db).await;
    fill(&desk).await;
    let folder = tempfile::tempdir().unwrap();
    let token = desk.token(Scope::Platform, None, None).await;
    let mut hunt = tool("schemathesis");
    hunt.arg("--config-file")
        .arg(file("schemathesis.toml"))
        .arg("run")
        .arg(desk.url("/openapi.json"))
        .args(["-H", &format!("Authorization: Bearer {token}")])
        // The same hunt each time: what it finds, it finds again.
        .args(["--checks", "all", "--max-examples", "10", "--seed", "1"]);
    let report = run(&mut hunt, folder.path()).await;
    assert!(report.contains(" passed"), "{report}");
}

#[tokio::test]
async fn a_generated_client_works() {
    if !wanted() {
        return;
    }
    let desk = Desk::at(Database::sqlite().await).await;
    let folder = tempfile::tempdir().unwrap();
    let mut generator = tool("openapi-python-client");
    generator
        .args(["generate", "--url", &desk.url("/openapi.json")])
        .args([
            "--output-path",
            "client",
            "--meta",
            "none",
            "--fail-on-warning",
        ]);
    run(&mut generator, folder.path()).await;
    let mut client = tool("python");
    client
        .arg(file("api_client.py"))
        .env("GENERATED", folder.path())
        .env("ENDPOINT", desk.url(""))
        .env("TOKEN", desk.token(Scope::Platform, None, None).await);
    let printed = run(&mut client, folder.path()).await;
    let seen: Value = serde_json::from_str(&printed).expect(&printed);
    assert_eq!(
        seen,
        serde_json::json!({
            "made": 201, "rings": {"start": true, "end": false}, "stale": 412, "wrong": ["timezone"],
            "read": "Ana", "all": ["a-1"], "boundaries": ["2026-03-30T09:00:00", "2026-03-30T17:00:00"],
            "deliveries": 0,
        })
    );
}
