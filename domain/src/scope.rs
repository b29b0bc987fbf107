//! What a server key may do: a closed list of words, one per kind of call, or `*` for all.

use crate::error::{Error, Result};
use std::fmt;
use tokenim_protocol::Code;

crate::role::texts! {
    /// One kind of call; the word is `resource:action`.
    Scope { /// Make user tokens.
        TokensCreate "tokens:create", /// See conversations.
        ConversationsRead "conversations:read", /// Create conversations.
        ConversationsWrite "conversations:write", /// Read messages.
        MessagesRead "messages:read", /// Send messages.
        MessagesWrite "messages:write", /// See members of conversations.
        MembersRead "members:read", /// Add and remove them.
        MembersWrite "members:write", /// Read usage.
        UsageRead "usage:read", /// Read live figures.
        StatsRead "stats:read", /// See who is there.
        PresenceRead "presence:read", }
}

/// The word for every scope, those of later versions too.
const ALL: &str = "*";

/// The scopes of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scopes {
    /// Everything.
    All,
    /// These, in the order of the list, each once; never none.
    Only(Vec<Scope>),
}

impl Scopes {
    /// Reads words: `*` alone, or at least one scope.
    ///
    /// Errors: `invalid_field`.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let words: Vec<_> = words.into_iter().collect();
        if words == [ALL] {
            return Ok(Scopes::All);
        }
        let unknown = |word: &str| {
            let known: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            Error::invalid("scopes", format!("{word:?} is no scope; `*` alone means all, else {}", known.join(", ")))
        };
        let mut found = Vec::new();
        for word in words {
            found.push(Scope::find(word).ok_or_else(|| unknown(word))?);
        }
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            return Err(Error::invalid("scopes", "`scopes` must name a scope at least, or be `*`"));
        }
        Ok(Scopes::Only(found))
    }

    /// Asks whether a key with these may do that.
    ///
    /// Errors: `scope_missing`, naming the scope.
    pub fn allow(&self, scope: Scope) -> Result<()> {
        match self {
            Scopes::All => Ok(()),
            Scopes::Only(list) if list.contains(&scope) => Ok(()),
            Scopes::Only(_) => {
                Err(Error::new(Code::ScopeMissing).says(format!("this call needs the scope `{}`", scope.as_str())))
            }
        }
    }

    /// The words, as they are stored and shown.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        match self {
            Scopes::All => vec![ALL],
            Scopes::Only(list) => list.iter().map(|scope| scope.as_str()).collect(),
        }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.words().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_known_words_and_all_stands_alone() {
        let parse = |text: &str| Scopes::parse(text.split_whitespace());
        assert_eq!(parse("*").unwrap(), Scopes::All);
        let some = parse("usage:read tokens:create usage:read").unwrap();
        assert_eq!(some.to_string(), "tokens:create usage:read");
        assert_eq!(parse(&some.to_string()).unwrap(), some);
        assert!(some.allow(Scope::UsageRead).is_ok());
        assert_eq!(some.allow(Scope::StatsRead).unwrap_err().code, Code::ScopeMissing);
        for bad in ["", "* usage:read", "usage:*", "usage:write", "USAGE:READ"] {
            assert_eq!(parse(bad).unwrap_err().code, Code::InvalidField, "{bad:?}");
        }
        assert!(Scope::ALL.iter().all(|scope| Scopes::All.allow(*scope).is_ok()));
    }
}
