//! `refresh`: a newer token on a running connection; the stream is not interrupted.

use super::Call;
use crate::connection::seconds_left;
use tokenim_domain::log::MessageLog;
use tokenim_domain::token::session;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::command::Refresh;
use tokenim_protocol::reply::Json;

/// Verifies the token and replaces the session by one that lives as long.
pub fn run<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Refresh<'_> = call.fields()?;
    let (token, gateway) = (fields.token.into_owned(), call.gateway.clone());
    let (connection, old) = (call.connection.clone(), call.session.clone());
    call.later_secret(async move {
        let generation = gateway.inner.places.generation();
        let identity = gateway.inner.verifier.verify_token(&token).await?;
        if identity.app != old.identity.app || identity.user != old.identity.user {
            return Err(Error::new(Code::TokenInvalid).says("the token is for another app or user"));
        }
        if identity.device.as_ref().is_some_and(|device| *device != old.device) {
            return Err(Error::new(Code::TokenInvalid).says("the token is bound to another device"));
        }
        let signed = session::sign(&identity, &old.device, gateway.inner.verifier.master())?;
        let seconds = seconds_left(identity.expires_ms, gateway.inner.clock.now_ms());
        let session = old.renewed(identity);
        connection.renew(session.clone());
        gateway.look_again(&connection, &session, generation).await;
        let mut out = String::from("{\"session\":");
        out.quoted(signed.expose()).raw(",\"expires_in_s\":").int(seconds).raw("}");
        Ok(out)
    });
    Ok(())
}
