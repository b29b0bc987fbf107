//! What the page after a redirect tells first: one sentence of a closed list.
use crate::text::Text;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flash {
    /// A change was kept.
    Saved,
    /// A mail with a link is under way.
    MailSent,
    /// A forgotten password was replaced; the sign-in page says so.
    PasswordSet,
    /// The password was changed, and other sessions ended.
    PasswordChanged,
    /// Sessions of the account were ended.
    SessionsEnded,
    /// The second factor was switched off.
    TotpOff,
    /// A key was revoked.
    KeyRevoked,
    /// Something is gone for good.
    Deleted,
    /// An invitation is on the way.
    Invited,
    /// The person is a member of another org now.
    Joined,
    /// The org asks for a second factor before anything else.
    NeedsTotp,
}

impl Flash {
    /// Every sentence.
    pub const ALL: &'static [Self] = &[
        Self::Saved,
        Self::MailSent,
        Self::PasswordSet,
        Self::PasswordChanged,
        Self::SessionsEnded,
        Self::TotpOff,
        Self::KeyRevoked,
        Self::Deleted,
        Self::Invited,
        Self::Joined,
        Self::NeedsTotp,
    ];

    /// Its name in the cookie.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::MailSent => "mail-sent",
            Self::PasswordSet => "password-set",
            Self::PasswordChanged => "password-changed",
            Self::SessionsEnded => "sessions-ended",
            Self::TotpOff => "totp-off",
            Self::KeyRevoked => "key-revoked",
            Self::Deleted => "deleted",
            Self::Invited => "invited",
            Self::Joined => "joined",
            Self::NeedsTotp => "needs-totp",
        }
    }

    /// Reads a name that [`Self::name`] gave.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|flash| flash.name() == name)
    }

    /// It in words.
    pub(crate) fn sentence(self, text: &Text) -> String {
        text.get(match self {
            Self::Saved => "flash-saved",
            Self::MailSent => "flash-mail-sent",
            Self::PasswordSet => "flash-password-set",
            Self::PasswordChanged => "flash-password-changed",
            Self::SessionsEnded => "flash-sessions-ended",
            Self::TotpOff => "flash-totp-off",
            Self::KeyRevoked => "flash-key-revoked",
            Self::Deleted => "flash-deleted",
            Self::Invited => "flash-invited",
            Self::Joined => "flash-joined",
            Self::NeedsTotp => "flash-needs-totp",
        })
    }
}
