//! The audit log: one chain of events per org, each written in the transaction of its change.

use crate::entity::{account, audit_event, audit_head};
use crate::members::enter_orgs_of;
use crate::scope::OrgScope;
use crate::{Store, fault, sql};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use serde_json::{Value, json};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AccountId, OrgId};
use tokenim_domain::secret::sha256;
use tokenim_domain::{Error, Result};

/// What comes before the first event of a chain.
const ROOT: [u8; 32] = [0; 32];
/// Events read at once.
pub const AUDIT_PAGE_MAX: u64 = 200;

/// What happened, as a change hands it to the log. No secrets, bodies, tokens or passwords go in here.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// `thing.verb`, e.g. `key.revoked`.
    pub action: &'static str,
    /// Which thing: its id.
    pub object: String,
    /// What it was.
    pub before: Option<Value>,
    /// What it is now.
    pub after: Option<Value>,
}

impl Event {
    pub(crate) fn new(action: &'static str, object: impl ToString) -> Self {
        Event { action, object: object.to_string(), before: None, after: None }
    }

    pub(crate) fn before(mut self, before: Value) -> Self {
        self.before = Some(before);
        self
    }

    pub(crate) fn after(mut self, after: Value) -> Self {
        self.after = Some(after);
        self
    }
}

/// An event that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its number in the org's chain, from 1.
    pub seq: i64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// `account`, `management_key`, `operator`, `operator_key`, `machine`.
    pub actor_kind: String,
    /// The actor's id.
    pub actor: String,
    /// From where.
    pub address: Option<String>,
    /// `thing.verb`.
    pub action: String,
    /// The thing's id.
    pub object: String,
    /// What it was: JSON.
    pub before: Option<String>,
    /// What it became: JSON.
    pub after: Option<String>,
    /// Why, where it was said.
    pub reason: Option<String>,
    /// [`hash`](Self::hash) of the event before; zeros before the first.
    pub prev_hash: Vec<u8>,
    /// SHA-256 of `prev_hash` and the fields above with the org, as JSON with sorted keys and no spaces.
    pub hash: Vec<u8>,
}

/// Which events to read; `None` asks for any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Those of this action: `thing.verb`.
    pub action: Option<String>,
    /// Those of this actor: an id, or `machine`.
    pub actor: Option<String>,
    /// Those below this seq.
    pub before: Option<i64>,
    /// Those above this seq.
    pub after: Option<i64>,
}

/// What a chain's check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditVerdict {
    /// Every event up to this seq is what was written.
    Intact {
        /// The last one; 0 where there are none.
        seq: i64,
    },
    /// An event is missing, altered, or one too many.
    Broken {
        /// The first one.
        seq: i64,
    },
}

impl AuditVerdict {
    /// Whether it is intact.
    #[must_use]
    pub const fn is_intact(self) -> bool {
        matches!(self, AuditVerdict::Intact { .. })
    }
}

/// Adds an event to an org's chain; the chain's head row is locked until the transaction ends.
pub(crate) async fn append(
    store: &Store,
    tx: &DatabaseTransaction,
    org: OrgId,
    actor: &Actor,
    event: Event,
) -> Result<()> {
    let head = lock_head(tx, org).await?;
    let text = |value: Option<Value>| value.map(|value| canonical(&value));
    let mut row = audit_event::Model {
        org_id: org,
        seq: head.last_seq + 1,
        at_ms: store.clock.now_ms(),
        actor_kind: actor.who.kind().to_owned(),
        actor: actor.who.to_string(),
        address: actor.address.map(|address| address.to_string()),
        action: event.action.to_owned(),
        object: event.object,
        before: text(event.before),
        after: text(event.after),
        reason: actor.reason.clone(),
        prev_hash: head.hash,
        hash: Vec::new(),
    };
    row.hash = hash(&row).to_vec();
    audit_head::Entity::update_many()
        .col_expr(audit_head::Column::LastSeq, Expr::value(row.seq))
        .col_expr(audit_head::Column::Hash, Expr::value(row.hash.clone()))
        .filter(audit_head::Column::OrgId.eq(org))
        .exec(tx)
        .await
        .map_err(fault::query)?;
    sql::insert(tx, row).await
}

/// Adds what an account did about itself to the chains of the orgs it is in; to the service's own, where it is in none or
/// operates the service.
pub(crate) async fn append_to_orgs_of(
    store: &Store,
    tx: &DatabaseTransaction,
    account: AccountId,
    actor: &Actor,
    event: Event,
) -> Result<()> {
    let mut orgs = enter_orgs_of(tx, account).await?;
    let known = account::Entity::find_by_id(account).one(tx).await.map_err(fault::query)?;
    // The service's is last, so that two changes never wait for each other's heads.
    if orgs.is_empty() || known.is_some_and(|account| account.is_operator) {
        orgs.push(OrgId::SERVICE);
    }
    for org in orgs {
        append(store, tx, org, actor, event.clone()).await?;
    }
    Ok(())
}

/// The head of a chain, made if it is the first event, and locked.
async fn lock_head(tx: &DatabaseTransaction, org: OrgId) -> Result<audit_head::Model> {
    let first = audit_head::Model { org_id: org, last_seq: 0, hash: ROOT.to_vec() };
    audit_head::Entity::insert(first.into_active_model())
        .on_conflict(OnConflict::column(audit_head::Column::OrgId).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await
        .map_err(fault::query)?;
    let found = sql::lock(tx, audit_head::Entity::find_by_id(org));
    found.one(tx).await.map_err(fault::query)?.ok_or_else(|| Error::internal("an audit chain without its head"))
}

/// SHA-256 of the event before and this one's fields as canonical JSON.
fn hash(row: &audit_event::Model) -> [u8; 32] {
    let fields = json!({
        "org": row.org_id, "seq": row.seq, "at_ms": row.at_ms, "actor_kind": row.actor_kind, "actor": row.actor,
        "address": row.address, "action": row.action, "object": row.object, "before": row.before, "after": row.after,
        "reason": row.reason,
    });
    sha256(&[&row.prev_hash, canonical(&fields).as_bytes()].concat())
}

/// JSON with sorted keys and no spaces; a dependency may have asked serde_json to keep the order of insertion.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(key, _)| *key);
            let fields: Vec<_> = fields
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::String(key.clone()), canonical(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

impl OrgScope<'_> {
    /// The org's audit log, the newest first, from below `before` (a seq) where one is given.
    ///
    /// Shapes: at most [`AUDIT_PAGE_MAX`] events. Errors: `unavailable`, `overloaded`.
    pub async fn list_audit(&self, before: Option<i64>, limit: u64) -> Result<Vec<AuditEvent>> {
        self.search_audit(&AuditQuery { before, ..AuditQuery::default() }, limit).await
    }

    /// The events of the org's audit log that a query asks for, the newest first; with `after`, from there upwards.
    ///
    /// Shapes: at most one more than [`AUDIT_PAGE_MAX`] events. Errors: `unavailable`, `overloaded`.
    pub async fn search_audit(&self, query: &AuditQuery, limit: u64) -> Result<Vec<AuditEvent>> {
        let found = audit_event::Entity::find()
            .filter(audit_event::Column::OrgId.eq(self.org))
            .apply_if(query.action.as_ref(), |found, action| found.filter(audit_event::Column::Action.eq(action)))
            .apply_if(query.actor.as_ref(), |found, actor| found.filter(audit_event::Column::Actor.eq(actor)))
            .apply_if(query.before, |found, before| found.filter(audit_event::Column::Seq.lt(before)));
        let found = match query.after {
            Some(after) => found.filter(audit_event::Column::Seq.gt(after)).order_by_asc(audit_event::Column::Seq),
            None => found.order_by_desc(audit_event::Column::Seq),
        };
        let rows = found.limit(limit.min(AUDIT_PAGE_MAX + 1)).all(&self.reader()).await.map_err(fault::query)?;
        Ok(rows.into_iter().map(view).collect())
    }

    /// Recomputes the org's chain. The head row says where it ends, so an end that was cut off is found unless the head was
    /// altered with it.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn verify_audit(&self) -> Result<AuditVerdict> {
        let (mut seq, mut prev) = (0, ROOT.to_vec());
        loop {
            let rows = audit_event::Entity::find()
                .filter(audit_event::Column::OrgId.eq(self.org))
                .filter(audit_event::Column::Seq.gt(seq))
                .order_by_asc(audit_event::Column::Seq)
                .limit(AUDIT_PAGE_MAX)
                .all(&self.reader())
                .await
                .map_err(fault::query)?;
            if rows.is_empty() {
                let head = audit_head::Entity::find_by_id(self.org).one(&self.reader()).await;
                let head = head.map_err(fault::query)?;
                let ends_there = head.map_or(seq == 0, |head| head.last_seq == seq && head.hash == prev);
                return Ok(if ends_there {
                    AuditVerdict::Intact { seq }
                } else {
                    AuditVerdict::Broken { seq: seq + 1 }
                });
            }
            for row in rows {
                if row.seq != seq + 1 || row.prev_hash != prev || row.hash != hash(&row) {
                    return Ok(AuditVerdict::Broken { seq: seq + 1 });
                }
                (seq, prev) = (row.seq, row.hash);
            }
        }
    }
}

fn view(row: audit_event::Model) -> AuditEvent {
    AuditEvent {
        seq: row.seq,
        at_ms: row.at_ms,
        actor_kind: row.actor_kind,
        actor: row.actor,
        address: row.address,
        action: row.action,
        object: row.object,
        before: row.before,
        after: row.after,
        reason: row.reason,
        prev_hash: row.prev_hash,
        hash: row.hash,
    }
}
