//! `conversation.update`, `.join`, `.leave`, `.decline`, `.role`, `.mute`, `.ban` and `.unban`.

use super::{Call, users};
use tokenim_domain::group::{SettingsChange, mute_ms};
use tokenim_domain::log::{Governing, GroupAct, MemberChange, MessageLog, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, MemberRole};
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Error, Result};
use tokenim_protocol::command::{
    ConversationBan, ConversationMute, ConversationOnly, ConversationRole, ConversationUpdate, MemberChange as Named,
};

/// Changes name and rules.
pub fn update<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ConversationUpdate<'_> = call.fields()?;
    let name = fields.name.as_ref().map(Option::as_deref);
    let change = SettingsChange::parse(name, fields.join.as_deref(), fields.add.as_deref())?;
    govern(call, &fields.conversation, Cap::Moderate, GroupAct::Update(change))
}

/// Comes in, or asks to be let in.
pub fn join<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ConversationOnly<'_> = call.fields()?;
    govern(call, &fields.conversation, Cap::Join, GroupAct::Join)
}

/// Goes.
pub fn leave<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ConversationOnly<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Join)?;
    let identity = &call.session.identity;
    call.write(Write::Change(MemberChange {
        app: identity.app,
        conversation,
        actor: Some(identity.user.clone()),
        change: Change::Removed,
        users: vec![identity.user.clone()],
        role: MemberRole::Member,
    }))
}

/// Does not let in who asked.
pub fn decline<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Named<'_> = call.fields()?;
    let users = users(fields.members.iter().map(AsRef::as_ref))?;
    if users.is_empty() {
        return Err(Error::invalid("members", "name at least one member"));
    }
    govern(call, &fields.conversation, Cap::Moderate, GroupAct::Decline(users))
}

/// Gives a member a role.
pub fn role<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ConversationRole<'_> = call.fields()?;
    let role = MemberRole::parse(&fields.role)?;
    govern(call, &fields.conversation, Cap::Moderate, GroupAct::Role(User::parse(&fields.user)?, role))
}

/// Mutes a member for a time, or lets it speak again.
pub fn mute<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ConversationMute<'_> = call.fields()?;
    let for_ms = mute_ms(fields.for_s)?;
    govern(call, &fields.conversation, Cap::Moderate, GroupAct::Mute(User::parse(&fields.user)?, for_ms))
}

/// Removes a user and keeps it out.
pub fn ban<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ConversationBan<'_> = call.fields()?;
    govern(call, &fields.conversation, Cap::Moderate, GroupAct::Ban(User::parse(&fields.user)?))
}

/// Keeps a user out no more.
pub fn unban<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: ConversationBan<'_> = call.fields()?;
    govern(call, &fields.conversation, Cap::Moderate, GroupAct::Unban(User::parse(&fields.user)?))
}

fn govern<L: MessageLog>(call: &Call<'_, L>, conversation: &str, cap: Cap, act: GroupAct) -> Result<()> {
    let conversation = Conversation::parse(conversation)?;
    call.allow(&conversation, cap)?;
    let identity = &call.session.identity;
    call.write(Write::Govern(Governing { app: identity.app, conversation, actor: Some(identity.user.clone()), act }))
}
