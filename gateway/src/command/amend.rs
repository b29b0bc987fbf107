//! `edit`, `delete`, `react` and `pin`: what happens to a stored message; `reactions` and `pins` list it.

use super::Call;
use crate::encode;
use std::borrow::Cow;
use tokenim_domain::log::{Amendment, Emoji, MessageAct, MessageLog, PinsQuery, ReactionsQuery, Write, cut_page};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Error, Result, content};
use tokenim_protocol::command::{Delete, Edit, Pin, Pins, React, Reactions};
use tokenim_protocol::limits::{EVENT_OVERHEAD_BYTES_MAX, PINS_MAX, REACTIONS_PAGE_MAX, SERVER_FRAME_BYTES_MAX};

/// Replaces a message's content.
pub fn edit<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Edit<'_> = call.fields()?;
    let kind = content::check(&fields.kind, fields.body.get())?;
    let act = MessageAct::Edit { kind, body: fields.body.get().into() };
    amend(call, (&fields.conversation, fields.target), fields.client_msg_id, act, Cap::Send)
}

/// Erases a message's content.
pub fn delete<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Delete<'_> = call.fields()?;
    amend(call, (&fields.conversation, fields.target), fields.client_msg_id, MessageAct::Delete, Cap::Send)
}

/// Reacts to a message, or takes that back.
pub fn react<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: React<'_> = call.fields()?;
    let act = MessageAct::React { emoji: Emoji::parse(&fields.emoji)?, on: !fields.remove, count: 0 };
    amend(call, (&fields.conversation, fields.target), fields.client_msg_id, act, Cap::Send)
}

/// Pins a message, or takes the pin away.
pub fn pin<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Pin<'_> = call.fields()?;
    let act = MessageAct::Pin { on: !fields.remove };
    amend(call, (&fields.conversation, fields.target), fields.client_msg_id, act, Cap::Moderate)
}

pub(super) fn amend<L: MessageLog>(
    call: &Call<'_, L>,
    (conversation, target): (&str, i64),
    client_msg_id: Option<Cow<'_, str>>,
    act: MessageAct,
    cap: Cap,
) -> Result<()> {
    let conversation = Conversation::parse(conversation)?;
    call.allow(&conversation, cap)?;
    let identity = &call.session.identity;
    call.write(Write::Amend(Amendment {
        app: identity.app,
        actor: Some(identity.user.clone()),
        client_msg_id: client_msg_id.as_deref().map(ClientMsgId::parse).transpose()?,
        target,
        act,
        moderates: identity.allows(conversation.as_str(), Cap::Moderate),
        conversation,
        credential: identity.credential(),
        allowance: Allowance::default(),
    }))
}

/// Lists who reacted to a message, in the order it was done.
pub fn reactions<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Reactions<'_> = call.fields()?;
    let limit = fields.limit.unwrap_or(REACTIONS_PAGE_MAX);
    if !(1..=REACTIONS_PAGE_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("`limit` must be 1 to {REACTIONS_PAGE_MAX}")));
    }
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    let query = ReactionsQuery {
        app: call.session.identity.app,
        conversation,
        viewer: Some(call.session.identity.user.clone()),
        target: fields.target,
        emoji: fields.emoji.as_deref().map(Emoji::parse).transpose()?,
        after: fields.page.unwrap_or(0),
        limit: limit + 1,
    };
    let log = call.gateway.inner.log.clone();
    call.later(async move {
        let mut page = log.reactions(query).await?;
        let has_more = cut_page(&mut page, limit);
        Ok(encode::reactions(&page, has_more))
    });
    Ok(())
}

/// Lists the pinned messages of a conversation.
pub fn pins<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Pins<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    let query = PinsQuery {
        app: call.session.identity.app,
        conversation,
        viewer: Some(call.session.identity.user.clone()),
        before: fields.page.unwrap_or(i64::MAX),
        bytes_max: SERVER_FRAME_BYTES_MAX - PINS_MAX * EVENT_OVERHEAD_BYTES_MAX,
    };
    let log = call.gateway.inner.log.clone();
    call.later(async move { Ok(encode::pins(&log.pins(query).await?)) });
    Ok(())
}
