//! Console sessions: begun at sign-in under a new id, ended by idleness, age or sign-out; the store keeps only a hash.
use actix_web::http::header;
use tokenim_domain::{
    Error,
    actor::Action,
    id::{AccountId, OrgId},
    secret::{mac, sha256},
};
use tokenim_store::{ConsoleSession, NewConsoleSession, SessionView};

use crate::{
    announcements,
    cookie::{self, Cookie},
    fault::Fault,
    quickstart,
    routes::Who,
    stream,
    visit::Visit,
};

/// Bytes of a session id: 128 random bits.
const ID_BYTES: usize = 16;
/// Milliseconds without a request after which a session ends.
pub(crate) const IDLE_MS: i64 = 30 * 60_000;
/// The same in the operator area.
pub(crate) const OPERATOR_IDLE_MS: i64 = 15 * 60_000;
/// Milliseconds after which a session ends in any case.
pub(crate) const AGE_MS: i64 = 12 * 3_600_000;
/// Milliseconds for which the proof that it is them holds.
pub(crate) const PROOF_MS: i64 = 10 * 60_000;
/// Milliseconds between two notes of "last seen"; a note per request would be a write per request.
const TOUCH_MS: i64 = 60_000;
/// Characters of a browser's name for itself that are kept.
const AGENT_CHARS_MAX: usize = 200;

/// Whether a session has neither idled out nor aged out.
pub(crate) fn is_current(session: &ConsoleSession, now_ms: i64) -> bool {
    let ends_ms = session.expires_at.min(session.created_at.saturating_add(AGE_MS));
    now_ms < ends_ms && !is_idle(session.is_operator, session.seen_at, now_ms)
}

/// The same of a session in the account's list.
pub(crate) fn is_open(view: &SessionView, now_ms: i64) -> bool {
    now_ms < view.expires_ms && !is_idle(view.is_operator, view.seen_ms, now_ms)
}

fn is_idle(is_operator: bool, seen_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(seen_ms) >= if is_operator { OPERATOR_IDLE_MS } else { IDLE_MS }
}

/// Whether a session may do something in an org.
pub(crate) fn may(session: &ConsoleSession, org: OrgId, action: Action) -> bool {
    session.member.as_ref().is_some_and(|member| {
        member.org == org && member.role.may(action) && (session.has_totp || !member.requires_totp)
    })
}

/// What the tokens of a session's forms are made from, while it looks at one org: a form that was opened before it turned
/// to another one is refused, so what was meant for one org never happens to another.
pub(crate) fn form_secret(session: &ConsoleSession) -> [u8; 32] {
    let org = session.member.as_ref().map(|member| member.org.to_string());
    mac(&session.csrf, org.unwrap_or_default().as_bytes())
}

/// The hash under which the store knows the session of a cookie.
fn hash_of(visit: &Visit<'_>, cookie: Cookie) -> Option<[u8; 32]> {
    let value = cookie.read(visit.request, &visit.console.site)?;
    Some(sha256(&cookie::decode::<ID_BYTES>(value)?))
}

/// Continues the visit's session, if there is a current one: in the operator area the one of its own cookie.
pub(crate) async fn resume(visit: &mut Visit<'_>, who: Who) -> Result<(), Fault> {
    if let Some(session) = find(visit, Cookie::Session).await?.filter(|session| !session.is_operator) {
        visit.adopt(session);
    }
    if who != Who::Operator {
        visit.announcements = announcements::read(visit).await;
        return Ok(());
    }
    let operator = find(visit, Cookie::Operator).await?;
    match operator.filter(|session| session.is_operator && session.may_operate && session.has_totp) {
        Some(session) => visit.adopt(session),
        None if visit.session.as_ref().is_some_and(|session| session.may_operate) => return Err(Fault::Elevate),
        None => visit.session = None,
    }
    Ok(())
}

async fn find(visit: &Visit<'_>, cookie: Cookie) -> Result<Option<ConsoleSession>, Error> {
    let Some(hash) = hash_of(visit, cookie) else { return Ok(None) };
    let store = &visit.console.store;
    let Some(mut session) = store.find_console_session(hash).await? else { return Ok(None) };
    if !is_current(&session, visit.now_ms) {
        store.delete_console_session(hash).await?;
        return Ok(None);
    }
    if !is_stream(visit) && visit.now_ms - session.seen_at >= TOUCH_MS {
        store.touch_console_session(hash, visit.now_ms).await?;
    }
    if session.member.is_none() && !session.is_operator {
        turn_to_first_org(visit, &mut session).await?;
    }
    Ok(Some(session))
}

/// Whoever lost the org they looked at goes on in one they are still in.
async fn turn_to_first_org(visit: &Visit<'_>, session: &mut ConsoleSession) -> Result<(), Error> {
    let store = &visit.console.store;
    if let Some(org) = store.find_first_org(session.account).await? {
        store.turn_console_session(session.id, org).await?;
        session.member = store.find_membership(org, session.account).await?;
    }
    Ok(())
}

/// What a page asks for by itself neither counts as use nor follows a redirect to a page.
pub(crate) fn is_stream(visit: &Visit<'_>) -> bool {
    let path = visit.request.path();
    path == stream::PATH || path.ends_with(quickstart::CHECKPOINTS)
}

/// Begins a session under a new id and ends the one the browser came with.
pub(crate) async fn begin(visit: &mut Visit<'_>, account: AccountId, org: Option<OrgId>) -> Result<(), Error> {
    end(visit).await?;
    create(visit, Cookie::Session, account, org).await?;
    visit.cookies.push(Cookie::Form.remove(&visit.console.site));
    Ok(())
}

/// Begins a session of the operator area beside the console's.
pub(crate) async fn begin_operating(visit: &mut Visit<'_>) -> Result<(), Fault> {
    let account = visit.signed_in()?.account;
    Ok(create(visit, Cookie::Operator, account, None).await?)
}

async fn create(visit: &mut Visit<'_>, cookie: Cookie, account: AccountId, org: Option<OrgId>) -> Result<(), Error> {
    let (id, csrf): ([u8; ID_BYTES], [u8; 32]) = (visit.console.rng().bytes(), visit.console.rng().bytes());
    let new = NewConsoleSession {
        hash: sha256(&id),
        account,
        org,
        is_operator: cookie == Cookie::Operator,
        csrf,
        address: visit.address().map(|address| address.to_string()),
        agent: agent(visit),
        expires_at: visit.now_ms + AGE_MS,
    };
    visit.console.store.create_console_session(new).await?;
    visit.cookies.push(cookie.set(&cookie::encode(&id), &visit.console.site));
    Ok(())
}

/// What the browser calls itself, shortened.
fn agent(visit: &Visit<'_>) -> Option<String> {
    let agent = visit.request.headers().get(header::USER_AGENT)?.to_str().ok()?;
    Some(agent.chars().take(AGENT_CHARS_MAX).collect())
}

/// Notes that the person has shown that it is them, and gives the session a new id (a planted one would be theirs too).
pub(crate) async fn prove(visit: &mut Visit<'_>) -> Result<(), Fault> {
    let session = visit.signed_in()?;
    let cookie = if session.is_operator { Cookie::Operator } else { Cookie::Session };
    let id: [u8; ID_BYTES] = visit.console.rng().bytes();
    visit.console.store.renew_console_session(session.id, sha256(&id), Some(visit.now_ms)).await?;
    visit.cookies.push(cookie.set(&cookie::encode(&id), &visit.console.site));
    Ok(())
}

/// Lets the session look at another org, under a new id; its live streams end. The caller knows that its account is a
/// member there.
pub(crate) async fn turn(visit: &mut Visit<'_>, org: OrgId) -> Result<(), Fault> {
    let session = visit.signed_in()?.id;
    let id: [u8; ID_BYTES] = visit.console.rng().bytes();
    let store = &visit.console.store;
    store.turn_console_session(session, org).await?;
    store.renew_console_session(session, sha256(&id), None).await?;
    visit.console.seats.check_again(session);
    visit.cookies.push(Cookie::Session.set(&cookie::encode(&id), &visit.console.site));
    Ok(())
}

/// Lets the live streams of an account look whether they still hold, after its rights changed.
pub(crate) async fn look_again(visit: &Visit<'_>, account: AccountId) -> Result<(), Error> {
    for session in visit.console.store.list_sessions(account).await? {
        visit.console.seats.check_again(session.id);
    }
    Ok(())
}

/// Ends the session of the visit's cookie, and the one of the operator area; live streams end at once.
pub(crate) async fn end(visit: &mut Visit<'_>) -> Result<(), Error> {
    for cookie in [Cookie::Session, Cookie::Operator] {
        let Some(hash) = hash_of(visit, cookie) else { continue };
        let store = &visit.console.store;
        let Some(session) = store.find_console_session(hash).await? else { continue };
        store.delete_console_session(hash).await?;
        visit.console.seats.check_again(session.id);
        visit.cookies.push(cookie.remove(&visit.console.site));
    }
    Ok(())
}
