//! A page of the file is overwritten: the header, the agents, the due times, the outbox, one after
//! the other. `tick` and `run` name the file and what to do, and do nothing by halves; once the page
//! is back from a copy all goes on.

use std::{fs, path::Path, process::Command, time::Duration};

use super::kit::{Base, Extent, Plan, Report, Theatre, Worker, until};

const PAGE: u64 = 4096;
const ADVICE: &str = "shiftbell.db: is damaged";

pub(crate) async fn inject(_: Extent) -> Report {
    let plan = Plan {
        agents: 200,
        spread_s: 0,
        lead_s: 6,
    };
    let mut theatre = Theatre::set(Base::Sqlite, plan).await;
    let file = theatre.world.folder.join("shiftbell.db");
    let copy = theatre.world.folder.join("copy");
    let rotten = theatre.world.folder.join("rotten");
    fs::write(&rotten, [0xff; PAGE as usize]).unwrap();
    let pages = ["agents", "agent_state_due", "outbox"].map(|name| {
        let page = format!("SELECT rootpage FROM sqlite_schema WHERE name = '{name}'");
        theatre.number(&page)
    });
    // With the last connection the log goes: all there is, is in the file.
    theatre.leave().await;
    theatre.curtain().await;
    let mut found = Vec::new();
    let mut struck = 0;
    for page in [1].into_iter().chain(pages) {
        fs::copy(&file, &copy).unwrap();
        overwrite(&file, page, &rotten, 1);
        let mut tick = Worker::start(&theatre, "tick", &[], &[]);
        let ended = tokio::task::block_in_place(|| tick.wait());
        let mut run = theatre.worker();
        let said = until("run to say so", Duration::from_secs(10), async || {
            run.times(ADVICE) > 0
        });
        found.extend(said.await.err());
        if run.runs() {
            run.stop().await;
        }
        let status = run.wait();
        let printed = run.printed() + &tick.printed();
        let told = tick.times(ADVICE) > 0;
        if ended.code() != Some(1) || !told || status.code().is_none() || printed.contains("panic")
        {
            found.push(format!(
                "page {page}: tick {ended}, run {status}: {printed}"
            ));
        }
        struck += u64::from(told);
        overwrite(&file, page, &copy, page);
    }
    theatre.enter().await;
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    report
}

/// Puts page `of` of `source` in the place of page `page`; by another program, since closing a file
/// takes away the locks that this process has on it.
fn overwrite(file: &Path, page: u64, source: &Path, of: u64) {
    let dd = Command::new("dd")
        .arg(format!("if={}", source.display()))
        .arg(format!("of={}", file.display()))
        .args([format!("bs={PAGE}"), format!("seek={}", page - 1)])
        .args([format!("skip={}", of - 1), "count=1".into()])
        .args(["conv=notrunc", "status=none"])
        .status();
    assert!(dd.unwrap().success());
}
