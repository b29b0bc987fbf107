//! The pages that tell one thing.
use actix_web::http::StatusCode;
use tokenim_templates::page::told::{Told, ToldPage};

use crate::{answer, routes::Answer, visit::Visit};

/// Answers one.
pub(crate) fn page(visit: &Visit<'_>, status: StatusCode, told: Told) -> Answer {
    answer::page(status, &ToldPage { frame: visit.frame(None), told }, visit)
}
