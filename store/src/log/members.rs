//! Members of conversations and users of apps.

use crate::sql::Text;
use crate::{Store, fault, sql};
use sea_orm::ConnectionTrait;
use serde_json::json;
use tokenim_domain::log::{AppRef, Member, MemberList, MembersQuery};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Code, Error, Result};

/// `key` is the place in the list, from 0.
const LISTS: Text = Text {
    sqlite: "
SELECT w.key, c.last_seq, m.\"user\", m.joined_seq FROM json_each($1) w
JOIN conversation c ON c.app_id = unhex(w.value->>0) AND c.id = w.value->>1
JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id",
    postgres: "
SELECT w.place - 1 AS key, c.last_seq, m.\"user\", m.joined_seq
FROM json_array_elements($1::json) WITH ORDINALITY AS w(value, place)
JOIN conversation c ON c.app_id = (w.value->>0)::uuid AND c.id = w.value->>1
JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id",
};

/// Member lists for the fan-out, in the order asked. One statement, so each list is of one moment.
pub(super) async fn lists(on: &impl ConnectionTrait, of: &[(AppRef, Conversation)]) -> Result<Vec<MemberList>> {
    let wanted: Vec<_> =
        of.iter().map(|(app, conversation)| json!([super::sqlite::hex(app.app.0), conversation.as_str()])).collect();
    let rows = sql::rows(on, LISTS.on(on), [serde_json::Value::from(wanted).to_string().into()]).await?;
    let mut lists: Vec<_> = of.iter().map(|_| MemberList { as_of: 0, members: Vec::new() }).collect();
    for row in &rows {
        let place: i64 = sql::get(row, "key")?;
        let list = usize::try_from(place)
            .ok()
            .and_then(|place| lists.get_mut(place))
            .ok_or_else(|| Error::internal("a list nobody asked for"))?;
        list.as_of = sql::get(row, "last_seq")?;
        list.members.push((User::trusted(&sql::get::<String>(row, "user")?), sql::get(row, "joined_seq")?));
    }
    Ok(lists)
}

const VISIBLE: &str = "
SELECT 1 AS one FROM conversation c WHERE c.app_id = $1 AND c.id = $2
AND ($3 IS NULL OR EXISTS (SELECT 1 FROM member m WHERE m.app_id = $1 AND m.conversation_id = $2 AND m.user = $3))";
const PAGE: &str = "
SELECT \"user\", role, joined_seq, read_seq, received_seq, muted_until_ms FROM member
WHERE app_id = $1 AND conversation_id = $2 AND \"user\" > $3 ORDER BY \"user\" LIMIT $4";

/// A page of members by user id.
pub(super) async fn page(on: &impl ConnectionTrait, query: &MembersQuery) -> Result<Vec<Member>> {
    let viewer = query.viewer.as_ref().map(User::as_str);
    let conversation = query.conversation.as_str();
    sql::row(on, VISIBLE, [query.app.app.into(), conversation.into(), viewer.into()]).await?.ok_or(Code::NotFound)?;
    let after = query.after.as_ref().map_or("", User::as_str);
    let rows =
        sql::rows(on, PAGE, [query.app.app.into(), conversation.into(), after.into(), i64::from(query.limit).into()])
            .await?;
    let member = |row| -> Result<Member> {
        let role: String = sql::get(row, "role")?;
        Ok(Member {
            user: User::trusted(&sql::get::<String>(row, "user")?),
            role: super::member_role(&role)?,
            joined: sql::get(row, "joined_seq")?,
            read: sql::get(row, "read_seq")?,
            received: sql::get(row, "received_seq")?,
            muted_until_ms: sql::get(row, "muted_until_ms")?,
        })
    };
    rows.iter().map(member).collect()
}

const MISSING: Text = Text {
    sqlite: "
SELECT count(*) AS missing FROM json_each($2) j
WHERE NOT EXISTS (SELECT 1 FROM app_user u WHERE u.app_id = $1 AND u.id = j.value)",
    postgres: "
SELECT count(*) AS missing FROM json_array_elements_text($2::json) AS j(value)
WHERE NOT EXISTS (SELECT 1 FROM app_user u WHERE u.app_id = $1 AND u.id = j.value)",
};
/// In the order of names, so that two nodes do not wait for each other.
const INSERT_USERS: Text = Text {
    sqlite: "
INSERT INTO app_user (app_id, id, created_ms)
SELECT DISTINCT $1, value, $3 FROM json_each($2) WHERE true ON CONFLICT DO NOTHING",
    postgres: "
INSERT INTO app_user (app_id, id, created_ms)
SELECT $1, value, $3 FROM (SELECT DISTINCT value FROM json_array_elements_text($2::json) AS j(value)) AS names
ORDER BY value ON CONFLICT DO NOTHING",
};

/// Makes sure the users exist; asks first, because nearly always they do and a write costs a flush.
pub(super) async fn ensure_users(store: &Store, app: AppRef, users: &[User]) -> Result<()> {
    if are_users(store, app, users).await? {
        return Ok(());
    }
    insert_users(&store.log_writer, app, users, store.clock.now_ms()).await
}

/// Whether all of them exist.
pub(super) async fn are_users(store: &Store, app: AppRef, users: &[User]) -> Result<bool> {
    let missing =
        sql::row(&store.log_readers, MISSING.on(&store.log_readers), [app.app.into(), names(users).into()]).await?;
    Ok(missing.map(|row| sql::get::<i64>(&row, "missing")).transpose()? == Some(0))
}

/// Inserts those of the users that do not exist.
pub(super) async fn insert_users(on: &impl ConnectionTrait, app: AppRef, users: &[User], now_ms: i64) -> Result<()> {
    sql::run(on, INSERT_USERS.on(on), [app.app.into(), names(users).into(), now_ms.into()])
        .await
        .map(drop)
        .map_err(fault::query)
}

/// The users as statements take them: a JSON list of texts.
pub(super) fn names<'a>(users: impl IntoIterator<Item = &'a User>) -> String {
    serde_json::Value::from(users.into_iter().map(User::as_str).collect::<Vec<_>>()).to_string()
}
