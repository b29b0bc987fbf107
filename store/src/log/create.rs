//! Conversations come into being and their membership changes; each is a sequenced event of the log.

use super::append::{Batch, Head};
use super::members;
use crate::entity::{conversation, member};
use crate::sql::Text;
use crate::{fault, sql};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokenim_domain::id::MessageId;
use tokenim_domain::log::{AppRef, ConversationView, Event, EventBody, MemberChange, NewConversation, Outcome};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, ConversationKind, MemberRole};
use tokenim_domain::{Code, Error, Result};

use tokenim_domain::limits::MEMBERS_MAX;

/// Creates a conversation, or answers with the one that exists. The outer result is the database's, the inner one the answer.
///
/// Source: docs/PROTOCOL.md §4: a direct conversation is unique per pair; an existing id is returned if kind and creator are the same.
pub(super) async fn create(batch: &Batch<'_>, new: NewConversation) -> Result<Result<Outcome>> {
    let pair = pair(&new);
    if let Some(existing) = find(batch, &new, pair.as_deref()).await? {
        let creator = new.members.first().map(User::as_str);
        let same_group = existing.kind == new.kind.as_str() && existing.creator.as_deref() == creator;
        // Of direct conversations the pair decides alone: the same id with another partner must not lead to the first one.
        let same = existing.pair == pair && (pair.is_some() || same_group);
        // Who made it and was removed since sees it no more than anybody else.
        let visible = match &new.actor {
            Some(actor) => is_member(&batch.tx, new.app, &existing.id, actor).await?,
            None => true,
        };
        return Ok(if same && visible {
            Ok(Outcome::Created(view(existing, true)?, None))
        } else {
            Err(Error::new(Code::Conflict).says("a conversation with this id exists, of another kind or creator"))
        });
    }
    members::insert_users(&batch.tx, new.app, &new.members, batch.now_ms).await?;
    let row = row(&new, pair, crate::epoch::current(&batch.tx).await?, batch.now_ms);
    sql::insert(&batch.tx, row.clone()).await?;
    let users = new.members.iter().enumerate().map(|(at, user)| (user.clone(), role_at(at))).collect();
    let body = EventBody::Member { change: Change::Created, actor: new.actor.clone(), users };
    let event = append_event(batch, new.app, &row, body).await?;
    let created = ConversationView { last_seq: event.seq, ..view(row, false)? };
    Ok(Ok(Outcome::Created(created, Some(event))))
}

/// Adds or removes members, where the actor may. The outer result is the database's, the inner one the answer.
pub(super) async fn change(batch: &Batch<'_>, change: MemberChange) -> Result<Result<Outcome>> {
    let key = (change.app.app, change.conversation.as_str().to_owned());
    let Some(row) = conversation::Entity::find_by_id(key).one(&batch.tx).await.map_err(fault::query)? else {
        return Ok(Err(Code::NotFound.into()));
    };
    if let Err(error) = may_change(batch, &change, &row).await? {
        return Ok(Err(error));
    }
    let present = roles_of(batch, &change).await?;
    let users = match change.change {
        Change::Created | Change::Added => added(&change, &present),
        Change::Removed => change
            .users
            .iter()
            .filter_map(|user| present.get_key_value(user))
            .map(|(user, role)| (user.clone(), *role))
            .collect(),
    };
    if users.is_empty() {
        return Ok(Ok(Outcome::Changed(None)));
    }
    if change.change != Change::Removed {
        if too_many(batch, &change, users.len()).await? {
            let message = format!("a conversation has at most {MEMBERS_MAX} members");
            return Ok(Err(Error::new(Code::LimitReached).says(message)));
        }
        members::insert_users(&batch.tx, change.app, &change.users, batch.now_ms).await?;
    }
    let body = EventBody::Member { change: change.change, actor: change.actor.clone(), users };
    Ok(Ok(Outcome::Changed(Some(append_event(batch, change.app, &row, body).await?))))
}

/// The outer result is the database's, the inner one the answer.
async fn may_change(batch: &Batch<'_>, change: &MemberChange, row: &conversation::Model) -> Result<Result<()>> {
    let Some(actor) = &change.actor else { return Ok(fixed_if_direct(row)) };
    let key = (change.app.app, change.conversation.as_str().to_owned(), actor.as_str().to_owned());
    let Some(member) = member::Entity::find_by_id(key).one(&batch.tx).await.map_err(fault::query)? else {
        return Ok(Err(Code::NotFound.into()));
    };
    let role = MemberRole::find(&member.role).ok_or_else(|| Error::internal("unknown member role"))?;
    let removes = change.change == Change::Removed;
    let (itself, only_itself) =
        (removes && change.users.contains(actor), removes && change.users.iter().all(|user| user == actor));
    Ok(fixed_if_direct(row).and(match role.may_change_members() {
        true if itself => Err(Error::new(Code::Forbidden).says("the owner cannot leave the conversation")),
        false if !only_itself => {
            Err(Error::new(Code::Forbidden).says("only the owner of the conversation may add or remove members"))
        }
        true | false => Ok(()),
    }))
}

fn fixed_if_direct(row: &conversation::Model) -> Result<()> {
    if row.kind == ConversationKind::Direct.as_str() {
        return Err(Error::new(Code::Forbidden).says("the members of a direct conversation are fixed"));
    }
    Ok(())
}

async fn roles_of(batch: &Batch<'_>, change: &MemberChange) -> Result<HashMap<User, MemberRole>> {
    let values = [change.app.app.into(), change.conversation.as_str().into(), members::names(&change.users).into()];
    let rows = sql::rows(&batch.tx, FIND_ROLES.on(&batch.tx), values).await?;
    let role = |row| -> Result<(User, MemberRole)> {
        let role = MemberRole::find(&sql::get::<String>(row, "role")?);
        let role = role.ok_or_else(|| Error::internal("unknown member role"))?;
        Ok((User::trusted(&sql::get::<String>(row, "user")?), role))
    };
    rows.iter().map(role).collect()
}

fn added(change: &MemberChange, present: &HashMap<User, MemberRole>) -> Vec<(User, MemberRole)> {
    let mut seen = HashSet::new();
    let fresh = change.users.iter().filter(|user| !present.contains_key(*user) && seen.insert(*user));
    fresh.map(|user| (user.clone(), MemberRole::Member)).collect()
}

async fn too_many(batch: &Batch<'_>, change: &MemberChange, more: usize) -> Result<bool> {
    let count = member::Entity::find()
        .filter(member::Column::AppId.eq(change.app.app))
        .filter(member::Column::ConversationId.eq(change.conversation.as_str()))
        .count(&batch.tx)
        .await
        .map_err(fault::query)?;
    Ok(count as usize + more > MEMBERS_MAX)
}

/// Appends a member event and moves the member rows with it.
async fn append_event(
    batch: &Batch<'_>,
    app: AppRef,
    row: &conversation::Model,
    body: EventBody,
) -> Result<Arc<Event>> {
    let id = MessageId::new(&*batch.store.clock, &*batch.store.rng);
    let name = Conversation::trusted(&row.id);
    let mut head = Head {
        epoch: row.epoch,
        found_seq: row.last_seq,
        seq: row.last_seq,
        msg_no: row.last_msg_no,
        last_ms: row.last_ms,
        units_cum: row.units_cum,
    };
    let placed = batch.place(&mut head, app, &name, id, body, None);
    let event = placed.event.clone();
    batch.write(&[placed], &HashMap::from([((app.app, name), head)])).await?;
    let EventBody::Member { change, users, .. } = &event.body else { return Ok(event) };
    let users: Vec<_> = users.iter().map(|(user, role)| json!([user.as_str(), role.as_str()])).collect();
    let values =
        [app.app.into(), row.id.as_str().into(), serde_json::Value::from(users).to_string().into(), event.seq.into()];
    let members = match change {
        Change::Created | Change::Added => INSERT_MEMBERS,
        Change::Removed => DELETE_MEMBERS,
    };
    sql::run(&batch.tx, members.on(&batch.tx), values.clone()).await.map_err(fault::query)?;
    let [app_id, conversation_id, _, seq] = values;
    sql::run(&batch.tx, SET_VERSION, [app_id, conversation_id, seq]).await.map_err(fault::query)?;
    Ok(event)
}

async fn find(batch: &Batch<'_>, new: &NewConversation, pair: Option<&str>) -> Result<Option<conversation::Model>> {
    let by_pair = match pair {
        Some(pair) => conversation::Entity::find()
            .filter(conversation::Column::AppId.eq(new.app.app))
            .filter(conversation::Column::Pair.eq(pair))
            .one(&batch.tx)
            .await
            .map_err(fault::query)?,
        None => None,
    };
    match by_pair {
        Some(row) => Ok(Some(row)),
        None => {
            let key = (new.app.app, new.id.as_str().to_owned());
            conversation::Entity::find_by_id(key).one(&batch.tx).await.map_err(fault::query)
        }
    }
}

/// What makes a direct conversation unique; `|` is in no user id.
fn pair(new: &NewConversation) -> Option<String> {
    let mut names: Vec<_> = new.members.iter().map(User::as_str).collect();
    names.sort_unstable();
    (new.kind == ConversationKind::Direct).then(|| names.join("|"))
}

fn role_at(place: usize) -> MemberRole {
    if place == 0 { MemberRole::Owner } else { MemberRole::Member }
}

fn row(new: &NewConversation, pair: Option<String>, epoch: i64, now_ms: i64) -> conversation::Model {
    conversation::Model {
        app_id: new.app.app,
        id: new.id.as_str().to_owned(),
        kind: new.kind.as_str().to_owned(),
        name: new.name.clone(),
        creator: new.members.first().map(|user| user.as_str().to_owned()),
        pair,
        epoch,
        epoch_first: 1,
        last_seq: 0,
        last_msg_no: 0,
        last_ms: now_ms,
        units_cum: 0,
        member_version: 0,
        created_ms: now_ms,
    }
}

/// A conversation that the viewer may see.
pub(super) async fn find_view(
    on: &impl ConnectionTrait,
    app: AppRef,
    id: &Conversation,
    viewer: Option<&User>,
) -> Result<Option<ConversationView>> {
    let key = (app.app, id.as_str().to_owned());
    let Some(row) = conversation::Entity::find_by_id(key).one(on).await.map_err(fault::query)? else { return Ok(None) };
    match viewer {
        Some(viewer) if !is_member(on, app, id.as_str(), viewer).await? => Ok(None),
        _ => view(row, true).map(Some),
    }
}

async fn is_member(on: &impl ConnectionTrait, app: AppRef, conversation: &str, user: &User) -> Result<bool> {
    let key = (app.app, conversation.to_owned(), user.as_str().to_owned());
    Ok(member::Entity::find_by_id(key).one(on).await.map_err(fault::query)?.is_some())
}

/// The conversation of a row, as REST shows it.
pub(super) fn view(row: conversation::Model, existed: bool) -> Result<ConversationView> {
    Ok(ConversationView {
        id: Conversation::trusted(&row.id),
        kind: ConversationKind::find(&row.kind).ok_or_else(|| Error::internal("unknown conversation kind"))?,
        name: row.name,
        epoch: row.epoch,
        last_seq: row.last_seq,
        last_msg_no: row.last_msg_no,
        created_ms: row.created_ms,
        existed,
    })
}

const INSERT_MEMBERS: Text = Text {
    sqlite: "
INSERT INTO member (app_id, conversation_id, \"user\", role, joined_seq, read_seq, received_seq)
SELECT $1, $2, value->>0, value->>1, $4, $4, $4 FROM json_each($3)",
    postgres: "
INSERT INTO member (app_id, conversation_id, \"user\", role, joined_seq, read_seq, received_seq)
SELECT $1, $2, value->>0, value->>1, $4, $4, $4 FROM json_array_elements($3::json)",
};
const DELETE_MEMBERS: Text = Text {
    sqlite: "
DELETE FROM member WHERE app_id = $1 AND conversation_id = $2 AND joined_seq <= $4
AND \"user\" IN (SELECT value->>0 FROM json_each($3))",
    postgres: "
DELETE FROM member WHERE app_id = $1 AND conversation_id = $2 AND joined_seq <= $4
AND \"user\" IN (SELECT value->>0 FROM json_array_elements($3::json))",
};
const FIND_ROLES: Text = Text {
    sqlite: "
SELECT \"user\", role FROM member WHERE app_id = $1 AND conversation_id = $2
AND \"user\" IN (SELECT value FROM json_each($3))",
    postgres: "
SELECT \"user\", role FROM member WHERE app_id = $1 AND conversation_id = $2
AND \"user\" IN (SELECT json_array_elements_text($3::json))",
};
const SET_VERSION: &str = "UPDATE conversation SET member_version = $3 WHERE app_id = $1 AND id = $2";
