//! What changed since: keys, plans, origins and suspensions reach the connections of this node.

use crate::connection::Session;
use crate::places::Places;
use crate::registry::Registry;
use crate::ticker::Seconds;
use crate::verifier::Verifier;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokenim_domain::id::{AppId, OrgId};
use tokenim_domain::{Code, Error, Result};
use tokio_util::sync::CancellationToken;

/// How often a node asks what changed: a change is in force on every node a second after its commit.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The task that learns of changes.
#[derive(Debug)]
pub struct Watch {
    pub(crate) places: Arc<Places>,
    pub(crate) verifier: Verifier,
    pub(crate) registry: Arc<Registry>,
    pub(crate) seconds: Seconds,
}

/// What is not learned yet.
#[derive(Debug, Default)]
struct Behind {
    /// The number of the last change that was heard of.
    after: i64,
    orgs: BTreeSet<OrgId>,
    /// Changes were missed, so every org may have changed.
    all: bool,
}

impl Behind {
    fn holds(&self, org: OrgId) -> bool {
        self.all || self.orgs.contains(&org)
    }

    fn is_nothing(&self) -> bool {
        !self.all && self.orgs.is_empty()
    }
}

impl Watch {
    /// Looks until told to stop. What can't be read is tried again at the next look; until then what was known stands.
    pub async fn run(self, stop: CancellationToken) {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut behind, mut failing) = (Behind::default(), false);
        while stop.run_until_cancelled(interval.tick()).await.is_some() {
            let looked = stop.run_until_cancelled(self.look(&mut behind)).await.unwrap_or(Ok(()));
            if let Err(error) = &looked
                && !failing
            {
                tracing::error!(%error, source = ?std::error::Error::source(error), "what changed can't be read; what was known stands");
            }
            failing = looked.is_err();
        }
    }

    async fn look(&self, behind: &mut Behind) -> Result<()> {
        loop {
            let changes = self.places.book().changes_since(behind.after).await?;
            let is_more = changes.last != behind.after;
            behind.after = changes.last;
            behind.orgs.extend(changes.orgs);
            behind.all |= changes.is_cut;
            if !is_more {
                break;
            }
        }
        behind.orgs.extend(self.places.doubtful());
        if behind.is_nothing() {
            return Ok(());
        }
        self.learn(behind).await?;
        (behind.orgs, behind.all) = (BTreeSet::new(), false);
        Ok(())
    }

    /// Forgets keys, reads the places anew, then looks at each connection again. In this order: who attaches meanwhile
    /// sees the new generation and looks again itself.
    async fn learn(&self, behind: &Behind) -> Result<()> {
        self.verifier.forget(|org| behind.holds(org));
        self.places.next_generation();
        for place in self.places.filter(|place| behind.holds(place.app.org)) {
            self.places.refresh(&place).await?;
        }
        let mut anew = HashSet::new();
        for connection in self.registry.all() {
            let Some(session) = connection.session() else { continue };
            if !behind.holds(session.identity.app.org) {
                continue;
            }
            match look_again(&self.verifier, &session).await {
                Err(error) if ends(&error) => {
                    let error = self.cause(error, &session, &mut anew).await?;
                    connection.close(error.code, error.retry_after_ms, self.seconds.now());
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// What ended a session. Keys go with their app, and were read after it: so an app whose key is revoked is read once more,
    /// and its own end is what is told.
    async fn cause(&self, error: Error, session: &Session, anew: &mut HashSet<AppId>) -> Result<Error> {
        if error.code != Code::TokenRevoked {
            return Ok(error);
        }
        if anew.insert(session.place.app.app) {
            self.places.refresh(&session.place).await?;
        }
        Ok(session.place.admit(None).err().unwrap_or(error))
    }
}

/// Whether a session that was admitted may go on, and until when.
///
/// Errors: `org_suspended`, `app_suspended`, `token_revoked`; the store's.
pub(crate) async fn look_again(verifier: &Verifier, session: &Session) -> Result<()> {
    session.place.admit(None)?;
    session.set_key_end(verifier.recheck(&session.identity).await?);
    Ok(())
}

/// Whether an error is of the session, not of the store.
pub(crate) fn ends(error: &Error) -> bool {
    let row = error.code.row();
    !row.retryable && row.close != 0
}
