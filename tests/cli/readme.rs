//! The README's session with the API works word by word, and what it shows of `explain` is what is printed.

use std::fs;

use serde_json::Value;

use shiftbell::domain::device::DeviceToken;

use crate::{run::Service, shell::Shell, stage::Stage, support::Database};

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

/// The next block that opens with `fence`, after `heading`.
fn block(readme: &str, heading: &str, fence: &str) -> String {
    let (_, rest) = readme.split_once(heading).unwrap();
    let (_, block) = rest.split_once(fence).unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// The commands of the block after `heading`.
fn session(readme: &str, heading: &str) -> String {
    block(readme, heading, "```sh\n")
}

#[tokio::test]
async fn the_session_with_the_api_works() {
    let db = Database::sqlite().await;
    let shell = Shell::on(&db.url).with("SHIFTBELL__HTTP__LISTEN", "127.0.0.1:0");
    let service = Service::start(&shell).await;
    let readme = readme();
    let address = service.address.to_string();
    let commands = session(&readme, "\n## API\n").replace("127.0.0.1:8080", &address);
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_shiftbell"));
    let path = format!(
        "{}:{}",
        bin.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut bash = shell.command("bash");
    bash.args(["-euc", &commands]).env("PATH", path);
    let output = tokio::task::spawn_blocking(move || bash.output())
        .await
        .unwrap()
        .expect("this test needs bash and curl");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let answers: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert_eq!(answers.len(), 14, "{printed}");
    for answer in &answers {
        assert!(!answer["status"].is_number(), "a problem: {answer}");
    }
    assert_eq!(answers[3]["notify"]["end"], true);
    assert_eq!(answers[5]["by_hand"]["status"], "invisible");
    assert_eq!(answers[6]["new"], 1);
    assert_eq!(answers[7]["items"].as_array().unwrap().len(), 2);
    assert_eq!(answers[8]["outcome"], "not_recorded");
    assert!(!printed.contains("the-fcm-token"), "{printed}");
    assert_eq!(service.stop("-TERM").await, Some(0));
}

#[tokio::test]
async fn the_story_of_a_phone_that_did_not_ring_is_what_is_printed() {
    let readme = readme();
    let team = block(&readme, "cat > team.jsonl", "<<'END'\n");
    let (team, _) = team.split_once("   END").unwrap();
    let stage = Stage::set("2026-03-30T06:59:00Z", None, team).await;
    stage
        .world
        .fcm
        .unregister(&DeviceToken::new("the-fcm-token"));
    stage.at("2026-03-30T07:00:00Z").await;
    let shown = block(
        &readme,
        "\n## Why did my phone not ring?\n",
        "```\n$ shiftbell ",
    );
    let (line, shown) = shown.split_once('\n').unwrap();
    let said = Shell::in_folder(&stage.world.folder).aside(line).await;
    // On a terminal the columns stand under each other.
    let columns = |line: &str| {
        let cells = line
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty());
        cells.collect::<Vec<_>>().join("\t")
    };
    let shown: Vec<String> = shown.lines().map(columns).collect();
    assert_eq!(said.done().lines().collect::<Vec<_>>(), shown);
}
