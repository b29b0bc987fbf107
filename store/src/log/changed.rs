//! Conversations that changed lately, for the sweep of a node.

use crate::sql;
use crate::sql::Text;
use sea_orm::ConnectionTrait;
use tokenim_domain::Result;
use tokenim_domain::log::{Changed, ChangedQuery};
use tokenim_domain::name::Conversation;

/// By the users' own rows: an index of conversations by their last change would have to be written by every append.
macro_rules! changed_of {
    ($member:literal, $users:literal) => {
        concat!(
            "SELECT c.id, c.last_seq, c.last_ms FROM conversation c WHERE c.app_id = $1 AND c.id IN (SELECT m.conversation_id FROM ",
            $member, " WHERE m.app_id = $1 AND m.\"user\" IN (SELECT ", $users, ")) ",
            "AND (c.last_ms > $3 OR (c.last_ms = $3 AND c.id > $4)) ORDER BY c.last_ms, c.id LIMIT $5"
        )
    };
}
/// SQLite is told the index: without statistics it prefers the primary key's first column, every member of the app.
const CHANGED: Text = Text {
    sqlite: changed_of!("member m INDEXED BY member_by_user", "value FROM json_each($2)"),
    postgres: changed_of!("member m", "json_array_elements_text($2::json)"),
};

/// Where they stand, the earliest change first.
pub(super) async fn read(on: &impl ConnectionTrait, query: &ChangedQuery) -> Result<Vec<Changed>> {
    let values = [
        query.app.app.into(),
        super::members::names(&query.users).into(),
        query.after.last_ms.into(),
        query.after.conversation.as_str().into(),
        (query.limit as i64).into(),
    ];
    let rows = sql::rows(on, CHANGED.on(on), values).await?;
    let changed = |row| {
        let conversation = Conversation::trusted(&sql::get::<String>(row, "id")?);
        Ok(Changed { conversation, seq: sql::get(row, "last_seq")?, last_ms: sql::get(row, "last_ms")? })
    };
    rows.iter().map(changed).collect()
}
