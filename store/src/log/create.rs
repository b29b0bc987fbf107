//! Conversations come into being; the first event of a log tells with whom.

use super::append::Batch;
use super::{allowed, change, contact, members};
use crate::entity::{conversation, member};
use crate::{fault, sql};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use tokenim_domain::group::{AddRule, JoinRule};
use tokenim_domain::log::{AppRef, ConversationView, EventBody, NewConversation, Outcome};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, ConversationKind, MemberRole};
use tokenim_domain::{Code, Error, Result};

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
    if let Some(actor) = &new.actor {
        allowed!(contact::check(batch, new.app, actor, &new.members).await?);
    }
    members::insert_users(&batch.tx, new.app, &new.members, batch.now_ms).await?;
    let row = row(&new, pair, crate::epoch::current(&batch.tx).await?, batch.now_ms);
    sql::insert(&batch.tx, row.clone()).await?;
    let users = new.members.iter().enumerate().map(|(at, user)| (user.clone(), Some(role_at(new.kind, at)))).collect();
    let body = EventBody::Member { change: Change::Created, actor: new.actor.clone(), users, until_ms: None };
    let event = change::append(batch, new.app, &row, body).await?;
    let created = ConversationView { last_seq: event.seq, members: new.members.len() as i64, ..view(row, false)? };
    Ok(Ok(Outcome::Created(created, Some(event))))
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

/// Who is named first owns a group; in a direct conversation nobody stands above the other.
fn role_at(kind: ConversationKind, place: usize) -> MemberRole {
    match (kind, place) {
        (ConversationKind::Group, 0) => MemberRole::Owner,
        (ConversationKind::Group | ConversationKind::Direct, _) => MemberRole::Member,
    }
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
        join_rule: JoinRule::Invite.as_str().to_owned(),
        add_rule: AddRule::Admins.as_str().to_owned(),
        members: 0,
        is_tallied: false,
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
        join: change::join_rule(&row)?,
        add: change::add_rule(&row)?,
        members: row.members,
        name: row.name,
        epoch: row.epoch,
        last_seq: row.last_seq,
        last_msg_no: row.last_msg_no,
        created_ms: row.created_ms,
        existed,
    })
}
