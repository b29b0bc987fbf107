//! Large bodies over HTTP: their chunks on the way in, as those of attachments, ranges and links on the way out.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::conversations;
use crate::event::AttachmentSchema;
use crate::fault::Fault;
use crate::messages::{Mentioned, SentReply, about, reply, sender};
use crate::once::Job;
use crate::post::{Empty, Post};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, get, post, put};
use crate::served::{self, Label, LinkReply, NewLink, serve};
use actix_web::{HttpRequest, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokenim_domain::id::UploadId;
use tokenim_domain::log::{
    Digest, FileName, MediaType, MessageLog, NewUpload, Outcome, Purpose, Sealed, Upload, UploadRef, Write,
};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, content};
use tokenim_gateway::encode;
use tokenim_store::LargeBody;
use utoipa::ToSchema;

const READS: Who = Who::KeyOrUser(Scope::MessagesRead);
/// What a large body is handed out as.
const JSON: Label<'_> = Label { content_type: "application/json", disposition: "attachment" };
const WRITES: Who = Who::KeyOrUser(Scope::MessagesWrite);
pub(crate) const ROUTES: &[RouteSpec] = &[
    post("/v1/uploads", "beginUpload", WRITES, || web::to(begin)).refuses(&[
        Code::NotFound,
        Code::Conflict,
        Code::LimitReached,
        Code::PlanLimit,
        Code::Muted,
        Code::Blocked,
    ]),
    get("/v1/uploads/{id}", "getUpload", WRITES, || web::to(show)).refuses(&[Code::NotFound]),
    delete("/v1/uploads/{id}", "abortUpload", WRITES, || web::to(abort)).refuses(&[Code::NotFound, Code::Conflict]),
    put("/v1/uploads/{id}/chunks/{index}", "putChunk", WRITES, || web::to(put_chunk)).refuses(&[Code::NotFound]),
    post("/v1/uploads/{id}/commit", "commitUpload", WRITES, || web::to(commit)).refuses(&[
        Code::NotFound,
        Code::Conflict,
        Code::UploadIncomplete,
        Code::ChecksumMismatch,
        Code::OutcomeUnknown,
        Code::QuotaExceeded,
        Code::RateLimited,
        Code::Muted,
        Code::Blocked,
        Code::LimitReached,
    ]),
    get("/v1/conversations/{id}/messages/{seq}/body", "getBody", READS, || web::to(body))
        .refuses(&[Code::NotFound, Code::RangeNotSatisfiable]),
    post("/v1/conversations/{id}/messages/{seq}/body/link", "linkBody", READS, || web::to(link))
        .refuses(&[Code::NotFound]),
    get("/v1/bodies/{link}", "getLinkedBody", Who::Public, || web::to(linked)).refuses(&[
        Code::NotFound,
        Code::RangeNotSatisfiable,
        Code::AppSuspended,
        Code::OrgSuspended,
        Code::Unavailable,
        Code::Overloaded,
    ]),
];

/// A large body, or an attachment, that is to come.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBody {
    /// `body` (the default) or `attachment`.
    #[schema(example = "body")]
    purpose: Option<String>,
    /// Id of the conversation; required of a body, and no field of an attachment.
    #[schema(example = "c1")]
    conversation: Option<String>,
    /// Who says it, a member; who may send an attachment. Required with a server key; with a user token it is that user.
    #[schema(example = "alice")]
    sender: Option<String>,
    /// The sender's own id of the message, or of the attachment, which no message shares: a repeat goes on with what has begun.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:@-]+$")]
    client_msg_id: String,
    /// `text`, `json` or `file`, as of a message; required of a body, and no field of an attachment.
    #[schema(example = "json")]
    kind: Option<String>,
    /// Name of the file; required of an attachment, and no field of a body. No path, no control characters.
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// Type and subtype of the file, without parameters; required of an attachment, and no field of a body.
    #[schema(max_length = 255)]
    content_type: Option<String>,
    /// Bytes of the whole.
    #[schema(minimum = 1, maximum = 67_108_864)]
    bytes: i64,
    /// SHA-256 of the whole, hexadecimal.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    sha256: String,
    /// Bytes of each chunk but the last; 32,768 when absent.
    #[schema(minimum = 4_096, maximum = 32_768)]
    chunk_bytes: Option<i64>,
}

/// How far a large body or an attachment has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UploadReply {
    /// Its id.
    upload: String,
    /// Bytes of each chunk but the last.
    chunk_bytes: i64,
    /// Chunks in all.
    chunks: i64,
    /// Runs of chunks that are missing: first and last of each.
    missing: Vec<Vec<i64>>,
    /// Whether it is a message, or an attachment, already.
    committed: bool,
}

/// A chunk.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewChunk {
    /// Its bytes, base64.
    #[schema(example = "e30=")]
    data: String,
}

/// What the message of a complete body says beside it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommitBody {
    /// Seq of the message it replies to.
    #[schema(minimum = 1)]
    reply_to: Option<i64>,
    /// Users it speaks to, at most 50, or `"*"`: everyone.
    #[schema(value_type = Option<serde_json::Value>, example = json!(["bob"]))]
    mentions: Option<Mentioned>,
    /// Asks for no attention: no push to a sleeping device.
    #[serde(default)]
    silent: bool,
    /// Ids of the files it carries, at most 16.
    #[serde(default)]
    #[schema(max_items = 16)]
    attachments: Vec<String>,
}

/// What a commit made.
#[derive(Debug, ToSchema)]
#[schema(as = CommitReply)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes in the OpenAPI document what `commit` answers")]
pub(crate) enum CommitReplySchema {
    /// Of a body: its message.
    Sent(SentReply),
    /// Of an attachment.
    Attachment(KeptSchema),
}

/// An attachment that is kept.
#[derive(Debug, ToSchema)]
#[schema(as = KeptAttachment)]
#[expect(dead_code, reason = "describes in the OpenAPI document what `commit` answers")]
pub(crate) struct KeptSchema {
    /// The file; messages name its id.
    attachment: AttachmentSchema,
}

/// Begins a large body or an attachment, or goes on with it: the answer says which chunks are missing.
#[utoipa::path(post, path = "/v1/uploads", request_body = NewBody, responses((status = 200, body = UploadReply, description = "The upload, begun by this request or an earlier one.")))]
pub(crate) async fn begin(api: web::Data<Api>, post: Post<Caller, NewBody>) -> Answer {
    post.once(&api, |api, job| async move {
        let Job { caller, body, .. } = job;
        let new = NewUpload {
            app: caller.app(),
            sender: sender(&caller, body.sender.as_deref())?,
            client_msg_id: ClientMsgId::parse(&body.client_msg_id)?,
            purpose: purpose(&body)?,
            bytes: NewUpload::bytes(body.bytes)?,
            sha256: Digest::parse(&body.sha256)?,
            chunk_bytes: NewUpload::chunk_bytes(body.chunk_bytes)?,
        };
        match &new.purpose {
            Purpose::Body { conversation, .. } => caller.allow(conversation.as_str(), Cap::Send)?,
            Purpose::Attachment { .. } => caller.allow_anywhere(Cap::Send)?,
        }
        answer::json(&progress(&api.gateway.begin_upload(new).await?))
    })
    .await
}

/// What it is to become. A field of the other purpose is refused, as an unknown one is.
fn purpose(new: &NewBody) -> Result<Purpose, Fault> {
    let (of_body, of_file) = (
        [("conversation", &new.conversation), ("kind", &new.kind)],
        [("name", &new.name), ("content_type", &new.content_type)],
    );
    let (own, others) = match new.purpose.as_deref() {
        None | Some("body") => (of_body, of_file),
        Some("attachment") => (of_file, of_body),
        Some(_) => return Err(Error::invalid("purpose", "`purpose` must be body or attachment").into()),
    };
    if let Some((name, _)) = others.iter().find(|(_, value)| value.is_some()) {
        return Err(Fault::malformed(format!("`{name}` is no field of this purpose"), Some((*name).to_owned())));
    }
    let given = |at: usize| {
        let (name, value) = &own[at];
        let missing = || Fault::malformed(format!("missing field `{name}`"), Some((*name).to_owned()));
        value.as_deref().ok_or_else(missing)
    };
    let (first, second) = (given(0)?, given(1)?);
    Ok(match new.purpose.as_deref() {
        Some("attachment") => {
            Purpose::Attachment { name: FileName::parse(first)?, content_type: MediaType::parse(second)? }
        }
        _ => Purpose::Body { conversation: Conversation::parse(first)?, kind: content::find_kind(second)? },
    })
}

/// How far a large body or an attachment has come.
#[utoipa::path(get, path = "/v1/uploads/{id}", params(("id" = String, Path, description = "Id of the upload.")), responses((status = 200, body = UploadReply, description = "Which chunks are missing.")))]
pub(crate) async fn show(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    answer::view(&progress(&api.store.find_upload(upload(&caller.0, &path)?).await?))
}

/// Keeps a chunk; the answer means it is on the disk. A repeat takes its place.
#[utoipa::path(put, path = "/v1/uploads/{id}/chunks/{index}", params(("id" = String, Path, description = "Id of the upload."), ("index" = i64, Path, description = "Which chunk, from 0.")), request_body = NewChunk, responses((status = 200, body = Empty, description = "It is kept.")))]
pub(crate) async fn put_chunk(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    post: Post<Caller, NewChunk>,
) -> Answer {
    let (id, index) = path.into_inner();
    post.once(&api, move |api, job| async move {
        let at = upload(&job.caller, &id)?;
        let index = index.parse().map_err(|_| Fault::from(Code::NotFound))?;
        let data = STANDARD.decode(&job.body.data).map_err(|_| Error::invalid("data", "`data` is base64"))?;
        api.store.put_chunk(at, index, data).await?;
        Ok("{}".to_owned())
    })
    .await
}

/// Checks what is complete. A body is sent as a message, and the answer means that it is stored durably with its seq; an attachment is
/// kept for a message to name.
#[utoipa::path(post, path = "/v1/uploads/{id}/commit", params(("id" = String, Path, description = "Id of the upload.")), request_body = CommitBody, responses((status = 200, body = CommitReplySchema, description = "The message or the attachment is stored, by this request or an earlier one.")))]
pub(crate) async fn commit(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, CommitBody>) -> Answer {
    let id = path.into_inner();
    post.once(&api, move |api, job| async move {
        let Job { caller, body, .. } = job;
        let about = about(&caller, &body.attachments, body.reply_to, body.mentions, body.silent)?;
        let sealed = match api.store.seal_upload(upload(&caller, &id)?).await? {
            Sealed::Attachment(file) => return Ok(encode::attachment(&file)),
            Sealed::Body(sealed) => sealed,
        };
        let may_send = caller.allows(sealed.conversation.as_str(), Cap::Send);
        match api.gateway.write(Write::Send(sealed.draft(about, caller.credential(), may_send))).await? {
            Outcome::Sent(sent) => answer::json(&reply(&sent)),
            _ => Err(conversations::unexpected()),
        }
    })
    .await
}

/// Gives up what is not committed, or an attachment that is not sent.
#[utoipa::path(delete, path = "/v1/uploads/{id}", params(("id" = String, Path, description = "Id of the upload.")), responses((status = 200, body = Empty, description = "It is given up.")))]
pub(crate) async fn abort(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    api.store.drop_upload(upload(&caller.0, &path)?).await?;
    Ok(answer::ok("{}".to_owned()))
}

/// The bytes of a large body, or the part that a `Range` header names.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages/{seq}/body",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("seq" = i64, Path, description = "The message's seq."),
        ("Range" = Option<String>, Header, description = "One range of bytes, as `bytes=0-1023`."),
    ),
    responses((status = 200, body = serde_json::Value, description = "The body, as it was uploaded; with a `Range` header that part of it, as a 206.")))]
pub(crate) async fn body(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    let body = find(&api, &caller.0, &path.0, &path.1).await?;
    serve(&api.store, body, &JSON, &request)
}

/// A link to a large body that works for a while without a credential.
#[utoipa::path(post, path = "/v1/conversations/{id}/messages/{seq}/body/link", params(("id" = String, Path, description = "Id of the conversation."), ("seq" = i64, Path, description = "The message's seq.")), request_body = NewLink, responses((status = 200, body = LinkReply, description = "The link.")))]
pub(crate) async fn link(
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    post: Post<Caller, NewLink>,
) -> Answer {
    let (id, seq) = path.into_inner();
    post.once(&api, move |api, job| async move {
        let for_s = job.body.seconds()?;
        let body = find(&api, &job.caller, &id, &seq).await?;
        served::link(&api, &body, "/v1/bodies", for_s).await
    })
    .await
}

/// What a link leads to.
#[utoipa::path(get, path = "/v1/bodies/{link}",
    params(
        ("link" = String, Path, description = "The link's last part."),
        ("Range" = Option<String>, Header, description = "One range of bytes, as `bytes=0-1023`."),
    ),
    responses((status = 200, body = serde_json::Value, description = "The body, as it was uploaded; with a `Range` header that part of it, as a 206.")))]
pub(crate) async fn linked(api: web::Data<Api>, path: web::Path<String>, request: HttpRequest) -> Answer {
    Query::read(&request, &[])?;
    let body = api.store.find_linked_body(&path).await?;
    api.gateway.place(body.app).await?.admit(None)?;
    serve(&api.store, body, &JSON, &request)
}

fn progress(upload: &Upload) -> UploadReply {
    UploadReply {
        upload: upload.id.to_string(),
        chunk_bytes: upload.chunk_bytes,
        chunks: upload.chunks,
        missing: upload.missing.iter().map(|(first, last)| vec![*first, *last]).collect(),
        committed: upload.is_committed,
    }
}

/// The upload that the caller may name. Errors: `not_found` for what is no id of one, `forbidden` to a token that may send nowhere.
fn upload(caller: &Caller, id: &str) -> Result<UploadRef, Fault> {
    let id = id.parse::<UploadId>().map_err(|()| Error::new(Code::NotFound))?;
    caller.allow_anywhere(Cap::Send)?;
    Ok(UploadRef { app: caller.app(), id, user: caller.viewer() })
}

async fn find(api: &Api, caller: &Caller, id: &str, seq: &str) -> Result<LargeBody, Fault> {
    let conversation = Conversation::parse(id)?;
    caller.allow(conversation.as_str(), Cap::Read)?;
    let seq = seq.parse().map_err(|_| Fault::from(Code::NotFound))?;
    Ok(api.store.find_large_body(caller.app(), &conversation, caller.viewer().as_ref(), seq).await?)
}
