//! The terms on which an app is used now, and the port by which a node asks for them and learns of changes.

use crate::error::{Error, Result};
use crate::id::OrgId;
use crate::log::AppRef;
use crate::login::{Logins, UnknownUsers};
use crate::plan::Limits;
use crate::role::Mode;
use std::future::Future;
use std::pin::Pin;
use tokenim_protocol::Code;
use tokenim_protocol::reply::Facts;

/// Why an app may not be used at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// The org is suspended.
    Org {
        /// Why, for the org to read.
        reason: Option<Box<str>>,
    },
    /// The app is suspended or deleted.
    App,
}

impl Block {
    /// What whoever uses the app all the same is told.
    #[must_use]
    pub fn refusal(&self) -> Error {
        match self {
            Block::Org { reason } => {
                Error::new(Code::OrgSuspended).with(Facts { reason: reason.clone(), ..Facts::default() })
            }
            Block::App => Error::new(Code::AppSuspended),
        }
    }
}

/// Everything that decides whether an app's traffic may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Whether it shares the limits of the org's plan, or has those of a test app.
    pub mode: Mode,
    /// The limits in force.
    pub limits: Limits,
    /// Message units used in the limits' period, over all that share it.
    pub used: i64,
    /// Who may use it at all.
    pub access: Access,
}

/// Who may use an app at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Set where nobody may.
    pub block: Option<Block>,
    /// Web origins that may use it; empty = any.
    pub origins: Vec<Box<str>>,
    /// Which connections of a user a newer one ends.
    pub logins: Logins,
    /// What becomes of a user whom nobody knows yet.
    pub unknown_users: UnknownUsers,
}

impl Default for Access {
    fn default() -> Self {
        Access { block: None, origins: Vec::new(), logins: Logins::Devices, unknown_users: UnknownUsers::Create }
    }
}

impl Access {
    /// Whether the app may be used, from a page of that origin where it is one: an exact match, if the app has a list.
    ///
    /// Errors: `org_suspended`, `app_suspended`, `origin_not_allowed`.
    pub fn admit(&self, origin: Option<&str>) -> Result<()> {
        if let Some(block) = &self.block {
            return Err(block.refusal());
        }
        match origin {
            Some(origin) if !self.origins.is_empty() && !self.origins.iter().any(|allowed| **allowed == *origin) => {
                Err(Code::OriginNotAllowed.into())
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What changed after a number: keys, plans, origins, suspensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The number to ask with next.
    pub last: i64,
    /// The orgs that changed, each once.
    pub orgs: Vec<OrgId>,
    /// Whether some of the changes are forgotten: any org may have changed.
    pub is_cut: bool,
}

/// An answer on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// The terms of every app, as a node sees them.
pub trait TermBook: Send + Sync + 'static {
    /// Where an app stands now; `None` where there is no such app.
    fn terms(&self, of: AppRef) -> Answer<'_, Option<Terms>>;

    /// What changed after a number, 0 to begin with.
    ///
    /// Shapes: a bounded number at once; ask again until the number stays.
    fn changes_since(&self, after: i64) -> Answer<'_, Changes>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_matches_to_the_letter_or_is_refused() {
        let origins = vec!["https://chat.example".into(), "http://localhost:3000".into()];
        let access = Access { origins, ..Access::default() };
        assert!(Access::default().admit(Some("https://any.example")).is_ok());
        assert!(access.admit(Some("http://localhost:3000")).is_ok() && access.admit(None).is_ok());
        for other in ["https://chat.example:443", "https://CHAT.example", "https://chat.example.evil", "null", ""] {
            assert_eq!(access.admit(Some(other)).unwrap_err().code, Code::OriginNotAllowed, "{other}");
        }
    }

    #[test]
    fn a_suspension_tells_its_reason() {
        let block = Block::Org { reason: Some("spam".into()) };
        let error = Access { block: Some(block), ..Access::default() }.admit(None).unwrap_err();
        assert_eq!((error.code, error.facts.unwrap().reason.as_deref()), (Code::OrgSuspended, Some("spam")));
    }
}
