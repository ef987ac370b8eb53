//! The service while it runs: its lanes hear of what comes back to wait, though nobody notifies them.

use std::time::Duration;

use shiftbell::sim::script::Fault;
use tokio_util::sync::CancellationToken;

use crate::{
    stage::{Stage, time},
    support::{Database, on_both},
};

on_both!(what_comes_back_is_sent_again_at_once);

/// An iPhone that rings at 09:00 in Paris, 07:00 UTC.
const TEAM: &str = r#"{"type":"workspace","id":"acme","name":"Acme"}
{"id":"ana","workspace":"acme","name":"Ana Ruiz","timezone":"Europe/Paris","hours":[{"day":"mon","start":"09:00","end":"18:00"}],"notify":{"start":true,"end":true},"devices":[{"platform":"ios","token":"aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11aa11"}]}
"#;

/// Less than the minute after which a lane looks for itself.
const SOON: Duration = Duration::from_secs(30);

async fn what_comes_back_is_sent_again_at_once(db: Database) {
    let stage = Stage::set("2026-03-30T06:00:00Z", Some(db.url.clone()), TEAM).await;
    let refused = Fault::Reset(h2::Reason::REFUSED_STREAM);
    stage.world.apns.script().next(1, refused);
    stage.clock.set(time("2026-03-30T07:00:00Z"));
    let stop = CancellationToken::new();
    let rung = async {
        let rung = stage.world.apns.record().wait_for(1, SOON).await;
        stop.cancel();
        rung.unwrap();
    };
    tokio::join!(stage.engine.run(&stop), rung);
    let row = stage.row("apns").await;
    assert_eq!((row.state.as_str(), row.attempts), ("sent", 2));
}
