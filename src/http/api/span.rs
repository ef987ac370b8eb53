//! The span of time a question is about.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use crate::http::Problem;

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A span `[from, until)` of at most `longest`, UTC; a week from `now` on where it is not said.
pub(super) fn span(
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    now: Timestamp,
    longest: SignedDuration,
) -> Result<(Timestamp, Timestamp), Problem> {
    let from = from.unwrap_or(now);
    let until = until.unwrap_or_else(|| from.checked_add(WEEK).unwrap_or(Timestamp::MAX));
    if until < from {
        return Err(refused("is before from"));
    }
    if until.duration_since(from) > longest {
        let days = longest.as_hours() / 24;
        let detail = format!("is more than {days} days after from");
        return Err(refused(&detail));
    }
    Ok((from, until))
}

fn refused(detail: &str) -> Problem {
    Problem::field(StatusCode::UNPROCESSABLE_ENTITY, "until", detail)
}
