//! Ids that apps make: users, conversations, devices and the sender's id of a message. Cheap to clone, parsed once.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;
use tokenim_protocol::grammar;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident $param:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses text by the grammar of docs/PROTOCOL.md §1.
            ///
            /// Errors: `invalid_field`.
            pub fn parse(text: &str) -> Result<Self> {
                if grammar::is_id(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(Error::invalid($param, "an id has 1 to 64 characters of A-Z a-z 0-9 _ - . : @"))
                }
            }

            /// Text that was parsed before it was stored.
            #[must_use]
            pub fn trusted(text: &str) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{:?}", &*self.0)
            }
        }
    )*};
}

names! {
    /// An end user of an app.
    User "user";
    /// A conversation of an app.
    Conversation "conversation";
    /// A device of a user.
    Device "device";
    /// The sender's id of a message, unique per app, conversation and sender.
    ClientMsgId "client_msg_id";
}

impl Conversation {
    /// The id of a conversation that its app gave none; the number is a UUIDv7's, or made from an idempotency key.
    #[must_use]
    pub fn made(number: u128) -> Self {
        Self(format!("conv_{}", crate::id::encode(number)).into())
    }
}
