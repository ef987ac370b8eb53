//! Other sessions sit on transactions over the boundaries: one has read and idles, one has edited a
//! few agents' hours, one has locked what was under way at an instant. All others are served
//! meanwhile, the worker does not spin, and those few are served when the sessions end.

use std::time::Duration;

use shiftbell::sim::script::{Behaviour, Fault};
use sqlx::{Connection as _, PgConnection};

use super::{
    kit::{Base, Extent, Plan, Report, Theatre, ill_end, until},
    support::postgres::Cluster,
};

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM deliveries";
const EDIT: &str = "BEGIN; UPDATE operating_hours SET start_time = start_time \
                    WHERE agent_id IN ('a-96', 'a-97', 'a-98', 'a-99')";
const EDITED: u64 = 4;
const LOCK: &str = "SELECT id FROM outbox WHERE channel = 'apns' AND lease_until IS NOT NULL FOR UPDATE SKIP LOCKED";
/// What a worker may commit in a second while it waits for others; it looks five times.
const COMMITS_A_SECOND: u64 = 60;
const SENT: &str =
    "SELECT count(*) FROM delivery_log WHERE channel <> 'presence' AND state = 'sent'";
const COMMITS: &str = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 100,
        spread_s: 2,
        lead_s: 7,
    };
    let theatre = Theatre::set(Base::Postgres(Cluster::shared()), plan).await;
    let reader = session(&theatre, READ).await;
    let editor = session(&theatre, EDIT).await;
    let mut locker = session(&theatre, "BEGIN").await;
    // One that is under way for as long as a request may last, so that the lock catches it.
    theatre
        .world
        .apns
        .script()
        .next(1, Behaviour::Instead(Fault::Hang));
    let mut worker = theatre.worker();
    theatre.curtain().await;
    let mut caught = 0;
    let patience = theatre.last + Duration::from_secs(10);
    while caught == 0 && theatre.clock.now() < patience {
        let rows = sqlx::query(LOCK).fetch_all(&mut locker).await.unwrap();
        caught = rows.len() as u64;
    }
    let others = theatre.team.len() as u64 - EDITED - caught;
    let served = until("all others", Duration::from_secs(20), async || {
        theatre.number(SENT) >= others
    });
    let mut found: Vec<String> = served.await.err().into_iter().collect();
    let hold = Duration::from_secs(extent.pick(4, 60));
    let before = theatre.number(COMMITS);
    tokio::time::sleep(hold).await;
    let spun = theatre.number(COMMITS) - before;
    if spun > COMMITS_A_SECOND * hold.as_secs() {
        found.push(format!("the worker spins: {spun} commits in {hold:?}"));
    }
    if worker.times("leases_ran_out") > 0 {
        found.push("answers waited for a lock that was none of theirs".to_owned());
    }
    let struck = theatre.team.len() as u64 - theatre.number(SENT);
    if caught == 0 || struck != EDITED + caught {
        found.push(format!("{caught} were locked, {struck} held"));
    }
    for session in [editor, locker] {
        session.close().await.unwrap();
    }
    // The reader stays: it is in nobody's way.
    found.extend(theatre.quiet().await.err());
    found.extend(ill_end(worker.stop().await));
    reader.close().await.unwrap();
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    report
}

/// A session that has done this and idles, in its transaction.
async fn session(theatre: &Theatre, sql: &'static str) -> PgConnection {
    let mut session = PgConnection::connect(&theatre.url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut session).await.unwrap();
    session
}
