//! Every query of TokenIM. An org's tables are reachable only through a scope: an org handle, or an app named by its ref.

mod account;
mod actors;
mod announcements;
mod api_keys;
mod app_keys;
mod apps;
mod audit;
mod backlog;
mod backup;
mod body_links;
mod change;
mod console;
mod db;
mod desk;
mod dump;
#[expect(missing_docs, reason = "the columns are described in migrations/sql")]
pub mod entity;
mod epoch;
mod fault;
mod found;
mod idempotency;
mod import;
mod invitations;
mod jobs;
mod keys;
mod link;
mod log;
mod management_keys;
mod members;
mod node_minutes;
mod nodes;
mod nonce;
mod objects;
mod open;
mod operator_keys;
mod orgs;
mod origins;
mod plans;
mod restore;
mod scope;
mod signing_keys;
mod sql;
mod terms;
#[cfg(test)]
mod tests;
mod totp;
mod uploads;
mod usage;
mod used;

pub use account::{Account, SessionView};
pub use announcements::{Announcement, SHOWN_MAX};
pub use api_keys::{ApiKeyView, NewApiKey};
pub use apps::{App, AppChange};
pub use audit::{AUDIT_PAGE_MAX, AuditEvent, AuditQuery, AuditVerdict};
pub use backlog::Backlog;
pub use backup::{Contents, backup};
pub use body_links::{BodyLink, File, LargeBody};
pub use console::{ConsoleSession, Membership, NewConsoleSession};
pub use desk::{DeadJob, Totals};
pub use found::{FoundedOrg, NewOrg, SIGNING_SECRET_CHARS, SignedUpOrg};
pub use idempotency::{Begun, Remembered, Space};
pub use import::{Progress, import};
pub use invitations::{INVITATIONS_PER_DAY_MAX, INVITATIONS_READ_MAX, InvitationLink, InvitationView, NewInvitation};
pub use jobs::{CLAIM_MS, Job};
pub use keys::{ApiKey, KeyPrint};
pub use link::{Link, LinkPurpose, NewLink};
pub use management_keys::{ManagementKey, ManagementKeyView, NewManagementKey};
pub use members::{MEMBERS_READ_MAX, OrgMember, Seats};
pub use node_minutes::{MINUTE_AGE_MAX_MS, NodeMinute};
pub use nodes::{Beat, NODE_STALE_MS, Node};
pub use nonce::NONCE_BYTES;
pub use objects::{Objects, S3Settings};
pub use open::{
    DatabaseLock, Durability, Opened, ServeLock, Settings, is_postgres_url, lock_database, lock_for_serving,
};
pub use operator_keys::OperatorKey;
pub use orgs::{FirstOwner, FoundOrg, ORGS_OWNED_MAX, OrgPatch, OrgView, OwnOrg};
pub use plans::{Plan, Subscription};
pub use restore::{Restore, Restored, restore};
pub use scope::OrgScope;
pub use signing_keys::{NewMaterial, NewSigningKey, SigningKeyView};
pub use terms::{ORIGINS_MAX, QuotaState};
pub use totp::TotpSeed;
pub use uploads::{GRACE_MS, UNSENT_MS_MAX, UPLOAD_MS_MAX};
pub use usage::{UsageHour, UsageHours};
pub use used::UsedKey;

use db::Db;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use tokenim_domain::clock::Clock;
use tokenim_domain::rng::Rng;
use tokenim_domain::secret::MasterKey;
use tokio::sync::{Notify, Semaphore};

/// The store: connections by what they are for, and what queries need to make ids, times and seals.
///
/// On PostgreSQL `writer` and `readers` see what precedes the org (accounts, sessions, keys) and nothing else:
/// [`OrgScope::reader`] and [`sql::enter`] lead into an org.
#[derive(Clone)]
pub struct Store {
    writer: Db,
    readers: Db,
    log_writer: Db,
    log_readers: Db,
    /// What the delivery reads members and gaps with.
    fan_out: Db,
    /// When the batch that is being committed began, milliseconds since 1970; `i64::MAX` = none is.
    in_flight: Arc<AtomicI64>,
    /// Told when a job is enqueued.
    jobs_nudge: Arc<Notify>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    master: MasterKey,
    /// Where the bytes of large bodies are.
    objects: Objects,
    /// Bodies that may be checked at a time: each is in memory whole.
    seals: Arc<Semaphore>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Store")
    }
}

impl Store {
    /// The same store with the bytes of large bodies elsewhere than in the data folder.
    #[must_use]
    pub fn with_objects(self, objects: Objects) -> Self {
        Store { objects, ..self }
    }

    /// The platform's master key.
    #[must_use]
    pub fn master(&self) -> &MasterKey {
        &self.master
    }

    /// The clock everything of this process reads.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The randomness everything of this process draws from.
    #[must_use]
    pub fn rng(&self) -> &Arc<dyn Rng> {
        &self.rng
    }
}
