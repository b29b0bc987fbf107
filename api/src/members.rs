//! Members of a conversation: listing, adding, removing.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::conversations::{self, AsOf};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, get, post};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_domain::group::added_role;
use tokenim_domain::limits::MEMBERS_PAGE_MAX;
use tokenim_domain::log::{self, MemberChange, MembersQuery, MessageLog, Outcome, Write, cut_page};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, MemberRole};
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/conversations/{id}/members", "listMembers", Who::KeyOrUser(Scope::MembersRead), || web::to(list))
        .refuses(&[Code::NotFound]),
    post("/v1/conversations/{id}/members", "addMembers", Who::KeyOrUser(Scope::MembersWrite), || web::to(add))
        .refuses(&[Code::NotFound, Code::LimitReached, Code::Blocked, Code::OutcomeUnknown]),
    delete("/v1/conversations/{id}/members/{user}", "removeMember", Who::KeyOrUser(Scope::MembersWrite), || {
        web::to(remove)
    })
    .refuses(&[Code::NotFound, Code::OutcomeUnknown]),
];

/// Members of a page when the call names no `limit`.
pub(crate) const PAGE_DEFAULT: u32 = 50;
/// What a cursor of a list of users begins with.
const CURSOR_PREFIX: &str = "cur_";

/// Users to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMembers {
    /// Unknown users are created; members already are left as they are.
    #[schema(min_items = 1, max_items = 1000, example = json!(["carol"]))]
    members: Vec<String>,
    /// As what: `member`, as when absent, or `guest`, who reads only.
    role: Option<String>,
}

/// What became of a change of membership.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeReply {
    /// False where the membership was so already.
    changed: bool,
    /// Seq of the member event; null where nothing changed.
    seq: Option<i64>,
    /// Incarnation of the conversation's log; null where nothing changed.
    epoch: Option<i64>,
}

/// A page of members, by user id.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberPage {
    items: Vec<MemberReply>,
    /// The list holds every change up to this place at least.
    as_of: AsOf,
    /// For `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// A member of a conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberReply {
    user: String,
    /// `owner`, `admin`, `member` or `guest`.
    role: &'static str,
    /// Seq of the event it joined with.
    joined: i64,
    /// Seen up to this seq.
    read: i64,
    /// Held by a device up to this seq.
    received: i64,
    /// Until when it may not speak; in the past: it may.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    muted_until: Option<String>,
}

/// The members of a conversation.
#[utoipa::path(get, path = "/v1/conversations/{id}/members",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Members of the page.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = MemberPage, description = "The page.")))]
pub(crate) async fn list(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["cursor", "limit"])?;
    let caller = caller.0;
    let conversation = Conversation::parse(&path)?;
    caller.allow(conversation.as_str(), Cap::Read)?;
    let (limit, after) =
        (query.limit(PAGE_DEFAULT, MEMBERS_PAGE_MAX)?, query.text("cursor").map(read_cursor).transpose()?);
    // The head is read first: the list is then never older than the place it is told to be of.
    let viewer = caller.viewer();
    let view = api.store.find_conversation(caller.app(), &conversation, viewer.as_ref()).await?;
    let view = view.ok_or_else(|| Error::new(Code::NotFound))?;
    let page = MembersQuery { app: caller.app(), conversation, viewer, after, limit: limit + 1 };
    let page = page_of(api.store.members(page).await?, limit, AsOf { epoch: view.epoch, seq: view.last_seq });
    answer::view(&page)
}

fn page_of(mut members: Vec<log::Member>, limit: u32, as_of: AsOf) -> MemberPage {
    let has_more = cut_page(&mut members, limit);
    let next_cursor = members.last().filter(|_| has_more).map(|last| page_cursor(&last.user));
    MemberPage { items: members.iter().map(reply).collect(), as_of, next_cursor }
}

/// Where the page after this user begins.
pub(crate) fn page_cursor(user: &User) -> String {
    format!("{CURSOR_PREFIX}{user}")
}

/// The user of a cursor.
///
/// Errors: `invalid_field`.
pub(crate) fn read_cursor(text: &str) -> Result<User, Fault> {
    let user = text.strip_prefix(CURSOR_PREFIX).and_then(|user| User::parse(user).ok());
    user.ok_or_else(|| Error::invalid("cursor", "`cursor` must be the `next_cursor` of a page of this list").into())
}

fn reply(member: &log::Member) -> MemberReply {
    MemberReply {
        user: member.user.to_string(),
        role: member.role.as_str(),
        joined: member.joined,
        read: member.read,
        received: member.received,
        muted_until: member.muted_until_ms.map(rfc3339),
    }
}

/// Adds users to a conversation. With a user token, its owner and admins may, and members where its rule `add` says so.
#[utoipa::path(post, path = "/v1/conversations/{id}/members", params(("id" = String, Path, description = "Id of the conversation.")), request_body = NewMembers, responses((status = 200, body = ChangeReply, description = "All named users are members.")))]
pub(crate) async fn add(api: web::Data<Api>, path: web::Path<String>, post: Post<Caller, NewMembers>) -> Answer {
    let path = path.into_inner();
    post.once(&api, move |api, job| join(api, path, job)).await
}

async fn join(api: web::Data<Api>, path: String, job: Job<Caller, NewMembers>) -> Result<String, Fault> {
    let conversation = Conversation::parse(&path)?;
    job.caller.allow(conversation.as_str(), Cap::Moderate)?;
    let users = conversations::distinct(conversations::users(&job.body.members)?.into_iter());
    if users.is_empty() {
        return Err(Error::invalid("members", "`members` must name a user at least").into());
    }
    let role = added_role(job.body.role.as_deref())?;
    let (app, actor) = (job.caller.app(), job.caller.viewer());
    let change = MemberChange { app, conversation, actor, change: Change::Added, users, role };
    commit(&api, Write::Change(change)).await
}

/// Removes a user from a conversation. With a user token, owner and admins may remove who is of lower rank, and everybody but
/// the owner itself.
#[utoipa::path(delete, path = "/v1/conversations/{id}/members/{user}",
    params(("id" = String, Path, description = "Id of the conversation."), ("user" = String, Path, description = "The user to remove.")),
    responses((status = 200, body = ChangeReply, description = "The user is no member.")))]
pub(crate) async fn remove(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &[])?;
    let caller = caller.0;
    let (conversation, user) = (Conversation::parse(&path.0)?, User::parse(&path.1)?);
    caller.allow(conversation.as_str(), Cap::Moderate)?;
    let change = MemberChange {
        app: caller.app(),
        conversation,
        actor: caller.viewer(),
        change: Change::Removed,
        users: vec![user],
        role: MemberRole::Member,
    };
    commit(&api, Write::Change(change)).await.map(answer::ok)
}

/// Commits a write that puts an event into the log, or none where it is so already.
pub(crate) async fn commit(api: &Api, write: Write) -> Result<String, Fault> {
    let event = match api.gateway.write(write).await? {
        Outcome::Changed(event) => event,
        _ => return Err(conversations::unexpected()),
    };
    let (seq, epoch) = event.map(|event| (event.seq, event.epoch)).unzip();
    answer::json(&ChangeReply { changed: seq.is_some(), seq, epoch })
}
