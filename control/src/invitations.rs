//! Inviting people to an org by mail, and their accepting it.

use crate::check;
use crate::link::{TOKEN_CHARS, hash_of};
use crate::orgs::check_verified;
use crate::sign_in::normal;
use tokenim_domain::actor::{Acting, Action, Actor, Right, Who};
use tokenim_domain::id::{AccountId, InvitationId};
use tokenim_domain::key::random_base62;
use tokenim_domain::role::OrgRole;
use tokenim_domain::secret::{Secret, sha256};
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{InvitationLink, InvitationView, NewInvitation, Store};

/// The page that accepts; the mail's link adds the token.
pub const ACCEPT_PATH: &str = "/invitations/accept";
/// Who invites, in the mail, where it is an operator.
pub(crate) const SERVICE_NAME: &str = "TokenIM";

/// Whom to invite.
#[derive(Debug, Clone)]
pub struct Invite {
    /// The address.
    pub email: String,
    /// What they will be.
    pub role: OrgRole,
    /// Language of the mail where the address has no account that chose one.
    pub language: String,
}

/// Invites an address to the actor's org.
///
/// Errors: `forbidden`, also for a role above the actor's own; `email_unverified` for the actor's own address, and for a key
/// where no owner has verified one;
/// `invalid_field` for the address; `conflict` where it is a member or invited already; `plan_limit`; `rate_limited`; the
/// store's.
pub async fn invite(store: &Store, acting: &Acting, wanted: Invite) -> Result<InvitationView> {
    acting.allow(Action::ChangeMembers)?;
    let new = prepare(store, inviter(store, acting).await?, wanted)?;
    store.org(acting.org).invite(acting, new).await
}

/// Sends an invitation again under a new link; seven days begin anew.
///
/// Errors: as [`invite`]; `not_found`; `invitation_used`, `invitation_revoked`.
pub async fn resend(store: &Store, acting: &Acting, id: InvitationId, language: String) -> Result<InvitationView> {
    acting.allow(Action::ChangeMembers)?;
    let link = link(store, inviter(store, acting).await?, language);
    store.org(acting.org).resend_invitation(acting, id, link).await
}

/// Takes an invitation back.
///
/// Errors: `forbidden`; `not_found`; `invitation_used`, `invitation_revoked`; the store's.
pub async fn revoke(store: &Store, acting: &Acting, id: InvitationId) -> Result<InvitationView> {
    acting.allow(Action::ChangeMembers)?;
    store.org(acting.org).revoke_invitation(acting, id).await
}

/// The invitation of a link's token, and its org's name.
///
/// Errors: `not_found`; the store's.
pub async fn find(store: &Store, token: &str) -> Result<(InvitationView, String)> {
    store.find_invitation(hash_of(token).ok_or_else(unknown)?).await?.ok_or_else(unknown)
}

/// Makes the account that signed in a member; its address counts as verified from then on.
///
/// Errors: `not_found`; `invitation_foreign` where the account has another address; `invitation_expired`,
/// `invitation_used`, `invitation_revoked`; `conflict` where it is a member already; the store's.
pub async fn accept(store: &Store, actor: &Actor, account: AccountId, token: &str) -> Result<InvitationView> {
    store.accept_invitation(hash_of(token).ok_or_else(unknown)?, actor, account).await
}

/// An invitation that is ready to be written; its token is in the link of the mail and nowhere else.
///
/// Errors: `invalid_field` for the address.
pub(crate) fn prepare(store: &Store, inviter: String, wanted: Invite) -> Result<NewInvitation> {
    let email = normal(&wanted.email);
    check::email(&email)?;
    Ok(NewInvitation { email, role: wanted.role, link: link(store, inviter, wanted.language) })
}

/// Who invites, as the mail says it: a person by their address, a key by its org's name, an operator as the service.
///
/// Errors: `email_unverified`; the store's.
async fn inviter(store: &Store, acting: &Acting) -> Result<String> {
    if let Who::Account(account) = acting.actor.who {
        check_verified(store, account).await?;
        let account = store.find_account(account).await?;
        return Ok(account.map_or_else(|| SERVICE_NAME.to_owned(), |account| account.email));
    }
    if acting.right == Right::Service {
        return Ok(SERVICE_NAME.to_owned());
    }
    let org = store.org(acting.org);
    if !org.has_verified_owner().await? {
        return Err(crate::orgs::no_verified_owner());
    }
    Ok(org.find().await?.ok_or_else(|| Error::new(Code::NotFound).says("no such org"))?.name)
}

fn link(store: &Store, inviter: String, language: String) -> InvitationLink {
    let token = Secret::new(random_base62(TOKEN_CHARS, &**store.rng()));
    let path = Secret::new(format!("{ACCEPT_PATH}?token={}", token.expose()));
    InvitationLink { hash: sha256(token.expose().as_bytes()), path, inviter, language }
}

fn unknown() -> Error {
    Error::new(Code::NotFound).says("no such invitation")
}
