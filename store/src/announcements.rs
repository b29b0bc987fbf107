//! Announcements of the service's operators: written by them, audited in the service's own chain, read by every account.

use crate::audit::Event;
use crate::db::Fence;
use crate::entity::{announcement, announcement_dismissal};
use crate::{Store, fault, sql};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};
use serde_json::{Value, json};
use tokenim_domain::actor::Actor;
use tokenim_domain::announcement::{Content, Severity, State};
use tokenim_domain::id::{AccountId, AnnouncementId, OrgId};
use tokenim_domain::secret::sha256;
use tokenim_domain::{Code, Error, Result};

/// Announcements that are listed at once: a page of 200, and one more that tells of another page.
const LIST_MAX: u64 = 201;
/// Announcements that one person is shown at the same time; of more, the warnings and then the newest.
pub const SHOWN_MAX: u64 = 5;

/// An announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its id.
    pub id: AnnouncementId,
    /// What it tells, and when.
    pub content: Content,
    /// When it was written, milliseconds since 1970.
    pub created_ms: i64,
}

impl Announcement {
    /// Which words, severity and times these are: other ones have another version.
    #[must_use]
    pub fn version(&self) -> [u8; 32] {
        sha256(shown(&self.content).to_string().as_bytes())
    }
}

impl Store {
    /// Writes an announcement, which was checked.
    ///
    /// Errors: `invalid_field` at `reason`; `unavailable`, `overloaded`.
    pub async fn create_announcement(&self, actor: &Actor, content: Content) -> Result<Announcement> {
        let change = self.org(OrgId::SERVICE).begin(actor).await?;
        let id = AnnouncementId::new(&*self.clock, &*self.rng);
        let new = Announcement { id, content, created_ms: self.clock.now_ms() };
        sql::insert(&change.tx, row(new.clone())).await?;
        change.commit(Event::new("announcement.created", id).after(shown(&new.content))).await?;
        Ok(new)
    }

    /// Writes other words, another severity or other times, which were checked; `from` is the version that the caller saw,
    /// where it saw one. What is shown already, and goes on being shown, keeps its start.
    ///
    /// Errors: `not_found`; `conflict` where it has ended, or has not the version `from` any more; `invalid_field` at
    /// `reason`; `unavailable`, `overloaded`.
    pub async fn update_announcement(
        &self,
        actor: &Actor,
        id: AnnouncementId,
        from: Option<[u8; 32]>,
        content: Content,
    ) -> Result<Announcement> {
        let now = self.clock.now_ms();
        let updated = |before: Content| match content.starts_ms <= now {
            true => Content { starts_ms: content.starts_ms.min(before.starts_ms), ..content },
            false => content,
        };
        self.rewrite(actor, id, from, "announcement.updated", updated).await
    }

    /// Ends an announcement now; one that was not shown yet never is.
    ///
    /// Errors: `not_found`; `conflict` where it has ended; `invalid_field` at `reason`; `unavailable`, `overloaded`.
    pub async fn end_announcement(&self, actor: &Actor, id: AnnouncementId) -> Result<Announcement> {
        let now = self.clock.now_ms();
        let ended = |before: Content| Content { starts_ms: before.starts_ms.min(now), ends_ms: now, ..before };
        self.rewrite(actor, id, None, "announcement.ended", ended).await
    }

    async fn rewrite(
        &self,
        actor: &Actor,
        id: AnnouncementId,
        from: Option<[u8; 32]>,
        action: &'static str,
        change_to: impl FnOnce(Content) -> Content,
    ) -> Result<Announcement> {
        let change = self.org(OrgId::SERVICE).begin(actor).await?;
        let found = lock(&change.tx, id).await?;
        if found.content.state(self.clock.now_ms()) == State::Ended {
            return Err(Error::new(Code::Conflict).says("the announcement has ended; write another one"));
        }
        if from.is_some_and(|from| from != found.version()) {
            return Err(Error::new(Code::Conflict).says("the announcement was changed meanwhile"));
        }
        let before = shown(&found.content);
        let changed = Announcement { content: change_to(found.content), ..found };
        let active = row(changed.clone()).into_active_model().reset_all();
        announcement::Entity::update(active).exec(&change.tx).await.map_err(fault::query)?;
        change.commit(Event::new(action, id).before(before).after(shown(&changed.content))).await?;
        Ok(changed)
    }

    /// The announcement of that id.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_announcement(&self, id: AnnouncementId) -> Result<Option<Announcement>> {
        let found = announcement::Entity::find_by_id(id).one(&self.readers).await.map_err(fault::query)?;
        found.map(view).transpose()
    }

    /// Announcements, the newest first, from below `before` where one is given.
    ///
    /// Shapes: at most 201. Errors: `unavailable`, `overloaded`.
    pub async fn list_announcements(&self, before: Option<AnnouncementId>, limit: u64) -> Result<Vec<Announcement>> {
        let rows = announcement::Entity::find()
            .apply_if(before, |found, before| found.filter(announcement::Column::Id.lt(before)))
            .order_by_desc(announcement::Column::Id)
            .limit(limit.min(LIST_MAX))
            .all(&self.readers.within(Fence::Worker))
            .await;
        rows.map_err(fault::query)?.into_iter().map(view).collect()
    }

    /// What an account is shown now: warnings first, then the newest; without those that it has put away.
    ///
    /// Shapes: at most [`SHOWN_MAX`]. Errors: `unavailable`, `overloaded`.
    pub async fn list_shown_announcements(&self, account: AccountId) -> Result<Vec<Announcement>> {
        let now = self.clock.now_ms();
        let put_away = announcement_dismissal::Entity::find()
            .select_only()
            .column(announcement_dismissal::Column::AnnouncementId)
            .filter(announcement_dismissal::Column::AccountId.eq(account))
            .into_query();
        let rows = announcement::Entity::find()
            .filter(announcement::Column::EndsMs.gt(now))
            .filter(announcement::Column::StartsMs.lte(now))
            .filter(announcement::Column::Id.not_in_subquery(put_away))
            // The stored texts sort as they should: `warning` is above `info`.
            .order_by_desc(announcement::Column::Severity)
            .order_by_desc(announcement::Column::Id)
            .limit(SHOWN_MAX)
            .all(&self.readers)
            .await;
        rows.map_err(fault::query)?.into_iter().map(view).collect()
    }

    /// Shows an announcement to an account no more; a second time changes nothing.
    ///
    /// Errors: `not_found`, for warnings too, which stay until they end; `unavailable`, `overloaded`.
    pub async fn dismiss_announcement(&self, account: AccountId, id: AnnouncementId) -> Result<()> {
        let found = self.find_announcement(id).await?;
        if found.is_none_or(|found| found.content.severity != Severity::Info) {
            return Err(Code::NotFound.into());
        }
        let row = announcement_dismissal::Model { account_id: account, announcement_id: id };
        let key = [announcement_dismissal::Column::AccountId, announcement_dismissal::Column::AnnouncementId];
        announcement_dismissal::Entity::insert(row.into_active_model())
            .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
            .exec_without_returning(&self.writer)
            .await
            .map_err(fault::query)?;
        Ok(())
    }
}

/// The announcement, held until the transaction ends.
async fn lock(tx: &DatabaseTransaction, id: AnnouncementId) -> Result<Announcement> {
    let found = sql::lock(tx, announcement::Entity::find_by_id(id)).one(tx).await.map_err(fault::query)?;
    view(found.ok_or_else(|| Error::new(Code::NotFound).says("no such announcement"))?)
}

/// What the audit log holds of it: all, so that no version is lost.
fn shown(content: &Content) -> Value {
    json!({
        "severity": content.severity, "title_en": content.title_en, "title_zh": content.title_zh,
        "text_en": content.text_en, "text_zh": content.text_zh, "starts_ms": content.starts_ms,
        "ends_ms": content.ends_ms,
    })
}

fn row(new: Announcement) -> announcement::Model {
    let Announcement { id, content, created_ms } = new;
    announcement::Model {
        id,
        severity: content.severity.as_str().to_owned(),
        title_en: content.title_en,
        title_zh: content.title_zh,
        text_en: content.text_en,
        text_zh: content.text_zh,
        starts_ms: content.starts_ms,
        ends_ms: content.ends_ms,
        created_ms,
    }
}

fn view(row: announcement::Model) -> Result<Announcement> {
    let unknown = || Error::internal(format!("an announcement of severity {:?}", row.severity));
    let content = Content {
        severity: Severity::find(&row.severity).ok_or_else(unknown)?,
        title_en: row.title_en,
        title_zh: row.title_zh,
        text_en: row.text_en,
        text_zh: row.text_zh,
        starts_ms: row.starts_ms,
        ends_ms: row.ends_ms,
    };
    Ok(Announcement { id: row.id, content, created_ms: row.created_ms })
}
