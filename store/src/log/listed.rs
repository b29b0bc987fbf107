//! Lists of users beside the members: requests, bans and blocks; and a user's changes to its own block list.

use super::append::Batch;
use super::member_role;
use crate::entity::conversation;
use crate::{fault, sql};
use sea_orm::{ConnectionTrait, EntityTrait};
use tokenim_domain::limits::BLOCKS_MAX;
use tokenim_domain::log::{AppRef, BlockChange, List, ListQuery, Listed, Outcome};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Code, Error, Result};

/// A page of a list.
pub(super) async fn page(on: &impl ConnectionTrait, query: &ListQuery) -> Result<Vec<Listed>> {
    let (text, of) = match &query.list {
        List::Requests(conversation) => (REQUESTS, conversation.as_str()),
        List::Bans(conversation) => (BANS, conversation.as_str()),
        List::Blocks(user) => (BLOCKS, user.as_str()),
    };
    match (&query.list, &query.viewer) {
        (List::Requests(conversation) | List::Bans(conversation), viewer) => {
            check_moderates(on, query.app, conversation, viewer.as_ref()).await?;
        }
        (List::Blocks(user), Some(viewer)) if user != viewer => return Err(Code::NotFound.into()),
        (List::Blocks(_), _) => {}
    }
    let after = query.after.as_ref().map_or("", User::as_str);
    let values = [query.app.app.into(), of.into(), after.into(), i64::from(query.limit).into()];
    let rows = sql::rows(on, text, values).await?;
    let listed = |row| -> Result<Listed> {
        Ok(Listed {
            user: User::trusted(&sql::get::<String>(row, "listed")?),
            at_ms: sql::get(row, "created_ms")?,
            actor: sql::get::<Option<String>>(row, "actor")?.as_deref().map(User::trusted),
        })
    };
    rows.iter().map(listed).collect()
}

async fn check_moderates(
    on: &impl ConnectionTrait,
    app: AppRef,
    conversation: &Conversation,
    viewer: Option<&User>,
) -> Result<()> {
    let Some(viewer) = viewer else {
        let key = (app.app, conversation.as_str().to_owned());
        let found = conversation::Entity::find_by_id(key).one(on).await.map_err(fault::query)?;
        return found.map(drop).ok_or_else(|| Code::NotFound.into());
    };
    let values = [app.app.into(), conversation.as_str().into(), viewer.as_str().into()];
    let row = sql::row(on, ROLE, values).await?.ok_or(Code::NotFound)?;
    if member_role(&sql::get::<String>(&row, "role")?)?.may_moderate() {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden).says("only owner and admins see this list"))
}

/// Puts a user on another's block list or takes it off. The outer result is the database's, the inner one the answer.
pub(super) async fn block(batch: &Batch<'_>, change: BlockChange) -> Result<Result<Outcome>> {
    let key = || [change.app.app.into(), change.user.as_str().into(), change.other.as_str().into()];
    if !change.is_blocked {
        let gone = sql::run(&batch.tx, UNBLOCK, key()).await.map_err(fault::query)?;
        return Ok(Ok(Outcome::Listed(gone > 0)));
    }
    if sql::row(&batch.tx, IS_BLOCKED, key()).await?.is_some() {
        return Ok(Ok(Outcome::Listed(false)));
    }
    let max = BLOCKS_MAX as i64;
    let values = [change.app.app.into(), change.user.as_str().into(), max.into()];
    let count = sql::row(&batch.tx, COUNT_BLOCKS, values).await?;
    if count.map(|row| sql::get::<i64>(&row, "count")).transpose()?.is_some_and(|count| count >= max) {
        return Ok(Err(Error::new(Code::LimitReached).says(format!("a user blocks at most {BLOCKS_MAX} others"))));
    }
    let values = key().into_iter().chain([batch.now_ms.into()]);
    let new = sql::run(&batch.tx, BLOCK, values).await.map_err(fault::query)?;
    Ok(Ok(Outcome::Listed(new > 0)))
}

const REQUESTS: &str = "
SELECT \"user\" AS listed, created_ms, CAST(NULL AS TEXT) AS actor FROM join_request
WHERE app_id = $1 AND conversation_id = $2 AND \"user\" > $3 ORDER BY \"user\" LIMIT $4";
const BANS: &str = "
SELECT \"user\" AS listed, created_ms, actor FROM member_ban
WHERE app_id = $1 AND conversation_id = $2 AND \"user\" > $3 ORDER BY \"user\" LIMIT $4";
const BLOCKS: &str = "
SELECT other AS listed, created_ms, CAST(NULL AS TEXT) AS actor FROM user_block
WHERE app_id = $1 AND \"user\" = $2 AND other > $3 ORDER BY other LIMIT $4";
const ROLE: &str = "SELECT role FROM member WHERE app_id = $1 AND conversation_id = $2 AND \"user\" = $3";
const IS_BLOCKED: &str = "SELECT 1 AS one FROM user_block WHERE app_id = $1 AND \"user\" = $2 AND other = $3";
const COUNT_BLOCKS: &str = "
SELECT count(*) AS count FROM (SELECT 1 FROM user_block WHERE app_id = $1 AND \"user\" = $2 LIMIT $3) AS some_rows";
const BLOCK: &str = "
INSERT INTO user_block (app_id, \"user\", other, created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const UNBLOCK: &str = "DELETE FROM user_block WHERE app_id = $1 AND \"user\" = $2 AND other = $3";
