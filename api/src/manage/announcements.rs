//! `/v1/manage/announcements`: what the service's operators tell every org.

use super::page::{Ask, Page, Paging};
use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Operator};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::{Empty, Post};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get, post, put};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_control::announcements;
use tokenim_domain::announcement::{Content, Severity};
use tokenim_domain::id::AnnouncementId;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use tokenim_store::Announcement;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/announcements", "listAnnouncements", Who::OperatorKey, || web::to(list)),
    post("/v1/manage/announcements", "createAnnouncement", Who::OperatorKey, || web::to(create)),
    get("/v1/manage/announcements/{id}", "getAnnouncement", Who::OperatorKey, || web::to(show)),
    put("/v1/manage/announcements/{id}", "updateAnnouncement", Who::OperatorKey, || web::to(update))
        .refuses(&[Code::NotFound, Code::Conflict]),
    post("/v1/manage/announcements/{id}/end", "endAnnouncement", Who::OperatorKey, || web::to(end))
        .refuses(&[Code::NotFound, Code::Conflict]),
];

/// What to tell every org.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAnnouncement {
    /// `info`, on the overview until a person puts it away, or `warning`, on every page.
    #[schema(example = "info")]
    severity: String,
    /// Its title in English: one line.
    #[schema(min_length = 1, max_length = 60)]
    title_en: String,
    /// Its title in Chinese.
    #[schema(min_length = 1, max_length = 60)]
    title_zh: String,
    /// Its text in English: plain; line breaks are kept.
    #[schema(min_length = 1, max_length = 500)]
    text_en: String,
    /// Its text in Chinese.
    #[schema(min_length = 1, max_length = 500)]
    text_zh: String,
    /// From when it is shown, at most 366 days ahead. A new one may leave it out: from now on. Writing one anew names it.
    #[schema(nullable = false, format = DateTime)]
    starts_at: Option<String>,
    /// From when it is shown no more: at most 366 days later.
    #[schema(format = DateTime)]
    ends_at: String,
}

/// An announcement.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnnouncementReply {
    /// Its id.
    id: String,
    /// `planned`, `shown` or `ended`.
    state: &'static str,
    /// `info` or `warning`.
    severity: &'static str,
    /// Its title in English.
    title_en: String,
    /// Its title in Chinese.
    title_zh: String,
    /// Its text in English.
    text_en: String,
    /// Its text in Chinese.
    text_zh: String,
    /// From when it is shown.
    #[schema(format = DateTime)]
    starts_at: String,
    /// From when it is shown no more.
    #[schema(format = DateTime)]
    ends_at: String,
    /// When it was written.
    #[schema(format = DateTime)]
    created_at: String,
}

type AnnouncementPage = Page<AnnouncementReply>;

/// Lists announcements, the newest first.
#[utoipa::path(get, path = "/v1/manage/announcements", params(Paging), responses((status = 200, body = AnnouncementPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, _: Auth<Operator>, request: HttpRequest) -> Answer {
    let (ask, _) = Ask::<AnnouncementId>::read(&request, &[])?;
    let rows = api.store.list_announcements(ask.after, ask.rows()).await?;
    answer::view(&ask.page(rows, |found| found.id).map(|found| reply(&api, found)))
}

/// Writes an announcement.
#[utoipa::path(post, path = "/v1/manage/announcements", request_body = NewAnnouncement, responses((status = 200, body = AnnouncementReply, description = "The announcement.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<Operator, NewAnnouncement>) -> Answer {
    post.once(&api, |api, job: Job<Operator, NewAnnouncement>| async move {
        let content = content(job.body, Some(api.now_ms()))?;
        let made = announcements::create(&api.store, &job.caller.actor, content).await?;
        answer::json(&reply(&api, made))
    })
    .await
}

/// An announcement, ended or not.
#[utoipa::path(get, path = "/v1/manage/announcements/{id}", params(("id" = String, Path, description = "Id of the announcement.")), responses((status = 200, body = AnnouncementReply, description = "The announcement.")))]
pub(crate) async fn show(
    api: web::Data<Api>,
    _: Auth<Operator>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    let found = api.store.find_announcement(parse::id(&path)?).await?.ok_or(Code::NotFound)?;
    answer::view(&reply(&api, found))
}

/// Writes an announcement anew that has not ended.
#[utoipa::path(put, path = "/v1/manage/announcements/{id}", params(("id" = String, Path, description = "Id of the announcement.")), request_body = NewAnnouncement, responses((status = 200, body = AnnouncementReply, description = "The announcement.")))]
pub(crate) async fn update(
    api: web::Data<Api>,
    path: web::Path<String>,
    post: Post<Operator, NewAnnouncement>,
) -> Answer {
    post.once_at(&api, path, |api, id: AnnouncementId, job: Job<Operator, NewAnnouncement>| async move {
        let content = content(job.body, None)?;
        let changed = announcements::update(&api.store, &job.caller.actor, id, None, content).await?;
        answer::json(&reply(&api, changed))
    })
    .await
}

/// Ends an announcement now.
#[utoipa::path(post, path = "/v1/manage/announcements/{id}/end", params(("id" = String, Path, description = "Id of the announcement.")), request_body = Empty, responses((status = 200, body = AnnouncementReply, description = "The ended announcement.")))]
pub(crate) async fn end(api: web::Data<Api>, path: web::Path<String>, post: Post<Operator, Empty>) -> Answer {
    post.once_at(&api, path, |api, id: AnnouncementId, job: Job<Operator, Empty>| async move {
        answer::json(&reply(&api, announcements::end(&api.store, &job.caller.actor, id).await?))
    })
    .await
}

/// `usual_start_ms` is the start where none is named; without it, one must be.
fn content(new: NewAnnouncement, usual_start_ms: Option<i64>) -> Result<Content, Fault> {
    let wrong = || Error::invalid("severity", "`severity` must be `info` or `warning`");
    let no_start =
        || Error::invalid("starts_at", "`starts_at` must be named, so that a plan is not lost by leaving it out");
    let no_end = || Error::invalid("ends_at", "`ends_at` must be an RFC 3339 time or a date");
    Ok(Content {
        severity: Severity::find(&new.severity).ok_or_else(wrong)?,
        title_en: new.title_en,
        title_zh: new.title_zh,
        text_en: new.text_en,
        text_zh: new.text_zh,
        starts_ms: parse::time(new.starts_at.as_deref(), "starts_at")?.or(usual_start_ms).ok_or_else(no_start)?,
        ends_ms: parse::time(Some(&new.ends_at), "ends_at")?.ok_or_else(no_end)?,
    })
}

fn reply(api: &Api, found: Announcement) -> AnnouncementReply {
    let Announcement { id, content, created_ms } = found;
    AnnouncementReply {
        id: id.to_string(),
        state: content.state(api.now_ms()).as_str(),
        severity: content.severity.as_str(),
        title_en: content.title_en,
        title_zh: content.title_zh,
        text_en: content.text_en,
        text_zh: content.text_zh,
        starts_at: rfc3339(content.starts_ms),
        ends_at: rfc3339(content.ends_ms),
        created_at: rfc3339(created_ms),
    }
}
