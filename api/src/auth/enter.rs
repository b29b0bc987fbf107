//! Whether the app behind a credential may be used now, and from the page that asks.

use super::Caller;
use crate::api::Api;
use crate::cors;
use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};
use tokenim_domain::Result;

/// Lets the credential of an app in.
///
/// Errors: `org_suspended`, `app_suspended`, `origin_not_allowed`; the store's, where nothing is known of the app yet.
pub(super) async fn enter(api: &Api, caller: &Caller, request: &HttpRequest) -> Result<()> {
    let place = api.gateway.place(caller.app()).await?;
    // An origin that is no text is none on any list.
    let origin = request.headers().get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    // The rim tells the app's people what was refused.
    request.extensions_mut().insert(place.clone());
    place.admit(origin)?;
    if matches!(caller, Caller::User(_)) {
        cors::allow(request);
    }
    Ok(())
}
