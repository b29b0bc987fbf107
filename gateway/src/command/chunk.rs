//! `chunk.begin`, `chunk.put`, `chunk.commit`, `chunk.abort`: a body larger than a frame, on its way into the log; `body.get`
//! reads it back.

use super::{Call, note, send};
use crate::encode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokenim_domain::id::UploadId;
use tokenim_domain::log::{BodyQuery, Digest, MessageLog, NewUpload, UploadRef, Write};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Error, Result, content};
use tokenim_protocol::command::{BodyGet, ChunkAbort, ChunkBegin, ChunkCommit, ChunkPut};
use tokenim_protocol::limits::BODY_PAGE_BYTES_MAX;

/// Begins a body, or goes on with it: the answer says what is missing.
pub fn begin<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ChunkBegin<'_> = call.fields()?;
    let new = NewUpload {
        app: call.session.identity.app,
        conversation: Conversation::parse(&fields.conversation)?,
        sender: call.session.identity.user.clone(),
        client_msg_id: ClientMsgId::parse(&fields.client_msg_id)?,
        kind: content::find_kind(&fields.kind)?,
        bytes: NewUpload::bytes(fields.bytes)?,
        sha256: Digest::parse(&fields.sha256)?,
        chunk_bytes: NewUpload::chunk_bytes(fields.chunk_bytes)?,
    };
    call.allow(&new.conversation, Cap::Send)?;
    let gateway = call.gateway.clone();
    call.later(async move { Ok(encode::upload(&gateway.begin_upload(new).await?)) });
    Ok(())
}

/// Keeps a chunk; the answer comes when it is durable.
pub fn put<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ChunkPut<'_> = call.fields()?;
    let at = upload(call, &fields.upload)?;
    let data = STANDARD.decode(fields.data.as_bytes()).map_err(|_| Error::invalid("data", "`data` is base64"))?;
    let (log, index) = (call.gateway.inner.log.clone(), fields.index);
    call.later(async move { log.put_chunk(at, index, data).await.map(|()| "{}".to_owned()) });
    Ok(())
}

/// Checks a complete body and queues its message; the ack comes after its commit, as of a send.
pub fn commit<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ChunkCommit<'_> = call.fields()?;
    let at = upload(call, &fields.upload)?;
    let about = send::about(fields.reply_to, &fields.mentions, fields.silent)?;
    let (gateway, connection) = (call.gateway.clone(), call.connection.clone());
    let (session, id) = (call.session.clone(), call.id);
    call.gateway.spawn(async move {
        let submit = async {
            let sealed = gateway.inner.log.seal_upload(at).await?;
            session.identity.allow(sealed.conversation.as_str(), Cap::Send)?;
            let draft = sealed.draft(about, session.identity.credential());
            gateway.submit(Write::Send(draft), (&connection, &session, id))
        };
        if let Err(error) = submit.await {
            note(&error);
            connection.answer(id, &gateway.refusal(&connection, id, &error));
            connection.wake();
        }
    });
    Ok(())
}

/// Gives a body up.
pub fn abort<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ChunkAbort<'_> = call.fields()?;
    let at = upload(call, &fields.upload)?;
    let log = call.gateway.inner.log.clone();
    call.later(async move { log.drop_upload(at).await.map(|()| "{}".to_owned()) });
    Ok(())
}

/// Reads a page of a large body.
pub fn body<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: BodyGet<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    let limit = fields.limit.unwrap_or(BODY_PAGE_BYTES_MAX);
    if !(1..=BODY_PAGE_BYTES_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("`limit` must be 1 to {BODY_PAGE_BYTES_MAX}")));
    }
    let query = BodyQuery {
        app: call.session.identity.app,
        conversation,
        viewer: Some(call.session.identity.user.clone()),
        seq: fields.seq,
        offset: fields.offset,
        limit,
    };
    let log = call.gateway.inner.log.clone();
    call.later(async move { Ok(encode::body_part(&log.read_body(query).await?)) });
    Ok(())
}

/// The upload that the caller names as its own.
fn upload<L: MessageLog>(call: &Call<'_, L>, id: &str) -> Result<UploadRef> {
    let id =
        id.parse::<UploadId>().map_err(|()| Error::invalid("upload", "`upload` is what `chunk.begin` answered"))?;
    let identity = &call.session.identity;
    Ok(UploadRef { app: identity.app, id, user: Some(identity.user.clone()) })
}
