//! `/v1/agents/{id}/boundaries`: when an agent's hours start and end.

use axum::{Json as Answer, extract::State, http::StatusCode};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api, agents,
    auth::OwnPage,
    input::{Path, Query, Word},
    page::{Cursor, Limit, Page},
    span::span,
};
use crate::{
    domain::{
        agent::Agent,
        clock_changes::clock_changes,
        hours::{Boundary, OperatingHours},
        zone::Zones,
    },
    http::Problem,
    store::Tx,
};

/// The longest span that can be asked about.
pub(super) const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Which span, and which page of it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// From when on; now where it is not said.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Before when; a week after `from` where it is not said, at most 366 days after it.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = Option<String>, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<Cursor>,
}

/// An instant at which an agent's hours start or end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Boundary)]
pub(super) struct BoundaryBody {
    /// `start` or `end`.
    kind: &'static str,
    /// When, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub(super) at: Timestamp,
    /// What the agent's clock reads then, `YYYY-MM-DDTHH:MM:SS`.
    local: String,
    /// Whether the clocks of the agent's zone change on that local date.
    clock_change: bool,
}

impl BoundaryBody {
    /// Whether it is the same boundary, whatever the clock on the wall reads.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.at == other.at
    }
}

/// The agent's boundaries to come, with from <= at < until, in order.
#[utoipa::path(get, path = "/v1/agents/{id}/boundaries", operation_id = "list_boundaries", tag = "agents",
    params(("id" = String, Path), Listing),
    responses((status = 200, body = Page<BoundaryBody>)))]
pub(super) async fn list(
    State(api): State<Api>,
    OwnPage(caller): OwnPage,
    Path(id): Path<Word>,
    Query(listing): Query<Listing>,
) -> Result<Answer<Page<BoundaryBody>>, Problem> {
    let now = api.clock.now();
    let (from, until) = span(listing.from, listing.until, now, LONGEST)?;
    let after: Option<Timestamp> = listing.cursor.map(|c| c.place()).transpose()?;
    let mut tx = api.store.snapshot().await?;
    let agent = agents::visible(&mut tx, &caller, &id).await?;
    let (hours, zone) = compiled(&mut tx, &agent, &api.zones()).await?;
    tx.commit().await?;
    let mut all = bodies(&hours, &zone, from, until);
    all.retain(|boundary| after.is_none_or(|after| boundary.at > after));
    Ok(Answer(listing.limit.page(all, |boundary| boundary.at)))
}

/// An agent's hours under the holidays of its workspace, and its zone.
pub(super) async fn compiled(
    tx: &mut Tx,
    agent: &Agent,
    zones: &Zones,
) -> Result<(OperatingHours, TimeZone), Problem> {
    let workspace = tx.workspace(&agent.workspace).await?;
    let holidays = workspace.and_then(|w| w.holidays).unwrap_or_default();
    let unknown = |error: crate::domain::zone::UnknownZone| {
        Problem::field(StatusCode::CONFLICT, "timezone", error.reason())
    };
    let hours = agent.operating_hours(zones, &holidays).map_err(unknown)?;
    let zone = zones.get(&agent.timezone).map_err(unknown)?;
    Ok((hours, zone))
}

/// The boundaries of a span, each with the local time and whether its day has a clock change.
pub(super) fn bodies(
    hours: &OperatingHours,
    zone: &TimeZone,
    from: Timestamp,
    until: Timestamp,
) -> Vec<BoundaryBody> {
    let around = |at: Timestamp, by| at.saturating_add(by).unwrap_or(at);
    let changes = clock_changes(zone, around(from, -DAY), around(until, DAY));
    let dates: Vec<Date> = changes
        .iter()
        .flat_map(|change| [change.from.date(), change.to.date()])
        .collect();
    let body = |Boundary { at, kind }| {
        let local = zone.to_datetime(at);
        BoundaryBody {
            kind: kind.as_str(),
            at,
            local: local.to_string(),
            clock_change: dates.contains(&local.date()),
        }
    };
    hours
        .boundaries(from, until)
        .into_iter()
        .map(body)
        .collect()
}
