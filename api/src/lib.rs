//! The JSON face: REST routes, their OpenAPI document and idempotency. actix translates here and decides nothing.

mod amendments;
mod answer;
mod api;
mod attachments;
mod auth;
mod conversations;
mod cors;
mod cursor;
mod event;
mod fault;
mod groups;
mod listed;
mod live;
mod manage;
mod members;
mod messages;
mod once;
mod openapi;
mod post;
mod presence;
mod query;
mod rates;
mod receipts;
mod reports;
mod rim;
mod routes;
mod served;
mod stats;
mod stream;
mod streams;
mod tokens;
mod uploads;
mod usage;

#[cfg(test)]
mod tests;

pub use api::Api;
pub use openapi::document;
pub use routes::{RouteSpec, Verb, Who, configure, routes, session_routes};
