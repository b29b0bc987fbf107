//! `typing`: told to the other members who are connected, never stored.

use super::Call;
use crate::live::What;
use tokenim_domain::Result;
use tokenim_domain::log::MessageLog;
use tokenim_domain::name::Conversation;
use tokenim_domain::token::caps::Cap;
use tokenim_protocol::command::Typing;

/// Tells the members that the user types, or has stopped.
pub fn run<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Typing<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Send)?;
    call.say(conversation, What::Typing { active: fields.active })
}
