//! A worker dies with leases taken and nothing sent: the way to both push services swallows
//! everything, the leases are there, `kill -9`.

use std::time::Duration;

use super::kit::{Base, Extent, Mode, Plan, Proxy, Report, Theatre, Worker, until};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: 40,
        spread_s: 2,
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let apns = theatre.world.apns.endpoint();
    let (way, detour) = Proxy::on_the_way("SHIFTBELL__APNS__ENDPOINT", &apns).await;
    let detour = [detour];
    way.set(Mode::Hold);
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
