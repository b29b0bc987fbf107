//! Where a user's conversations stand: the directory of `sync`, and named ones for a connect.

use super::row;
use crate::sql::{self, Text};
use sea_orm::{ConnectionTrait, QueryResult};
use tokenim_domain::log::{AppRef, DirectoryQuery, Entry, Standing};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::ConversationKind;
use tokenim_domain::{Error, Result};

/// Bytes of a last event's content that the directory shows; a longer one is left to `history`, so that a page stays small.
const LAST_BODY_BYTES_MAX: i64 = 512;

/// Where the conversation of a member row `m` stands.
macro_rules! standing {
    () => {
        "c.id AS entry_id, c.epoch AS entry_epoch, c.epoch_first, b.epoch AS epoch_before, c.last_seq, c.last_msg_no, m.joined_seq"
    };
}
/// What that reads beside the member row. Seqs begin at 1: where there was no incarnation before, NULL spares the look at a page of
/// the conversation's first messages, which is seldom in memory.
macro_rules! standing_from {
    () => {
        concat!(
            " JOIN conversation c ON c.app_id = m.app_id AND c.id = m.conversation_id LEFT JOIN message b ON b.app_id = m.app_id ",
            "AND b.conversation_id = m.conversation_id AND b.seq = NULLIF(c.epoch_first, 1) - 1 "
        )
    };
}
/// An entry of each member row `m`; the aliases of the last event are those of a message row. The events it does not need are not looked
/// at: of who has read all, and the last one of who holds it (`$7`, each as conversation, epoch and seq with `:` between).
macro_rules! entry_of {
    ($member:expr, $held:literal) => {
        concat!(
            "SELECT ", standing!(), ", c.kind AS entry_kind, c.name AS entry_name, c.member_version, c.last_ms, ",
            "m.role AS entry_role, m.read_seq, CASE m.read_seq WHEN c.last_seq THEN c.last_msg_no ELSE r.msg_no END AS read_msg_no, ",
            "l.conversation_id, l.seq, l.epoch, l.type, l.msg_no, l.id, l.sender, l.client_msg_id, l.kind, l.body, l.at_ms, l.target, l.about ",
            "FROM ", $member, standing_from!(),
            "LEFT JOIN message r ON r.app_id = m.app_id AND r.conversation_id = m.conversation_id AND r.seq = NULLIF(NULLIF(m.read_seq, 0), c.last_seq) ",
            "LEFT JOIN message l ON l.app_id = c.app_id AND l.conversation_id = c.id AND l.seq = CASE WHEN c.id || ':' || c.epoch || ':' || c.last_seq IN ", $held, " THEN NULL ELSE c.last_seq END ",
            "AND octet_length(l.body) + COALESCE(octet_length(l.about), 0) <= $3 WHERE m.app_id = $1 AND m.\"user\" = $2 AND "
        )
    };
}
macro_rules! named {
    ($names:literal) => {
        concat!(
            "SELECT ",
            standing!(),
            " FROM member m",
            standing_from!(),
            "WHERE m.app_id = $1 AND m.\"user\" = $2 AND m.conversation_id IN ",
            $names
        )
    };
}
const NAMED: Text = Text {
    sqlite: named!("(SELECT value FROM json_each($3))"),
    postgres: named!("(SELECT json_array_elements_text($3::json))"),
};
/// The page is chosen before its events are looked up: they are read for as many conversations as it tells, not for all there are.
macro_rules! page_of {
    ($of_user:literal, $join:literal, $held:literal) => {
        concat!(
            entry_of!(
                concat!(
                    "(SELECT pc.id FROM ",
                    $of_user,
                    " JOIN conversation pc ON pc.app_id = pm.app_id AND pc.id = pm.conversation_id ",
                    "WHERE pm.app_id = $1 AND pm.\"user\" = $2 AND (pc.last_ms < $4 OR (pc.last_ms = $4 AND pc.id > $5)) ",
                    "ORDER BY pc.last_ms DESC, pc.id LIMIT $6) p ",
                    $join,
                    " member m"
                ),
                $held
            ),
            "m.conversation_id = p.id ORDER BY c.last_ms DESC, c.id"
        )
    };
}
/// SQLite is told the index: without statistics it prefers the primary key's first column, every member of the app. And it is told to
/// begin with the page.
const PAGE: Text = Text {
    sqlite: page_of!("member pm INDEXED BY member_by_user", "CROSS JOIN", "(SELECT value FROM json_each($7))"),
    postgres: page_of!("member pm", "CROSS JOIN", "(SELECT json_array_elements_text($7::json))"),
};

/// Where the named conversations stand that the user is a member of.
pub(super) async fn standings(
    on: &impl ConnectionTrait,
    app: AppRef,
    user: &User,
    of: &[Conversation],
) -> Result<Vec<Standing>> {
    let names = serde_json::Value::from(of.iter().map(Conversation::as_str).collect::<Vec<_>>()).to_string();
    let rows = sql::rows(on, NAMED.on(on), [app.app.into(), user.as_str().into(), names.into()]).await?;
    rows.iter().map(standing).collect()
}

/// A page of the directory.
pub(super) async fn page(on: &impl ConnectionTrait, query: DirectoryQuery) -> Result<Vec<Entry>> {
    let DirectoryQuery { app, user, after, limit, held } = query;
    let (last_ms, last_id) =
        after.map_or((i64::MAX, String::new()), |cursor| (cursor.last_ms, cursor.conversation.as_str().to_owned()));
    let held: Vec<_> = held.iter().map(|(conversation, epoch, seq)| format!("{conversation}:{epoch}:{seq}")).collect();
    let values = [
        app.app.into(),
        user.as_str().into(),
        LAST_BODY_BYTES_MAX.into(),
        last_ms.into(),
        last_id.into(),
        (limit as i64).into(),
        serde_json::Value::from(held).to_string().into(),
    ];
    let rows = sql::rows(on, PAGE.on(on), values).await?;
    rows.iter().map(|found| entry(app, found)).collect()
}

fn standing(found: &QueryResult) -> Result<Standing> {
    Ok(Standing {
        conversation: Conversation::trusted(&sql::get::<String>(found, "entry_id")?),
        epoch: sql::get(found, "entry_epoch")?,
        epoch_first: sql::get(found, "epoch_first")?,
        epoch_before: sql::get(found, "epoch_before")?,
        head: sql::get(found, "last_seq")?,
        msg_no: sql::get(found, "last_msg_no")?,
        first: sql::get(found, "joined_seq")?,
    })
}

fn entry(app: AppRef, found: &QueryResult) -> Result<Entry> {
    let kind: String = sql::get(found, "entry_kind")?;
    let last = sql::get::<Option<i64>>(found, "seq")?.map(|_| row::event(app, found)).transpose()?;
    Ok(Entry {
        at: standing(found)?,
        kind: ConversationKind::find(&kind).ok_or_else(|| Error::internal("unknown conversation kind"))?,
        name: sql::get(found, "entry_name")?,
        role: super::member_role(&sql::get::<String>(found, "entry_role")?)?,
        read: sql::get(found, "read_seq")?,
        read_msg_no: sql::get::<Option<i64>>(found, "read_msg_no")?.unwrap_or(0),
        member_version: sql::get(found, "member_version")?,
        last_ms: sql::get(found, "last_ms")?,
        last,
    })
}
