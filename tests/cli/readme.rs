//! The README's session with the API works word by word.

use std::fs;

use serde_json::Value;

use crate::{run::Service, shell::Shell, support::Database};

/// The commands of the block after `heading`.
fn session(readme: &str, heading: &str) -> String {
    let (_, rest) = readme.split_once(heading).unwrap();
    let (_, block) = rest.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_session_with_the_api_works() {
    let db = Database::sqlite().await;
    let shell = Shell::on(&db.url).with("SHIFTBELL__HTTP__LISTEN", "127.0.0.1:0");
    let service = Service::start(&shell).await;
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
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
    assert_eq!(answers.len(), 13, "{printed}");
    for answer in &answers {
        assert!(!answer["status"].is_number(), "a problem: {answer}");
    }
    assert_eq!(answers[3]["notify"]["end"], true);
    assert_eq!(answers[5]["by_hand"]["status"], "invisible");
    assert_eq!(answers[6]["new"], 1);
    assert_eq!(answers[7]["items"].as_array().unwrap().len(), 2);
    assert!(!printed.contains("the-fcm-token"), "{printed}");
    assert_eq!(service.stop("-TERM").await, Some(0));
}
