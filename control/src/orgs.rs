//! Orgs: another one for an account or by an operator, names and rules, leaving, giving away, suspending.

use crate::check;
use crate::invitations::{self, Invite, SERVICE_NAME};
use crate::sign_in::normal;
use tokenim_domain::actor::{Acting, Action, Actor, Right, Who};
use tokenim_domain::id::{AccountId, OrgId};
use tokenim_domain::role::OrgRole;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{FirstOwner, OrgPatch, OrgView, Store};

/// The plan of a new org.
pub const FIRST_PLAN: &str = "basic";

/// Makes another org, owned by the account that asks.
///
/// Errors: `email_unverified`; `invalid_field` for the name; `limit_reached` where the account owns too many; the store's.
pub async fn create(store: &Store, actor: &Actor, account: AccountId, name: &str) -> Result<OrgView> {
    check::name(name.trim())?;
    check_verified(store, account).await?;
    store.create_org(actor, FirstOwner::Account(account), name.trim(), FIRST_PLAN).await
}

/// Makes an org for somebody: an account whose address is verified to be that one owns it, any other address is invited to.
/// Whoever signed up with an address first need not be the one who reads its mail.
///
/// Errors: `invalid_field` for name, address or a missing reason; the store's.
pub async fn create_for(store: &Store, operator: &Actor, name: &str, owner: Invite) -> Result<OrgView> {
    check::name(name.trim())?;
    let email = normal(&owner.email);
    check::email(&email)?;
    let owner = match store.find_account_by_email(&email).await? {
        Some(account) if account.is_verified => FirstOwner::Account(account.id),
        _ => {
            let invite = Invite { email, role: OrgRole::Owner, ..owner };
            FirstOwner::Invited(invitations::prepare(store, SERVICE_NAME.to_owned(), invite)?)
        }
    };
    store.create_org(operator, owner, name.trim(), FIRST_PLAN).await
}

/// Changes an org's name and rules.
///
/// Errors: `forbidden`; `invalid_field` for the name, or where a person asks others for a second factor without having
/// one; the store's.
pub async fn update(store: &Store, acting: &Acting, mut patch: OrgPatch) -> Result<OrgView> {
    acting.allow(Action::ChangeSettings)?;
    if let Some(name) = &mut patch.name {
        check::name(name.trim())?;
        *name = name.trim().to_owned();
    }
    if let (Some(true), Who::Account(account)) = (patch.requires_totp, acting.actor.who)
        && !store.find_account(account).await?.is_some_and(|account| account.has_totp)
    {
        return Err(Error::invalid(
            "requires_totp",
            "set up a second factor for yourself before you ask others for one",
        ));
    }
    store.org(acting.org).update(&acting.actor, &patch).await
}

/// Suspends an org, or lifts that: operators only, for the actor's reason.
///
/// Errors: `forbidden`; `invalid_field` for a missing reason; `conflict` where it is so already; the store's.
pub async fn suspend(store: &Store, acting: &Acting, is_suspended: bool) -> Result<OrgView> {
    if acting.right != Right::Service {
        return Err(Error::new(Code::Forbidden).says("only the service's operators suspend orgs"));
    }
    store.org(acting.org).suspend(&acting.actor, is_suspended).await
}

/// The actor, a person, leaves the org.
///
/// Errors: `forbidden` for keys and operators, who are no members; `last_owner`; the store's.
pub async fn leave(store: &Store, acting: &Acting) -> Result<()> {
    let Who::Account(account) = acting.actor.who else {
        return Err(Error::new(Code::Forbidden).says("only a member can leave"));
    };
    store.org(acting.org).leave(&acting.actor, account).await
}

/// Makes a member an owner in the place of another, who stays as an admin. A person gives away what is their own, a key
/// what is its maker's; operators answer for any owner.
///
/// Errors: `forbidden`, at `from` for another's ownership; `not_found`; `conflict` where the one does not own it, or the
/// other does; the store's.
/// Source: docs/MANAGE.md §4.
pub async fn transfer_ownership(store: &Store, acting: &Acting, from: AccountId, to: AccountId) -> Result<()> {
    acting.allow(Action::TransferOwnership)?;
    let own = match acting.actor.who {
        Who::Account(account) => account == from,
        Who::ManagementKey(key) => {
            let key = store.org(acting.org).show_management_key(key).await?;
            key.is_some_and(|key| key.created_by == from.to_string())
        }
        Who::Operator(_) | Who::OperatorKey(_) | Who::Machine => acting.right == Right::Service,
    };
    if !own {
        let wrong = "a person gives away their own ownership, and a key that of the owner who made it";
        return Err(Error::new(Code::Forbidden).says(wrong).at("from"));
    }
    store.org(acting.org).transfer_ownership(&acting.actor, from, to).await
}

/// Asks that an account is a member of an org, before its session looks there.
///
/// Errors: `not_found`, for an org that does not exist as well; the store's.
pub async fn check_member(store: &Store, account: AccountId, org: OrgId) -> Result<OrgRole> {
    let member = store.org(org).find_member(account).await?;
    member.map(|member| member.role).ok_or_else(|| Error::new(Code::NotFound).says("no such org"))
}

/// Asks that a person's address is verified.
pub(crate) async fn check_verified(store: &Store, account: AccountId) -> Result<()> {
    match store.find_account(account).await? {
        Some(account) if account.is_verified => Ok(()),
        _ => Err(Code::EmailUnverified.into()),
    }
}

/// Asks that an owner of the org has verified an address; an operator answers for that.
pub(crate) async fn check_verified_owner(store: &Store, acting: &Acting) -> Result<()> {
    if acting.right == Right::Service || store.org(acting.org).has_verified_owner().await? {
        return Ok(());
    }
    Err(no_verified_owner())
}

/// What waits for an owner with a verified address, told to whoever is none.
pub(crate) fn no_verified_owner() -> Error {
    Error::new(Code::EmailUnverified).says("no owner of this org has verified an address yet")
}
