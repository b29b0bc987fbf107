//! The orgs of an account: looking at another one, making one, leaving one.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
    role::role_name,
};

/// An org the account is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The account's stored role there.
    pub role: &'static str,
    /// Whether the session looks at it.
    pub is_here: bool,
    /// Why an operator suspended it, where one did.
    pub suspended: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "orgs.html")]
pub struct OrgsPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The account's orgs, by name.
    pub orgs: &'a [OrgRow],
    /// Name of the new org, as it was typed.
    pub name: &'a str,
    /// Whether the account's address is verified, so that it may make an org.
    pub is_verified: bool,
    /// What is wrong with a form.
    pub problems: Problems,
}

impl OrgsPage<'_> {
    fn role(&self, org: &OrgRow) -> String {
        role_name(&self.frame.text, org.role)
    }

    fn here(&self) -> Option<&OrgRow> {
        self.orgs.iter().find(|org| org.is_here)
    }
}
