//! `read` and `received`: cumulative watermarks of a member.

use super::Call;
use tokenim_domain::log::{Held, MessageLog, Watermark, Write};
use tokenim_domain::name::Conversation;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Error, Result};
use tokenim_protocol::command::Watermark as Fields;

/// Moves the read watermark.
pub fn read<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    advance(call, |watermark, seq| watermark.read = Some(seq))
}

/// Moves the received watermark.
pub fn received<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    advance(call, |watermark, seq| watermark.received = watermark.received.max(Some(seq)))
}

fn advance<L: MessageLog>(call: &Call<'_, L>, set: fn(&mut Watermark, i64)) -> Result<()> {
    let fields: Fields<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    if fields.seq < 1 {
        return Err(Error::invalid("seq", "`seq` must be positive"));
    }
    let identity = &call.session.identity;
    let (received, reaches) = call.connection.reaches(&conversation, fields.seq);
    let held = Held { device: call.session.device.clone(), reaches, label: identity.label.clone() };
    let (app, user) = (identity.app, identity.user.clone());
    let mut watermark = Watermark { app, conversation, user, read: None, received, held: Some(held) };
    set(&mut watermark, fields.seq);
    call.write(Write::Move(watermark))
}
