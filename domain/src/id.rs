//! Ids that we make: UUIDv7 newtypes, shown as a prefix and 26 Crockford base32 characters.

use crate::clock::Clock;
use crate::rng::Rng;
use std::fmt::Write;
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_CHARS: usize = 26;

/// A new UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, then randomness, so ids sort by time.
#[must_use]
pub fn uuid_v7(clock: &dyn Clock, rng: &dyn Rng) -> Uuid {
    let ms = u64::try_from(clock.now_ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &rng.bytes()).into_uuid()
}

/// 26 characters of Crockford base32, most significant bits first, so that text sorts as the number does.
#[must_use]
pub fn encode(number: u128) -> String {
    digits(number).collect()
}

fn digits(number: u128) -> impl Iterator<Item = char> {
    (0..TEXT_CHARS).rev().map(move |place| char::from(ALPHABET[(number >> (5 * place)) as usize & 31]))
}

/// The number of [`encode`]'s text; `None` for any other text, upper case included, so that an id has one spelling.
#[must_use]
pub fn decode(text: &str) -> Option<u128> {
    if text.len() != TEXT_CHARS || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0u128, |number, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
        Some(number << 5 | digit as u128)
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sea_orm::DeriveValueType)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id.
            #[must_use]
            pub fn new(clock: &dyn Clock, rng: &dyn Rng) -> Self {
                Self(uuid_v7(clock, rng))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(concat!($prefix, "_"))?;
                digits(self.0.as_u128()).try_for_each(|digit| out.write_char(digit))
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                let number = text.strip_prefix(concat!($prefix, "_")).and_then(decode).ok_or(())?;
                Ok(Self(Uuid::from_u128(number)))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl sea_orm::TryFromU64 for $name {
            /// Always refuses: our ids are never counters. SeaORM asks for this conversion of every key type.
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )*};
}

ids! {
    /// An org: the tenant and billing customer.
    OrgId "org";
    /// An account: a person who signs in to the console.
    AccountId "acc";
    /// An app: an isolated messaging space of an org.
    AppId "app";
    /// An API key or a signing key of an app.
    KeyId "key";
    /// An invitation to an org.
    InvitationId "inv";
    /// A browser login, as lists name it; its cookie is another secret.
    SessionId "ses";
    /// A message, global and time-sortable.
    MessageId "msg";
    /// What the service's operators tell every org.
    AnnouncementId "ann";
    /// A process that serves the installation.
    NodeId "node";
    /// A job of the queue.
    JobId "job";
    /// A body or an attachment that comes in chunks, and the object that holds it afterwards.
    UploadId "upl";
    /// An attachment; its number is that of the upload it came as.
    AttachmentId "att";
}

impl OrgId {
    /// The service itself where an org is asked for: its own audit chain and idempotency keys. No org has it.
    pub const SERVICE: OrgId = OrgId(Uuid::nil());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_number_agree(a: u128, b: u128) {
            prop_assert_eq!(decode(&encode(a)), Some(a));
            prop_assert_eq!(encode(a).cmp(&encode(b)), a.cmp(&b));
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = OrgId(Uuid::from_u128(77));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<OrgId>().is_err());
        assert!(id.to_string().replace("org_", "app_").parse::<OrgId>().is_err());
        assert!("org_8zzzzzzzzzzzzzzzzzzzzzzzzz".parse::<OrgId>().is_err(), "129 bits");
    }
}
