//! `/v1/audit`: who did what.

use axum::{Json as Answer, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    Api,
    auth::ReadLog,
    deliveries::within,
    input::{Query, Word},
    page::{Cursor, Limit, Page},
};
use crate::{http::Problem, store::AuditRow};

/// Which acts, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    /// Only what was done in this workspace.
    #[param(value_type = Option<String>, pattern = "^[^\\x00]*$")]
    workspace: Option<Word>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 1000)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = Option<String>, min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<Cursor>,
}

/// What people and programs did, newest first.
#[utoipa::path(get, path = "/v1/audit", operation_id = "list_audit", tag = "audit", params(Listing),
    responses((status = 200, body = Page<AuditRow>)))]
pub(super) async fn list(
    State(api): State<Api>,
    ReadLog(caller): ReadLog,
    Query(listing): Query<Listing>,
) -> Result<Answer<Page<AuditRow>>, Problem> {
    let before: Option<i64> = listing.cursor.map(|c| c.place()).transpose()?;
    let workspace = within(&caller, listing.workspace)?;
    let (before, limit) = (before.unwrap_or(i64::MAX), listing.limit.and_one());
    let mut tx = api.store.snapshot().await?;
    let rows = tx.audit_log(workspace.as_deref(), before, limit).await?;
    tx.commit().await?;
    Ok(Answer(listing.limit.page(rows, |row| row.n)))
}
