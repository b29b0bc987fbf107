//! What operators tell every org: the list, writing one, writing it anew, ending it.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::announcements;
use tokenim_domain::{
    Error,
    announcement::{Content, Severity, State, TEXT_CHARS_MAX, TITLE_CHARS_MAX},
    id::AnnouncementId,
};
use tokenim_store::Announcement;
use tokenim_templates::{
    flash::Flash,
    page::announcements::{AnnouncementForm, AnnouncementPage, AnnouncementRow, AnnouncementsPage, Limits, Stage},
    problem::Problems,
    time::{DAY_MS, Utc, parse_input},
};

use super::Why;
use crate::{
    answer, cookie,
    fault::Fault,
    form::Form,
    pager::{ROWS, cursor, cut},
    problems::{Refusal, refusal},
    routes::Answer,
    visit::Visit,
};

const PATH: &str = "/operator/announcements";
/// How long a new one stands where the form is not changed, in milliseconds.
const USUAL_MS: i64 = 7 * DAY_MS;
const LIMITS: Limits = Limits { title_chars_max: TITLE_CHARS_MAX, text_chars_max: TEXT_CHARS_MAX };

/// The form as it was sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    severity: String,
    title_en: String,
    title_zh: String,
    text_en: String,
    text_zh: String,
    starts_at: String,
    ends_at: String,
    reason: String,
    /// The version that the form was shown with; a new one has none.
    #[serde(default)]
    version: String,
}

impl Sent {
    /// The form of an announcement as it stands.
    fn of(found: &Announcement) -> Self {
        Sent { version: cookie::encode(&found.version()), ..Self::unsaved(found.content.clone()) }
    }

    fn unsaved(content: Content) -> Self {
        Sent {
            severity: content.severity.as_str().to_owned(),
            title_en: content.title_en,
            title_zh: content.title_zh,
            text_en: content.text_en,
            text_zh: content.text_zh,
            starts_at: Utc::from_ms(content.starts_ms).input(),
            ends_at: Utc::from_ms(content.ends_ms).input(),
            reason: String::new(),
            version: String::new(),
        }
    }

    /// An empty form: from now on, for the usual time.
    fn fresh(now_ms: i64) -> Self {
        let empty = String::new;
        Self::unsaved(Content {
            severity: Severity::Info,
            title_en: empty(),
            title_zh: empty(),
            text_en: empty(),
            text_zh: empty(),
            starts_ms: now_ms,
            ends_ms: now_ms + USUAL_MS,
        })
    }

    fn content(&self) -> Result<Content, Error> {
        let time = |field, text: &str| parse_input(text).ok_or_else(|| Error::invalid(field, "no time"));
        Ok(Content {
            severity: Severity::find(&self.severity).ok_or_else(|| Error::invalid("severity", "no severity"))?,
            title_en: self.title_en.clone(),
            title_zh: self.title_zh.clone(),
            text_en: self.text_en.clone(),
            text_zh: self.text_zh.clone(),
            starts_ms: time("starts_at", &self.starts_at)?,
            ends_ms: time("ends_at", &self.ends_at)?,
        })
    }

    fn shown(&self) -> AnnouncementForm<'_> {
        AnnouncementForm {
            is_warning: self.severity == Severity::Warning.as_str(),
            title_en: &self.title_en,
            title_zh: &self.title_zh,
            text_en: &self.text_en,
            text_zh: &self.text_zh,
            starts_at: &self.starts_at,
            ends_at: &self.ends_at,
            reason: &self.reason,
            limits: LIMITS,
        }
    }
}

pub(super) async fn list(visit: &mut Visit<'_>) -> Answer {
    list_page(visit, StatusCode::OK, &Sent::fresh(visit.now_ms), Problems::none()).await
}

pub(super) async fn create(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let sent: Sent = form.parse()?;
    let actor = visit.operating(&sent.reason)?;
    let made = match sent.content() {
        Ok(content) => announcements::create(&visit.console.store, &actor, content).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(_) => Ok(answer::done(visit, Flash::Saved, PATH)),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            list_page(visit, status, &sent, problems).await
        }
    }
}

pub(super) async fn show(visit: &mut Visit<'_>) -> Answer {
    let found = find(visit).await?;
    page(visit, StatusCode::OK, &found, &Sent::of(&found), Problems::none())
}

pub(super) async fn update(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let (sent, found): (Sent, _) = (form.parse()?, find(visit).await?);
    let (actor, from) = (visit.operating(&sent.reason)?, cookie::decode(&sent.version).ok_or(Fault::Form)?);
    let done = match sent.content() {
        Ok(content) => announcements::update(&visit.console.store, &actor, found.id, Some(from), content).await,
        Err(error) => Err(error),
    };
    settle(visit, done, &found, &sent)
}

pub(super) async fn end(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let (Why { reason }, found) = (form.parse()?, find(visit).await?);
    let done = announcements::end(&visit.console.store, &visit.operating(&reason)?, found.id).await;
    settle(visit, done, &found, &Sent { reason, ..Sent::of(&found) })
}

async fn find(visit: &Visit<'_>) -> Result<Announcement, Fault> {
    let id = visit.path("announcement")?;
    visit.console.store.find_announcement(id).await?.ok_or(Fault::NotFound)
}

/// After a change: the list, or the form with what is wrong, and with the version it was shown with: whoever is told that
/// another one changed it opens it again before they overwrite that.
fn settle(visit: &Visit<'_>, done: Result<Announcement, Error>, found: &Announcement, sent: &Sent) -> Answer {
    match done {
        Ok(_) => Ok(answer::done(visit, Flash::Saved, PATH)),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, status, found, sent, problems)
        }
    }
}

async fn list_page(visit: &Visit<'_>, status: StatusCode, sent: &Sent, problems: Problems) -> Answer {
    let mut found = visit.console.store.list_announcements(cursor::<AnnouncementId>(visit, "before")?, ROWS).await?;
    let next = cut(&mut found, PATH, "before", |found| found.id);
    let rows: Vec<_> = found.iter().map(|found| row(visit, found)).collect();
    let page = AnnouncementsPage { frame: visit.frame(None), rows: &rows, form: sent.shown(), next, problems };
    answer::page(status, &page, visit)
}

fn page(visit: &Visit<'_>, status: StatusCode, found: &Announcement, sent: &Sent, problems: Problems) -> Answer {
    let row = row(visit, found);
    let page = AnnouncementPage { frame: visit.frame(None), row, form: sent.shown(), version: &sent.version, problems };
    answer::page(status, &page, visit)
}

fn row(visit: &Visit<'_>, found: &Announcement) -> AnnouncementRow {
    let content = &found.content;
    AnnouncementRow {
        id: found.id.to_string(),
        title: visit.in_language(&content.title_en, &content.title_zh).to_owned(),
        is_warning: content.severity == Severity::Warning,
        stage: match content.state(visit.now_ms) {
            State::Planned => Stage::Planned,
            State::Shown => Stage::Shown,
            State::Ended => Stage::Ended,
        },
        starts: Utc::from_ms(content.starts_ms),
        ends: Utc::from_ms(content.ends_ms),
    }
}
