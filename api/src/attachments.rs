//! Attachments over HTTP, on the way out: whoever sees a message reads its files, or has a link to one.

use crate::answer::Answer;
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::fault::Fault;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get, post};
use crate::served::{self, Label, LinkReply, NewLink};
use actix_web::{HttpRequest, web};
use tokenim_domain::log::AttachmentQuery;
use tokenim_domain::name::Conversation;
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error};
use tokenim_store::{File, Store};

const READS: Who = Who::KeyOrUser(Scope::MessagesRead);

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/conversations/{id}/messages/{seq}/attachments/{attachment}", "getAttachment", READS, || web::to(read))
        .refuses(&[Code::NotFound, Code::RangeNotSatisfiable]),
    post("/v1/conversations/{id}/messages/{seq}/attachments/{attachment}/link", "linkAttachment", READS, || {
        web::to(link)
    })
    .refuses(&[Code::NotFound]),
    get("/v1/attachments/{link}", "getLinkedAttachment", Who::Public, || web::to(linked)).refuses(&[
        Code::NotFound,
        Code::RangeNotSatisfiable,
        Code::AppSuspended,
        Code::OrgSuspended,
        Code::Unavailable,
        Code::Overloaded,
    ]),
];

/// The bytes of a message's attachment, or the part that a `Range` header names.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages/{seq}/attachments/{attachment}",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("seq" = i64, Path, description = "The message's seq."),
        ("attachment" = String, Path, description = "Id of the attachment."),
        ("Range" = Option<String>, Header, description = "One range of bytes, as `bytes=0-1023`."),
    ),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>, description = "The file, under its own type where no browser runs what is in it; with a `Range` header that part of it, as a 206.")))]
pub(crate) async fn read(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String, String)>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    let file = find(&api, &caller.0, &path).await?;
    serve(&api.store, &file, &request)
}

/// A link to a message's attachment that works for a while without a credential.
#[utoipa::path(post, path = "/v1/conversations/{id}/messages/{seq}/attachments/{attachment}/link",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("seq" = i64, Path, description = "The message's seq."),
        ("attachment" = String, Path, description = "Id of the attachment."),
    ),
    request_body = NewLink, responses((status = 200, body = LinkReply, description = "The link.")))]
pub(crate) async fn link(
    api: web::Data<Api>,
    path: web::Path<(String, String, String)>,
    post: Post<Caller, NewLink>,
) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, job| async move {
        let for_s = job.body.seconds()?;
        let file = find(&api, &job.caller, &path).await?;
        served::link(&api, &file.body, "/v1/attachments", for_s).await
    })
    .await
}

/// The attachment that a link leads to.
#[utoipa::path(get, path = "/v1/attachments/{link}",
    params(
        ("link" = String, Path, description = "The link's last part."),
        ("Range" = Option<String>, Header, description = "One range of bytes, as `bytes=0-1023`."),
    ),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>, description = "The file, under its own type where no browser runs what is in it; with a `Range` header that part of it, as a 206.")))]
pub(crate) async fn linked(api: web::Data<Api>, path: web::Path<String>, request: HttpRequest) -> Answer {
    Query::read(&request, &[])?;
    let file = api.store.find_linked_attachment(&path).await?;
    api.gateway.place(file.body.app).await?.admit(None)?;
    serve(&api.store, &file, &request)
}

async fn find(api: &Api, caller: &Caller, path: &(String, String, String)) -> Result<File, Fault> {
    let none = || Fault::from(Error::new(Code::NotFound));
    let conversation = Conversation::parse(&path.0)?;
    caller.allow(conversation.as_str(), Cap::Read)?;
    let (seq, id) = (path.1.parse().map_err(|_| none())?, path.2.parse().map_err(|()| none())?);
    let query = AttachmentQuery { app: caller.app(), conversation, viewer: caller.viewer(), seq, id };
    Ok(api.store.find_attachment(&query).await?)
}

fn serve(store: &Store, file: &File, request: &HttpRequest) -> Answer {
    let label = Label { content_type: file.content_type.served(), disposition: &file.name.disposition() };
    served::serve(store, file.body, &label, request)
}
