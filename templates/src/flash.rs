//! What the page after a redirect tells first: one sentence of a closed list.
use crate::text::Text;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flash {
    /// A change was kept.
    Saved,
    /// The org asks for a second factor before anything else.
    NeedsTotp,
}

impl Flash {
    /// Every sentence.
    pub const ALL: &'static [Self] = &[Self::Saved, Self::NeedsTotp];

    /// Its name in the cookie.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Saved => "saved",
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
            Self::NeedsTotp => "flash-needs-totp",
        })
    }
}
