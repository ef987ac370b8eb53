//! An import that is killed half way leaves nothing.

use std::{fmt::Write as _, fs, os::unix::process::ExitStatusExt, process::Stdio};

use sqlx::{Connection, PgConnection};

use crate::{shell::Shell, support::Database};

/// The contract speaks of 100,000; a fifth is more than one statement and one page cache holds,
/// and does not keep an unoptimised build for long.
const AGENTS: usize = 20_000;

fn team() -> String {
    let mut text = String::new();
    for n in 0..AGENTS {
        writeln!(text, r#"{{"id":"a-{n:05}","workspace":"w-{}","name":"Agent {n}","timezone":"Europe/Paris","hours":[{{"day":"mon","start":"09:00","end":"17:00"}},{{"day":"tue","start":"09:00","end":"17:00"}}],"devices":[{{"platform":"android","token":"phone-{n}"}}]}}"#, n % 7).unwrap();
    }
    text
}

fn nothing_and_then_everything(db: &Database, shell: &Shell) {
    for table in [
        "agents",
        "workspaces",
        "operating_hours",
        "devices",
        "agent_state",
    ] {
        assert_eq!(
            db.sql(&format!("SELECT count(*) FROM {table}")),
            "0",
            "{table}"
        );
    }
    assert_eq!(shell.run("export").done(), "");
    // Nor is anything left that would stand in the way of the next try.
    shell.run("import team.jsonl").done();
    assert_eq!(shell.run("export").done().lines().count(), AGENTS + 7);
}

#[tokio::test]
async fn killed_while_it_writes_it_leaves_nothing_in_sqlite() {
    let db = Database::sqlite().await;
    let shell = Shell::on(&db.url);
    shell.write("team.jsonl", team());
    // The kernel's own count of writes says when, so that it is in the middle on every machine.
    let killed = shell
        .command("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64"])
        .args(["-e", "inject=pwrite64:signal=SIGKILL:when=5000"])
        .args([env!("CARGO_BIN_EXE_shiftbell"), "import", "team.jsonl"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("this test needs strace: apt-get install strace");
    assert_eq!(killed.signal(), Some(9), "{killed}");
    let file = db.url.strip_prefix("sqlite://").unwrap();
    let written = fs::metadata(format!("{file}-wal")).unwrap().len();
    assert!(written > 1_000_000, "only {written} bytes were written");
    assert_eq!(db.sql("PRAGMA integrity_check"), "ok");
    nothing_and_then_everything(&db, &shell);
}

#[tokio::test]
async fn killed_while_it_writes_it_leaves_nothing_in_postgres() {
    let db = Database::postgres().await;
    let shell = Shell::on(&db.url);
    shell.write("team.jsonl", team());
    // An agent three quarters through waits for a lock that is never given.
    db.sql("CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END'");
    db.sql("CREATE TRIGGER wait BEFORE INSERT ON agents FOR EACH ROW WHEN (NEW.id = 'a-15000') EXECUTE FUNCTION wait()");
    let mut holder = PgConnection::connect(&db.url).await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(7)")
        .execute(&mut holder)
        .await
        .unwrap();
    let mut import = shell
        .shiftbell("import team.jsonl")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while db.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") != "1"
    {
        assert_eq!(import.try_wait().unwrap(), None, "it ended by itself");
    }
    import.kill().unwrap();
    import.wait().unwrap();
    // Its session notices once it may go on.
    holder.close().await.unwrap();
    while db.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()") != "0" {}
    nothing_and_then_everything(&db, &shell);
}
