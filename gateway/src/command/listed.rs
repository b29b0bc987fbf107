//! `conversation.requests`, `conversation.bans`, `blocks`: users on lists; `block` and `unblock`: one's own list.

use super::{Call, page_after};
use crate::encode;
use std::borrow::Cow;
use tokenim_domain::log::{BlockChange, List, ListQuery, MessageLog, Write, cut_page};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Error, Result};
use tokenim_protocol::command::{Block, Blocks, Members};
use tokenim_protocol::limits::MEMBERS_PAGE_MAX;

/// Who waits to be let in.
pub fn requests<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    of_conversation(call, List::Requests)
}

/// Who is kept out.
pub fn bans<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    of_conversation(call, List::Bans)
}

fn of_conversation<L: MessageLog>(call: &Call<'_, L>, list: fn(Conversation) -> List) -> Result<()> {
    let fields: Members<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Moderate)?;
    page(call, list(conversation), fields.page, fields.limit)
}

/// Whom the user blocks.
pub fn blocks<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Blocks<'_> = call.fields()?;
    page(call, List::Blocks(call.session.identity.user.clone()), fields.page, fields.limit)
}

fn page<L: MessageLog>(call: &Call<'_, L>, list: List, page: Option<Cow<'_, str>>, limit: Option<u32>) -> Result<()> {
    let limit = limit.unwrap_or(MEMBERS_PAGE_MAX);
    if !(1..=MEMBERS_PAGE_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("`limit` must be 1 to {MEMBERS_PAGE_MAX}")));
    }
    let after = page.as_deref().map(page_after).transpose()?;
    let identity = &call.session.identity;
    let query = ListQuery { app: identity.app, list, viewer: Some(identity.user.clone()), after, limit: limit + 1 };
    let log = call.gateway.inner.log.clone();
    call.later(async move {
        let mut page = log.listed(query).await?;
        let has_more = cut_page(&mut page, limit);
        Ok(encode::listed(&page, has_more))
    });
    Ok(())
}

/// Takes nothing from a user any more.
pub fn block<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    change(call, true)
}

/// Takes what a user sends again.
pub fn unblock<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    change(call, false)
}

fn change<L: MessageLog>(call: &Call<'_, L>, is_blocked: bool) -> Result<()> {
    let fields: Block<'_> = call.fields()?;
    let identity = &call.session.identity;
    let change = BlockChange::new(identity.app, identity.user.clone(), User::parse(&fields.user)?, is_blocked)?;
    call.write(Write::Block(change))
}
