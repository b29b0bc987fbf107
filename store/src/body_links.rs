//! Large bodies and attachments as the faces hand them out: found for who may see them, read part by part, and under links that end.

use crate::Store;
use crate::entity::large_body;
use crate::log::{attachment, upload};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::time::Duration;
use tokenim_domain::id::{AppId, AttachmentId, OrgId, UploadId};
use tokenim_domain::log::{AppRef, Attachment, AttachmentQuery, FileName, MediaType};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::secret::{mac, mac_matches};
use tokenim_domain::{Code, Error, Result};
use uuid::Uuid;

/// Bytes of what a link says: org, app, object, and when it ends.
const SAID_BYTES: usize = 16 + 16 + 16 + 8;

/// A large body that somebody may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargeBody {
    /// The app.
    pub app: AppRef,
    /// Its object.
    pub object: UploadId,
    /// Bytes of the whole.
    pub bytes: i64,
}

/// An attachment that somebody may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where its bytes are.
    pub body: LargeBody,
    /// Its name.
    pub name: FileName,
    /// What it says it is.
    pub content_type: MediaType,
}

/// A link that needs no credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyLink {
    /// What stands behind our own address.
    Ours(String),
    /// An address of the service that keeps the objects.
    Elsewhere(String),
}

impl Store {
    /// The large body of a message that a viewer may see; without a viewer the app's server asks.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn find_large_body(
        &self,
        app: AppRef,
        conversation: &Conversation,
        viewer: Option<&User>,
        seq: i64,
    ) -> Result<LargeBody> {
        let row = upload::find_body(self, app, conversation, viewer, seq).await?;
        Ok(LargeBody { app, object: row.object, bytes: row.bytes })
    }

    /// The bytes of a large body from `from` to before `to`. Errors: `not_found` where it was deleted meanwhile; `unavailable`.
    pub async fn read_large_body(&self, body: &LargeBody, from: i64, to: i64) -> Result<Vec<u8>> {
        upload::read(self, body.app.app, body.object, from, to).await
    }

    /// A link to a large body that works for a while.
    ///
    /// Errors: `unavailable`.
    pub async fn link_large_body(&self, body: &LargeBody, valid: Duration) -> Result<BodyLink> {
        if let Some(url) = self.objects.link(&upload::body_name(body.app.app, body.object), valid).await? {
            return Ok(BodyLink::Elsewhere(url));
        }
        let ends_ms = self.clock.now_ms() + i64::try_from(valid.as_millis()).map_err(Error::internal)?;
        let mut link = [body.app.org.0, body.app.app.0, body.object.0].map(Uuid::into_bytes).concat();
        link.extend_from_slice(&ends_ms.to_be_bytes());
        let tag = mac(self.master.link_key(), &link);
        link.extend_from_slice(&tag);
        Ok(BodyLink::Ours(URL_SAFE_NO_PAD.encode(link)))
    }

    /// The attachment of a message that a viewer may see; without a viewer the app's server asks.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn find_attachment(&self, query: &AttachmentQuery) -> Result<File> {
        let Attachment { id, name, content_type, bytes, .. } = attachment::find_of(self, query).await?;
        Ok(File { body: LargeBody { app: query.app, object: UploadId(id.0), bytes }, name, content_type })
    }

    /// The attachment that a link of ours leads to. Errors: as [`Store::find_linked_body`].
    pub async fn find_linked_attachment(&self, link: &str) -> Result<File> {
        let (app, object) = self.open_link(link)?;
        let row = attachment::find_row(&self.log_readers, app, AttachmentId(object.0)).await?.ok_or_else(no_link)?;
        let body = LargeBody { app, object, bytes: row.bytes };
        let (name, content_type) = (FileName::trusted(&row.name), MediaType::trusted(&row.content_type));
        Ok(File { body, name, content_type })
    }

    /// The body that a link of ours leads to.
    ///
    /// Errors: `not_found` for one that was altered, has ended, or whose body is gone; `unavailable`, `overloaded`.
    pub async fn find_linked_body(&self, link: &str) -> Result<LargeBody> {
        let (app, object) = self.open_link(link)?;
        let found = large_body::Entity::find()
            .filter(large_body::Column::AppId.eq(app.app))
            .filter(large_body::Column::Object.eq(object))
            .filter(large_body::Column::DroppedMs.is_null());
        let row = found.one(&self.log_readers).await.map_err(crate::fault::query)?.ok_or_else(no_link)?;
        Ok(LargeBody { app, object, bytes: row.bytes })
    }

    /// What a link of ours says. Errors: `not_found` for one that was altered, or has ended.
    fn open_link(&self, link: &str) -> Result<(AppRef, UploadId)> {
        let link = URL_SAFE_NO_PAD.decode(link).map_err(|_| no_link())?;
        let (said, tag) = link.split_at_checked(SAID_BYTES).ok_or_else(no_link)?;
        if !mac_matches(self.master.link_key(), said, tag) {
            return Err(no_link());
        }
        let id = |at: usize| Uuid::from_slice(&said[at..at + 16]).map_err(Error::internal);
        let ends_ms = i64::from_be_bytes(said[48..].try_into().map_err(Error::internal)?);
        if ends_ms <= self.clock.now_ms() {
            return Err(no_link());
        }
        Ok((AppRef { org: OrgId(id(0)?), app: AppId(id(16)?) }, UploadId(id(32)?)))
    }
}

fn no_link() -> Error {
    Error::new(Code::NotFound).says("the link is not one of ours, or has ended")
}
