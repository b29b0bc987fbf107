//! The JSON face over HTTP: the shape of every route, idempotency, refusals.

mod conversations;
mod messages;
mod once;
mod refusals;
mod stats;
mod tokens;
mod usage;
