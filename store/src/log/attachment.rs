//! Files that messages carry: committed once they are whole, found for who may send or see them, let go with their last message.

use super::append::{Batch, Placed};
use super::upload::{COMMITTED, OPEN, gone};
use super::{live, range};
use crate::entity::{attachment, message_attachment, upload};
use crate::sql::{self, Text};
use crate::{Store, fault};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryResult, Value};
use std::collections::{BTreeMap, BTreeSet};
use tokenim_domain::id::AttachmentId;
use tokenim_domain::log::{
    AppRef, Attached, Attachment, AttachmentQuery, Digest, Draft, EventBody, FileName, MediaType, UploadRef,
};
use tokenim_domain::name::User;
use tokenim_domain::{Code, Error, Result};

/// Commits a file whose object is there; a repeat is answered with what the first one made.
///
/// Errors: `not_found` where it was given up meanwhile, or no message carries it any more.
pub(super) async fn commit(store: &Store, app: AppRef, of: &upload::Model) -> Result<Attachment> {
    let id = AttachmentId(of.id.0);
    let tx = sql::begin(&store.log_writer).await?;
    let committed = upload::Entity::update_many()
        .col_expr(upload::Column::State, Expr::value(COMMITTED))
        .filter(upload::Column::AppId.eq(app.app))
        .filter(upload::Column::Id.eq(of.id))
        .filter(upload::Column::State.eq(OPEN));
    if committed.exec(&tx).await.map_err(fault::query)?.rows_affected > 0 {
        let row = attachment::Model {
            app_id: app.app,
            id,
            user: of.user.clone(),
            name: of.name.clone().unwrap_or_default(),
            content_type: of.kind.clone(),
            bytes: of.bytes,
            sha256: of.sha256.clone(),
            created_ms: store.clock.now_ms(),
            sent_ms: None,
            dropped_ms: None,
        };
        sql::insert(&tx, row).await?;
    }
    let row = find_row(&tx, app, id).await?.ok_or_else(gone)?;
    sql::commit(tx).await?;
    of_row(row)
}

/// How many files of a user no message carries yet.
pub(super) async fn count_unsent(on: &impl ConnectionTrait, app: AppRef, user: &User) -> Result<i64> {
    let unsent = attachment::Entity::find()
        .filter(attachment::Column::AppId.eq(app.app))
        .filter(attachment::Column::User.eq(user.as_str()))
        .filter(attachment::Column::SentMs.is_null())
        .filter(attachment::Column::DroppedMs.is_null());
    unsent.count(on).await.map(|count| count as i64).map_err(fault::query)
}

/// Drops a file that no message carries; whether there was one.
pub(super) async fn drop_unsent(store: &Store, on: &impl ConnectionTrait, at: &UploadRef) -> Result<bool> {
    let dropped = attachment::Entity::update_many()
        .col_expr(attachment::Column::DroppedMs, Expr::value(store.clock.now_ms()))
        .filter(attachment::Column::AppId.eq(at.app.app))
        .filter(attachment::Column::Id.eq(AttachmentId(at.id.0)))
        .filter(attachment::Column::SentMs.is_null())
        .filter(attachment::Column::DroppedMs.is_null());
    Ok(dropped.exec(on).await.map_err(fault::query)?.rows_affected > 0)
}

/// A file that was not dropped.
pub(crate) async fn find_row(
    on: &impl ConnectionTrait,
    app: AppRef,
    id: AttachmentId,
) -> Result<Option<attachment::Model>> {
    let found = attachment::Entity::find_by_id((app.app, id)).filter(attachment::Column::DroppedMs.is_null());
    found.one(on).await.map_err(fault::query)
}

fn of_row(row: attachment::Model) -> Result<Attachment> {
    Ok(Attachment {
        id: row.id,
        name: FileName::trusted(&row.name),
        content_type: MediaType::trusted(&row.content_type),
        bytes: row.bytes,
        sha256: digest(&row.sha256)?,
    })
}

fn digest(bytes: &[u8]) -> Result<Digest> {
    bytes.try_into().map(Digest).map_err(|_| Error::internal("an attachment row that cannot be read"))
}

macro_rules! find_text {
    ($end:literal) => {
        concat!(
            "
SELECT a.id, a.name, a.content_type, a.bytes, a.sha256 FROM attachment a
WHERE a.app_id = $1 AND a.id = $2 AND a.dropped_ms IS NULL AND (a.\"user\" = $3 AND a.sent_ms IS NULL OR $4 AND EXISTS (
    SELECT 1 FROM message_attachment r
    JOIN member m ON m.app_id = r.app_id AND m.conversation_id = r.conversation_id AND m.\"user\" = $3 AND m.joined_seq <= r.seq
    WHERE r.app_id = a.app_id AND r.attachment = a.id))",
            $end
        )
    };
}

/// A file its sender uploaded and has not sent yet, or, where it may forward, one of a message it sees. On PostgreSQL it stays so until
/// the batch ends.
const FIND: Text = Text { sqlite: find_text!(""), postgres: find_text!(" FOR UPDATE OF a") };

/// The files a draft names, as they were uploaded. The outer result is the database's.
pub(super) async fn find(batch: &Batch<'_>, draft: &Draft) -> Result<Result<Vec<Attachment>>> {
    let Attached::Asked { ids, may_forward } = &draft.about.attached else {
        return Ok(Ok(draft.about.attached.kept().to_vec()));
    };
    // In the order of ids, so that two nodes do not wait for each other in a circle; told in the order asked.
    let mut files = BTreeMap::new();
    for id in ids.iter().collect::<BTreeSet<_>>() {
        let values = [draft.app.app.into(), (*id).into(), draft.sender.as_str().into(), (*may_forward).into()];
        let Some(found) = sql::row(&batch.tx, FIND.on(&batch.tx), values).await? else {
            let wrong = format!("no attachment {id} that the sender may send");
            return Ok(Err(Error::new(Code::NotFound).says(wrong).at("attachments")));
        };
        files.insert(*id, of_result(&found)?);
    }
    Ok(Ok(ids.iter().filter_map(|id| files.get(id).cloned()).collect()))
}

fn of_result(row: &QueryResult) -> Result<Attachment> {
    Ok(Attachment {
        id: sql::get(row, "id")?,
        name: FileName::trusted(&sql::get::<String>(row, "name")?),
        content_type: MediaType::trusted(&sql::get::<String>(row, "content_type")?),
        bytes: sql::get(row, "bytes")?,
        sha256: digest(&sql::get::<Vec<u8>>(row, "sha256")?)?,
    })
}

/// Notes which messages of a batch carry which files.
pub(super) async fn keep(batch: &Batch<'_>, placed: &[Placed]) -> Result<()> {
    for Placed { event, .. } in placed {
        let EventBody::Message { about, .. } = &event.body else { continue };
        for file in about.attached.kept() {
            let row = message_attachment::Model {
                app_id: event.app.app,
                conversation_id: event.conversation.as_str().to_owned(),
                seq: event.seq,
                attachment: file.id,
            };
            sql::insert(&batch.tx, row).await?;
            let values = [event.app.app.into(), file.id.into(), batch.now_ms.into()];
            sql::run(&batch.tx, SENT, values).await.map_err(fault::query)?;
        }
    }
    Ok(())
}

const SENT: &str = "UPDATE attachment SET sent_ms = $3 WHERE app_id = $1 AND id = $2 AND sent_ms IS NULL";

/// Lets go of the files of a message that is deleted; those that no other one carries are dropped.
pub(super) async fn release(batch: &Batch<'_>, at: &[Value; 3]) -> Result<()> {
    let carried = sql::rows(&batch.tx, CARRIED.on(&batch.tx), at.iter().cloned()).await?;
    if carried.is_empty() {
        return Ok(());
    }
    sql::run(&batch.tx, RELEASE, at.iter().cloned()).await.map_err(fault::query)?;
    for row in &carried {
        let id: AttachmentId = sql::get(row, "id")?;
        let values = [at[0].clone(), id.into(), batch.now_ms.into()];
        sql::run(&batch.tx, DROP, values).await.map_err(fault::query)?;
    }
    Ok(())
}

/// On PostgreSQL whoever forwards one of them on another node waits, or is waited for.
const CARRIED: Text = Text {
    sqlite: "
SELECT a.id FROM attachment a JOIN message_attachment r ON r.app_id = a.app_id AND r.attachment = a.id
WHERE r.app_id = $1 AND r.conversation_id = $2 AND r.seq = $3",
    postgres: "
SELECT a.id FROM attachment a JOIN message_attachment r ON r.app_id = a.app_id AND r.attachment = a.id
WHERE r.app_id = $1 AND r.conversation_id = $2 AND r.seq = $3 ORDER BY a.id FOR UPDATE OF a",
};
const RELEASE: &str = "DELETE FROM message_attachment WHERE app_id = $1 AND conversation_id = $2 AND seq = $3";
const DROP: &str = "
UPDATE attachment SET dropped_ms = $3 WHERE app_id = $1 AND id = $2 AND dropped_ms IS NULL
AND NOT EXISTS (SELECT 1 FROM message_attachment r WHERE r.app_id = $1 AND r.attachment = $2)";

/// A file of a message that a viewer may see. Errors: `not_found`.
pub(crate) async fn find_of(store: &Store, query: &AttachmentQuery) -> Result<Attachment> {
    let none = || Error::new(Code::NotFound).says("no such attachment of a message here");
    let on = &store.log_readers;
    let first = range::first_visible(on, query.app, &query.conversation, query.viewer.as_ref()).await?;
    if query.seq < first {
        return Err(none());
    }
    let values = live::at(query.app, &query.conversation, query.seq).into_iter().chain([query.id.into()]);
    let found = sql::row(on, OF_MESSAGE, values).await?.ok_or_else(none)?;
    of_result(&found)
}

const OF_MESSAGE: &str = "
SELECT a.id, a.name, a.content_type, a.bytes, a.sha256
FROM message_attachment r JOIN attachment a ON a.app_id = r.app_id AND a.id = r.attachment
WHERE r.app_id = $1 AND r.conversation_id = $2 AND r.seq = $3 AND r.attachment = $4 AND a.dropped_ms IS NULL";
