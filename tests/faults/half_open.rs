//! The way to the receivers goes silent in mid-run, without a word to either side; at first it comes
//! back, then its connections turn out to be dead.

use std::time::Duration;

use super::kit::{Base, Extent, Mode, Plan, Proxy, Report, Theatre, Worker, ill_end, until};

pub(crate) async fn inject(extent: Extent) -> Report {
    let plan = Plan {
        agents: extent.pick(120, 600),
        spread_s: extent.pick(6, 40),
        lead_s: 5,
    };
    let theatre = Theatre::set(Base::Sqlite, plan).await;
    let world = &theatre.world;
    let mut places = vec![
        ("SHIFTBELL__APNS__ENDPOINT", world.apns.endpoint()),
        ("SHIFTBELL__PRESENCE__URL", world.presence.url()),
    ];
    // FCM asks for ten seconds or more between two tries: in full only.
    if extent == Extent::Full {
        places.push(("SHIFTBELL__FCM__ENDPOINT", world.fcm.endpoint()));
    }
    let (mut ways, mut detours) = (Vec::new(), Vec::new());
    for (key, place) in places {
        let (way, detour) = Proxy::on_the_way(key, &place).await;
        detours.push(detour);
        ways.push(way);
    }
    let mut worker = Worker::start(&theatre, "run", &[], &detours);
    theatre.curtain().await;
    let mut found = Vec::new();
    let within = Duration::from_secs(20);
    let accepted = || {
        let (apns, fcm) = (world.apns.record(), world.fcm.record());
        let posts = world.presence.record();
        [
            apns.accepted_count(),
            fcm.accepted_count(),
            posts.accepted_count(),
        ]
    };
    for ending in [Mode::Pass, Mode::Cut] {
        // Connections are open, and used.
        let used = accepted();
        let open = until("answers", within, async || {
            accepted()
                .iter()
                .zip(used)
                .all(|(now, before)| *now > before)
        });
        found.extend(open.await.err());
        let unknown = |worker: &Worker| worker.printed().matches(r#""outcome":"unknown""#).count();
        let before: Vec<u64> = ways.iter().map(Proxy::struck).collect();
        let unknown_before = unknown(&worker);
        set(&ways, Mode::Hold);
        let silent = until("requests into the silence", within, async || {
            let mut both = ways.iter().zip(&before);
            both.all(|(way, before)| way.struck() > *before)
        });
        found.extend(silent.await.err());
        let noticed = until("a time-out", within, async || {
            unknown(&worker) > unknown_before
        });
        found.extend(noticed.await.err());
        set(&ways, ending);
    }
    set(&ways, Mode::Pass);
    found.extend(theatre.quiet().await.err());
    found.extend(ill_end(worker.stop().await));
    let mut report = theatre.judge(ways.iter().map(Proxy::struck).sum()).await;
    report.found.extend(found);
    report
}

fn set(ways: &[Proxy], mode: Mode) {
    for way in ways {
        way.set(mode);
    }
}
