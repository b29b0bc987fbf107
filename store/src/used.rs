//! When a key was used last: noted behind the requests, never on their way.

use crate::db::Fence;
use crate::{Store, fault, sql};
use sea_orm::Value;
use std::net::IpAddr;
use tokenim_domain::Result;
use tokenim_domain::id::{KeyId, OrgId};
use tokenim_domain::log::AppRef;

/// A key of any kind, by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedKey {
    /// A server key of an app.
    Server(AppRef, KeyId),
    /// A management key of an org.
    Management(OrgId, KeyId),
    /// An operator's key.
    Operator(KeyId),
}

const SERVER: &str = "
UPDATE api_key SET last_used_ms = $1, last_used_from = $2
WHERE app_id = $3 AND id = $4 AND COALESCE(last_used_ms, 0) < $1";
const MANAGEMENT: &str = "
UPDATE management_key SET last_used_ms = $1, last_used_from = $2
WHERE org_id = $3 AND id = $4 AND COALESCE(last_used_ms, 0) < $1";
const OPERATOR: &str = "UPDATE operator_key SET last_used_ms = $1 WHERE id = $2 AND COALESCE(last_used_ms, 0) < $1";

impl UsedKey {
    /// The key's own id.
    #[must_use]
    pub const fn id(self) -> KeyId {
        match self {
            UsedKey::Server(_, id) | UsedKey::Management(_, id) | UsedKey::Operator(id) => id,
        }
    }
}

impl Store {
    /// Notes that a key was used at that time, in milliseconds since 1970; an older time changes nothing.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn note_used(&self, key: UsedKey, at_ms: i64, from: Option<IpAddr>) -> Result<()> {
        let from = Value::from(from.map(|address| address.to_string()));
        let (fence, text, values) = match key {
            UsedKey::Server(app, id) => {
                (Fence::Org(app.org), SERVER, vec![at_ms.into(), from, app.app.into(), id.into()])
            }
            UsedKey::Management(org, id) => {
                (Fence::Org(org), MANAGEMENT, vec![at_ms.into(), from, org.into(), id.into()])
            }
            UsedKey::Operator(id) => (Fence::Worker, OPERATOR, vec![at_ms.into(), id.into()]),
        };
        sql::run(&self.writer.within(fence), text, values).await.map(drop).map_err(fault::query)
    }
}
