//! Keys of the provisioning API for the whole service; their changes stand in the service's own audit chain.

use crate::audit::Event;
use crate::entity::operator_key;
use crate::keys::KeyPrint;
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{KeyId, OrgId};
use tokenim_domain::{Code, Result};

/// Operator keys that are listed: more than anybody keeps.
const KEYS_MAX: u64 = 1_000;

/// An operator key, as a request is judged by it and as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorKey {
    /// Its id.
    pub id: KeyId,
    /// Its name.
    pub name: String,
    /// Prefix and last characters of its secret.
    pub hint: String,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
    /// When it was used last, to the minute.
    pub last_used_ms: Option<i64>,
}

impl Store {
    /// The operator key with that SHA-256.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_operator_key(&self, hash: [u8; 32]) -> Result<Option<OperatorKey>> {
        let query = operator_key::Entity::find().filter(operator_key::Column::Hash.eq(hash.to_vec()));
        Ok(query.one(&self.readers).await.map_err(fault::query)?.map(view))
    }

    /// The operator keys, the oldest first; revoked ones too.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn list_operator_keys(&self) -> Result<Vec<OperatorKey>> {
        let query = operator_key::Entity::find().order_by_asc(operator_key::Column::Id).limit(KEYS_MAX);
        Ok(query.all(&self.readers).await.map_err(fault::query)?.into_iter().map(view).collect())
    }

    /// Makes an operator key of that name.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn create_operator_key(&self, actor: &Actor, name: &str, print: KeyPrint) -> Result<OperatorKey> {
        let change = self.org(OrgId::SERVICE).begin(actor).await?;
        let row = operator_key::Model {
            id: KeyId::new(&*self.clock, &*self.rng),
            name: name.to_owned(),
            hint: print.hint,
            hash: print.hash.to_vec(),
            created_ms: self.clock.now_ms(),
            revoked_ms: None,
            last_used_ms: None,
        };
        sql::insert(&change.tx, row.clone()).await?;
        let after = json!({"name": row.name, "hint": row.hint});
        change.commit(Event::new("operator_key.created", row.id).after(after)).await?;
        Ok(view(row))
    }

    /// Revokes an operator key; one that is revoked stays as it is.
    ///
    /// Errors: `not_found`; `unavailable`, `overloaded`.
    pub async fn revoke_operator_key(&self, actor: &Actor, id: KeyId) -> Result<OperatorKey> {
        let change = self.org(OrgId::SERVICE).begin(actor).await?;
        let found = operator_key::Entity::find_by_id(id).one(&change.tx).await.map_err(fault::query)?;
        let mut row = found.ok_or(Code::NotFound)?;
        if row.revoked_ms.is_some() {
            return Ok(view(row));
        }
        row.revoked_ms = Some(self.clock.now_ms());
        operator_key::Entity::update_many()
            .col_expr(operator_key::Column::RevokedMs, Expr::value(row.revoked_ms))
            .filter(operator_key::Column::Id.eq(id))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        change.commit(Event::new("operator_key.revoked", id).before(json!({"name": row.name}))).await?;
        Ok(view(row))
    }
}

fn view(row: operator_key::Model) -> OperatorKey {
    OperatorKey {
        id: row.id,
        name: row.name,
        hint: row.hint,
        created_ms: row.created_ms,
        revoked_ms: row.revoked_ms,
        last_used_ms: row.last_used_ms,
    }
}
