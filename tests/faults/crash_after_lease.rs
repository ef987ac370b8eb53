//! A worker dies with leases taken and nothing sent: the way to both push services swallows
//! everything, the leases are there, `kill -9`.

use std::time::Duration;

use super::kit::{Base, Extent, Mode, Plan, Proxy, Report, Theatre, Worker, proxy::Target, until};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 40,
        spread_s: 2,
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let way = Proxy::before(Target::Tcp(address(&theatre.world.apns.endpoint()))).await;
    way.set(Mode::Hold);
    let detour = [(
        "SHIFTBELL__APNS__ENDPOINT",
        format!("https://localhost:{}", way.port),
    )];
    let mut struck = 0;
    for _ in 0..extent.pick(2, 5) {
        let mut worker = Worker::start(&theatre, "run", &[], &detour);
        let leased = until("a lease", Duration::from_secs(30), async || {
            way.struck() > struck && theatre.leased().await > 0
        });
        if leased.await.is_ok() {
            struck = way.struck();
        }
        worker.kill();
    }
    theatre.judge(struck).await
}

/// Where an `https://host:port` URL of a stand-in leads.
pub(crate) fn address(url: &str) -> std::net::SocketAddr {
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    ([127, 0, 0, 1], port).into()
}
