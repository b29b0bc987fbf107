//! Rows of the log and events: one place that knows how each looks as the other.

use crate::sql;
use sea_orm::{QueryResult, Value};
use serde_json::json;
use tokenim_domain::id::MessageId;
use tokenim_domain::log::{AppRef, Event, EventBody};
use tokenim_domain::meter;
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::role::{Change, ContentKind, MemberRole};
use tokenim_domain::{Error, Result};

const MESSAGE: i64 = 1;
const MEMBER: i64 = 2;

/// Columns of the message table, in the order that [`values`] fills.
pub(super) const COLUMNS: &str =
    "app_id, conversation_id, seq, epoch, type, msg_no, id, sender, client_msg_id, kind, body, at_ms, units, units_cum";
/// How many columns that are.
pub(super) const COLUMN_COUNT: usize = 14;

/// Message units an event counts (member events count none).
pub(super) fn units(body: &EventBody) -> i64 {
    match body {
        EventBody::Message { body, .. } => meter::units(body.len()),
        EventBody::Member { .. } => 0,
    }
}

/// The values of an event's row; `units_cum` includes its own units.
pub(super) fn values(event: &Event, id: MessageId, units_cum: i64) -> [Value; COLUMN_COUNT] {
    let (event_type, sender, client_msg_id, kind, body) = match &event.body {
        EventBody::Message { sender, client_msg_id, kind, body, .. } => {
            (MESSAGE, Some(sender.as_str()), Some(client_msg_id.as_str()), kind.as_str(), body.to_string())
        }
        EventBody::Member { change, actor, users } => {
            (MEMBER, actor.as_ref().map(User::as_str), None, change.as_str(), users_json(users))
        }
    };
    [
        event.app.app.into(),
        event.conversation.as_str().into(),
        event.seq.into(),
        event.epoch.into(),
        event_type.into(),
        event.msg_no.into(),
        id.into(),
        sender.into(),
        client_msg_id.into(),
        kind.into(),
        body.into(),
        event.at_ms.into(),
        units(&event.body).into(),
        units_cum.into(),
    ]
}

/// The event of a row that holds [`COLUMNS`] but `app_id`.
pub(super) fn event(app: AppRef, row: &QueryResult) -> Result<Event> {
    let kind: String = sql::get(row, "kind")?;
    let body: String = sql::get(row, "body")?;
    let sender: Option<String> = sql::get(row, "sender")?;
    let unreadable = || Error::internal("a message row that cannot be read");
    let body = match sql::get::<i64>(row, "type")? {
        MESSAGE => EventBody::Message {
            id: sql::get(row, "id")?,
            sender: User::trusted(&sender.ok_or_else(unreadable)?),
            client_msg_id: ClientMsgId::trusted(&sql::get::<String>(row, "client_msg_id")?),
            kind: ContentKind::find(&kind).ok_or_else(unreadable)?,
            body: body.into_boxed_str(),
        },
        _ => EventBody::Member {
            change: Change::find(&kind).ok_or_else(unreadable)?,
            actor: sender.as_deref().map(User::trusted),
            users: users_of(&body).ok_or_else(unreadable)?,
        },
    };
    Ok(Event {
        app,
        conversation: Conversation::trusted(&sql::get::<String>(row, "conversation_id")?),
        epoch: sql::get(row, "epoch")?,
        seq: sql::get(row, "seq")?,
        msg_no: sql::get(row, "msg_no")?,
        at_ms: sql::get(row, "at_ms")?,
        body,
    })
}

fn users_json(users: &[(User, MemberRole)]) -> String {
    let users: Vec<_> =
        users.iter().map(|(user, role)| json!({"user": user.as_str(), "role": role.as_str()})).collect();
    serde_json::Value::from(users).to_string()
}

fn users_of(text: &str) -> Option<Vec<(User, MemberRole)>> {
    let users: Vec<serde_json::Value> = serde_json::from_str(text).ok()?;
    users
        .iter()
        .map(|user| Some((User::trusted(user["user"].as_str()?), MemberRole::find(user["role"].as_str()?)?)))
        .collect()
}
