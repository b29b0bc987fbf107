//! Refusals that a form shows beside its fields, told from faults that become a page of their own.
use actix_web::http::StatusCode;
use tokenim_domain::Code;
use tokenim_templates::problem::Problems;

use crate::{fault::Fault, visit::Visit};

/// What a form is shown again with.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// What is wrong, in the visitor's language.
    pub problems: Problems,
}

/// A refusal for the form it came from; everything else goes on as a fault.
pub(crate) fn refusal(visit: &Visit<'_>, fault: impl Into<Fault>) -> Result<Refusal, Fault> {
    let error = match fault.into() {
        Fault::Domain(error) => error,
        other => return Err(other),
    };
    let row = error.code.row();
    let is_of_form = matches!(row.status, 409 | 422 | 429)
        || matches!(error.code, Code::Overloaded | Code::EmailUnverified | Code::PlanLimit | Code::InvitationRevoked);
    let status = StatusCode::from_u16(row.status).ok().filter(|_| is_of_form);
    let Some(status) = status else { return Err(error.into()) };
    let wait_s = error.retry_after_ms.map_or(0, |ms| i64::try_from(ms.div_ceil(1000)).unwrap_or(i64::MAX));
    Ok(Refusal { status, problems: Problems::of_code(visit.text(), row.name, error.param, wait_s) })
}
