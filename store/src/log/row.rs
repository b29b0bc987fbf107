//! Rows of the log and events: one place that knows how each looks as the other.

use crate::sql;
use sea_orm::{QueryResult, Value};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokenim_domain::group::{AddRule, JoinRule, SettingsChange};
use tokenim_domain::id::MessageId;
use tokenim_domain::log::{
    About, AppRef, Attached, Attachment, Digest, Emoji, Event, EventBody, FileName, Large, Mark, MediaType, Mentions,
    MessageAct, MessageState, Piece, Reaction,
};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::role::{Change, ContentKind, MemberRole};
use tokenim_domain::{Error, Result};
use uuid::Uuid;

/// Types of events, as the column `type` says them.
pub(super) const MESSAGE: i64 = 1;
const MEMBER: i64 = 2;
pub(super) const EDITED: i64 = 3;
const DELETED: i64 = 4;
pub(super) const REACTION: i64 = 5;
const PINNED: i64 = 6;
const SETTINGS: i64 = 9;
pub(super) const ENDED: i64 = 10;
/// The `kind` of a row that is neither a message nor a change of membership.
const CHANGED: &str = "changed";

/// Columns of the message table, in the order that [`values`] fills.
pub(super) const COLUMNS: &str = "app_id, conversation_id, seq, epoch, type, msg_no, id, sender, client_msg_id, kind, body, at_ms, units, units_cum, target, about";
/// How many columns that are.
pub(super) const COLUMN_COUNT: usize = 16;

/// The values of an event's row; `units_cum` includes its own units.
pub(super) fn values(event: &Event, id: MessageId, units_cum: i64) -> [Value; COLUMN_COUNT] {
    let row = parts(&event.body);
    [
        event.app.app.into(),
        event.conversation.as_str().into(),
        event.seq.into(),
        event.epoch.into(),
        row.event_type.into(),
        event.msg_no.into(),
        id.into(),
        row.sender.into(),
        row.client_msg_id.into(),
        row.kind.into(),
        row.body.into(),
        event.at_ms.into(),
        event.body.units().into(),
        units_cum.into(),
        row.target.into(),
        row.about.into(),
    ]
}

/// What the columns say of an event's body.
struct Parts<'a> {
    event_type: i64,
    sender: Option<&'a str>,
    client_msg_id: Option<&'a str>,
    kind: &'a str,
    body: String,
    target: Option<i64>,
    about: Option<String>,
}

fn parts(body: &EventBody) -> Parts<'_> {
    match body {
        EventBody::Message { sender, client_msg_id, kind, body, about, .. } => Parts {
            event_type: MESSAGE,
            sender: Some(sender.as_str()),
            client_msg_id: Some(client_msg_id.as_str()),
            kind: kind.as_str(),
            body: body.to_string(),
            target: about.reply_to,
            about: about_json(about),
        },
        EventBody::Member { change, actor, users, until_ms } => Parts {
            event_type: MEMBER,
            sender: actor.as_ref().map(User::as_str),
            client_msg_id: None,
            kind: change.as_str(),
            body: users_json(users, *until_ms),
            target: None,
            about: None,
        },
        EventBody::Settings { actor, change } => Parts {
            event_type: SETTINGS,
            sender: actor.as_ref().map(User::as_str),
            client_msg_id: None,
            kind: CHANGED,
            body: settings_json(change),
            target: None,
            about: None,
        },
        EventBody::Amended { target, actor, client_msg_id, act } => {
            let (event_type, kind, body) = act_parts(act);
            Parts {
                event_type,
                sender: actor.as_ref().map(User::as_str),
                client_msg_id: client_msg_id.as_ref().map(ClientMsgId::as_str),
                kind,
                body,
                target: Some(*target),
                about: None,
            }
        }
    }
}

/// Type, kind and body of an amendment's row.
pub(super) fn act_parts(act: &MessageAct) -> (i64, &'static str, String) {
    match act {
        MessageAct::Edit { kind, body } => (EDITED, kind.as_str(), body.to_string()),
        MessageAct::Delete => (DELETED, "", String::new()),
        MessageAct::React { emoji, on, count } => {
            let body = json!({"emoji": emoji.as_str(), "count": count});
            (REACTION, if *on { ON } else { OFF }, body.to_string())
        }
        MessageAct::Pin { on } => (PINNED, if *on { ON } else { OFF }, String::new()),
        MessageAct::End { kind, body, .. } => (ENDED, kind.as_str(), body.to_string()),
    }
}

/// The kind of a row that adds a reaction or a pin.
const ON: &str = "added";
/// The kind of a row that takes one back.
const OFF: &str = "removed";

/// What a row of the log holds. The order of its fields is that of the arrays that SQLite tells: there a row costs its way between two
/// threads, so that a page comes as one text.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    conversation: String,
    seq: i64,
    epoch: i64,
    event_type: i64,
    msg_no: i64,
    id: Uuid,
    sender: Option<String>,
    client_msg_id: Option<String>,
    kind: String,
    body: String,
    at_ms: i64,
    target: Option<i64>,
    about: Option<String>,
}

/// [`Stored`] of a row that holds [`COLUMNS`] but `app_id`, as SQLite's array.
macro_rules! stored {
    () => {
        "json_array(conversation_id, seq, epoch, type, msg_no, hex(id), sender, client_msg_id, kind, body, at_ms, target, about)"
    };
}

/// What became of a message, as [`Stored`]'s order is meant.
#[derive(Debug, Deserialize)]
pub(super) struct StoredState {
    edited_seq: Option<i64>,
    edited_ms: Option<i64>,
    deleted_seq: Option<i64>,
    deleted_ms: Option<i64>,
    ended_seq: Option<i64>,
    ended_ms: Option<i64>,
    pinned_seq: Option<i64>,
    replies: i64,
    reactions: Option<String>,
}

/// [`StoredState`] of a row, null where there is none, as SQLite's JSON.
macro_rules! stored_state {
    () => {
        "json(CASE WHEN replies IS NULL THEN 'null' ELSE json_array(edited_seq, edited_ms, deleted_seq, deleted_ms, ended_seq, ended_ms, pinned_seq, replies, reactions) END)"
    };
}

pub(super) use {stored, stored_state};

impl Stored {
    /// Of a row that holds [`COLUMNS`] but `app_id`.
    fn from_row(row: &QueryResult) -> Result<Stored> {
        Ok(Stored {
            conversation: sql::get(row, "conversation_id")?,
            seq: sql::get(row, "seq")?,
            epoch: sql::get(row, "epoch")?,
            event_type: sql::get(row, "type")?,
            msg_no: sql::get(row, "msg_no")?,
            id: sql::get::<MessageId>(row, "id")?.0,
            sender: sql::get(row, "sender")?,
            client_msg_id: sql::get(row, "client_msg_id")?,
            kind: sql::get(row, "kind")?,
            body: sql::get(row, "body")?,
            at_ms: sql::get(row, "at_ms")?,
            target: sql::get(row, "target")?,
            about: sql::get(row, "about")?,
        })
    }

    /// The event it is.
    fn event(self, app: AppRef) -> Result<Event> {
        let Stored { conversation, seq, epoch, msg_no, at_ms, .. } = &self;
        let (conversation, seq, epoch) = (Conversation::trusted(conversation), *seq, *epoch);
        let (msg_no, at_ms) = (*msg_no, *at_ms);
        Ok(Event { app, conversation, epoch, seq, msg_no, at_ms, body: self.body()? })
    }

    fn body(self) -> Result<EventBody> {
        let Stored { kind, body, target, .. } = self;
        let actor = self.sender.as_deref().map(User::trusted);
        let client_msg_id = self.client_msg_id.as_deref().map(ClientMsgId::trusted);
        Ok(match self.event_type {
            MESSAGE => EventBody::Message {
                id: MessageId(self.id),
                sender: actor.ok_or_else(unreadable)?,
                client_msg_id: client_msg_id.ok_or_else(unreadable)?,
                kind: ContentKind::find(&kind).ok_or_else(unreadable)?,
                body: body.into_boxed_str(),
                about: about_of(target, self.about.as_deref())?,
                state: None,
            },
            MEMBER => {
                let (users, until_ms) = users_of(&body).ok_or_else(unreadable)?;
                EventBody::Member { change: Change::find(&kind).ok_or_else(unreadable)?, actor, users, until_ms }
            }
            SETTINGS => EventBody::Settings { actor, change: settings_of(&body).ok_or_else(unreadable)? },
            event_type => EventBody::Amended {
                target: target.ok_or_else(unreadable)?,
                actor,
                client_msg_id,
                act: act_of(event_type, &kind, body).ok_or_else(unreadable)?,
            },
        })
    }
}

/// The event of a row that holds [`COLUMNS`] but `app_id`.
pub(super) fn event(app: AppRef, row: &QueryResult) -> Result<Event> {
    Stored::from_row(row)?.event(app)
}

/// The events of SQLite's text, each with what became of its message.
pub(super) fn told(app: AppRef, text: &str) -> Result<Vec<Event>> {
    let told: Vec<(Stored, Option<StoredState>)> =
        serde_json::from_str(text).map_err(|error| unreadable().because(error))?;
    told.into_iter().map(|(stored, state)| with_state(stored.event(app)?, state)).collect()
}

/// The event of a row that holds the columns of a message's state too.
pub(super) fn event_with_state(app: AppRef, row: &QueryResult) -> Result<Event> {
    with_state(event(app, row)?, StoredState::from_row(row)?)
}

fn with_state(mut event: Event, stored: Option<StoredState>) -> Result<Event> {
    if let EventBody::Message { state, .. } = &mut event.body {
        *state = stored.map(StoredState::state).transpose()?.map(Box::new);
    }
    Ok(event)
}

fn unreadable() -> Error {
    Error::internal("a message row that cannot be read")
}

fn act_of(event_type: i64, kind: &str, body: String) -> Option<MessageAct> {
    match event_type {
        EDITED => Some(MessageAct::Edit { kind: ContentKind::find(kind)?, body: body.into_boxed_str() }),
        DELETED => Some(MessageAct::Delete),
        // Erased with its message.
        REACTION if body.is_empty() => Some(MessageAct::React { emoji: Emoji::trusted(""), on: kind == ON, count: 0 }),
        REACTION => {
            let said: serde_json::Value = serde_json::from_str(&body).ok()?;
            let (emoji, count) = (Emoji::trusted(said["emoji"].as_str()?), said["count"].as_i64()?);
            Some(MessageAct::React { emoji, on: kind == ON, count })
        }
        PINNED => Some(MessageAct::Pin { on: kind == ON }),
        ENDED => {
            let kind = ContentKind::find(kind)?;
            Some(MessageAct::End { last: Piece::default(), kind, body: body.into_boxed_str() })
        }
        _ => None,
    }
}

/// What a message says beside its content and whom it replies to, which has a column of its own.
fn about_json(about: &About) -> Option<String> {
    let mentions = match &about.mentions {
        None if !about.silent && !about.live && about.large.is_none() && about.attached.count() == 0 => return None,
        None => serde_json::Value::Null,
        Some(Mentions::Everyone) => json!("*"),
        Some(Mentions::Users(users)) => json!(users.iter().map(User::as_str).collect::<Vec<_>>()),
    };
    let mut said = json!({"mentions": mentions, "silent": about.silent});
    if about.live {
        said["live"] = true.into();
    }
    if let Some(large) = &about.large {
        said["large"] = json!([large.upload.to_string(), large.bytes, large.sha256.to_string()]);
    }
    if about.attached.count() > 0 {
        said["attachments"] = about.attached.kept().iter().map(file_json).collect();
    }
    Some(said.to_string())
}

/// A file of a message under the names that the wire has, so that it takes as many bytes here as there.
fn file_json(file: &Attachment) -> Json {
    json!({
        "id": file.id.to_string(), "name": file.name.as_str(), "content_type": file.content_type.as_str(),
        "bytes": file.bytes, "sha256": file.sha256.to_string(),
    })
}

fn file_of(said: &Json) -> Option<Attachment> {
    let text = |name: &str| said[name].as_str();
    Some(Attachment {
        id: text("id")?.parse().ok()?,
        name: FileName::trusted(text("name")?),
        content_type: MediaType::trusted(text("content_type")?),
        bytes: said["bytes"].as_i64()?,
        sha256: Digest::parse(text("sha256")?).ok()?,
    })
}

pub(super) fn about_of(reply_to: Option<i64>, text: Option<&str>) -> Result<About> {
    let Some(text) = text else { return Ok(About { reply_to, ..About::default() }) };
    let said: serde_json::Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let mentions = match &said["mentions"] {
        serde_json::Value::String(_) => Some(Mentions::Everyone),
        serde_json::Value::Array(users) => {
            Some(Mentions::Users(users.iter().filter_map(|user| user.as_str()).map(User::trusted).collect()))
        }
        _ => None,
    };
    let large = match &said["large"] {
        Json::Null => None,
        large => Some(large_of(large).ok_or_else(unreadable)?),
    };
    let files = said["attachments"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let attached = Attached::Kept(files.map(file_of).collect::<Option<_>>().ok_or_else(unreadable)?);
    Ok(About { reply_to, mentions, silent: said["silent"] == true, live: said["live"] == true, large, attached })
}

fn large_of(said: &Json) -> Option<Large> {
    let (upload, sha256) = (said[0].as_str()?.parse().ok()?, Digest::parse(said[2].as_str()?).ok()?);
    Some(Large { upload, bytes: said[1].as_i64()?, sha256 })
}

impl StoredState {
    /// Of a row that holds the columns of a message's state; `None` = nothing became of it.
    fn from_row(row: &QueryResult) -> Result<Option<StoredState>> {
        let Some(replies) = sql::get::<Option<i64>>(row, "replies")? else { return Ok(None) };
        Ok(Some(StoredState {
            edited_seq: sql::get(row, "edited_seq")?,
            edited_ms: sql::get(row, "edited_ms")?,
            deleted_seq: sql::get(row, "deleted_seq")?,
            deleted_ms: sql::get(row, "deleted_ms")?,
            ended_seq: sql::get(row, "ended_seq")?,
            ended_ms: sql::get(row, "ended_ms")?,
            pinned_seq: sql::get(row, "pinned_seq")?,
            replies,
            reactions: sql::get(row, "reactions")?,
        }))
    }

    fn state(self) -> Result<MessageState> {
        let mark = |seq: Option<i64>, at_ms: Option<i64>| seq.zip(at_ms).map(|(seq, at_ms)| Mark { seq, at_ms });
        Ok(MessageState {
            ended: mark(self.ended_seq, self.ended_ms),
            edited: mark(self.edited_seq, self.edited_ms),
            deleted: mark(self.deleted_seq, self.deleted_ms),
            pinned: self.pinned_seq,
            replies: self.replies,
            reactions: reactions_of(self.reactions.as_deref())?,
        })
    }
}

/// What became of the message of a row; `None` = nothing. The row holds the columns of a message's state.
pub(super) fn state(row: &QueryResult) -> Result<Option<MessageState>> {
    StoredState::from_row(row)?.map(StoredState::state).transpose()
}

/// The reactions of a message as its state keeps them: pairs of reaction and count.
pub(super) fn reactions_json(reactions: &[Reaction]) -> Option<String> {
    let pairs: Vec<_> = reactions.iter().map(|one| json!([one.emoji.as_str(), one.count])).collect();
    (!pairs.is_empty()).then(|| serde_json::Value::from(pairs).to_string())
}

fn reactions_of(text: Option<&str>) -> Result<Vec<Reaction>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let pairs: Vec<(String, i64)> = serde_json::from_str(text).map_err(|_| unreadable())?;
    let reaction = |(emoji, count): (String, i64)| Reaction { emoji: Emoji::trusted(&emoji), count, mine: false };
    Ok(pairs.into_iter().map(reaction).collect())
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
