//! `chunk.begin`, `chunk.put`, `chunk.commit`, `chunk.abort`: a body larger than a frame, or an attachment, on its way into the log;
//! `body.get` reads a body back.

use super::{Call, note, send};
use crate::encode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokenim_domain::id::UploadId;
use tokenim_domain::log::{
    BodyQuery, Digest, FileName, MediaType, MessageLog, NewUpload, Purpose, Sealed, UploadRef, Write,
};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Error, Result, content};
use tokenim_protocol::command::{
    AttachmentBegin, BodyGet, ChunkAbort, ChunkBegin, ChunkCommit, ChunkPurpose, ChunkPut,
};
use tokenim_protocol::limits::BODY_PAGE_BYTES_MAX;
use tokenim_protocol::reply;

/// Begins a body or an attachment, or goes on with it: the answer says what is missing.
pub fn begin<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let new = match call.fields::<ChunkPurpose<'_>>()?.purpose.as_deref() {
        None | Some("body") => new_body(call)?,
        Some("attachment") => new_attachment(call)?,
        Some(_) => return Err(Error::invalid("purpose", "`purpose` must be body or attachment")),
    };
    let gateway = call.gateway.clone();
    call.later(async move { Ok(encode::upload(&gateway.begin_upload(new).await?)) });
    Ok(())
}

fn new_body<L: MessageLog>(call: &Call<'_, L>) -> Result<NewUpload> {
    let fields: ChunkBegin<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    let new = NewUpload {
        app: call.session.identity.app,
        sender: call.session.identity.user.clone(),
        client_msg_id: ClientMsgId::parse(&fields.client_msg_id)?,
        purpose: Purpose::Body { conversation: conversation.clone(), kind: content::find_kind(&fields.kind)? },
        bytes: NewUpload::bytes(fields.bytes)?,
        sha256: Digest::parse(&fields.sha256)?,
        chunk_bytes: NewUpload::chunk_bytes(fields.chunk_bytes)?,
    };
    call.allow(&conversation, Cap::Send)?;
    Ok(new)
}

fn new_attachment<L: MessageLog>(call: &Call<'_, L>) -> Result<NewUpload> {
    let fields: AttachmentBegin<'_> = call.fields()?;
    let identity = &call.session.identity;
    let name = FileName::parse(&fields.name)?;
    let new = NewUpload {
        app: identity.app,
        sender: identity.user.clone(),
        client_msg_id: ClientMsgId::parse(&fields.client_msg_id)?,
        purpose: Purpose::Attachment { name, content_type: MediaType::parse(&fields.content_type)? },
        bytes: NewUpload::bytes(fields.bytes)?,
        sha256: Digest::parse(&fields.sha256)?,
        chunk_bytes: NewUpload::chunk_bytes(fields.chunk_bytes)?,
    };
    identity.allow_anywhere(Cap::Send)?;
    Ok(new)
}

/// Keeps a chunk; the answer comes when it is durable.
pub fn put<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ChunkPut<'_> = call.fields()?;
    let at = upload(call, &fields.upload)?;
    let data = STANDARD
        .decode(fields.data.as_bytes())
        .map_err(|_| Error::invalid("data", "`data` must be base64 (RFC 4648, section 4), with its padding"))?;
    let (log, index) = (call.gateway.inner.log.clone(), fields.index);
    call.later(async move { log.put_chunk(at, index, data).await.map(|()| "{}".to_owned()) });
    Ok(())
}

/// Checks what is complete. A body's message is queued, and the ack comes after its commit, as of a send; an attachment is answered.
pub fn commit<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ChunkCommit<'_> = call.fields()?;
    let at = upload(call, &fields.upload)?;
    let about =
        send::about(&call.session.identity, &fields.attachments, fields.reply_to, &fields.mentions, fields.silent)?;
    let (gateway, connection) = (call.gateway.clone(), call.connection.clone());
    let (session, id) = (call.session.clone(), call.id);
    call.gateway.spawn(async move {
        let submit = async {
            match gateway.inner.log.seal_upload(at).await? {
                Sealed::Body(sealed) => {
                    let may_send = session.identity.allows(sealed.conversation.as_str(), Cap::Send);
                    let draft = sealed.draft(about, session.identity.credential(), may_send);
                    gateway.submit(Write::Send(draft), (&connection, &session, id))
                }
                Sealed::Attachment(file) => {
                    connection.answer(id, &reply::ok(id, &encode::attachment(&file)));
                    connection.wake();
                    Ok(())
                }
            }
        };
        if let Err(error) = submit.await {
            note(&error);
            connection.answer(id, &gateway.refusal(&connection, id, &error));
            connection.wake();
        }
    });
    Ok(())
}

/// Gives up a body that is not committed, or an attachment that is not sent.
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
    call.later_bulk(async move { Ok(encode::body_part(&log.read_body(query).await?)) });
    Ok(())
}

/// The upload that the caller names as its own. Errors: `forbidden` to a token that may send nowhere.
fn upload<L: MessageLog>(call: &Call<'_, L>, id: &str) -> Result<UploadRef> {
    let id =
        id.parse::<UploadId>().map_err(|()| Error::invalid("upload", "`upload` is what `chunk.begin` answered"))?;
    let identity = &call.session.identity;
    identity.allow_anywhere(Cap::Send)?;
    Ok(UploadRef { app: identity.app, id, user: Some(identity.user.clone()) })
}
