//! The routes over a real store and gateway: what they answer, whom they refuse, and that every answer fits the OpenAPI document.

mod calls;
mod fuzz;
mod house;
mod idempotency;
mod isolation;
mod keys;
mod limits;
mod manage;
mod refusals;
mod sample;
mod schema;
