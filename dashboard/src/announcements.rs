//! Announcements as people meet them: what a visit is shown, and putting one away.
use tokenim_domain::announcement::Severity;
use tokenim_store::Announcement;
use tokenim_templates::frame::Announced;

use crate::{
    answer,
    form::{Form, Nothing},
    overview,
    routes::{Answer, RouteSpec, Who, post},
    session,
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] =
    &[post("/console/announcements/{announcement}/dismiss", Who::SignedIn, |visit, form| {
        Box::pin(dismiss(visit, form))
    })];

/// What the visit's account is shown above a page: nothing on a live stream and where a form is sent, which are no pages, nor
/// where it can't be read, because a page is worth more than what is told above it.
pub(crate) async fn read(visit: &Visit<'_>) -> Vec<Announcement> {
    let reader = visit.session.as_ref().filter(|_| !visit.is_unsafe() && !session::is_stream(visit));
    let Some(session) = reader else { return Vec::new() };
    visit.console.store.list_shown_announcements(session.account).await.unwrap_or_else(|error| {
        tracing::error!(request_id = %visit.request_id, %error, "announcements cannot be read");
        Vec::new()
    })
}

/// The same in the visit's language.
pub(crate) fn shown<'v>(visit: &'v Visit<'_>) -> Vec<Announced<'v>> {
    let shown = |found: &'v Announcement| Announced {
        id: found.id.to_string(),
        is_warning: found.content.severity == Severity::Warning,
        title: visit.in_language(&found.content.title_en, &found.content.title_zh),
        text: visit.in_language(&found.content.text_en, &found.content.text_zh),
    };
    visit.announcements.iter().map(shown).collect()
}

async fn dismiss(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Nothing {} = form.parse()?;
    let (account, id) = (visit.signed_in()?.account, visit.path("announcement")?);
    visit.console.store.dismiss_announcement(account, id).await?;
    Ok(answer::see_other(overview::PATH))
}
