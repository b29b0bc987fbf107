//! Keys of the provisioning API, each in a role of its org.

use crate::audit::Event;
use crate::entity::management_key;
use crate::keys::{KeyPrint, ends_after};
use crate::orgs::role;
use crate::scope::OrgScope;
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::json;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{KeyId, OrgId};
use tokenim_domain::mail::Matter;
use tokenim_domain::role::OrgRole;
use tokenim_domain::{Code, Error, Result};

/// Management keys of an org that stand.
const KEYS_MAX: u64 = 100;

/// A management key that exists, as a request is judged by it.
#[derive(Debug, Clone)]
pub struct ManagementKey {
    /// Its id.
    pub id: KeyId,
    /// The org it opens.
    pub org: OrgId,
    /// As whom.
    pub role: OrgRole,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// Set when it was revoked.
    pub revoked: bool,
}

/// A management key to make; its secret never comes here.
#[derive(Debug, Clone)]
pub struct NewManagementKey {
    /// Its name.
    pub name: String,
    /// As whom it acts.
    pub role: OrgRole,
    /// What is kept of its secret.
    pub print: KeyPrint,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// A management key, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementKeyView {
    /// Its id.
    pub id: KeyId,
    /// Its name.
    pub name: String,
    /// As whom it acts.
    pub role: OrgRole,
    /// Prefix and last characters of its secret.
    pub hint: String,
    /// Who made it: an id, as the audit log writes it.
    pub created_by: String,
    /// When, milliseconds since 1970.
    pub created_ms: i64,
    /// When it ends.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// When it was used last, to the minute.
    pub last_used_ms: Option<i64>,
    /// From which address.
    pub last_used_from: Option<String>,
}

impl Store {
    /// The management key with that SHA-256.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_management_key(&self, hash: [u8; 32]) -> Result<Option<ManagementKey>> {
        let found = management_key::Entity::find()
            .filter(management_key::Column::Hash.eq(hash.to_vec()))
            .one(&self.readers)
            .await
            .map_err(fault::query)?;
        let Some(row) = found else { return Ok(None) };
        Ok(Some(ManagementKey {
            id: row.id,
            org: row.org_id,
            role: role(&row.role)?,
            expires_ms: row.expires_ms,
            revoked: row.revoked_ms.is_some(),
        }))
    }
}

impl OrgScope<'_> {
    /// The org's management keys, the oldest first, from above `after` where one is given; revoked ones too.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn list_management_keys(&self, after: Option<KeyId>, limit: u64) -> Result<Vec<ManagementKeyView>> {
        let query = management_key::Entity::find().filter(management_key::Column::OrgId.eq(self.org));
        let rows = sql::page(query, management_key::Column::Id, after, limit).all(&self.reader()).await;
        rows.map_err(fault::query)?.into_iter().map(view).collect()
    }

    /// The management key of the org with that id, if there is one.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn show_management_key(&self, id: KeyId) -> Result<Option<ManagementKeyView>> {
        let found = management_key::Entity::find_by_id((self.org, id)).one(&self.reader()).await;
        found.map_err(fault::query)?.map(view).transpose()
    }

    /// Makes a management key.
    ///
    /// Errors: `limit_reached` at 100 that stand; `unavailable`, `overloaded`.
    pub async fn create_management_key(self, actor: &Actor, new: NewManagementKey) -> Result<ManagementKeyView> {
        let change = self.begin(actor).await?;
        let standing = management_key::Entity::find()
            .filter(management_key::Column::OrgId.eq(self.org))
            .filter(management_key::Column::RevokedMs.is_null())
            .filter(ends_after(management_key::Column::ExpiresMs, self.store.clock.now_ms()))
            .count(&change.tx)
            .await
            .map_err(fault::query)?;
        if standing >= KEYS_MAX {
            return Err(Error::new(Code::LimitReached)
                .says(format!("an org has at most {KEYS_MAX} management keys that stand; revoke one first")));
        }
        let row = management_key::Model {
            org_id: self.org,
            id: KeyId::new(&*self.store.clock, &*self.store.rng),
            name: new.name,
            role: new.role.as_str().to_owned(),
            hint: new.print.hint,
            hash: new.print.hash.to_vec(),
            created_by: actor.who.to_string(),
            created_ms: self.store.clock.now_ms(),
            expires_ms: new.expires_ms,
            revoked_ms: None,
            last_used_ms: None,
            last_used_from: None,
        };
        sql::insert(&change.tx, row.clone()).await?;
        let after = json!({"name": row.name, "role": row.role, "hint": row.hint, "expires_ms": row.expires_ms});
        change.commit_and_tell(Event::new("management_key.created", row.id).after(after)).await?;
        view(row)
    }

    /// Revokes a management key, and mails the org's owners where there is something to tell; one that is revoked stays as it
    /// is.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn revoke_management_key(
        self,
        actor: &Actor,
        id: KeyId,
        told: Option<&Matter>,
    ) -> Result<ManagementKeyView> {
        let change = self.begin(actor).await?;
        let found = management_key::Entity::find_by_id((self.org, id)).one(&change.tx).await.map_err(fault::query)?;
        let mut row = found.ok_or(Code::NotFound)?;
        if row.revoked_ms.is_some() {
            return view(row);
        }
        row.revoked_ms = Some(self.store.clock.now_ms());
        management_key::Entity::update_many()
            .col_expr(management_key::Column::RevokedMs, Expr::value(row.revoked_ms))
            .filter(management_key::Column::OrgId.eq(self.org))
            .filter(management_key::Column::Id.eq(id))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        if let Some(matter) = told {
            change.mail_owners(&format!("revoked:{id}"), matter).await?;
        }
        let before = json!({"name": row.name, "role": row.role, "hint": row.hint});
        change.commit_and_tell(Event::new("management_key.revoked", id).before(before)).await?;
        view(row)
    }
}

fn view(row: management_key::Model) -> Result<ManagementKeyView> {
    Ok(ManagementKeyView {
        id: row.id,
        name: row.name,
        role: role(&row.role)?,
        hint: row.hint,
        created_by: row.created_by,
        created_ms: row.created_ms,
        expires_ms: row.expires_ms,
        revoked_ms: row.revoked_ms,
        last_used_ms: row.last_used_ms,
        last_used_from: row.last_used_from,
    })
}
