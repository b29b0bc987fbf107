//! Members of an org. Whatever counts owners or members holds the org's row, so that one change decides after the other.

use crate::audit::Event;
use crate::change::Change;
use crate::db::Fence;
use crate::entity::{account, invitation, org_member};
use crate::jobs::enqueue_mail;
use crate::orgs::role;
use crate::scope::OrgScope;
use crate::{fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::json;
use std::collections::HashMap;
use tokenim_domain::actor::{Acting, Actor};
use tokenim_domain::id::{AccountId, OrgId};
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::membership::{check_grant, check_owner_stays};
use tokenim_domain::plan::Feature;
use tokenim_domain::role::OrgRole;
use tokenim_domain::{Code, Error, Result};

/// Members read at once: a page of 200, and one more that tells of another page.
pub const MEMBERS_READ_MAX: u64 = 201;

/// A member of an org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgMember {
    /// The account.
    pub account: AccountId,
    /// Its address.
    pub email: String,
    /// What it is here.
    pub role: OrgRole,
    /// Since when, milliseconds since 1970.
    pub joined_ms: i64,
    /// Whether it signs in with a second factor.
    pub has_totp: bool,
}

impl OrgScope<'_> {
    /// The org's members by account, from above `after` where one is given.
    ///
    /// Shapes: at most [`MEMBERS_READ_MAX`]. Errors: `unavailable`, `overloaded`.
    pub async fn list_members(&self, after: Option<AccountId>, limit: u64) -> Result<Vec<OrgMember>> {
        let query = org_member::Entity::find().filter(org_member::Column::OrgId.eq(self.org));
        let query = sql::page(query, org_member::Column::AccountId, after, limit.min(MEMBERS_READ_MAX));
        self.with_accounts(query.all(&self.reader()).await.map_err(fault::query)?).await
    }

    /// One member.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_member(&self, account: AccountId) -> Result<Option<OrgMember>> {
        let row = org_member::Entity::find_by_id((self.org, account)).one(&self.reader()).await;
        Ok(self.with_accounts(row.map_err(fault::query)?.into_iter().collect()).await?.pop())
    }

    /// How many members the org has, how many of them own it, and how many invitations are open.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn count_members(&self) -> Result<Seats> {
        seats(&self.reader(), self.org, self.store.clock.now_ms()).await
    }

    /// How many members the org's plan allows; `None` = without limit.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn members_max(&self) -> Result<Option<i64>> {
        Ok(self.subscription().await?.plan.entitlements.of(Feature::Members).bound())
    }

    async fn with_accounts(&self, members: Vec<org_member::Model>) -> Result<Vec<OrgMember>> {
        let ids: Vec<_> = members.iter().map(|member| member.account_id).collect();
        // No more of an account than its org may see.
        let rows: Vec<(AccountId, String, Option<i64>)> = account::Entity::find()
            .select_only()
            .columns([account::Column::Id, account::Column::Email, account::Column::TotpConfirmedMs])
            .filter(account::Column::Id.is_in(ids))
            .into_tuple()
            .all(&self.reader())
            .await
            .map_err(fault::query)?;
        let mut accounts: HashMap<_, _> = rows.into_iter().map(|(id, email, totp)| (id, (email, totp))).collect();
        let view = |member: org_member::Model| {
            let (email, totp_confirmed_ms) = accounts.remove(&member.account_id)?;
            Some(role(&member.role).map(|role| OrgMember {
                account: member.account_id,
                email,
                role,
                joined_ms: member.created_ms,
                has_totp: totp_confirmed_ms.is_some(),
            }))
        };
        members.into_iter().filter_map(view).collect()
    }

    /// Gives a member another role; `from` is the one the caller saw.
    ///
    /// Errors: `not_found`; `forbidden` for a role above the actor's own; `conflict` where the role is not `from` any more;
    /// `last_owner`; `unavailable`, `overloaded`.
    pub async fn change_role(self, acting: &Acting, account: AccountId, from: OrgRole, to: OrgRole) -> Result<()> {
        let change = self.begin(&acting.actor).await?;
        let before = change.role_of(account).await?;
        check_grant(acting, before)?;
        check_grant(acting, to)?;
        if before != from {
            let now = format!("the role is {} by now, not {}", before.as_str(), from.as_str());
            return Err(Error::new(Code::Conflict).says(now));
        }
        if before == to {
            return Ok(());
        }
        check_owner_stays(before, Some(to), change.seats().await?.owners)?;
        change.set_role(account, to).await?;
        let event = Event::new("member.role_changed", account);
        change.commit_and_tell(event.before(json!({"role": before.as_str()})).after(json!({"role": to.as_str()}))).await
    }

    /// Takes a member out of the org.
    ///
    /// Errors: `not_found`; `forbidden` for a role above the actor's own; `last_owner`; `unavailable`, `overloaded`.
    pub async fn remove_member(self, acting: &Acting, account: AccountId) -> Result<()> {
        let change = self.begin(&acting.actor).await?;
        check_grant(acting, change.role_of(account).await?)?;
        change.drop_member(account, "member.removed").await
    }

    /// The actor leaves the org.
    ///
    /// Errors: `not_found` where they are not in it; `last_owner`; `unavailable`, `overloaded`.
    pub async fn leave(self, actor: &Actor, account: AccountId) -> Result<()> {
        let change = self.begin(actor).await?;
        change.drop_member(account, "member.left").await
    }

    /// Makes a member an owner in the place of another, who becomes an admin.
    ///
    /// Errors: `not_found`; `conflict` where the one does not own it, or the other does; `unavailable`, `overloaded`.
    pub async fn transfer_ownership(self, actor: &Actor, from: AccountId, to: AccountId) -> Result<()> {
        let change = self.begin(actor).await?;
        let conflict = |message| Err(Error::new(Code::Conflict).says(message));
        match (change.role_of(from).await?, change.role_of(to).await?) {
            (OrgRole::Owner, OrgRole::Owner) => return conflict("this member owns the org already"),
            (OrgRole::Owner, _) => {}
            _ => return conflict("the one who gives the org away does not own it"),
        }
        change.set_role(from, OrgRole::Admin).await?;
        change.set_role(to, OrgRole::Owner).await?;
        change.commit_and_tell(Event::new("org.transferred", self.org).after(json!({"to": to, "from": from}))).await
    }
}

/// How many places of an org are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// Members.
    pub members: u64,
    /// Those of them who own it.
    pub owners: u64,
    /// Invitations that are open.
    pub invitations: u64,
}

/// The orgs of an account, for what a change of the account writes in each of them. In the order of their ids, so that two
/// such changes never wait for each other; they are several, so no org's fence holds what follows.
pub(crate) async fn enter_orgs_of(tx: &DatabaseTransaction, account: AccountId) -> Result<Vec<OrgId>> {
    sql::enter(tx, Fence::Worker).await?;
    let rows = org_member::Entity::find()
        .filter(org_member::Column::AccountId.eq(account))
        .order_by_asc(org_member::Column::OrgId)
        .all(tx)
        .await
        .map_err(fault::query)?;
    Ok(rows.into_iter().map(|row| row.org_id).collect())
}

pub(crate) async fn seats(on: &impl ConnectionTrait, org: OrgId, now_ms: i64) -> Result<Seats> {
    let of_org = || org_member::Entity::find().filter(org_member::Column::OrgId.eq(org));
    let members = of_org().count(on).await.map_err(fault::query)?;
    let owners = of_org().filter(org_member::Column::Role.eq(OrgRole::Owner.as_str())).count(on).await;
    let invitations = invitation::Entity::find()
        .filter(invitation::Column::OrgId.eq(org))
        .filter(invitation::Column::AcceptedMs.is_null())
        .filter(invitation::Column::RevokedMs.is_null())
        .filter(invitation::Column::ExpiresMs.gt(now_ms))
        .count(on)
        .await;
    Ok(Seats { members, owners: owners.map_err(fault::query)?, invitations: invitations.map_err(fault::query)? })
}

impl Change<'_> {
    /// The role of a member; `not_found` where the account is none.
    pub(crate) async fn role_of(&self, account: AccountId) -> Result<OrgRole> {
        let found = org_member::Entity::find_by_id((self.scope.org, account)).one(&self.tx).await;
        let row = found.map_err(fault::query)?.ok_or_else(|| Error::new(Code::NotFound).says("no such member"))?;
        role(&row.role)
    }

    /// Mails the owners of the org, each in the language they chose; of several mails with one key, the first one is sent.
    pub(crate) async fn mail_owners(&self, key: &str, matter: &Matter) -> Result<()> {
        let (store, org) = (self.scope.store, self.scope.org);
        let owners = org_member::Entity::find()
            .filter(org_member::Column::OrgId.eq(org))
            .filter(org_member::Column::Role.eq(OrgRole::Owner.as_str()))
            .limit(MEMBERS_READ_MAX)
            .all(&self.tx)
            .await
            .map_err(fault::query)?;
        // No org sees the language of an account, so it is looked up outside the org's fence.
        sql::enter(&self.tx, Fence::Worker).await?;
        let owners = account::Entity::find()
            .filter(account::Column::Id.is_in(owners.into_iter().map(|owner| owner.account_id)))
            .all(&self.tx)
            .await
            .map_err(fault::query)?;
        sql::enter(&self.tx, Fence::of(org)).await?;
        for owner in owners {
            let language = owner.language.unwrap_or_else(|| "en".to_owned());
            let mail = Mail { to: owner.email, language, matter: matter.clone() };
            enqueue_mail(store, &self.tx, Some(org), &format!("{key}:{}", owner.id), &mail).await?;
        }
        Ok(())
    }

    pub(crate) async fn seats(&self) -> Result<Seats> {
        seats(&self.tx, self.scope.org, self.scope.store.clock.now_ms()).await
    }

    pub(crate) async fn add_member(&self, account: AccountId, role: OrgRole) -> Result<()> {
        let row = org_member::Model {
            org_id: self.scope.org,
            account_id: account,
            role: role.as_str().to_owned(),
            created_ms: self.scope.store.clock.now_ms(),
        };
        sql::insert(&self.tx, row).await
    }

    async fn set_role(&self, account: AccountId, role: OrgRole) -> Result<()> {
        org_member::Entity::update_many()
            .col_expr(org_member::Column::Role, Expr::value(role.as_str()))
            .filter(org_member::Column::OrgId.eq(self.scope.org))
            .filter(org_member::Column::AccountId.eq(account))
            .exec(&self.tx)
            .await
            .map(drop)
            .map_err(fault::query)
    }

    async fn drop_member(self, account: AccountId, action: &'static str) -> Result<()> {
        let before = self.role_of(account).await?;
        check_owner_stays(before, None, self.seats().await?.owners)?;
        let gone = org_member::Entity::delete_by_id((self.scope.org, account)).exec(&self.tx).await;
        gone.map_err(fault::query)?;
        self.commit_and_tell(Event::new(action, account).before(json!({"role": before.as_str()}))).await
    }
}
