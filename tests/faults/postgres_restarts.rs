//! Postgres is restarted again and again, under load.

use super::{
    kit::{Extent, Report},
    postgres_crashes::interrupted,
};

pub(crate) async fn inject(extent: Extent) -> Report {
    interrupted(extent.pick(4, 20), "fast").await
}
