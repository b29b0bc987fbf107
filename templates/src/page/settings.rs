//! An org's settings: name and rules, management keys, giving it away.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
    role::role_name,
    time::Utc,
};

/// A management key, as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementKeyRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The stored role it acts in.
    pub role: &'static str,
    /// What is shown of its secret.
    pub hint: String,
    /// When it was made.
    pub created: Utc,
    /// By whom: a name, else an id.
    pub created_by: String,
    /// When it was used last.
    pub used: Option<Utc>,
    /// When it ends.
    pub expires: Option<Utc>,
    /// Whether it still opens anything.
    pub is_standing: bool,
}

/// Somebody the org can be given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heir {
    /// Id of the account.
    pub account: String,
    /// Its address.
    pub email: String,
}

/// The page.
#[derive(Template)]
#[template(path = "settings.html")]
pub struct SettingsPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The org's name.
    pub org: &'a str,
    /// The org's id.
    pub org_id: String,
    /// The name in the form.
    pub name: &'a str,
    /// Whether members need a second factor.
    pub requires_totp: bool,
    /// Whether the visitor has one.
    pub has_totp: bool,
    /// Management keys.
    pub keys: &'a [ManagementKeyRow],
    /// Where more of them are; empty at the end.
    pub next_keys: String,
    /// Roles a new key may have.
    pub grantable: Vec<&'static str>,
    /// To whom the visitor may give the org; none where they may not.
    pub heirs: Option<&'a [Heir]>,
    /// What is wrong with a form.
    pub problems: Problems,
}

impl SettingsPage<'_> {
    fn role(&self, role: &str) -> String {
        role_name(&self.frame.text, role)
    }

    fn is_chosen(&self, chosen: &str, role: &str) -> bool {
        chosen == role
    }
}

/// A management key that was just made, with its secret: shown once.
#[derive(Template)]
#[template(path = "management-key.html")]
pub struct ManagementKeyPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// Its name.
    pub name: &'a str,
    /// The secret.
    pub secret: &'a str,
}
