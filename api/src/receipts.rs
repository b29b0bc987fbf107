//! Who has read or received a message.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::fault::Fault;
use crate::members::{page_cursor, read_cursor};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get};
use actix_web::{HttpRequest, web};
use serde::Serialize;
use tokenim_domain::Code;
use tokenim_domain::limits::MEMBERS_PAGE_MAX;
use tokenim_domain::log::{Acknowledged, MessageLog, ReceiptsQuery};
use tokenim_domain::name::Conversation;
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Cap;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] =
    &[get("/v1/conversations/{id}/messages/{seq}/receipts", "getReceipts", Who::KeyOrUser(Scope::MembersRead), || {
        web::to(show)
    })
    .refuses(&[Code::NotFound])];

/// Members of a page when the call names no `limit`.
const PAGE_DEFAULT: u32 = 50;

/// Counts, and a page where one was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReceiptsReply {
    /// Members now who were members then.
    members: i64,
    /// Of them, who have read it.
    read: i64,
    /// Of them, who have received it on a device.
    received: i64,
    /// The page, by user id; empty without `who`. It may hold fewer than `limit`, even none, while `next_cursor` is there: a call
    /// looks through 4,096 members at most.
    items: Vec<ReceiptReply>,
    /// For `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// A member's watermarks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MemberReceipt)]
pub(crate) struct ReceiptReply {
    user: String,
    /// Seen up to this seq.
    read: i64,
    /// Held by a device up to this seq.
    received: i64,
}

/// Who has read or received a message.
#[utoipa::path(get, path = "/v1/conversations/{id}/messages/{seq}/receipts",
    params(
        ("id" = String, Path, description = "Id of the conversation."),
        ("seq" = i64, Path, description = "Seq of the message."),
        ("state" = Option<String>, Query, description = "`read` (default) or `received`: of which the page is."),
        ("who" = Option<String>, Query, description = "`has` or `has_not`: whom the page lists."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u32>, Query, description = "Members of the page.", minimum = 1, maximum = 200),
    ),
    responses((status = 200, body = ReceiptsReply, description = "Counts, and the page.")))]
pub(crate) async fn show(
    api: web::Data<Api>,
    caller: Auth<Caller>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["state", "who", "cursor", "limit"])?;
    let caller = caller.0;
    let conversation = Conversation::parse(&path.0)?;
    caller.allow(conversation.as_str(), Cap::Read)?;
    let limit = query.limit(PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
    let asked = ReceiptsQuery {
        app: caller.app(),
        conversation,
        viewer: caller.viewer(),
        seq: path.1.parse().map_err(|_| Fault::from(Code::NotFound))?,
        state: ReceiptsQuery::state_of(query.text("state"))?,
        has: ReceiptsQuery::has_of(query.text("who"))?,
        after: query.text("cursor").map(read_cursor).transpose()?,
        limit,
    };
    let receipts = api.store.receipts(asked).await?;
    let next_cursor = receipts.next.as_ref().map(page_cursor);
    let items = receipts.page.iter().map(reply).collect();
    let (members, read, received) = (receipts.members, receipts.read, receipts.received);
    answer::view(&ReceiptsReply { members, read, received, items, next_cursor })
}

fn reply(one: &Acknowledged) -> ReceiptReply {
    ReceiptReply { user: one.user.to_string(), read: one.read, received: one.received }
}
