//! What the service's operators tell every org.

use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::announcement::Content;
use tokenim_domain::id::AnnouncementId;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{Announcement, Store};

/// Writes an announcement, for the actor's reason.
///
/// Errors: `forbidden` for all but operators; `invalid_field`; the store's.
pub async fn create(store: &Store, actor: &Actor, content: Content) -> Result<Announcement> {
    allow(actor)?;
    store.create_announcement(actor, content.checked(store.clock().now_ms())?).await
}

/// Writes other words, another severity or other times; `from` is the version the caller saw, so that of two who change it
/// at once the second is told. None: in place of whatever stands.
///
/// Errors: as [`create`]; `not_found`; `conflict` where it has ended, or has another version by now.
pub async fn update(
    store: &Store,
    actor: &Actor,
    id: AnnouncementId,
    from: Option<[u8; 32]>,
    content: Content,
) -> Result<Announcement> {
    allow(actor)?;
    store.update_announcement(actor, id, from, content.checked(store.clock().now_ms())?).await
}

/// Ends an announcement now.
///
/// Errors: `forbidden` for all but operators; `not_found`; `conflict` where it has ended; the store's.
pub async fn end(store: &Store, actor: &Actor, id: AnnouncementId) -> Result<Announcement> {
    allow(actor)?;
    store.end_announcement(actor, id).await
}

fn allow(actor: &Actor) -> Result<()> {
    match actor.who {
        Who::Operator(_) | Who::OperatorKey(_) => Ok(()),
        Who::Account(_) | Who::ManagementKey(_) | Who::Machine => {
            Err(Error::new(Code::Forbidden).says("only the service's operators announce"))
        }
    }
}
