//! `open` and `passive`: whether a conversation's events come to this connection, or only where it stands.

use super::Call;
use tokenim_domain::log::MessageLog;
use tokenim_domain::name::Conversation;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::command::View;
use tokenim_protocol::reply::Json;

/// Has the events pushed from now on.
pub fn open<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    switch(call, true)
}

/// Has only heads pushed from now on.
pub fn passive<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    switch(call, false)
}

/// The head of the reply is read after the switch: every event above it is pushed, or told by a head.
fn switch<L: MessageLog>(call: &Call<'_, L>, is_open: bool) -> Result<()> {
    let fields: View<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    let (gateway, connection) = (call.gateway.clone(), call.connection.clone());
    let (app, user) = (call.session.identity.app, call.session.identity.user.clone());
    call.later(async move {
        let log = &gateway.inner.log;
        let find = async || {
            let mut found = log.standings(app, user.clone(), vec![conversation.clone()]).await?;
            found.pop().ok_or_else(|| Error::new(Code::NotFound))
        };
        find().await?;
        gateway.switch(&connection, app, conversation.clone(), is_open).await?;
        let at = find().await?;
        let mut out = String::from("{\"epoch\":");
        out.int(at.epoch).raw(",\"head\":").int(at.head).raw(",\"msg_no\":").int(at.msg_no);
        out.raw(",\"first\":").int(at.first).raw("}");
        Ok(out)
    });
    Ok(())
}
