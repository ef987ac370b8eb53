//! A lead, as the roster reads it: one field or the other.

use serde::Deserialize;
use utoipa::ToSchema;

/// How long before hours start the phones ring as well.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Lead)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(in crate::http::api) enum LeadInput {
    /// So many minutes.
    Minutes(MinutesBefore),
    /// On the local date before the one on which hours start; only for the first start of a date.
    DayBefore(DayBefore),
}

/// Before every start of hours.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(in crate::http::api) struct MinutesBefore {
    #[schema(minimum = 1, maximum = 10080)]
    minutes: u16,
}

/// At this time on the agent's own clock.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the roster reads")]
pub(in crate::http::api) struct DayBefore {
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    day_before: String,
}
