//! Reports of browsers about violations of the content security policy: logged within limits, answered with nothing.
use std::sync::atomic::{AtomicI64, Ordering};

use actix_web::{HttpResponse, web};

use crate::{
    form::read_body,
    routes::{Answer, RouteSpec, Verb, raw},
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] =
    &[raw(Verb::Post, "/csp-report", |visit, payload| Box::pin(report(visit, payload)))];

/// Bytes of a report at most.
const REPORT_BYTES_MAX: usize = 8 * 1024;
/// Characters of a report that are logged; anybody can send one.
const LOGGED_CHARS_MAX: usize = 600;

/// Milliseconds between two reports that are logged, for the same reason.
const LOGGED_EVERY_MS: i64 = 1_000;

async fn report(visit: &Visit<'_>, payload: web::Payload) -> Answer {
    let body = read_body(payload, REPORT_BYTES_MAX).await?;
    let text: String =
        String::from_utf8_lossy(&body).chars().filter(|letter| !letter.is_control()).take(LOGGED_CHARS_MAX).collect();
    if may_log(&visit.console.csp_logged_ms, visit.now_ms) {
        tracing::warn!(request_id = %visit.request_id, report = text, "content security policy violated");
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Takes the turn to log, where the last one is long enough ago.
fn may_log(logged_ms: &AtomicI64, now_ms: i64) -> bool {
    let last = logged_ms.load(Ordering::Relaxed);
    let is_due = !(0..LOGGED_EVERY_MS).contains(&(now_ms - last));
    is_due && logged_ms.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_reports_is_one_line_a_second() {
        let logged_ms = AtomicI64::new(0);
        let lines = (10_000..15_000).filter(|now_ms| may_log(&logged_ms, *now_ms)).count();
        assert_eq!(lines, 5);
    }
}
