//! Whether a user may say something now that is not stored; of what is, the commit itself decides.

use super::member_role;
use crate::sql;
use sea_orm::ConnectionTrait;
use tokenim_domain::log::AppRef;
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Code, Result, group};

/// As the look-up of a send: how the user stands there, and whether the other one of a direct conversation blocks it.
const FIND: &str = "
SELECT m.role, m.muted_until_ms, b.app_id IS NOT NULL AS is_blocked
FROM member m JOIN conversation c ON c.app_id = m.app_id AND c.id = m.conversation_id
LEFT JOIN user_block b ON b.app_id = c.app_id AND b.other = $3 AND b.\"user\" = CASE
    WHEN substr(c.pair, 1, length($3) + 1) = $3 || '|' THEN substr(c.pair, length($3) + 2)
    ELSE substr(c.pair, 1, length(c.pair) - length($3) - 1) END
WHERE m.app_id = $1 AND m.conversation_id = $2 AND m.\"user\" = $3";

/// Checks it. Errors: `not_found`, `forbidden`, `muted`, `blocked`.
pub(super) async fn check(
    on: &impl ConnectionTrait,
    app: AppRef,
    conversation: &Conversation,
    user: &User,
    now_ms: i64,
) -> Result<()> {
    let values = [app.app.into(), conversation.as_str().into(), user.as_str().into()];
    let found = sql::row(on, FIND, values).await?.ok_or(Code::NotFound)?;
    let role = member_role(&sql::get::<String>(&found, "role")?)?;
    group::check_speech(role, sql::get(&found, "muted_until_ms")?, now_ms)?;
    if sql::get(&found, "is_blocked")? { Err(Code::Blocked.into()) } else { Ok(()) }
}
