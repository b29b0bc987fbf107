//! `conversation.create`, `.add`, `.remove` and `.members`.

use super::{Call, page_after, users};
use crate::encode;
use tokenim_domain::group::added_role;
use tokenim_domain::id::uuid_v7;
use tokenim_domain::log::{MemberChange, MembersQuery, MessageLog, NewConversation, Write, cut_page};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, ConversationKind};
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Error, Result};
use tokenim_protocol::command::{ConversationCreate, MemberChange as ChangeFields, Members};
use tokenim_protocol::grammar;
use tokenim_protocol::limits::MEMBERS_PAGE_MAX;

/// Creates a conversation with the caller as its owner.
pub fn create<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ConversationCreate<'_> = call.fields()?;
    let kind =
        ConversationKind::find(&fields.kind).ok_or_else(|| Error::invalid("kind", "`kind` must be direct or group"))?;
    let me = &call.session.identity.user;
    let others = users(fields.members.iter().map(AsRef::as_ref))?;
    let members: Vec<User> = std::iter::once(me.clone()).chain(others.into_iter().filter(|user| user != me)).collect();
    if kind == ConversationKind::Direct && members.len() != 2 {
        return Err(Error::invalid("members", "a direct conversation has exactly one other member"));
    }
    if fields.name.as_deref().is_some_and(|name| !grammar::is_name(name)) {
        return Err(Error::invalid("name", "`name` must be 1 to 64 characters"));
    }
    let id = match &fields.id {
        Some(id) => Conversation::parse(id).map_err(|error| error.at("id"))?,
        None => Conversation::made(uuid_v7(&*call.gateway.inner.clock, &*call.gateway.inner.rng).as_u128()),
    };
    call.allow(&id, Cap::Create)?;
    let name = fields.name.map(Into::into);
    call.write(Write::Create(NewConversation {
        app: call.session.identity.app,
        id,
        kind,
        members,
        name,
        actor: Some(me.clone()),
    }))
}

/// Adds members.
pub fn add<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    change(call, Change::Added)
}

/// Removes members; anyone may remove itself.
pub fn remove<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    change(call, Change::Removed)
}

fn change<L: MessageLog>(call: &Call<'_, L>, change: Change) -> Result<()> {
    let fields: ChangeFields<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    let users = users(fields.members.iter().map(AsRef::as_ref))?;
    if users.is_empty() {
        return Err(Error::invalid("members", "name at least one member"));
    }
    call.allow(&conversation, Cap::Moderate)?;
    let identity = &call.session.identity;
    call.write(Write::Change(MemberChange {
        app: identity.app,
        conversation,
        actor: Some(identity.user.clone()),
        change,
        users,
        role: added_role(fields.role.as_deref())?,
    }))
}

/// Lists members by user id.
pub fn members<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Members<'_> = call.fields()?;
    let limit = fields.limit.unwrap_or(MEMBERS_PAGE_MAX);
    if !(1..=MEMBERS_PAGE_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("`limit` must be 1 to {MEMBERS_PAGE_MAX}")));
    }
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    let after = fields.page.as_deref().map(page_after).transpose()?;
    let query = MembersQuery {
        app: call.session.identity.app,
        conversation,
        viewer: Some(call.session.identity.user.clone()),
        after,
        limit: limit + 1,
    };
    let log = call.gateway.inner.log.clone();
    call.later(async move {
        let mut page = log.members(query).await?;
        let has_more = cut_page(&mut page, limit);
        Ok(encode::members(&page, has_more))
    });
    Ok(())
}
