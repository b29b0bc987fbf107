//! Whether the app behind a credential may be used now, and from the page that asks.

use super::Caller;
use crate::api::Api;
use crate::cors;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpMessage, HttpRequest};
use tokenim_domain::Result;

/// Lets the credential of an app in.
///
/// Errors: `org_suspended`, `app_suspended`, `origin_not_allowed`; `forbidden` to a user the app does not know and refuses; the store's, where nothing is known of the app yet.
pub(super) async fn enter(api: &Api, caller: &Caller, request: &HttpRequest) -> Result<()> {
    let place = api.gateway.place(caller.app()).await?;
    // The rim tells the app's people what was refused.
    request.extensions_mut().insert(place.clone());
    place.admit(origin(request.headers()))?;
    if let Caller::User(identity) = caller {
        cors::allow(request);
        api.gateway.admit_user(identity.app, &identity.user, &place).await?;
    }
    Ok(())
}

/// The origin of the page that asks. One that is no text or told twice is none on any list.
pub(crate) fn origin(headers: &HeaderMap) -> Option<&str> {
    let mut told = headers.get_all(header::ORIGIN);
    let first = told.next()?;
    let text = first.to_str().ok().filter(|_| told.next().is_none());
    Some(text.unwrap_or_default())
}
