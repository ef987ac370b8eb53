//! What doctor says of a chat product: every request that would be made, and whether its leases hold.

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Level, finding};
use crate::{
    config::Driver as Section,
    domain::driver::Lease,
    store::{LEASES_RENEWED, Store, StoreError},
    workers::receivers::Receivers,
};

/// Stands for an agent's id in the product.
const SOMEBODY: &str = "AGENT";

/// The requests, none of which is sent.
pub(super) fn requests(receivers: &Receivers) -> Vec<Finding> {
    let Some(driver) = &receivers.driver else {
        return Vec::new();
    };
    let previews = driver.previews(SOMEBODY).into_iter();
    previews
        .map(|preview| {
            let request = preview.request.replace('\n', " | ");
            finding("request", Level::Ok, format!("{}: {request}", preview.when))
        })
        .collect()
}

/// Whether somebody renews, and can.
pub(super) async fn lease(
    store: &Store,
    section: &Section,
    now: Timestamp,
) -> Result<Vec<Finding>, StoreError> {
    let Some(lease) = section.description.lease else {
        return Ok(Vec::new());
    };
    let facts = store.unit(move |store| async move {
        let mut tx = store.snapshot().await?;
        let renewed = tx.meta(LEASES_RENEWED).await?;
        let agents = tx.count_agents().await?;
        let online = tx.count_accepting().await?;
        tx.commit().await?;
        Ok((renewed, agents, online))
    });
    let (renewed, agents, online) = facts.await?;
    let renewed = renewed.and_then(|ms| ms.parse().ok());
    let renewed = renewed.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let mut found = vec![held(section, lease, renewed, online, now)];
    found.extend(fits(section, lease, agents));
    Ok(found)
}

/// A cron tick cannot hold a lease: it is gone before the next one.
fn held(
    section: &Section,
    lease: Lease,
    renewed: Option<Timestamp>,
    online: i64,
    now: Timestamp,
) -> Finding {
    let ends = SignedDuration::from_secs(lease.ends_after_seconds.into());
    let product = &section.description.product;
    match renewed {
        Some(at) if now.duration_since(at) < ends => finding(
            "lease",
            Level::Ok,
            format!("{online} agents are held online, last renewed {at}"),
        ),
        _ => {
            let level = if online > 0 {
                Level::Broken
            } else {
                Level::Warning
            };
            let detail = format!(
                "{product} holds agents online for {} seconds only, and no `shiftbell run` renews them: \
                 start the service; cron (`shiftbell tick`) cannot hold them",
                lease.ends_after_seconds
            );
            finding("lease", level, detail)
        }
    }
}

/// Whether the pace allows for everybody at once.
fn fits(section: &Section, lease: Lease, agents: i64) -> Option<Finding> {
    let needed = agents * 60 / i64::from(lease.renew_every_seconds);
    let allowed = i64::from(section.max_per_minute);
    (needed > allowed).then(|| {
        let detail = format!(
            "{agents} agents at once take {needed} requests a minute, and presence.max_per_minute is {allowed}"
        );
        finding("lease", Level::Warning, detail)
    })
}
