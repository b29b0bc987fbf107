//! The page an invitation's link opens: what it is, and what stands in the way where it cannot be accepted.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    role::role_name,
    time::Utc,
};

/// How the visitor and the invitation stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The visitor may accept.
    Acceptable,
    /// Nobody is signed in.
    SignedOut,
    /// Somebody else is signed in.
    Foreign,
    /// Nobody accepted it in time.
    Expired,
    /// It was accepted before.
    Used,
    /// It was taken back.
    Revoked,
}

impl Standing {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Acceptable, Self::SignedOut, Self::Foreign, Self::Expired, Self::Used, Self::Revoked];
}

/// The page.
#[derive(Template)]
#[template(path = "invitation.html")]
pub struct InvitationPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The org's name.
    pub org: &'a str,
    /// The invited address.
    pub email: &'a str,
    /// The stored role.
    pub role: &'static str,
    /// When it ends.
    pub expires: Utc,
    /// How it stands.
    pub standing: Standing,
    /// The token, for the form that accepts.
    pub token: &'a str,
    /// Sign-in that comes back here.
    pub sign_in: String,
    /// Sign-up that comes back here.
    pub sign_up: String,
}

impl InvitationPage<'_> {
    fn role(&self) -> String {
        role_name(&self.frame.text, self.role)
    }

    fn heading(&self) -> String {
        self.frame.text.with("invitation-title", "org", self.org)
    }

    /// What stands in the way; empty where nothing does.
    fn obstacle(&self) -> String {
        let text = &self.frame.text;
        match self.standing {
            Standing::Acceptable => String::new(),
            Standing::SignedOut => text.with("invitation-signed-out", "email", self.email),
            Standing::Foreign => {
                let own = self.frame.viewer.map(|viewer| viewer.email).unwrap_or_default();
                text.with_two("invitation-foreign", "email", self.email, "own", own)
            }
            Standing::Expired => text.get("invitation-expired"),
            Standing::Used => text.get("invitation-used"),
            Standing::Revoked => text.get("invitation-revoked"),
        }
    }
}
