//! Large bodies over HTTP: their chunks on the way in, ranges and links on the way out.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::conversations;
use crate::fault::Fault;
use crate::messages::{Mentioned, SentReply, about, reply, sender};
use crate::once::Job;
use crate::post::{Empty, Post};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, get, post, put};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokenim_domain::id::UploadId;
use tokenim_domain::log::{Digest, MessageLog, NewUpload, Outcome, Upload, UploadRef, Write};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, content};
use tokenim_protocol::time::rfc3339;
use tokenim_store::{BodyLink, LargeBody, Store};
use utoipa::ToSchema;

const READS: Who = Who::KeyOrUser(Scope::MessagesRead);
const WRITES: Who = Who::KeyOrUser(Scope::MessagesWrite);
/// Bytes of a body that are in memory at a time while it is sent.
const PART_BYTES: i64 = 256 * 1024;
/// Seconds a link works, when the call names none and at most.
const LINK_SECONDS_DEFAULT: i64 = 300;
const LINK_SECONDS_MAX: i64 = 3_600;

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

/// A large body that is to come.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBody {
    /// Id of the conversation.
    #[schema(example = "c1")]
    conversation: String,
    /// Who says it, a member. Required with a server key; with a user token it is that user.
    #[schema(example = "alice")]
    sender: Option<String>,
    /// The sender's own id of the message: a repeat goes on with what has begun.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:@-]+$")]
    client_msg_id: String,
    /// `text`, `json` or `file`, as of a message.
    #[schema(example = "json")]
    kind: String,
    /// Bytes of the whole body.
    #[schema(minimum = 1, maximum = 67_108_864)]
    bytes: i64,
    /// SHA-256 of the whole body, hexadecimal.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    sha256: String,
    /// Bytes of each chunk but the last; 32,768 when absent.
    #[schema(minimum = 4_096, maximum = 32_768)]
    chunk_bytes: Option<i64>,
}

/// How far a large body has come.
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
    /// Whether it is a message already.
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
}

/// How long a link is to work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLink {
    /// Seconds; 300 when absent.
    #[schema(minimum = 1, maximum = 3_600)]
    for_s: Option<i64>,
}

/// A link that needs no credential: whoever has it may read the body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkReply {
    /// The address.
    url: String,
    /// When it ends.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Begins a large body, or goes on with it: the answer says which chunks are missing.
#[utoipa::path(post, path = "/v1/uploads", request_body = NewBody, responses((status = 200, body = UploadReply, description = "The upload, begun by this request or an earlier one.")))]
pub(crate) async fn begin(api: web::Data<Api>, post: Post<Caller, NewBody>) -> Answer {
    post.once(&api, |api, job| async move {
        let Job { caller, body, .. } = job;
        let new = NewUpload {
            app: caller.app(),
            conversation: Conversation::parse(&body.conversation)?,
            sender: sender(&caller, body.sender.as_deref())?,
            client_msg_id: ClientMsgId::parse(&body.client_msg_id)?,
            kind: content::find_kind(&body.kind)?,
            bytes: NewUpload::bytes(body.bytes)?,
            sha256: Digest::parse(&body.sha256)?,
            chunk_bytes: NewUpload::chunk_bytes(body.chunk_bytes)?,
        };
        caller.allow(new.conversation.as_str(), Cap::Send)?;
        answer::json(&progress(&api.gateway.begin_upload(new).await?))
    })
    .await
}

/// How far a large body has come.
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

/// Checks a complete body and sends it as a message; the answer means it is stored durably with its seq.
#[utoipa::path(post, path = "/v1/uploads/{id}/commit", params(("id" = String, Path, description = "Id of the upload.")), request_body = CommitBody, responses((status = 200, body = SentReply, description = "The message is stored, by this request or an earlier one.")))]
pub(crate) async fn commit(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, CommitBody>) -> Answer {
    let id = path.into_inner();
    post.once(&api, move |api, job| async move {
        let Job { caller, body, .. } = job;
        let about = about(body.reply_to, body.mentions, body.silent)?;
        let sealed = api.store.seal_upload(upload(&caller, &id)?).await?;
        caller.allow(sealed.conversation.as_str(), Cap::Send)?;
        match api.gateway.write(Write::Send(sealed.draft(about, caller.credential()))).await? {
            Outcome::Sent(sent) => answer::json(&reply(&sent)),
            _ => Err(conversations::unexpected()),
        }
    })
    .await
}

/// Gives a body up that is not committed.
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
    serve(&api.store, body, &request)
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
        let for_s = job.body.for_s.unwrap_or(LINK_SECONDS_DEFAULT);
        if !(1..=LINK_SECONDS_MAX).contains(&for_s) {
            return Err(Error::invalid("for_s", format!("`for_s` must be 1 to {LINK_SECONDS_MAX}")).into());
        }
        let body = find(&api, &job.caller, &id, &seq).await?;
        let expires_at = rfc3339(api.now_ms() + for_s * 1_000);
        let url = match api.store.link_large_body(&body, Duration::from_secs(for_s.unsigned_abs())).await? {
            BodyLink::Elsewhere(url) => url,
            BodyLink::Ours(link) => format!("{}/v1/bodies/{link}", api.origin),
        };
        answer::json(&LinkReply { url, expires_at })
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
    serve(&api.store, body, &request)
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

/// The upload that the caller may name. Errors: `not_found` for what is no id of one.
fn upload(caller: &Caller, id: &str) -> Result<UploadRef, Fault> {
    let id = id.parse::<UploadId>().map_err(|()| Error::new(Code::NotFound))?;
    Ok(UploadRef { app: caller.app(), id, user: caller.viewer() })
}

async fn find(api: &Api, caller: &Caller, id: &str, seq: &str) -> Result<LargeBody, Fault> {
    let conversation = Conversation::parse(id)?;
    caller.allow(conversation.as_str(), Cap::Read)?;
    let seq = seq.parse().map_err(|_| Fault::from(Code::NotFound))?;
    Ok(api.store.find_large_body(caller.app(), &conversation, caller.viewer().as_ref(), seq).await?)
}

/// Answers with a body, part by part. It is what its sender wrote: never shown by a browser as anything else.
fn serve(store: &Store, body: LargeBody, request: &HttpRequest) -> Answer {
    let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok());
    let (status, from, to) = match range.and_then(|range| part(range, body.bytes)) {
        None => (StatusCode::OK, 0, body.bytes),
        Some(Some((from, to))) => (StatusCode::PARTIAL_CONTENT, from, to),
        Some(None) => {
            let says = format!("the body has {} bytes", body.bytes);
            return Err(Error::new(Code::RangeNotSatisfiable).says(says).into());
        }
    };
    let mut answer = HttpResponse::build(status);
    answer.insert_header((header::CONTENT_TYPE, "application/json"));
    answer.insert_header((header::ACCEPT_RANGES, "bytes"));
    answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    answer.insert_header((header::CONTENT_DISPOSITION, "attachment"));
    if status == StatusCode::PARTIAL_CONTENT {
        answer.insert_header((header::CONTENT_RANGE, format!("bytes {from}-{}/{}", to - 1, body.bytes)));
    }
    let store = store.clone();
    let parts = stream::try_unfold(from, move |at| {
        let store = store.clone();
        async move {
            if at >= to {
                return Ok::<_, Error>(None);
            }
            let end = to.min(at + PART_BYTES);
            let bytes = store.read_large_body(&body, at, end).await?;
            Ok(Some((web::Bytes::from(bytes), end)))
        }
    });
    Ok(answer.no_chunking(u64::try_from(to - from).unwrap_or(0)).streaming(Box::pin(parts)))
}

/// The part of so many bytes that a `Range` header names, from and to before; `Some(None)` = there is no such part, `None` = not
/// one range of bytes, so the whole is meant (RFC 9110 §14.2).
fn part(range: &str, bytes: i64) -> Option<Option<(i64, i64)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| (text.bytes().all(|digit| digit.is_ascii_digit())).then(|| text.parse::<i64>().ok())?;
    let (from, to) = match (first, last) {
        ("", last) => ((bytes - number(last)?).max(0), bytes),
        (first, "") => (number(first)?, bytes),
        (first, last) => (number(first)?, number(last)?.saturating_add(1).min(bytes)),
    };
    Some((from < to).then_some((from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_part_or_the_whole() {
        for (range, expected) in [
            ("bytes=0-0", Some(Some((0, 1)))),
            ("bytes=2-", Some(Some((2, 10)))),
            ("bytes=2-99", Some(Some((2, 10)))),
            ("bytes=-3", Some(Some((7, 10)))),
            ("bytes=-99", Some(Some((0, 10)))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=9223372036854775807-", Some(None)),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("bytes=99999999999999999999-", None),
            ("lines=0-1", None),
            ("", None),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
