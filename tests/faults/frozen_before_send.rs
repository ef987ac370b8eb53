//! A worker is frozen between its lease and its request, longer than the lease, while another one
//! takes over; then it thaws. On Postgres, for the reason that `frozen_in_request` gives.

use std::time::Duration;

use super::{
    kit::{Base, Extent, Mode, Plan, Proxy, Report, Theatre, Worker, ill_end, until},
    support::postgres::Cluster,
};

pub(crate) async fn inject(_: Extent) -> Report {
    let plan = Plan {
        agents: 40,
        spread_s: 1,
        lead_s: 6,
    };
    let theatre = Theatre::set(Base::Postgres(Cluster::shared()), plan).await;
    let apns = theatre.world.apns.endpoint();
    let (way, detour) = Proxy::on_the_way("SHIFTBELL__APNS__ENDPOINT", &apns).await;
    let detour = [detour];
    way.set(Mode::Hold);
    let mut frozen = Worker::start(&theatre, "run", &[], &detour);
    let leased = until("a lease", Duration::from_secs(30), async || {
        way.struck() > 0 && theatre.leased().await > 0
    });
    let leased = leased.await;
    frozen.signal("STOP");
    let mut other = theatre.worker();
    let mut found: Vec<String> = leased.err().into_iter().collect();
    found.extend(theatre.quiet().await.err());
    way.set(Mode::Pass);
    frozen.signal("CONT");
    for worker in [&mut frozen, &mut other] {
        found.extend(ill_end(worker.stop().await));
    }
    let mut report = theatre.judge(way.struck()).await;
    report.found.extend(found);
    report
}
