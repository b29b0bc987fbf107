//! Lists of users beside the members: who asks to be let in, who is banned, and whom a user blocks.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::conversations;
use crate::fault::Fault;
use crate::members::{PAGE_DEFAULT, page_cursor, read_cursor};
use crate::post::{Empty, Post};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, get, put};
use actix_web::{HttpRequest, web};
use serde::Serialize;
use tokenim_domain::limits::MEMBERS_PAGE_MAX;
use tokenim_domain::log::{
    BlockChange, Governing, GroupAct, List, ListQuery, Listed, MessageLog, Outcome, Write, cut_page,
};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use utoipa::ToSchema;

const READS: Who = Who::KeyOrUser(Scope::MembersRead);
const WRITES: Who = Who::KeyOrUser(Scope::MembersWrite);

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/conversations/{id}/requests", "listJoinRequests", READS, || web::to(requests)).refuses(&[Code::NotFound]),
    delete("/v1/conversations/{id}/requests/{user}", "declineJoinRequest", WRITES, || web::to(decline))
        .refuses(&[Code::NotFound, Code::OutcomeUnknown]),
    get("/v1/conversations/{id}/bans", "listBans", READS, || web::to(bans)).refuses(&[Code::NotFound]),
    get("/v1/users/{user}/blocks", "listBlocks", READS, || web::to(blocks)).refuses(&[Code::NotFound]),
    put("/v1/users/{user}/blocks/{other}", "blockUser", WRITES, || web::to(block)).refuses(&[
        Code::NotFound,
        Code::LimitReached,
        Code::OutcomeUnknown,
    ]),
    delete("/v1/users/{user}/blocks/{other}", "unblockUser", WRITES, || web::to(unblock))
        .refuses(&[Code::NotFound, Code::OutcomeUnknown]),
];

/// A page of users, by user id.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedPage {
    items: Vec<ListedUser>,
    /// For `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// A user on a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedUser {
    user: String,
    /// Since when.
    #[schema(format = DateTime)]
    at: String,
    /// Of a ban: who did it; absent when the app's server did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    actor: Option<String>,
}

/// What became of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListReply {
    /// False where it was so already.
    changed: bool,
}

/// Who asks to be let in. With a user token, owner and admins see it.
#[utoipa::path(get, path = "/v1/conversations/{id}/requests",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Users of the page.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = ListedPage, description = "The page.")))]
pub(crate) async fn requests(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    of_conversation(&api, &caller.0, &path, &request, List::Requests).await
}

/// Who is banned. With a user token, owner and admins see it.
#[utoipa::path(get, path = "/v1/conversations/{id}/bans",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Users of the page.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = ListedPage, description = "The page.")))]
pub(crate) async fn bans(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    of_conversation(&api, &caller.0, &path, &request, List::Bans).await
}

async fn of_conversation(
    api: &Api,
    caller: &Caller,
    path: &str,
    request: &HttpRequest,
    list: fn(Conversation) -> List,
) -> Answer {
    let conversation = Conversation::parse(path)?;
    caller.allow(conversation.as_str(), Cap::Moderate)?;
    page(api, caller, request, list(conversation)).await
}

/// Whom a user takes no direct messages and invitations from. With a user token, only its own list.
#[utoipa::path(get, path = "/v1/users/{user}/blocks",
    params(
        ("user" = String, Path, description = "Whose list."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Users of the page.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = ListedPage, description = "The page.")))]
pub(crate) async fn blocks(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    let user = owner(&caller.0, &path)?;
    page(&api, &caller.0, &request, List::Blocks(user)).await
}

async fn page(api: &Api, caller: &Caller, request: &HttpRequest, list: List) -> Answer {
    let query = Query::read(request, &["cursor", "limit"])?;
    let limit = query.limit(PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
    let after = query.text("cursor").map(read_cursor).transpose()?;
    let wanted = ListQuery { app: caller.app(), list, viewer: caller.viewer(), after, limit: limit + 1 };
    let mut listed = api.store.listed(wanted).await?;
    let has_more = cut_page(&mut listed, limit);
    let next_cursor = listed.last().filter(|_| has_more).map(|last| page_cursor(&last.user));
    answer::view(&ListedPage { items: listed.into_iter().map(reply).collect(), next_cursor })
}

fn reply(listed: Listed) -> ListedUser {
    ListedUser {
        user: listed.user.to_string(),
        at: rfc3339(listed.at_ms),
        actor: listed.actor.map(|actor| actor.to_string()),
    }
}

/// Does not let a user in who asked. It may ask again.
#[utoipa::path(delete, path = "/v1/conversations/{id}/requests/{user}",
    params(("id" = String, Path, description = "Id of the conversation."), ("user" = String, Path, description = "The user.")),
    responses((status = 200, body = ListReply, description = "The user does not wait.")))]
pub(crate) async fn decline(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    let (caller, conversation) = (caller.0, Conversation::parse(&path.0)?);
    let act = GroupAct::Decline(vec![User::parse(&path.1)?]);
    caller.allow(conversation.as_str(), Cap::Moderate)?;
    let asked = Governing { app: caller.app(), conversation, actor: caller.viewer(), act };
    commit(&api, Write::Govern(asked)).await.map(answer::ok)
}

/// Puts a user on another's block list. Who is blocked is not told.
#[utoipa::path(put, path = "/v1/users/{user}/blocks/{other}",
    params(("user" = String, Path, description = "Whose list."), ("other" = String, Path, description = "Who is blocked.")),
    request_body = Empty, responses((status = 200, body = ListReply, description = "The user is blocked.")))]
pub(crate) async fn block(api: web::Data<Api>, path: web::Path<(String, String)>, post: Post<Caller, Empty>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, job| async move { change(&api, &job.caller, &path, true).await }).await
}

/// Takes a user off another's block list.
#[utoipa::path(delete, path = "/v1/users/{user}/blocks/{other}",
    params(("user" = String, Path, description = "Whose list."), ("other" = String, Path, description = "Who is blocked.")),
    responses((status = 200, body = ListReply, description = "The user is not blocked.")))]
pub(crate) async fn unblock(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    change(&api, &caller.0, &path, false).await.map(answer::ok)
}

async fn change(api: &Api, caller: &Caller, path: &(String, String), is_blocked: bool) -> Result<String, Fault> {
    let user = owner(caller, &path.0)?;
    let change = BlockChange::new(caller.app(), user, User::parse(&path.1)?, is_blocked)?;
    commit(api, Write::Block(change)).await
}

/// Whose list it is. Errors: `not_found` for another user's.
fn owner(caller: &Caller, path: &str) -> Result<User, Fault> {
    let user = User::parse(path)?;
    match caller.viewer() {
        Some(viewer) if viewer != user => Err(Error::new(Code::NotFound).into()),
        Some(_) | None => Ok(user),
    }
}

async fn commit(api: &Api, write: Write) -> Result<String, Fault> {
    match api.gateway.write(write).await? {
        Outcome::Listed(changed) => answer::json(&ListReply { changed }),
        _ => Err(conversations::unexpected()),
    }
}
