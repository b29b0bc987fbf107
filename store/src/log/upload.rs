//! Bodies and attachments that come in chunks. A chunk is an object of its own until the whole is checked; then the whole is one
//! object. The message of a body is an ordinary write of a batch; an attachment is committed here.

use super::append::{Batch, Placed};
use super::{attachment, range, speech};
use crate::entity::{large_body, upload};
use crate::objects::{Label, Objects};
use crate::sql::{self, Text};
use crate::{Store, fault};
use futures_util::{StreamExt, TryStreamExt, stream};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter};
use std::collections::BTreeSet;
use std::time::Duration;
use tokenim_domain::id::{AppId, UploadId};
use tokenim_domain::log::{
    AppRef, BodyPart, BodyQuery, Digest, EventBody, FileName, Large, MediaType, NewUpload, Purpose, Sealed, SealedBody,
    Upload, UploadRef,
};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::role::ContentKind;
use tokenim_domain::{Code, Error, Result, content};

/// Bodies that a process checks at a time.
pub(crate) const SEALS_MAX: usize = 2;
/// Chunks that are read at a time.
const CHUNK_READS_MAX: usize = 8;
/// How long a check may take; objects of what was given up are deleted later than that.
pub(crate) const SEAL_WAIT: Duration = Duration::from_secs(60);

/// Chunks come.
pub(crate) const OPEN: &str = "open";
/// It is a message, or an attachment; its chunks are still there.
pub(crate) const COMMITTED: &str = "committed";
/// It is one, and its chunks are gone.
pub(crate) const CLEARED: &str = "cleared";
/// It was given up.
pub(crate) const DROPPED: &str = "dropped";

/// Where the chunks of a body are.
pub(crate) fn chunks_name(app: AppId, id: UploadId) -> String {
    format!("uploads/{}/{}", app.0.simple(), id.0.simple())
}

/// Where a body or an attachment is that was checked.
pub(crate) fn body_name(app: AppId, id: UploadId) -> String {
    format!("bodies/{}/{}", app.0.simple(), id.0.simple())
}

/// What there is not, or not any more.
pub(super) fn gone() -> Error {
    Error::new(Code::NotFound).says("no such upload, or it was given up").at("upload")
}

/// Begins a body or an attachment, or goes on with the one of the same sender and id.
pub(super) async fn begin(store: &Store, new: &NewUpload) -> Result<Upload> {
    if let Some(row) = find_same(&store.log_readers, new).await? {
        return resume(store, new, row).await;
    }
    if let Purpose::Body { conversation, .. } = &new.purpose {
        speech::check(&store.log_readers, new.app, conversation, &new.sender, store.clock.now_ms()).await?;
    }
    let tx = sql::begin(&store.log_writer).await?;
    // Of a user's that begin at once one is counted after the other, and of two with one id the first has it.
    if let DbBackend::Postgres = tx.get_database_backend() {
        let whose = format!("upload|{}|{}", new.app.app, new.sender);
        sql::rows(&tx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [whose.into()]).await?;
    }
    let row = match find_same(&tx, new).await? {
        Some(row) => row,
        None => insert(store, &tx, new).await?,
    };
    sql::commit(tx).await?;
    resume(store, new, row).await
}

macro_rules! count_open {
    ($bodies:literal, $files:literal) => {
        concat!(
            "SELECT ",
            count_open!(@of $bodies, "IS NOT NULL"),
            " + ",
            count_open!(@of $files, "IS NULL"),
            " AS open"
        )
    };
    (@of $index:literal, $conversation:literal) => {
        concat!(
            "(SELECT count(*) FROM upload ", $index, " WHERE app_id = $1 AND \"user\" = $2 AND state <> 'dropped'",
            " AND conversation_id ", $conversation, " AND state = 'open')"
        )
    };
}

async fn insert(store: &Store, tx: &DatabaseTransaction, new: &NewUpload) -> Result<upload::Model> {
    let open = sql::row(tx, COUNT_OPEN.on(tx), [new.app.app.into(), new.sender.as_str().into()]).await?;
    NewUpload::admit(open.map_or(Ok(0), |row| sql::get(&row, "open"))?)?;
    if let Purpose::Attachment { .. } = &new.purpose {
        NewUpload::admit_unsent(attachment::count_unsent(tx, new.app, &new.sender).await?)?;
    }
    let (conversation, kind, name) = columns(&new.purpose);
    let row = upload::Model {
        app_id: new.app.app,
        id: UploadId::new(&*store.clock, &*store.rng),
        user: new.sender.as_str().to_owned(),
        conversation_id: conversation.map(str::to_owned),
        client_msg_id: new.client_msg_id.as_str().to_owned(),
        kind: kind.to_owned(),
        name: name.map(str::to_owned),
        bytes: new.bytes,
        sha256: new.sha256.0.to_vec(),
        chunk_bytes: new.chunk_bytes,
        state: OPEN.to_owned(),
        created_ms: store.clock.now_ms(),
        dropped_ms: None,
    };
    sql::insert(tx, row.clone()).await.map(|()| row)
}

/// What a user has open, of bodies and of files. SQLite is told the indexes, or it would look at all uploads of the app.
const COUNT_OPEN: Text = Text {
    sqlite: count_open!("INDEXED BY upload_once", "INDEXED BY upload_file_once"),
    postgres: count_open!("", ""),
};

/// Conversation, kind and name of a row.
fn columns(purpose: &Purpose) -> (Option<&str>, &str, Option<&str>) {
    match purpose {
        Purpose::Body { conversation, kind } => (Some(conversation.as_str()), kind.as_str(), None),
        Purpose::Attachment { name, content_type } => (None, content_type.as_str(), Some(name.as_str())),
    }
}

/// Not given up, in the words of the indexes that hold only those: a plan does not depend on values (ADR 17).
fn is_kept() -> Expr {
    Expr::cust("state <> 'dropped'")
}

async fn find_same(on: &impl ConnectionTrait, new: &NewUpload) -> Result<Option<upload::Model>> {
    let of = match &new.purpose {
        Purpose::Body { conversation, .. } => upload::Column::ConversationId.eq(conversation.as_str()),
        Purpose::Attachment { .. } => upload::Column::ConversationId.is_null(),
    };
    let found = upload::Entity::find()
        .filter(upload::Column::AppId.eq(new.app.app))
        .filter(upload::Column::User.eq(new.sender.as_str()))
        .filter(of)
        .filter(upload::Column::ClientMsgId.eq(new.client_msg_id.as_str()))
        .filter(is_kept());
    found.one(on).await.map_err(fault::query)
}

async fn resume(store: &Store, new: &NewUpload, row: upload::Model) -> Result<Upload> {
    let (_, kind, name) = columns(&new.purpose);
    let same = (&*row.kind, row.name.as_deref(), row.bytes, &*row.sha256) == (kind, name, new.bytes, &new.sha256.0[..]);
    if same { progress(&store.objects, &row).await } else { Err(super::send::conflict()) }
}

/// How far a body has come.
pub(super) async fn find(store: &Store, at: &UploadRef) -> Result<Upload> {
    progress(&store.objects, &load(store, at).await?).await
}

async fn progress(objects: &Objects, row: &upload::Model) -> Result<Upload> {
    let (chunks, is_committed) = (chunks_of(row), row.state != OPEN);
    let missing = if is_committed {
        Vec::new()
    } else {
        let names = objects.list(&chunks_name(row.app_id, row.id)).await?;
        missing(chunks, &names.iter().filter_map(|name| name.parse().ok()).collect())
    };
    Ok(Upload { id: row.id, chunk_bytes: row.chunk_bytes, chunks, missing, is_committed })
}

/// The runs of numbers below `chunks` that are not there.
fn missing(chunks: i64, there: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for index in (0..chunks).filter(|index| !there.contains(index)) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => runs.push((index, index)),
        }
    }
    runs
}

fn chunks_of(row: &upload::Model) -> i64 {
    row.bytes / row.chunk_bytes + i64::from(row.bytes % row.chunk_bytes > 0)
}

/// The row of an upload that was not given up, as far as whoever asks may know. Errors: `not_found`.
async fn load(store: &Store, at: &UploadRef) -> Result<upload::Model> {
    let found = upload::Entity::find_by_id((at.app.app, at.id)).filter(upload::Column::State.ne(DROPPED));
    let row = found.one(&store.log_readers).await.map_err(fault::query)?.ok_or_else(gone)?;
    match &at.user {
        Some(user) if user.as_str() != row.user => Err(gone()),
        _ => Ok(row),
    }
}

/// Keeps a chunk. One of a body that is a message already is there.
pub(super) async fn put(store: &Store, at: &UploadRef, index: i64, data: Vec<u8>) -> Result<()> {
    let row = load(store, at).await?;
    let chunks = chunks_of(&row);
    if !(0..chunks).contains(&index) {
        return Err(Error::invalid("index", format!("`index` must be 0 to {}", chunks - 1)));
    }
    let bytes = row.chunk_bytes.min(row.bytes - index * row.chunk_bytes);
    if data.len() as i64 != bytes {
        return Err(Error::invalid(
            "data",
            format!("chunk {index} of this upload must have {bytes} bytes before base64"),
        ));
    }
    if row.state != OPEN {
        return Ok(());
    }
    store.objects.put(&format!("{}/{index}", chunks_name(row.app_id, row.id)), data).await
}

/// Checks what has come and keeps it as one object; an attachment is committed then. Of what is committed already there is nothing
/// to check: the log answers for a body.
pub(super) async fn seal(store: &Store, at: &UploadRef) -> Result<Sealed> {
    let row = load(store, at).await?;
    if row.state == OPEN {
        keep_whole(store, at, &row).await?;
    }
    match &row.conversation_id {
        Some(conversation) => sealed(at.app, &row, conversation).map(Sealed::Body),
        None => attachment::commit(store, at.app, &row).await.map(Sealed::Attachment),
    }
}

async fn keep_whole(store: &Store, at: &UploadRef, row: &upload::Model) -> Result<()> {
    let (sha256, (kind, label)) = (digest(row)?, nature(row)?);
    let keep = async {
        let _permit = store.seals.acquire().await.map_err(Error::internal)?;
        let Some(body) = gather(&store.objects, row).await? else { return Ok(false) };
        let body = check(body, kind, sha256).await?;
        store.objects.put_labelled(&body_name(row.app_id, row.id), body, label).await.map(|()| true)
    };
    let kept = tokio::time::timeout(SEAL_WAIT, keep).await.map_err(|_| Error::new(Code::Unavailable))??;
    // Another commit may have been first, and its chunks are gone by now.
    if !kept && load(store, at).await?.state == OPEN {
        return Err(Code::UploadIncomplete.into());
    }
    Ok(())
}

/// The content kind of a body, which its shape is checked by, or what an attachment is handed out as.
fn nature(row: &upload::Model) -> Result<(Option<ContentKind>, Option<Label>)> {
    match &row.name {
        None => Ok((Some(ContentKind::find(&row.kind).ok_or_else(unreadable)?), None)),
        Some(name) => {
            let (name, content_type) = (FileName::trusted(name), MediaType::trusted(&row.kind));
            let label = Label { content_type: content_type.served().to_owned(), disposition: name.disposition() };
            Ok((None, Some(label)))
        }
    }
}

/// The whole body; `None` where a chunk is missing.
async fn gather(objects: &Objects, row: &upload::Model) -> Result<Option<Vec<u8>>> {
    let prefix = chunks_name(row.app_id, row.id);
    let reads = stream::iter((0..chunks_of(row)).map(|index| {
        let name = format!("{prefix}/{index}");
        async move { objects.get(&name, None).await }
    }));
    let mut reads = std::pin::pin!(reads.buffered(CHUNK_READS_MAX));
    let mut body = Vec::with_capacity(usize::try_from(row.bytes).map_err(Error::internal)?);
    while let Some(chunk) = reads.try_next().await? {
        let Some(chunk) = chunk else { return Ok(None) };
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// Checks a sum, and the shape of a body, off the loop.
async fn check(body: Vec<u8>, kind: Option<ContentKind>, sha256: Digest) -> Result<Vec<u8>> {
    let check = move || {
        if Digest::of(&body) != sha256 {
            return Err(Code::ChecksumMismatch.into());
        }
        if let Some(kind) = kind {
            let text = std::str::from_utf8(&body).map_err(|_| Error::invalid("body", "the body is not UTF-8"))?;
            content::check_body(kind, text)?;
        }
        Ok(body)
    };
    tokio::task::spawn_blocking(check).await.map_err(Error::internal)?
}

fn sealed(app: AppRef, row: &upload::Model, conversation: &str) -> Result<SealedBody> {
    Ok(SealedBody {
        app,
        conversation: Conversation::trusted(conversation),
        sender: User::trusted(&row.user),
        client_msg_id: ClientMsgId::trusted(&row.client_msg_id),
        kind: ContentKind::find(&row.kind).ok_or_else(unreadable)?,
        large: Large { upload: row.id, bytes: row.bytes, sha256: digest(row)? },
    })
}

fn digest(row: &upload::Model) -> Result<Digest> {
    row.sha256.as_slice().try_into().map(Digest).map_err(|_| unreadable())
}

fn unreadable() -> Error {
    Error::internal("an upload row that cannot be read")
}

/// Gives a body or an attachment up; its objects are deleted later.
pub(super) async fn give_up(store: &Store, at: &UploadRef) -> Result<()> {
    let row = load(store, at).await?;
    let tx = sql::begin(&store.log_writer).await?;
    let mut dropped = drop_row(store, &tx, &row, &[OPEN]).await?;
    if !dropped && row.conversation_id.is_none() && attachment::drop_unsent(store, &tx, at).await? {
        dropped = drop_row(store, &tx, &row, &[COMMITTED, CLEARED]).await?;
    }
    if !dropped {
        let wrong = "it is a message already, or carried by one; delete that";
        return Err(Error::new(Code::Conflict).says(wrong).at("upload"));
    }
    sql::commit(tx).await
}

/// Marks the row of an upload in one of these states; whether it was in one.
async fn drop_row(store: &Store, tx: &DatabaseTransaction, row: &upload::Model, states: &[&str]) -> Result<bool> {
    let dropped = upload::Entity::update_many()
        .col_expr(upload::Column::State, Expr::value(DROPPED))
        .col_expr(upload::Column::DroppedMs, Expr::value(store.clock.now_ms()))
        .filter(upload::Column::AppId.eq(row.app_id))
        .filter(upload::Column::Id.eq(row.id))
        .filter(upload::Column::State.is_in(states.iter().copied()));
    Ok(dropped.exec(tx).await.map_err(fault::query)?.rows_affected > 0)
}

const IS_OPEN: Text = Text {
    sqlite: "SELECT id FROM upload WHERE app_id = $1 AND id = $2 AND state = 'open'",
    postgres: "SELECT id FROM upload WHERE app_id = $1 AND id = $2 AND state = 'open' FOR UPDATE",
};

/// Whether a body may become a message; on PostgreSQL it stays so until the batch ends.
pub(super) async fn is_open(tx: &impl ConnectionTrait, app: AppRef, large: &Large) -> Result<bool> {
    Ok(sql::row(tx, IS_OPEN.on(tx), [app.app.into(), large.upload.into()]).await?.is_some())
}

/// Notes the large bodies of a batch: where they are, and that they are messages now.
pub(super) async fn keep(batch: &Batch<'_>, placed: &[Placed]) -> Result<()> {
    for Placed { event, .. } in placed {
        let EventBody::Message { about, .. } = &event.body else { continue };
        let Some(large) = &about.large else { continue };
        let row = large_body::Model {
            app_id: event.app.app,
            conversation_id: event.conversation.as_str().to_owned(),
            seq: event.seq,
            object: large.upload,
            bytes: large.bytes,
            created_ms: event.at_ms,
            dropped_ms: None,
        };
        sql::insert(&batch.tx, row).await?;
        let values = [event.app.app.into(), large.upload.into()];
        sql::run(&batch.tx, COMMIT, values).await.map_err(fault::query)?;
    }
    Ok(())
}

const COMMIT: &str = "UPDATE upload SET state = 'committed' WHERE app_id = $1 AND id = $2";
/// A message that has other content, or none: nobody reads its large body any more.
pub(super) const DROP_BODY: &str = "
UPDATE large_body SET dropped_ms = $4 WHERE app_id = $1 AND conversation_id = $2 AND seq = $3 AND dropped_ms IS NULL";

/// The large body of a message that a viewer may see. Errors: `not_found`.
pub(crate) async fn find_body(
    store: &Store,
    app: AppRef,
    conversation: &Conversation,
    viewer: Option<&User>,
    seq: i64,
) -> Result<large_body::Model> {
    let none = || Error::new(Code::NotFound).says("`seq` is of no message with a large body here").at("seq");
    let first = range::first_visible(&store.log_readers, app, conversation, viewer).await?;
    let found = large_body::Entity::find_by_id((app.app, conversation.as_str().to_owned(), seq))
        .filter(large_body::Column::DroppedMs.is_null());
    let found = found.one(&store.log_readers).await.map_err(fault::query)?;
    found.filter(|row| row.seq >= first).ok_or_else(none)
}

/// Reads a part of a large body.
pub(super) async fn read_body(store: &Store, query: &BodyQuery) -> Result<BodyPart> {
    let row = find_body(store, query.app, &query.conversation, query.viewer.as_ref(), query.seq).await?;
    if !(0..row.bytes).contains(&query.offset) {
        return Err(Error::invalid("offset", format!("`offset` must be 0 to {}", row.bytes - 1)));
    }
    let end = query.offset.saturating_add(query.limit).min(row.bytes);
    let data = read(store, row.app_id, row.object, query.offset, end).await?;
    Ok(BodyPart { data, offset: query.offset, bytes: row.bytes })
}

/// The bytes of a large body from `from` to before `to`. Errors: `not_found` where it was deleted meanwhile; `unavailable`.
pub(crate) async fn read(store: &Store, app: AppId, object: UploadId, from: i64, to: i64) -> Result<Vec<u8>> {
    let part = u64::try_from(from).map_err(Error::internal)?..u64::try_from(to).map_err(Error::internal)?;
    let data = store.objects.get(&body_name(app, object), Some(part)).await?;
    data.ok_or_else(|| Code::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_in_runs() {
        let there = |of: &[i64]| of.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(missing(4, &there(&[])), [(0, 3)]);
        assert_eq!(missing(6, &there(&[0, 2, 3])), [(1, 1), (4, 5)]);
        assert_eq!(missing(2, &there(&[0, 1, 7])), []);
    }
}
