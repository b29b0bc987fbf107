//! Who changed what: the org's audit log, and the service's own in the operator area.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    number::grouped,
    time::Utc,
};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its number in the chain.
    pub seq: i64,
    /// When.
    pub at: Utc,
    /// The actor's kind, as it is stored.
    pub kind: String,
    /// The actor's id.
    pub actor: String,
    /// Its address or name, where it is known.
    pub actor_name: Option<String>,
    /// From which address.
    pub address: Option<String>,
    /// `thing.verb`.
    pub action: String,
    /// The thing's id.
    pub object: String,
    /// What it was: JSON.
    pub before: Option<String>,
    /// What it became: JSON.
    pub after: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The same page with only this actor's events.
    pub only_actor: String,
    /// The same page with only events of this action.
    pub only_action: String,
}

/// What the check of the chain found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It was not asked for.
    NotAsked,
    /// Intact up to this event.
    Intact(i64),
    /// Not what was written from this event on.
    Broken(i64),
}

/// Filters, as they stand in the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only this action.
    pub action: String,
    /// Only this actor.
    pub actor: String,
}

/// Where the page's links lead; empty where there is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditLinks {
    /// The page itself, without filters.
    pub path: &'static str,
    /// Newer events.
    pub newer: String,
    /// Older events.
    pub older: String,
    /// The same page with the chain checked.
    pub check: String,
    /// The log as lines of JSON.
    pub ndjson: String,
    /// The log as a table.
    pub csv: String,
}

/// The page.
#[derive(Template)]
#[template(path = "audit.html")]
pub struct AuditPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// A page of events, the newest first.
    pub events: &'a [EventRow],
    /// Filters in force.
    pub filter: &'a AuditFilter,
    /// Where links lead.
    pub links: &'a AuditLinks,
    /// What the check found.
    pub check: Check,
}

impl AuditPage<'_> {
    fn is_filtered(&self) -> bool {
        !self.filter.action.is_empty() || !self.filter.actor.is_empty()
    }

    /// What checks the chain at the command line.
    fn command(&self) -> &'static str {
        "tokenim audit verify"
    }

    /// What kind of actor it was.
    fn kind(&self, stored: &str) -> String {
        let key = match stored {
            "account" => "audit-kind-account",
            "management_key" => "audit-kind-management-key",
            "operator" => "audit-kind-operator",
            "operator_key" => "audit-kind-operator-key",
            _ => "audit-kind-machine",
        };
        self.frame.text.get(key)
    }

    fn verdict(&self) -> String {
        match self.check {
            Check::NotAsked => String::new(),
            Check::Intact(seq) => self.frame.text.with("audit-intact", "seq", grouped(seq)),
            Check::Broken(seq) => self.frame.text.with("audit-broken", "seq", grouped(seq)),
        }
    }
}
