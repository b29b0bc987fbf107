//! `send`: a message on its way into the log.

use super::Call;
use tokenim_domain::log::{About, Draft, Mentions, MessageLog, Write};
use tokenim_domain::name::{ClientMsgId, Conversation};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result, content};
use tokenim_protocol::command::{Mentions as Mentioned, Send};

/// Checks a message and queues it; the ack comes after its commit.
///
/// Membership and repeats are judged in the commit itself, where they are certain.
pub fn run<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let send: Send<'_> = call.fields()?;
    refuse_unsupported(&send)?;
    let conversation = Conversation::parse(&send.conversation)?;
    let client_msg_id = ClientMsgId::parse(&send.client_msg_id)?;
    let prev = send.prev.as_deref().map(ClientMsgId::parse).transpose().map_err(|error| error.at("prev"))?;
    let kind = content::check(&send.kind, send.body.get())?;
    call.allow(&conversation, Cap::Send)?;
    call.write(Write::Send(Draft {
        app: call.session.identity.app,
        conversation,
        sender: call.session.identity.user.clone(),
        client_msg_id,
        prev,
        kind,
        body: send.body.get().into(),
        about: about(&send)?,
        credential: call.session.identity.credential(),
        allowance: Allowance::default(),
    }))
}

fn about(send: &Send<'_>) -> Result<About> {
    let mentions = match &send.mentions {
        None => None,
        Some(Mentioned::Everyone(_)) => Some(Mentions::Everyone),
        Some(Mentioned::Users(ids)) => Mentions::of(ids.iter().map(AsRef::as_ref))?,
    };
    Ok(About { reply_to: send.reply_to, mentions, silent: send.silent })
}

/// A field that changes what a message means is refused rather than dropped without a word.
fn refuse_unsupported(send: &Send<'_>) -> Result<()> {
    if send.ephemeral { Err(Error::new(Code::NotSupported).at("ephemeral")) } else { Ok(()) }
}
