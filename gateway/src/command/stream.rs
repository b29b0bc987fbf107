//! `stream.begin`, `.append`, `.end` and `.get`: a message that grows while it is read.

use super::Call;
use super::amend::amend;
use super::send::mentions;
use crate::encode;
use tokenim_domain::log::{About, Draft, Growth, MessageAct, MessageLog, Piece, TextQuery, Write, live};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::role::ContentKind;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Result, content};
use tokenim_protocol::command::{StreamAppend, StreamBegin, StreamEnd, StreamGet};

/// Begins a live message.
pub fn begin<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: StreamBegin<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    let may_send = call.session.identity.allows(conversation.as_str(), Cap::Send);
    let first = Piece::new(None, &fields.text)?;
    let body = live::body(&live::escape(&first.text));
    call.write(Write::Send(Draft {
        app: call.session.identity.app,
        conversation,
        sender: call.session.identity.user.clone(),
        client_msg_id: ClientMsgId::parse(&fields.client_msg_id)?,
        prev: None,
        kind: content::check(fields.kind.as_deref().unwrap_or(ContentKind::Text.as_str()), &body)?,
        body,
        about: About {
            reply_to: fields.reply_to,
            mentions: mentions(&fields.mentions)?,
            silent: fields.silent,
            live: true,
            ..About::default()
        },
        may_send,
        credential: call.session.identity.credential(),
        allowance: Allowance::default(),
    }))
}

/// Adds a piece of text to a live message. It takes no turn of the app's messages, but of the user's.
pub fn append<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: StreamAppend<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Send)?;
    let piece = Piece::more(fields.offset, &fields.text)?;
    call.gateway.take_turn_of_user(&call.session)?;
    let identity = &call.session.identity;
    let actor = Some(identity.user.clone());
    call.write(Write::Grow(Growth { app: identity.app, conversation, actor, target: fields.target, piece }))
}

/// Ends a live message.
pub fn end<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: StreamEnd<'_> = call.fields()?;
    let act = MessageAct::End {
        last: Piece::new(fields.offset, &fields.text)?,
        kind: ContentKind::Text,
        body: Box::default(),
    };
    amend(call, (&fields.conversation, fields.target), fields.client_msg_id, act, Cap::Send)
}

/// Reads the text of a live message, or of one that was.
pub fn get<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: StreamGet<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    let query = TextQuery {
        app: call.session.identity.app,
        conversation,
        viewer: Some(call.session.identity.user.clone()),
        target: fields.target,
        offset: fields.offset,
    };
    let log = call.gateway.inner.log.clone();
    call.later(async move { Ok(encode::live_text(&log.live_text(query).await?)) });
    Ok(())
}
