//! `presence.set`, `presence.watch` and `presence.get`.

use super::{Call, distinct};
use crate::presence::State;
use crate::presence::task::states;
use std::borrow::Cow;
use std::sync::Arc;
use tokenim_domain::log::MessageLog;
use tokenim_domain::name::User;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::command::{PresenceSet, Users};
use tokenim_protocol::limits::{PRESENCE_TEXT_CHARS_MAX, PRESENCE_USERS_MAX};

/// Says how this device is, and what text stands beside the user.
pub fn set<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: PresenceSet<'_> = call.fields()?;
    call.session.identity.allow_presence()?;
    let find = |word: &str| {
        State::find(word).ok_or_else(|| Error::invalid("state", "`state` must be online, away or invisible"))
    };
    let state = fields.state.as_deref().map(find).transpose()?;
    let text = fields.text.map(|text| text.as_deref().map(text_of).transpose()).transpose()?;
    let (inner, connection) = (&call.gateway.inner, call.connection.id);
    let shown = inner.presence.lock().set(connection, state, text.map(Option::flatten), inner.clock.now_ms());
    // A connection that ends at this moment is answered all the same.
    call.answer(&shown.map_or_else(|| "{}".to_owned(), |shown| shown.json()));
    Ok(())
}

/// An empty text is none.
fn text_of(text: &str) -> Result<Option<Arc<str>>> {
    if text.chars().count() > PRESENCE_TEXT_CHARS_MAX || text.chars().any(char::is_control) {
        let rule = format!("`text` has at most {PRESENCE_TEXT_CHARS_MAX} characters, none of them a control character");
        return Err(Error::invalid("text", rule));
    }
    Ok((!text.is_empty()).then(|| text.into()))
}

/// Watches users on this connection, instead of those before.
pub fn watch<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let users = users(call)?;
    let identity = &call.session.identity;
    let (app, connection, gateway) = (identity.app, call.connection.id, call.gateway.clone());
    let known = gateway.inner.presence.lock().watch(connection, app, &identity.user, &users)?;
    call.later(async move {
        let shown = gateway.complete(app, &users, known).await?;
        let (list, full) = states(&shown);
        let mut presence = gateway.inner.presence.lock();
        shown.iter().skip(full).for_each(|shown| presence.tell_again(connection, app, &shown.user));
        drop(presence);
        Ok(format!("{{\"states\":{list}}}"))
    });
    Ok(())
}

/// Tells the presence of users once.
pub fn get<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let users = users(call)?;
    let (gateway, session) = (call.gateway.clone(), call.session.clone());
    call.later(async move {
        let identity = &session.identity;
        let list = gateway.presence_of(identity.app, Some(&identity.user), &users).await?;
        Ok(format!("{{\"states\":{list}}}"))
    });
    Ok(())
}

fn users<L: MessageLog>(call: &Call<'_, L>) -> Result<Vec<User>> {
    let fields: Users<'_> = call.fields()?;
    call.session.identity.allow_presence()?;
    if fields.users.len() > PRESENCE_USERS_MAX {
        let wrong = format!("`users` names at most {PRESENCE_USERS_MAX} users");
        return Err(Error::new(Code::LimitReached).says(wrong).at("users"));
    }
    distinct("users", fields.users.iter().map(Cow::as_ref))
}
