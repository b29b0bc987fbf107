//! Console sessions: begun at sign-in under a new id, ended by idleness, age or sign-out; the store keeps only a hash.
use tokenim_domain::{
    Error,
    id::{AccountId, OrgId},
    secret::sha256,
};
use tokenim_store::{ConsoleSession, NewConsoleSession};

use crate::{
    cookie::{self, Cookie},
    fault::Fault,
    routes::Who,
    stream,
    visit::Visit,
};

/// Bytes of a session id: 128 random bits.
const ID_BYTES: usize = 16;
/// Milliseconds without a request after which a session ends.
pub(crate) const IDLE_MS: i64 = 30 * 60_000;
/// Milliseconds after which a session ends in any case.
pub(crate) const AGE_MS: i64 = 12 * 3_600_000;
/// Milliseconds between two notes of "last seen"; a note per request would be a write per request.
const TOUCH_MS: i64 = 60_000;

/// Whether a session has neither idled out nor aged out.
pub(crate) fn is_current(session: &ConsoleSession, now_ms: i64) -> bool {
    let ends_ms = session.expires_at.min(session.created_at.saturating_add(AGE_MS));
    now_ms < ends_ms && now_ms.saturating_sub(session.seen_at) < IDLE_MS
}

/// The hash under which the store knows the session of this visit's cookie.
pub(crate) fn hash_of(visit: &Visit<'_>) -> Option<[u8; 32]> {
    let value = Cookie::Session.read(visit.request, &visit.console.site)?;
    Some(sha256(&cookie::decode::<ID_BYTES>(value)?))
}

/// Continues the visit's session, if there is a current one; routes for the signed-in are refused without.
pub(crate) async fn resume(visit: &mut Visit<'_>, who: Who) -> Result<(), Fault> {
    if let Some(session) = find(visit).await? {
        visit.adopt(session);
    }
    match who {
        Who::SignedIn if visit.session.is_none() && is_stream(visit) => Err(Fault::SignedOutScript),
        Who::SignedIn if visit.session.is_none() => Err(Fault::SignedOut),
        Who::SignedIn | Who::Public => Ok(()),
    }
}

async fn find(visit: &Visit<'_>) -> Result<Option<ConsoleSession>, Error> {
    let Some(hash) = hash_of(visit) else { return Ok(None) };
    let store = &visit.console.store;
    let Some(session) = store.find_console_session(hash).await? else { return Ok(None) };
    if !is_current(&session, visit.now_ms) {
        store.delete_console_session(hash).await?;
        return Ok(None);
    }
    if !is_stream(visit) && visit.now_ms - session.seen_at >= TOUCH_MS {
        store.touch_console_session(hash, visit.now_ms).await?;
    }
    Ok(Some(session))
}

/// A stream reconnects by itself, so it neither counts as use nor follows a redirect to a page.
fn is_stream(visit: &Visit<'_>) -> bool {
    visit.request.path() == stream::PATH
}

/// Begins a session under a new id and ends the one the browser came with.
pub(crate) async fn begin(visit: &mut Visit<'_>, account: AccountId, org: OrgId) -> Result<(), Error> {
    end(visit).await?;
    let (id, csrf): ([u8; ID_BYTES], [u8; 32]) = (visit.console.rng().bytes(), visit.console.rng().bytes());
    let new = NewConsoleSession { hash: sha256(&id), account, org, csrf, expires_at: visit.now_ms + AGE_MS };
    visit.console.store.create_console_session(new).await?;
    visit.cookies.push(Cookie::Session.set(&cookie::encode(&id), &visit.console.site));
    visit.cookies.push(Cookie::Form.remove(&visit.console.site));
    Ok(())
}

/// Ends the session of the visit's cookie; its live streams end at once.
pub(crate) async fn end(visit: &mut Visit<'_>) -> Result<(), Error> {
    if let Some(hash) = hash_of(visit) {
        visit.console.store.delete_console_session(hash).await?;
        visit.console.seats.check_again(&hash);
    }
    Ok(())
}
