//! Who may bring whom into a conversation: block lists, the app's rule for strangers, bans, and who asked to be let in.

use super::append::Batch;
use super::change::{of_users, role_of};
use super::members::names;
use crate::sql::{self, Text};
use std::collections::{HashMap, HashSet};
use tokenim_domain::group::Strangers;
use tokenim_domain::limits::MEMBERS_PER_COMMAND_MAX;
use tokenim_domain::log::AppRef;
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::MemberRole;
use tokenim_domain::{Code, Error, Result};

/// Look-ups that one command may cost to find out whether its users share a conversation: members named times
/// conversations of the actor.
const SHARED_LOOKUPS_MAX: i64 = 100_000;

/// Checks that a user may bring others into a conversation. The outer result is the database's, the inner one the answer.
///
/// Errors: `forbidden` by the app's rule for strangers; `blocked` by one of them.
pub(super) async fn check(batch: &Batch<'_>, app: AppRef, actor: &User, users: &[User]) -> Result<Result<()>> {
    let others: Vec<User> = users.iter().filter(|user| *user != actor).cloned().collect();
    let refuse = |message| Ok(Err(Error::new(Code::Forbidden).says(message).at("members")));
    match rule(batch, app).await? {
        Strangers::Server => return refuse("only the app's server creates conversations and adds members"),
        Strangers::Shared if !others.is_empty() => {
            let conversations =
                sql::row(&batch.tx, COUNT, [app.app.into(), actor.as_str().into(), LIMIT.into()]).await?;
            let conversations: i64 = conversations.map_or(Ok(0), |row| sql::get(&row, "count"))?;
            if conversations * others.len() as i64 > SHARED_LOOKUPS_MAX {
                return Ok(Err(Error::new(Code::LimitReached).says("name fewer members at a time").at("members")));
            }
            if is_found(batch, STRANGER, app, actor, &others).await? {
                return refuse("a user brings in only users it shares a conversation with");
            }
        }
        Strangers::Shared | Strangers::Anyone => {}
    }
    if is_found(batch, BLOCKER, app, actor, &others).await? {
        return Ok(Err(Error::new(Code::Blocked).at("members")));
    }
    Ok(Ok(()))
}

/// Conversations of an actor that are counted, at most: beyond it even a single member is too much.
const LIMIT: i64 = SHARED_LOOKUPS_MAX + 1;

async fn rule(batch: &Batch<'_>, app: AppRef) -> Result<Strangers> {
    let row = sql::row(&batch.tx, RULE, [app.org.into(), app.app.into()]).await?;
    let text: Option<String> = row.map(|row| sql::get(&row, "strangers")).transpose()?;
    text.as_deref().and_then(Strangers::find).ok_or_else(|| Error::internal("an app without a rule for strangers"))
}

async fn is_found(batch: &Batch<'_>, text: Text, app: AppRef, actor: &User, users: &[User]) -> Result<bool> {
    let values = [app.app.into(), actor.as_str().into(), names(users).into()];
    Ok(sql::row(&batch.tx, text.on(&batch.tx), values).await?.is_some())
}

/// Whether one of the users is banned.
pub(super) async fn any_banned(
    batch: &Batch<'_>,
    app: AppRef,
    conversation: &Conversation,
    users: &[User],
) -> Result<bool> {
    Ok(!rows(batch, BANNED, app, conversation, users).await?.is_empty())
}

/// Those of the users who did not ask to be let in: who asked is no stranger.
pub(super) async fn without_requests(
    batch: &Batch<'_>,
    app: AppRef,
    conversation: &Conversation,
    users: &[User],
) -> Result<Vec<User>> {
    let asked = rows(batch, ASKED, app, conversation, users).await?;
    let asked = asked.iter().map(|row| sql::get(row, "user")).collect::<Result<HashSet<String>>>()?;
    Ok(users.iter().filter(|user| !asked.contains(user.as_str())).cloned().collect())
}

/// The roles that some of the users come back in.
pub(super) async fn roles_before(
    batch: &Batch<'_>,
    app: AppRef,
    conversation: &Conversation,
    users: &[User],
) -> Result<HashMap<User, MemberRole>> {
    let rows = rows(batch, BEFORE, app, conversation, users).await?;
    let mut roles: HashMap<_, _> = rows.iter().map(role_of).collect::<Result<_>>()?;
    roles.retain(|_, role| *role == MemberRole::Guest);
    Ok(roles)
}

async fn rows(
    batch: &Batch<'_>,
    text: Text,
    app: AppRef,
    conversation: &Conversation,
    users: &[User],
) -> Result<Vec<sea_orm::QueryResult>> {
    debug_assert!(users.len() <= MEMBERS_PER_COMMAND_MAX, "faces bound what a command names");
    let values = [app.app.into(), conversation.as_str().into(), names(users).into()];
    sql::rows(&batch.tx, text.on(&batch.tx), values).await
}

const RULE: &str = "SELECT strangers FROM app WHERE org_id = $1 AND id = $2";
const COUNT: &str = "
SELECT count(*) AS count FROM (SELECT 1 FROM member WHERE app_id = $1 AND \"user\" = $2 LIMIT $3) AS mine";
macro_rules! stranger {
    ($each:literal) => {
        concat!(
            "SELECT w.value FROM ", $each, " WHERE NOT EXISTS (SELECT 1 FROM member mine JOIN member theirs ",
            "ON theirs.app_id = mine.app_id AND theirs.conversation_id = mine.conversation_id AND theirs.\"user\" = w.value ",
            "WHERE mine.app_id = $1 AND mine.\"user\" = $2) LIMIT 1"
        )
    };
}
const STRANGER: Text = Text {
    sqlite: stranger!("json_each($3) w"),
    postgres: stranger!("json_array_elements_text($3::json) AS w(value)"),
};
const BLOCKER: Text = Text {
    sqlite: "SELECT 1 AS one FROM user_block WHERE app_id = $1 AND other = $2 AND \"user\" IN (SELECT value FROM json_each($3)) LIMIT 1",
    postgres: "SELECT 1 AS one FROM user_block WHERE app_id = $1 AND other = $2 AND \"user\" = ANY (ARRAY(SELECT json_array_elements_text($3::json))) LIMIT 1",
};
const BANNED: Text = of_users!("SELECT \"user\" FROM member_ban", " LIMIT 1");
const ASKED: Text = of_users!("SELECT \"user\" FROM join_request");
const BEFORE: Text = of_users!("SELECT \"user\", role FROM member_before");
