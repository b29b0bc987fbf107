//! Orgs: one through its own handle, those of an account, and the search that only operators have.

use crate::audit::Event;
use crate::db::Fence;
use crate::entity::{account, org, org_member};
use crate::found::subscribe;
use crate::scope::OrgScope;
use crate::{NewInvitation, Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryResult};
use serde_json::{Map, Value, json};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AccountId, OrgId};
use tokenim_domain::role::OrgRole;
use tokenim_domain::{Code, Error, Result};

/// Orgs that one account may own.
pub const ORGS_OWNED_MAX: u64 = 20;
/// Orgs of one account that are listed.
const ORGS_LISTED_MAX: i64 = 1_000;

/// An org, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgView {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: String,
    /// When it was created, milliseconds since 1970.
    pub created_ms: i64,
    /// When an operator suspended it.
    pub suspended_ms: Option<i64>,
    /// Why.
    pub suspended_reason: Option<String>,
    /// Whether its members need a second factor.
    pub requires_totp: bool,
}

/// An org that an account is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnOrg {
    /// The org.
    pub org: OrgView,
    /// What the account is there.
    pub role: OrgRole,
}

/// An org, as operators find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundOrg {
    /// The org.
    pub org: OrgView,
    /// Its present plan.
    pub plan: Option<String>,
    /// How many members it has.
    pub members: i64,
    /// How many apps.
    pub apps: i64,
}

/// What to change of an org; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrgPatch {
    /// Its name.
    pub name: Option<String>,
    /// Whether its members need a second factor.
    pub requires_totp: Option<bool>,
}

/// Who owns a new org.
#[derive(Debug, Clone)]
pub enum FirstOwner {
    /// An account that exists.
    Account(AccountId),
    /// An address that gets an invitation; until it is accepted, the org has no member.
    Invited(NewInvitation),
}

const OF_ACCOUNT: &str = "
SELECT o.id, o.name, o.created_ms, o.suspended_ms, o.suspended_reason, o.requires_totp, m.role
FROM org_member m JOIN org o ON o.id = m.org_id WHERE m.account_id = $1 ORDER BY LOWER(o.name), o.id LIMIT $2";

/// An id is found whole; a name, a member's address and a key's hint by any part.
const SEARCH: &str = "
SELECT o.id, o.name, o.created_ms, o.suspended_ms, o.suspended_reason, o.requires_totp,
    (SELECT s.plan FROM subscription s WHERE s.org_id = o.id AND s.until_ms IS NULL ORDER BY s.from_ms DESC LIMIT 1) AS plan,
    (SELECT COUNT(*) FROM org_member m WHERE m.org_id = o.id) AS members,
    (SELECT COUNT(*) FROM app p WHERE p.org_id = o.id AND p.deleted_ms IS NULL) AS apps
FROM org o
WHERE o.id > $1 AND (LOWER(o.name) LIKE $2 ESCAPE '\\' OR o.id = $3
    OR o.id IN (SELECT m.org_id FROM org_member m JOIN account a ON a.id = m.account_id WHERE a.email LIKE $2 ESCAPE '\\')
    OR o.id IN (SELECT p.org_id FROM app p JOIN api_key k ON k.app_id = p.id WHERE LOWER(k.hint) LIKE $2 ESCAPE '\\')
    OR o.id IN (SELECT k.org_id FROM management_key k WHERE LOWER(k.hint) LIKE $2 ESCAPE '\\'))
ORDER BY o.id LIMIT $4";

impl Store {
    /// The orgs an account is in, by name.
    ///
    /// Shapes: at most 1,000. Errors: `unavailable`, `overloaded`.
    pub async fn list_orgs_of(&self, account: AccountId) -> Result<Vec<OwnOrg>> {
        let rows = sql::rows(&self.readers, OF_ACCOUNT, [account.into(), ORGS_LISTED_MAX.into()]).await?;
        rows.iter().map(|row| Ok(OwnOrg { org: found(row)?, role: role(&sql::get::<String>(row, "role")?)? })).collect()
    }

    /// Orgs of the service, the oldest first, from above `after` where one is given: for operators only. `text` is part of
    /// a name, a member's address or a key's hint, or a whole id; an empty one finds all.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn search_orgs(&self, text: &str, after: Option<OrgId>, limit: u64) -> Result<Vec<FoundOrg>> {
        let text = text.trim();
        let (whole, after) = (text.parse().unwrap_or(OrgId::SERVICE), after.unwrap_or(OrgId::SERVICE));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [after.into(), like(text).into(), whole.into(), limit.into()];
        let rows = sql::rows(&self.readers.within(Fence::Worker), SEARCH, values).await?;
        let view = |row| -> Result<FoundOrg> {
            Ok(FoundOrg {
                org: found(row)?,
                plan: sql::get(row, "plan")?,
                members: sql::get(row, "members")?,
                apps: sql::get(row, "apps")?,
            })
        };
        rows.iter().map(view).collect()
    }

    /// Makes an org, without apps.
    ///
    /// Errors: `limit_reached` where the account owns [`ORGS_OWNED_MAX`]; `unavailable`, `overloaded`.
    pub async fn create_org(&self, actor: &Actor, owner: FirstOwner, name: &str, plan: &str) -> Result<OrgView> {
        actor.check_reason()?;
        let tx = sql::begin(&self.writer).await?;
        if let FirstOwner::Account(owner) = owner
            && !actor.is_operator()
        {
            check_owned(&tx, owner).await?;
        }
        let now = self.clock.now_ms();
        let row = org::Model {
            id: OrgId::new(&*self.clock, &*self.rng),
            name: name.to_owned(),
            created_ms: now,
            suspended_ms: None,
            suspended_reason: None,
            requires_totp: false,
        };
        let change = self.org(row.id).go_on(tx, actor).await?;
        sql::insert(&change.tx, row.clone()).await?;
        subscribe(&change.tx, row.id, plan, now).await?;
        let mut after = json!({"name": name, "plan": plan});
        match owner {
            FirstOwner::Account(owner) => {
                change.add_member(owner, OrgRole::Owner).await?;
                after["owner"] = json!(owner);
            }
            FirstOwner::Invited(new) => {
                after["invited"] = json!(new.email);
                change.add_invitation(new, name).await?;
            }
        }
        change.commit(Event::new("org.created", row.id).after(after)).await?;
        Ok(view(row))
    }
}

impl OrgScope<'_> {
    /// The org, if there is one.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find(&self) -> Result<Option<OrgView>> {
        let row = org::Entity::find_by_id(self.org).one(&self.reader()).await.map_err(fault::query)?;
        Ok(row.map(view))
    }

    /// Changes name and rules of the org; what is as asked already changes nothing.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn update(self, actor: &Actor, patch: &OrgPatch) -> Result<OrgView> {
        let change = self.begin(actor).await?;
        let mut row = change.lock_org().await?;
        let (mut before, mut after) = (Map::new(), Map::new());
        let mut note = |field: &str, was: Value, is: Value| {
            before.insert(field.to_owned(), was);
            after.insert(field.to_owned(), is);
        };
        if let Some(name) = patch.name.clone().filter(|name| *name != row.name) {
            note("name", json!(row.name), json!(name));
            row.name = name;
        }
        if let Some(requires) = patch.requires_totp.filter(|requires| *requires != row.requires_totp) {
            note("requires_totp", json!(row.requires_totp), json!(requires));
            row.requires_totp = requires;
        }
        if after.is_empty() {
            return Ok(view(row));
        }
        org::Entity::update_many()
            .col_expr(org::Column::Name, Expr::value(row.name.clone()))
            .col_expr(org::Column::RequiresTotp, Expr::value(row.requires_totp))
            .filter(org::Column::Id.eq(self.org))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        let event = Event::new("org.changed", self.org).before(before.into()).after(after.into());
        change.commit(event).await?;
        Ok(view(row))
    }

    /// Suspends the org for the actor's reason, or lifts that; nodes learn it soon.
    ///
    /// Errors: `conflict` where it is so already; `not_found`; `unavailable`, `overloaded`.
    pub async fn suspend(self, actor: &Actor, is_suspended: bool) -> Result<OrgView> {
        let change = self.begin(actor).await?;
        let mut row = change.lock_org().await?;
        if row.suspended_ms.is_some() == is_suspended {
            let now = if is_suspended { "suspended already" } else { "not suspended" };
            return Err(Error::new(Code::Conflict).says(format!("the org is {now}")));
        }
        let before = json!({"suspended_ms": row.suspended_ms, "reason": row.suspended_reason});
        row.suspended_ms = is_suspended.then(|| self.store.clock.now_ms());
        row.suspended_reason = actor.reason.clone().filter(|_| is_suspended);
        org::Entity::update_many()
            .col_expr(org::Column::SuspendedMs, Expr::value(row.suspended_ms))
            .col_expr(org::Column::SuspendedReason, Expr::value(row.suspended_reason.clone()))
            .filter(org::Column::Id.eq(self.org))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        let after = json!({"suspended_ms": row.suspended_ms, "reason": row.suspended_reason});
        let action = if is_suspended { "org.suspended" } else { "org.resumed" };
        change.commit_and_tell(Event::new(action, self.org).before(before).after(after)).await?;
        Ok(view(row))
    }
}

/// Asks that an account may own one more org; its row is locked, so that two at a time are counted one after the other.
async fn check_owned(tx: &DatabaseTransaction, owner: AccountId) -> Result<()> {
    sql::lock(tx, account::Entity::find_by_id(owner)).one(tx).await.map_err(fault::query)?;
    let owned = org_member::Entity::find()
        .filter(org_member::Column::AccountId.eq(owner))
        .filter(org_member::Column::Role.eq(OrgRole::Owner.as_str()))
        .count(tx)
        .await
        .map_err(fault::query)?;
    if owned < ORGS_OWNED_MAX {
        return Ok(());
    }
    Err(Error::new(Code::LimitReached).says(format!("an account owns at most {ORGS_OWNED_MAX} orgs")))
}

/// A pattern that finds `text` anywhere, in lower case, its own `%` and `_` taken literally.
fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn view(row: org::Model) -> OrgView {
    OrgView {
        id: row.id,
        name: row.name,
        created_ms: row.created_ms,
        suspended_ms: row.suspended_ms,
        suspended_reason: row.suspended_reason,
        requires_totp: row.requires_totp,
    }
}

fn found(row: &QueryResult) -> Result<OrgView> {
    Ok(OrgView {
        id: sql::get(row, "id")?,
        name: sql::get(row, "name")?,
        created_ms: sql::get(row, "created_ms")?,
        suspended_ms: sql::get(row, "suspended_ms")?,
        suspended_reason: sql::get(row, "suspended_reason")?,
        requires_totp: sql::get(row, "requires_totp")?,
    })
}

/// The role a row names.
pub(crate) fn role(text: &str) -> Result<OrgRole> {
    OrgRole::find(text).ok_or_else(|| Error::internal(format!("unknown role {text:?}")))
}
