//! Rows of the log and events: one place that knows how each looks as the other.

use crate::sql;
use sea_orm::{QueryResult, Value};
use serde_json::{Value as Json, json};
use tokenim_domain::group::{AddRule, JoinRule, SettingsChange};
use tokenim_domain::id::MessageId;
use tokenim_domain::log::{AppRef, Event, EventBody};
use tokenim_domain::meter;
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::role::{Change, ContentKind, MemberRole};
use tokenim_domain::{Error, Result};

const MESSAGE: i64 = 1;
const MEMBER: i64 = 2;
const SETTINGS: i64 = 9;
/// The `kind` of a row that is neither a message nor a change of membership.
const CHANGED: &str = "changed";

/// Columns of the message table, in the order that [`values`] fills.
pub(super) const COLUMNS: &str =
    "app_id, conversation_id, seq, epoch, type, msg_no, id, sender, client_msg_id, kind, body, at_ms, units, units_cum";
/// How many columns that are.
pub(super) const COLUMN_COUNT: usize = 14;

/// Message units an event counts: messages alone do.
pub(super) fn units(body: &EventBody) -> i64 {
    match body {
        EventBody::Message { body, .. } => meter::units(body.len()),
        EventBody::Member { .. } | EventBody::Settings { .. } => 0,
    }
}

/// The values of an event's row; `units_cum` includes its own units.
pub(super) fn values(event: &Event, id: MessageId, units_cum: i64) -> [Value; COLUMN_COUNT] {
    let (event_type, sender, client_msg_id, kind, body) = match &event.body {
        EventBody::Message { sender, client_msg_id, kind, body, .. } => {
            (MESSAGE, Some(sender.as_str()), Some(client_msg_id.as_str()), kind.as_str(), body.to_string())
        }
        EventBody::Member { change, actor, users, until_ms } => {
            (MEMBER, actor.as_ref().map(User::as_str), None, change.as_str(), users_json(users, *until_ms))
        }
        EventBody::Settings { actor, change } => {
            (SETTINGS, actor.as_ref().map(User::as_str), None, CHANGED, settings_json(change))
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
        MEMBER => {
            let (users, until_ms) = users_of(&body).ok_or_else(unreadable)?;
            let change = Change::find(&kind).ok_or_else(unreadable)?;
            EventBody::Member { change, actor: sender.as_deref().map(User::trusted), users, until_ms }
        }
        SETTINGS => EventBody::Settings {
            actor: sender.as_deref().map(User::trusted),
            change: settings_of(&body).ok_or_else(unreadable)?,
        },
        _ => return Err(unreadable()),
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

/// A list of `{"user", "role"?, "until_ms"?}`; whoever is muted together is muted until the same time.
fn users_json(users: &[(User, Option<MemberRole>)], until_ms: Option<i64>) -> String {
    let one = |(user, role): &(User, Option<MemberRole>)| {
        let mut one = json!({"user": user.as_str()});
        if let Some(role) = role {
            one["role"] = role.as_str().into();
        }
        if let Some(until_ms) = until_ms {
            one["until_ms"] = until_ms.into();
        }
        one
    };
    Json::from(users.iter().map(one).collect::<Vec<_>>()).to_string()
}

type Users = Vec<(User, Option<MemberRole>)>;

fn users_of(text: &str) -> Option<(Users, Option<i64>)> {
    let users: Vec<Json> = serde_json::from_str(text).ok()?;
    let until_ms = users.first().and_then(|user| user["until_ms"].as_i64());
    let one = |user: &Json| {
        let role = match &user["role"] {
            Json::Null => None,
            role => Some(MemberRole::find(role.as_str()?)?),
        };
        Some((User::trusted(user["user"].as_str()?), role))
    };
    Some((users.iter().map(one).collect::<Option<_>>()?, until_ms))
}

/// An object of what changed; a name that was removed is null.
fn settings_json(change: &SettingsChange) -> String {
    let mut body = serde_json::Map::new();
    if let Some(name) = &change.name {
        body.insert("name".to_owned(), name.as_deref().into());
    }
    if let Some(join) = change.join {
        body.insert("join".to_owned(), join.as_str().into());
    }
    if let Some(add) = change.add {
        body.insert("add".to_owned(), add.as_str().into());
    }
    Json::from(body).to_string()
}

fn settings_of(text: &str) -> Option<SettingsChange> {
    let body: Json = serde_json::from_str(text).ok()?;
    let word = |name: &str| body.get(name).and_then(Json::as_str);
    Some(SettingsChange {
        name: body.get("name").map(|name| name.as_str().map(str::to_owned)),
        join: word("join").and_then(JoinRule::find),
        add: word("add").and_then(AddRule::find),
    })
}
