//! Remembered answers of POST requests: what makes an `Idempotency-Key` work.

use crate::db::Fence;
use crate::{Store, fault, sql};
use sea_orm::Value;
use tokenim_domain::Result;
use tokenim_domain::id::OrgId;
use tokenim_domain::log::AppRef;

/// How long an answer is remembered.
const KEPT_MS: i64 = 24 * 3_600_000;
/// After this long a request that left no answer is taken for dead; where its space allows that, the key may run again.
const RUNNING_MS_MAX: i64 = 60_000;
/// Expired keys that a request forgets on its way: more than it adds, so that what piled up is worked off.
const FORGOTTEN_MAX: i64 = 16;
const SEAL_PURPOSE: &str = "idempotency";

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: the request may run, and must be finished or abandoned.
    Fresh,
    /// It has run; this was its answer.
    Done(Remembered),
    /// It is running.
    Running,
    /// It began and left no answer: what became of it is not known, and it must not run again.
    Lost,
    /// It was used with another request.
    Mismatch,
}

/// A remembered answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// HTTP status.
    pub status: u16,
    /// Body, as sent.
    pub body: Vec<u8>,
}

/// Whose keys they are: two spaces never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// An app's: its servers and users.
    App(AppRef),
    /// An org's: its management keys. The nil org's is the space of operators.
    Org(OrgId),
}

impl From<AppRef> for Space {
    fn from(app: AppRef) -> Self {
        Space::App(app)
    }
}

impl From<OrgId> for Space {
    fn from(org: OrgId) -> Self {
        Space::Org(org)
    }
}

/// The statements on one of the two tables.
struct Texts {
    take: &'static str,
    find: &'static str,
    finish: &'static str,
    abandon: &'static str,
    forget: &'static str,
}

macro_rules! texts {
    ($table:literal, $owner:literal) => {
        Texts {
            take: concat!(
                "INSERT INTO ",
                $table,
                " (",
                $owner,
                ", key, request_hash, created_ms) VALUES ($1, $2, $3, $4)
                ON CONFLICT (",
                $owner,
                ", key)
                DO UPDATE SET created_ms = excluded.created_ms, request_hash = excluded.request_hash
                WHERE ",
                $table,
                ".status IS NULL AND ",
                $table,
                ".created_ms <= $5"
            ),
            find: concat!(
                "SELECT request_hash, status, sealed_body, created_ms FROM ",
                $table,
                " WHERE ",
                $owner,
                " = $1 AND key = $2"
            ),
            finish: concat!(
                "UPDATE ",
                $table,
                " SET status = $3, sealed_body = $4 WHERE ",
                $owner,
                " = $1 AND key = $2"
            ),
            abandon: concat!("DELETE FROM ", $table, " WHERE ", $owner, " = $1 AND key = $2 AND status IS NULL"),
            forget: concat!(
                "DELETE FROM ",
                $table,
                " WHERE (",
                $owner,
                ", key) IN
                (SELECT ",
                $owner,
                ", key FROM ",
                $table,
                " WHERE created_ms < $1 ORDER BY created_ms LIMIT $2)"
            ),
        }
    };
}

const OF_APP: Texts = texts!("idempotency", "app_id");
const OF_ORG: Texts = texts!("org_idempotency", "org_id");

impl Space {
    const fn texts(self) -> &'static Texts {
        match self {
            Space::App(_) => &OF_APP,
            Space::Org(_) => &OF_ORG,
        }
    }

    /// Whether a request that left no answer may run again. An app's makes its ids from the key, so it finds what was made
    /// before; one of the provisioning API would make another.
    #[must_use]
    pub const fn runs_again(self) -> bool {
        matches!(self, Space::App(_))
    }

    fn owner(self) -> Value {
        match self {
            Space::App(app) => app.app.into(),
            Space::Org(org) => org.into(),
        }
    }

    fn fence(self) -> Fence {
        match self {
            Space::App(app) => Fence::of(app.org),
            Space::Org(org) => Fence::of(org),
        }
    }
}

impl Store {
    /// Claims a key for a request, or tells what became of the request that has it.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn begin_idempotent(&self, space: impl Into<Space>, key: &str, request_hash: [u8; 32]) -> Result<Begun> {
        let (space, now) = (space.into(), self.clock.now_ms());
        let (texts, tx) = (space.texts(), sql::begin_within(&self.writer, Fence::Worker).await?);
        sql::run(&tx, texts.forget, [(now - KEPT_MS).into(), FORGOTTEN_MAX.into()]).await.map_err(fault::query)?;
        sql::enter(&tx, space.fence()).await?;
        let dead_ms = now - RUNNING_MS_MAX;
        let again_ms = if space.runs_again() { dead_ms } else { i64::MIN };
        let values = [space.owner(), key.into(), request_hash.to_vec().into(), now.into(), again_ms.into()];
        let taken = sql::run(&tx, texts.take, values).await.map_err(fault::query)? == 1;
        let found = if taken { None } else { sql::row(&tx, texts.find, [space.owner(), key.into()]).await? };
        // Where this answer is lost nothing ran, whatever became of the key.
        tx.commit().await.map_err(fault::query)?;
        // What is not taken stands there.
        let Some(row) = found else { return Ok(Begun::Fresh) };
        if sql::get::<Vec<u8>>(&row, "request_hash")? != request_hash {
            return Ok(Begun::Mismatch);
        }
        let (status, sealed) =
            (sql::get::<Option<i64>>(&row, "status")?, sql::get::<Option<Vec<u8>>>(&row, "sealed_body")?);
        let (Some(status), Some(sealed)) = (status, sealed) else {
            let is_dead = sql::get::<i64>(&row, "created_ms")? <= dead_ms;
            return Ok(if is_dead { Begun::Lost } else { Begun::Running });
        };
        let body = self.master.open(SEAL_PURPOSE, &sealed)?;
        Ok(Begun::Done(Remembered { status: u16::try_from(status).unwrap_or(500), body }))
    }

    /// Remembers the answer of a request that ran.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn finish_idempotent(&self, space: impl Into<Space>, key: &str, answer: &Remembered) -> Result<()> {
        let space = space.into();
        let sealed = self.master.seal(SEAL_PURPOSE, &answer.body, &*self.rng)?;
        let values = [space.owner(), key.into(), i64::from(answer.status).into(), sealed.into()];
        sql::run(&self.writer.within(space.fence()), space.texts().finish, values).await.map(drop).map_err(fault::query)
    }

    /// Frees the key of a request that may be tried again.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn abandon_idempotent(&self, space: impl Into<Space>, key: &str) -> Result<()> {
        let space = space.into();
        sql::run(&self.writer.within(space.fence()), space.texts().abandon, [space.owner(), key.into()])
            .await
            .map(drop)
            .map_err(fault::query)
    }
}
