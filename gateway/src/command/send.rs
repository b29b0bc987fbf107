//! `send`: a message on its way into the log.

use super::Call;
use crate::live::What;
use std::borrow::Cow;
use tokenim_domain::log::{About, Attached, Draft, Mentions, MessageLog, Write};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::token::Identity;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result, content, sabotage};
use tokenim_protocol::command::{Mentions as Mentioned, Send};

/// Checks a message and queues it; the ack comes after its commit.
///
/// Membership and repeats are judged in the commit itself, where they are certain; and what the token's caps forbid only of what is no repeat.
pub fn run<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let send: Send<'_> = call.fields()?;
    refuse_unsupported(&send)?;
    let conversation = Conversation::parse(&send.conversation)?;
    let client_msg_id = ClientMsgId::parse(&send.client_msg_id)?;
    let prev = send.prev.as_deref().map(ClientMsgId::parse).transpose().map_err(|error| error.at("prev"))?;
    let kind = content::check(&send.kind, send.body.get())?;
    if send.ephemeral {
        call.allow(&conversation, Cap::Send)?;
        if prev.is_some() {
            return Err(Error::invalid("prev", "an ephemeral message has no place in an order, so it takes no `prev`"));
        }
        call.gateway.take_turn_of_user(&call.session)?;
        call.gateway.take_turn(Some(&call.session.place))?;
        return call.say(conversation, What::Message { client_msg_id, kind, body: send.body.get().into() });
    }
    if sabotage::is("ack_before_commit") {
        call.answer("{\"seq\":1}");
    }
    let may_send = call.session.identity.allows(conversation.as_str(), Cap::Send);
    call.write(Write::Send(Draft {
        app: call.session.identity.app,
        conversation,
        sender: call.session.identity.user.clone(),
        client_msg_id,
        prev,
        kind,
        body: send.body.get().into(),
        about: about(&call.session.identity, &send.attachments, send.reply_to, &send.mentions, send.silent)?,
        may_send,
        credential: call.session.identity.credential(),
        allowance: Allowance::default(),
    }))
}

/// Whom a message speaks to. Errors: `invalid_field`, `limit_reached`.
pub(super) fn mentions(named: &Option<Mentioned<'_>>) -> Result<Option<Mentions>> {
    match named {
        None => Ok(None),
        Some(Mentioned::Everyone(_)) => Ok(Some(Mentions::Everyone)),
        Some(Mentioned::Users(ids)) => Mentions::of(ids.iter().map(AsRef::as_ref)),
    }
}

/// What a message says beside its content. Errors: `invalid_field`, `limit_reached` at `mentions` or `attachments`.
pub(super) fn about(
    who: &Identity,
    files: &[Cow<'_, str>],
    reply_to: Option<i64>,
    named: &Option<Mentioned<'_>>,
    silent: bool,
) -> Result<About> {
    let attached = Attached::of(files.iter().map(AsRef::as_ref), who.caps.is_none())?;
    Ok(About { reply_to, mentions: mentions(named)?, silent, attached, ..About::default() })
}

/// A field that changes what a message means is refused rather than dropped without a word.
fn refuse_unsupported(send: &Send<'_>) -> Result<()> {
    let fields = [
        ("reply_to", send.reply_to.is_some()),
        ("mentions", send.mentions.is_some()),
        ("silent", send.silent),
        ("attachments", !send.attachments.is_empty()),
    ];
    match fields.into_iter().find(|(_, used)| send.ephemeral && *used) {
        Some((field, _)) => {
            Err(Error::new(Code::NotSupported).says("an ephemeral message carries no such field").at(field))
        }
        None => Ok(()),
    }
}
