//! Work that is done after the transaction that caused it, and tried again until it is done or given up.

use crate::role::texts;

texts! {
    /// What kind of work a job is: how its payload is read and who does it.
    JobKind { /// Send a mail; the payload is a [`crate::mail::Mail`] as JSON.
        Mail "mail", }
}
