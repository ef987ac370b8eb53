//! On a slow way to Postgres callers give up in the middle: those of the store's units, and those who
//! ask a worker whether it is ready. No connection stays inside a transaction, and the same
//! connections serve on.

use std::time::Duration;

use shiftbell::store::{OpenOptions, Store, StoreError};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{
    kit::{Base, Extent, Mode, Plan, Proxy, Report, Theatre, Worker, ill_end, until},
    support::postgres::Cluster,
};

const STUCK: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'shiftbell%' \
                     AND datname = current_database() AND state LIKE 'idle in transaction%'";

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 100,
        spread_s: extent.pick(6, 60),
        lead_s: 8,
    };
    let theatre = Theatre::set(Base::Postgres(Cluster::shared()), plan).await;
    let socket = Cluster::shared().socket();
    let (proxy, detour) = Proxy::before_postgres(socket, &theatre.url).await;
    let mut worker = Worker::start(&theatre, "run", &[], std::slice::from_ref(&detour));
    let store = Store::open(&OpenOptions::new(detour.1)).await.unwrap();
    theatre.curtain().await;
    let door = door(&worker.printed());
    proxy.set(Mode::Slow(Duration::from_millis(10)));
    let mut struck = 0;
    while theatre.clock.now() < theatre.last {
        let patience = Duration::from_millis(rand::random_range(0..70));
        let unit = tokio::time::timeout(patience, note(&store, "during"));
        let (unit, ()) = tokio::join!(unit, knock(&door, patience));
        struck += u64::from(unit.is_err());
    }
    proxy.set(Mode::Pass);
    let free = until(
        "all transactions to end",
        Duration::from_secs(5),
        async || theatre.number(STUCK) == 0,
    );
    let mut found: Vec<String> = free.await.err().into_iter().collect();
    for _ in 0..32 {
        let noted = note(&store, "after").await;
        found.extend(noted.err().map(|error| format!("L: spoilt: {error:?}")));
    }
    found.extend(theatre.quiet().await.err());
    if theatre.sql("SELECT value FROM meta WHERE key = 'turn'") != "after" {
        found.push("L: a commit did not last".to_owned());
    }
    store.close().await;
    found.extend(ill_end(worker.stop().await));
    let mut report = theatre.judge(struck).await;
    report.found.extend(found);
    report
}

async fn note(store: &Store, turn: &'static str) -> Result<(), StoreError> {
    let work = store.unit(move |store| async move {
        let mut tx = store.begin().await?;
        tx.set_meta("turn", turn).await?;
        tx.commit().await
    });
    work.await
}

/// Where this worker listens.
fn door(printed: &str) -> String {
    let line = printed.lines().find(|line| line.contains("\"listening\""));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

/// Asks whether it is ready, and hangs up.
async fn knock(door: &str, patience: Duration) {
    let mut caller = TcpStream::connect(door).await.unwrap();
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    caller.write_all(request).await.unwrap();
    tokio::time::sleep(patience).await;
}
