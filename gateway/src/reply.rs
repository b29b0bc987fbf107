//! Domain outcomes and errors as replies of the wire.

use crate::encode;
use tokenim_domain::Error;
use tokenim_domain::log::{Joined, Outcome};
use tokenim_protocol::reply::{Detail, error as write_error, ok};

/// The reply to a command whose write is done.
#[must_use]
pub fn outcome(id: u64, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Sent(sent) => ok(id, &encode::sent(sent)),
        Outcome::Created(view, _) => ok(id, &encode::conversation(view)),
        Outcome::Changed(Some(event)) => ok(id, &format!("{{\"changed\":true,\"seq\":{}}}", event.seq)),
        Outcome::Changed(None) => ok(id, "{\"changed\":false}"),
        Outcome::Moved(_) => ok(id, "{}"),
        Outcome::Grown(grown) => ok(id, &encode::grown(grown)),
        Outcome::Amended(amended) => ok(id, &encode::amended(amended)),
        Outcome::Joined(Joined::Member(Some(event))) => {
            ok(id, &format!("{{\"state\":\"joined\",\"seq\":{}}}", event.seq))
        }
        Outcome::Joined(Joined::Member(None)) => ok(id, "{\"state\":\"joined\"}"),
        Outcome::Joined(Joined::Requested(_)) => ok(id, "{\"state\":\"requested\"}"),
        Outcome::Listed(changed) => ok(id, if *changed { "{\"changed\":true}" } else { "{\"changed\":false}" }),
    }
}

/// The error reply to a command. Nothing of the error's source is told.
#[must_use]
pub fn error(id: u64, error: &Error) -> String {
    let detail = Detail {
        message: &error.message,
        param: error.field(),
        retry_after_ms: error.retry_after_ms,
        facts: error.facts.as_deref(),
    };
    write_error(id, error.code, &detail)
}
